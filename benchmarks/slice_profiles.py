"""What a slice profile other than the assumed one costs, untold and told.

Paints coronal planes of held-out heads at 1 mm, makes axial slices of 4 mm with noise
through several profiles, and super-resolves the planes: as they are, and with their
profile told, in the steps of a volume: brought to the nominal profile first, projected
on the true one last. Unlike a volume, planes are cut one way only, and the last
projection has a fixed epsilon. Prints the table.

    python benchmarks/slice_profiles.py --label-maps MAPS
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from guided_sr import GuidedSRModel, SliceProfile, back_project, psnr, upsample
from guided_sr.datasets.label_maps import read_label_map
from guided_sr.evaluation.stress import NOISE, Condition, StressSet
from guided_sr.physics.operators import SeparableOperator, apply_matrices

SCALE = 4
EPSILON = 0.3  # of the last projection: about what two per cent of noise ask for
HELD_OUT = ("19", "20")
PROFILES = {
    "Gaussian": SliceProfile(),
    "Gaussian, gap 20 %": SliceProfile("gaussian", 0.2),
    "box": SliceProfile("box"),
    "box, gap 20 %": SliceProfile("box", 0.2),
}


def measured(
    model: GuidedSRModel, stress: StressSet, number: int, true: SliceProfile
) -> tuple[float, float, float]:
    """PSNR of cubic, with the default profile and with the true one."""
    pair = stress.pair(number, Condition("3 T", noise=0.0))
    rows, columns = pair.truth.shape[1:]
    coarse = rows // SCALE
    same = SliceProfile().line(columns, columns)
    operator = SeparableOperator(true.line(rows, coarse), same)
    sharp = operator(pair.truth)
    bright = np.percentile(pair.truth[pair.truth > 0], 99.5)
    grain = np.random.default_rng(number).standard_normal(sharp.shape) * NOISE * bright
    low = np.where(sharp > 0.02 * bright, np.maximum(sharp + grain, 0.0), 0.0)
    low = low.astype(np.float32)
    scale = (float(SCALE), 1.0)
    untold = model.predict_cascade(low, pair.t1, scale=scale)
    told = untold
    if not true.nominal:
        nominal = apply_matrices(low, [true.to_nominal(rows, coarse), None])
        told = model.predict_cascade(np.maximum(nominal, 0.0), pair.t1, scale=scale)
        told = back_project(told, low, operator, method="exact", epsilon=EPSILON)
    cubic, first, second = (
        float(np.mean([psnr(x, y) for x, y in zip(pair.truth, image, strict=True)]))
        for image in (upsample(low, (rows, columns)), untold, told)
    )
    return cubic, first, second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--label-maps", type=Path, required=True)
    parser.add_argument("--model", default="grdn_t2_slice")
    parser.add_argument("--planes", type=int, default=4, help="of each head")
    args = parser.parse_args()
    model = GuidedSRModel.from_preset(args.model)
    maps = {
        name: read_label_map(args.label_maps / f"training_seg_{name}.nii.gz")
        for name in HELD_OUT
    }
    stress = StressSet(
        maps, scale=(float(SCALE), 1.0), plane="coronal", planes=args.planes
    )
    print("| true profile | cubic | default profile | true profile told |")
    print("|---|--:|--:|--:|")
    for name, true in PROFILES.items():
        heads = [measured(model, stress, k, true) for k in range(len(maps))]
        cubic, untold, told = np.mean(heads, axis=0)
        print(
            f"| {name} | {cubic:.2f} | {untold:.2f} ({untold - cubic:+.2f}) |"
            f" {told:.2f} ({told - cubic:+.2f}) |",
            flush=True,
        )
    print(
        f"\nPSNR in dB (gain over cubic) of {args.planes} coronal planes of each of"
        f" {len(maps)} heads, `{args.model}`, noise {NOISE:.0%} of the T2."
    )


if __name__ == "__main__":
    main()
