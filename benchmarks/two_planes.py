"""What planes cut both ways across thick slices give over planes cut one way.

Paints blocks of held-out heads at 1 mm by the generator that training never uses, makes
axial slices of 4 mm with noise, and super-resolves them by the slice preset: from
coronal planes alone, from sagittal planes alone, and as a volume, which takes the mean of
both and projects it once more. Prints the table and puts it between the comments of a page.

    python benchmarks/two_planes.py --label-maps MAPS --page docs/how_to/thick_slices.md
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from nibabel.nifti1 import Nifti1Image
from tables import with_table

from guided_sr import GuidedSRModel, psnr, upsample
from guided_sr.datasets.label_maps import read_label_map
from guided_sr.evaluation.stress import NOISE, Condition, StressSet

PRESET, SCALE = "grdn_t2_slice", 4.0
PLANES = 72  # coronal, about 1 mm apart
EDGE = 8  # planes at either end of a block, where a sagittal plane lacks neighbours
HELD_OUT = ("17", "18", "19", "20")


def measured(stress: StressSet, model: GuidedSRModel) -> dict[str, list[float]]:
    """PSNR of every inner coronal plane of a block, by way."""
    pair = stress.pair(0, Condition("3 T"))
    n, shape = len(pair.truth), pair.truth.shape[-2:]
    scale = (SCALE, 1.0)

    def planes(t2: np.ndarray, t1: np.ndarray) -> np.ndarray:
        size = t1.shape[-2:]
        return model.predict_cascade(t2, t1, scale=scale, target_shape=size)

    def turned(stack: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.transpose(stack, (2, 1, 0)))

    spacing = np.diag([1.0, 1.0, SCALE, 1.0])
    spacing[2, 3] = 0.5 * (SCALE - 1.0)
    t2 = Nifti1Image(np.transpose(pair.low, (2, 0, 1)), spacing)
    t1 = Nifti1Image(np.transpose(pair.t1, (2, 0, 1)), np.eye(4))
    result = model.predict_cascade(
        t2, t1, scale=(1, 1, SCALE), axes="slice", register="none"
    )
    ways = {
        "cubic": upsample(pair.low, shape),
        "coronal planes": planes(pair.low, pair.t1),
        "sagittal planes": turned(planes(turned(pair.low), turned(pair.t1))),
        "both": np.transpose(result.data, (1, 2, 0)),
    }
    inner = range(EDGE, n - EDGE)
    return {
        name: [psnr(pair.truth[k], image[k]) for k in inner]
        for name, image in ways.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--label-maps", type=Path, required=True)
    parser.add_argument("--page", type=Path)
    args = parser.parse_args()
    model = GuidedSRModel.from_preset(PRESET)
    lines = [
        "| head | cubic | coronal planes | sagittal planes | both |"
        " both over the better |",
        "|---|---|---|---|---|---|",
    ]
    gains = []
    for name in HELD_OUT:
        stress = StressSet(
            {name: read_label_map(args.label_maps / f"training_seg_{name}.nii.gz")},
            scale=(SCALE, 1.0),
            plane="coronal",
            planes=PLANES,
            seed=int(name),
        )
        figures = {k: float(np.mean(v)) for k, v in measured(stress, model).items()}
        better = max(figures["coronal planes"], figures["sagittal planes"])
        gains.append((figures["both"] - figures["cubic"], figures["both"] - better))
        cells = " | ".join(f"{value:.2f}" for value in figures.values())
        lines.append(f"| map {name} | {cells} | **{gains[-1][1]:+.2f}** |")
        print(lines[-1], flush=True)
    over_cubic, over_one = np.mean(gains, axis=0)
    lines.append(
        f"| mean gain | | | | {over_cubic:+.2f} over cubic | **{over_one:+.2f}** |"
    )
    lines.append("")
    lines.append(
        f"PSNR in dB of the {PLANES - 2 * EDGE} inner coronal planes of a block, noise"
        f" {NOISE:.0%}, factor {SCALE:g}, `{PRESET}`, protocol 3 T."
    )
    print("\n".join(lines))
    if args.page:
        page = args.page.read_text("utf-8")
        args.page.write_text(with_table(page, "two-planes", lines), encoding="utf-8")


if __name__ == "__main__":
    main()
