"""What a volume, seen from all three sides, gives over planes cut one way.

Paints blocks of held-out heads at 1 mm by the generator that training never uses, makes
axial slices of 4 mm with noise, and super-resolves them by the slice presets: from
coronal planes alone, from sagittal planes alone, as the mean of both, and as a volume,
which leads the slices of the mean up once more and projects it. Prints the table.

    python benchmarks/two_planes.py --label-maps MAPS [--noise 0]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from nibabel.nifti1 import Nifti1Image

from guided_sr import GuidedSRModel, psnr, upsample
from guided_sr.datasets.label_maps import read_label_map
from guided_sr.evaluation.stress import NOISE, Condition, StressSet

PRESETS, SCALE = ("grdn_t2_slice", "grdn_t2_slice_noguide"), 4.0
PLANES = 72  # coronal, about 1 mm apart
EDGE = 8  # planes at either end of a block, where a sagittal plane lacks neighbours
HELD_OUT = ("19", "20")  # of these 19 helped to find the step of the slices


def measured(
    stress: StressSet, model: GuidedSRModel, noise: float
) -> dict[str, list[float]]:
    """PSNR of every inner coronal plane of a block, by way."""
    pair = stress.pair(0, Condition("3 T", noise=noise))
    n, shape = len(pair.truth), pair.truth.shape[-2:]
    scale = (SCALE, 1.0)

    def planes(t2: np.ndarray, t1: np.ndarray) -> np.ndarray:
        size, guide = t1.shape[-2:], t1 if model.guided else None
        return model.predict_cascade(t2, guide, scale=scale, target_shape=size)

    def turned(stack: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.transpose(stack, (2, 1, 0)))

    spacing = np.diag([1.0, 1.0, SCALE, 1.0])
    spacing[2, 3] = 0.5 * (SCALE - 1.0)
    t2 = Nifti1Image(np.transpose(pair.low, (2, 0, 1)), spacing)
    t1 = Nifti1Image(np.transpose(pair.t1, (2, 0, 1)), np.eye(4))
    result = model.predict_cascade(
        t2,
        t1 if model.guided else None,
        scale=(1, 1, SCALE),
        axes="slice",
        register="none",
    )
    coronal = planes(pair.low, pair.t1)
    sagittal = turned(planes(turned(pair.low), turned(pair.t1)))
    ways = {
        "cubic": upsample(pair.low, shape),
        "coronal planes": coronal,
        "sagittal planes": sagittal,
        "mean": 0.5 * (coronal + sagittal),
        "volume": np.transpose(result.data, (1, 2, 0)),
    }
    inner = range(EDGE, n - EDGE)
    return {
        name: [psnr(pair.truth[k], image[k]) for k in inner]
        for name, image in ways.items()
    }


def table(maps: Path, noise: float) -> list[str]:
    models = [GuidedSRModel.from_preset(name) for name in PRESETS]
    lines = [
        "| preset | head | cubic | coronal planes | sagittal planes | mean of both |"
        " volume | volume over the better planes |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    of_preset: dict[str, list[dict[str, float]]] = {name: [] for name in PRESETS}
    for head in HELD_OUT:
        stress = StressSet(
            {head: read_label_map(maps / f"training_seg_{head}.nii.gz")},
            scale=(SCALE, 1.0),
            plane="coronal",
            planes=PLANES,
            seed=int(head),
        )
        for name, model in zip(PRESETS, models, strict=True):
            ways = measured(stress, model, noise)
            figures = {way: float(np.mean(psnrs)) for way, psnrs in ways.items()}
            of_preset[name].append(figures)
            lines.append(row(name, f"map {head}", figures))
            print(lines[-1], flush=True)
    for name, all_heads in of_preset.items():
        mean = {w: float(np.mean([f[w] for f in all_heads])) for w in all_heads[0]}
        lines.append(row(name, "mean", mean))
    lines.append("")
    lines.append(
        f"PSNR in dB of the {PLANES - 2 * EDGE} inner coronal planes of a block, noise"
        f" {noise:.0%}, factor {SCALE:g}, protocol 3 T."
    )
    return lines


def row(name: str, head: str, figures: dict[str, float]) -> str:
    better = max(figures["coronal planes"], figures["sagittal planes"])
    cells = " | ".join(f"{value:.2f}" for value in figures.values())
    return f"| `{name}` | {head} | {cells} | **{figures['volume'] - better:+.2f}** |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--label-maps", type=Path, required=True)
    parser.add_argument("--noise", type=float, default=NOISE, help="of both images")
    args = parser.parse_args()
    print("\n".join(table(args.label_maps, args.noise)))


if __name__ == "__main__":
    main()
