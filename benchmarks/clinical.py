"""Clinical pairs through `guided-sr run` with no option: time, geometry, verdict.

Runs the command for the three thick-slice pairs of open_ms, with the default presets
and with the light one, in processes of their own. Puts the table into a page between
comments, and the planes, before and after, into pictures.

    python benchmarks/clinical.py --data DATA --page PAGE \
        --pictures DIR
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from tables import with_table

from guided_sr.physics.operators import SeparableOperator
from guided_sr.report.panel import grey_window
from guided_sr.report.planes import PLANES, Upright, head_centre, shade
from guided_sr.volumes import corner_gap, read_volume, voxel_sizes

PAIRS = ("long_patient01_study1", "long_patient01_study2", "long_patient04_study1")
MODELS = {"default": [], "light": ["--model", "grdn_t2_slice_light"]}


def run(folder: Path, out: Path, more: list[str]) -> float:
    """Seconds of the whole command."""
    command = [sys.executable, "-m", "guided_sr", "run", "-q", *more, "-o", str(out)]
    pair = ["-i", str(folder / "t2.nii.gz"), "-g", str(folder / "t1.nii.gz")]
    begun = time.perf_counter()
    subprocess.run([*command, *pair], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def row(folder: Path, which: str, out: Path, seconds: float) -> str:
    t2 = read_volume(folder / "t2.nii.gz", name="T2")
    ours = read_volume(out, name="result")
    known = json.loads(out.with_name(out.name[:-7] + ".json").read_text("utf-8"))
    qc = known["GuidedSR"]["qc"]
    gap = corner_gap(ours.affine, ours.data.shape, t2.affine, t2.data.shape)
    before, after = (
        " × ".join(f"{mm:.2f}" for mm in voxel_sizes(one.affine)) for one in (t2, ours)
    )
    gain = qc["guide_gain_db"]
    return (
        f"| {folder.name} | {which} | {before} | {after} | {gap:.0e} mm |"
        f" {'–' if gain is None else f'{gain:+.2f} dB'} | {qc['verdict']} |"
        f" {seconds / 60:.1f} min |"
    )


def picture(folder: Path, out: Path, target: Path) -> None:
    """Cubic interpolation above, the result below, in three planes."""
    low, ours = (
        Upright.of(read_volume(path, name="image"))
        for path in (folder / "t2.nii.gz", out)
    )
    operator = SeparableOperator.interpolation(low.data.shape, ours.data.shape)
    cubic = Upright(operator(low.data).astype(np.float32), ours.voxel_mm)
    at, window = head_centre(ours), grey_window(cubic.data)
    sizes = [ours.size_mm(plane) for plane in PLANES]
    ratios = [width / height for width, height in sizes]
    figure, axes = plt.subplots(
        2, 3, figsize=(9, 2 * 9 / sum(ratios)), width_ratios=ratios, facecolor="black"
    )
    rows = (("cubic interpolation", cubic), ("guided-sr", ours))
    for axis_row, (name, volume) in zip(axes, rows, strict=True):
        for axis, plane, (width, height) in zip(axis_row, PLANES, sizes, strict=True):
            axis.imshow(
                shade(volume.cut(plane, at), window),
                extent=(0, width, 0, height),
                interpolation="nearest",
            )
            axis.axis("off")
        axis_row[0].text(
            3, 4, name, color="white", fontsize=9, verticalalignment="bottom"
        )
    figure.subplots_adjust(0, 0, 1, 1, 0.01, 0.01)
    figure.savefig(target, dpi=110, facecolor="black")
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    lines = [
        "| pair | presets | T2 voxels, mm | result voxels, mm | corners off by |"
        " T1 on held-out slices | verdict | time |",
        "|---|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as scratch:
        for name in PAIRS:
            folder = args.data / "open_ms" / name
            for which, more in MODELS.items():
                out = Path(scratch) / f"{name}_{which}.nii.gz"
                seconds = run(folder, out, more)
                lines.append(row(folder, which, out, seconds))
                print(lines[-1], flush=True)
                if args.pictures and not more:
                    picture(folder, out, args.pictures / f"{name}.png")
    lines += ["", f"{os.cpu_count()} cores, start-up and registration included."]
    if args.page:
        page = args.page.read_text("utf-8")
        args.page.write_text(with_table(page, "clinical", lines), encoding="utf-8")


if __name__ == "__main__":
    main()
