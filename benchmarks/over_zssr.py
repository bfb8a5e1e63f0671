"""The presets' recipes against ZSSR, on the slices of the paper's comparison.

Pairs the runs of `leave_one_out.py` with the ZSSR cells of `guided-sr benchmark` slice
by slice, and prints the difference in PSNR: of the recipes, the trials behind them, and
the same network taught by the sharp T2s.

    python benchmarks/over_zssr.py docs/benchmarks/runs.jsonl \
        docs/benchmarks/open_ms/cells.jsonl
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

PRESETS = "grdn_t2_x2", "grdn_t2_x4"
SLICES = 60  # of a run, the centre one being number 30


def main() -> None:
    runs, cells = (
        [json.loads(line) for line in Path(file).read_text().splitlines()]
        for file in sys.argv[1:3]
    )
    zssr: dict[tuple[float, str], dict[int, float]] = {}
    for cell in cells:
        if cell["method"] == "zssr":
            centre = next(one["slice"] for one in cell["scores"] if one["centre"])
            zssr[cell["scale"], cell["test"][0]] = {
                one["slice"] - centre + SLICES // 2: one["psnr"]
                for one in cell["scores"]
            }
    found: dict[tuple[float, str], dict[str, float]] = {}
    for run in runs:
        key = run["scale"], run["test"]
        whole = "slices" in run["ours"] and len(run["ours"]["slices"]) == SLICES
        if run["recipe"] in PRESETS and run["guided"] and whole and key in zssr:
            over = [run["ours"]["slices"][k] - x for k, x in zssr[key].items()]
            label = found.setdefault((run["scale"], run["label"]), {})
            label[run["test"]] = float(np.mean(over))
    print("| scale | run | over ZSSR, each subject | mean |")
    print("|---|---|---|--:|")
    for (scale, label), each in sorted(found.items()):
        if len(each) > 1:
            parts = ", ".join(f"{each[name]:+.2f}" for name in sorted(each))
            mean = np.mean(list(each.values()))
            print(f"| {scale:g}× | {label} | {parts} | {mean:+.2f} |")


if __name__ == "__main__":
    main()
