"""Measure what the regularisation by noise is worth to a preset.

For scans and heads painted from label maps, with Rician noise and with wrong guides:
the noise that is found, and the gain over cubic interpolation with back-projection at
the default number, at the number that the noise gives, and with none. One line a case.

    python benchmarks/noise.py --data DATA --model grdn_t2_x4
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from numpy.typing import NDArray

from guided_sr import GuidedSRModel, degrade, psnr, upsample
from guided_sr.datasets.label_maps import read_label_map
from guided_sr.datasets.signal import add_rician_noise
from guided_sr.errors import GuidedSRWarning
from guided_sr.evaluation.stress import Condition, StressSet
from guided_sr.inference.inputs import prepare
from guided_sr.inference.noise import measure_noise
from guided_sr.physics.back_projection import BackProjection
from guided_sr.physics.degrade import crop_to_multiple
from guided_sr.presets import rows_only
from guided_sr.volumes import read_volume

Stack = NDArray[np.float32]
Case = tuple[str, list[tuple[Stack, Stack, Stack]]]

WAYS = {
    "default": BackProjection("exact"),
    "by noise": BackProjection("exact", epsilon="auto"),
    "none": BackProjection(None),
}
NOISE = (0.0, 0.01, 0.03)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--model", required=True, help="preset, or folder of a model")
    parser.add_argument("--test", default="mni_patient07", help="scan to measure on")
    parser.add_argument("--other", default="mni_patient19", help="whose T1 is wrong")
    parser.add_argument("--maps", nargs="+", default=["19", "20"], help="label maps")
    return parser.parse_args()


def scan(folder: Path, *, rows: bool) -> tuple[Stack, Stack]:
    """T2 and T1: eight axial slices, or coronal ones with the slice axis as rows."""
    part = (slice(1, 181), slice(1, 217), slice(60, 120, 8))
    order = (2, 0, 1)
    if rows:
        part, order = (slice(1, 181), slice(60, 170, 14), slice(1, 181)), (1, 2, 0)
    t2, t1 = (
        np.clip(read_volume(folder / f"{name}.nii.gz").data[part], 0, None)
        for name in ("t2", "t1")
    )
    return np.transpose(t2, order), np.transpose(t1, order)


def scans(args: argparse.Namespace, model: GuidedSRModel) -> Iterator[Case]:
    rows = rows_only(model.known_scale())
    folder = args.data / "open_ms"
    t2, t1 = scan(folder / args.test, rows=rows)
    _, wrong = scan(folder / args.other, rows=rows)
    t2, t1, wrong = (crop_to_multiple(x, model.known_scale()) for x in (t2, t1, wrong))
    bright = float(np.percentile(t2, 99.5))
    for guide, name in ((t1, "scan"), (wrong, "scan, T1 of another person")):
        for noise in NOISE if guide is t1 else NOISE[:1]:
            rng = np.random.default_rng(0)
            low = degrade(t2, model.known_scale())
            low = add_rician_noise(low, noise * bright, rng).astype(np.float32)
            yield f"{name}, noise {noise:.0%}", [(low, guide, t2)]


def heads(args: argparse.Namespace, model: GuidedSRModel) -> Iterator[Case]:
    rows = rows_only(model.known_scale())
    names = [f"training_seg_{number}" for number in args.maps]
    folder = args.data / "label_maps"
    maps = {name: read_label_map(folder / f"{name}.nii.gz") for name in names}
    stress = StressSet(
        maps,
        scale=model.known_scale(),
        plane="coronal" if rows else "axial",
        planes=2,
    )
    conditions = {f"noise {n:.0%}": Condition("3 T", noise=n) for n in NOISE}
    if model.guided:
        other, shift = {"other": True}, {"shift_mm": 3.0}
        for name, wrong in (("T1 of another person", other), ("T1 off 3 mm", shift)):
            conditions[f"{name}, noise 0%"] = Condition("3 T", noise=0.0, **wrong)
    for name, condition in conditions.items():
        pairs = [stress.pair(k, condition) for k in range(len(names))]
        yield f"painted, {name}", [(p.low, p.t1, p.truth) for p in pairs]


def measured(model: GuidedSRModel, case: Case) -> str:
    """Noise found and gains, as a row of a table."""
    name, pairs = case
    gains: dict[str, list[float]] = {way: [] for way in WAYS}
    found = []
    for low, t1, truth in pairs:
        guide = t1 if model.guided else None
        target = (truth.shape[1], truth.shape[2])
        inputs = prepare(
            low, guide, guided=model.guided, scale=model.scale, target_shape=target
        )
        plan = inputs.plan(stages=model.stages, stage_blur=model.stage_blur)
        noise = measure_noise(model.networks, *inputs.normalised(), plan=plan)
        found.append(f"{100 * noise.sigma:.1f}")
        cubic = upsample(low, target)
        for way, how in WAYS.items():
            sr = model.predict_cascade(
                low,
                guide,
                target_shape=target,
                back_projection=how,
                guide_use="always",
            )
            gains[way] += [
                psnr(x, a) - psnr(x, b)
                for x, a, b in zip(truth, sr, cubic, strict=True)
            ]
    means = " | ".join(f"{np.mean(values):+.2f}" for values in gains.values())
    return f"| {name} | {', '.join(found)} | {means} |"


def main() -> None:
    args = arguments()
    warnings.simplefilter("ignore", GuidedSRWarning)
    model = GuidedSRModel.from_preset(args.model)
    print(f"| {model.name} | noise found [%] | {' | '.join(WAYS)} |")
    for cases in (scans(args, model), heads(args, model)):
        for case in cases:
            if model.guided or "T1" not in case[0]:
                print(measured(model, case), flush=True)


if __name__ == "__main__":
    main()
