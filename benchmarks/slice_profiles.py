"""What a slice profile other than the assumed one costs: assumed, read and told.

Paints coronal planes of held-out heads at 1 mm, makes axial slices of 4 mm with noise
through several profiles, and super-resolves the planes: by the nominal profile, by the
one that is read from the T1, and by the true one. Prints the table, and how wide slices
are read as in every contrast.

    python benchmarks/slice_profiles.py --label-maps MAPS
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from numpy.typing import NDArray

from guided_sr import GuidedSRModel, SliceProfile, psnr, upsample
from guided_sr.datasets.label_maps import read_label_map
from guided_sr.datasets.protocols import PROTOCOLS
from guided_sr.datasets.signal import add_rician_noise
from guided_sr.evaluation.stress import NOISE, Condition, StressPair, StressSet
from guided_sr.inference.inputs import prepare
from guided_sr.inference.slice_width import slice_width
from guided_sr.physics.operators import SeparableOperator

SCALE = (4.0, 1.0)
HELD_OUT = ("17", "18", "19", "20")
PROFILES = {
    "Gaussian": SliceProfile(),
    "Gaussian, gap 20 %": SliceProfile("gaussian", 0.2),
    "box": SliceProfile("box"),
    "box, gap 20 %": SliceProfile("box", 0.2),
}


def coarse(pair: StressPair, true: SliceProfile, noise: float, seed: int) -> NDArray:
    """Thick slices of the truth through a profile, with noise, air taken away."""
    rows, columns = pair.truth.shape[1:]
    same = SliceProfile().line(columns, columns)
    operator = SeparableOperator(true.line(rows, int(rows / SCALE[0])), same)
    clean = np.maximum(operator(pair.truth), 0.0)
    bright = float(np.percentile(pair.truth[pair.truth > 0], 99.5))
    grain = add_rician_noise(clean, noise * bright, np.random.default_rng(seed))
    return np.where(clean > 0.02 * bright, grain, 0.0).astype(np.float32)


def measured(
    model: GuidedSRModel, pair: StressPair, low: NDArray, true: SliceProfile
) -> list[float]:
    """PSNR of cubic, and by the nominal, the read and the true profile."""
    images = [upsample(low, pair.truth.shape[1:])]
    for profile in (SliceProfile(), None, true):
        images.append(
            model.predict_cascade(low, pair.t1, scale=SCALE, slice_profile=profile)
        )
    return [
        float(np.mean([psnr(x, y) for x, y in zip(pair.truth, image, strict=True)]))
        for image in images
    ]


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
    stress = StressSet(maps, scale=SCALE, plane="coronal", planes=args.planes)
    print("| true profile | cubic | nominal assumed | read from the T1 | told |")
    print("|---|--:|--:|--:|--:|")
    for name, true in PROFILES.items():
        heads = []
        for k in range(len(maps)):
            pair = stress.pair(k, Condition("3 T"))
            heads.append(measured(model, pair, coarse(pair, true, NOISE, k), true))
        cubic, *others = np.mean(heads, axis=0)
        cells = [f"{one:.2f} ({one - cubic:+.2f})" for one in others]
        print(f"| {name} | {cubic:.2f} | {' | '.join(cells)} |", flush=True)
    print(
        f"\nPSNR in dB (gain over cubic) of {args.planes} coronal planes of each of"
        f" {len(maps)} heads, `{args.model}`, noise {NOISE:.0%} of the T2.\n"
    )
    print(f"| contrast, noise | {' | '.join(PROFILES)} |")
    print("|---|" + "--:|" * len(PROFILES))
    for protocol in PROTOCOLS:
        for noise in (NOISE, 0.05):
            cells = []
            for true in PROFILES.values():
                widths = []
                for k in range(len(maps)):
                    pair = stress.pair(k, Condition(protocol, noise=noise))
                    low = coarse(pair, true, noise, k)
                    images = prepare(low, pair.t1, guided=True, scale=SCALE)
                    widths.append(slice_width([images.normalised()]) or np.nan)
                cells.append(f"{min(widths):.2f} to {max(widths):.2f}")
            print(f"| {protocol}, {noise:.0%} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
