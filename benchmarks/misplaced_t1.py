"""What presets gain with a T1 that fits, and with one that does not.

The T1 is always used, whatever the test of it says, so that models which were trained
with more or less jitter of the T1 can be compared: gain over cubic interpolation on
heads painted from label maps 17 to 20, mean of all planes, in dB.

    python benchmarks/misplaced_t1.py --label-maps MAPS grdn_t2_x4 grdn_t2_x4_robust
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from guided_sr import GuidedSRModel, psnr, upsample
from guided_sr.datasets.label_maps import read_label_map
from guided_sr.evaluation.stress import CONDITIONS, Condition, StressSet
from guided_sr.presets import rows_only

HEADS = (17, 18, 19, 20)
SHOWN = {
    "fits": CONDITIONS["3 T"],
    "fits, skull": CONDITIONS["1.5 T, skull"],
    "0.5 mm off": Condition("3 T", shift_mm=0.5),
    "1 mm off": CONDITIONS["T1 shifted by 1 mm"],
    "2 mm off": Condition("3 T", shift_mm=2.0),
    "3 mm off": CONDITIONS["T1 shifted by 3 mm"],
    "another person's": CONDITIONS["T1 of another person"],
}


def gain(model: GuidedSRModel, heads: StressSet, count: int, what: Condition) -> float:
    """Mean gain over cubic interpolation."""
    gains = []
    for k in range(count):
        pair = heads.pair(k, what)
        ours = model.predict_cascade(
            pair.low,
            pair.t1 if model.guided else None,
            scale=model.known_scale(),
            guide_use=None,
        )
        cubic = upsample(pair.low, pair.truth.shape[-2:])
        for truth, image, plain in zip(pair.truth, ours, cubic, strict=True):
            gains.append(psnr(truth, image) - psnr(truth, plain))
    return float(np.mean(gains))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="presets, or folders of models")
    parser.add_argument("--label-maps", required=True, type=Path)
    parser.add_argument("--planes", type=int, default=1)
    args = parser.parse_args()
    files = [args.label_maps / f"training_seg_{k}.nii.gz" for k in HEADS]
    maps = {file.name: read_label_map(file) for file in files}
    print("| model | " + " | ".join(SHOWN) + " |")
    print("|---" + "|--:" * len(SHOWN) + "|")
    for name in args.models:
        model = GuidedSRModel.from_preset(name)
        scale = model.known_scale()
        plane = "coronal" if rows_only(scale) else "axial"
        heads = StressSet(maps, scale=scale, plane=plane, planes=args.planes)
        gains = [gain(model, heads, len(files), what) for what in SHOWN.values()]
        print(f"| {name} | " + " | ".join(f"{x:.2f}" for x in gains) + " |", flush=True)


if __name__ == "__main__":
    main()
