"""Does the test of the guide foretell what the T1 is worth?

    python benchmarks/guide_test.py --data DATA --model grdn_t2_x4 --planes 2

Prints, for each condition, the gain by the T1 on held-out slices of the T2, which the
test sees, and on the truth, which it does not: least, mean and largest over the heads,
in dB. ``--set maps`` takes heads painted from label maps, ``--set mni`` the patients of
open_ms whose T2 is made coarser, ``--set long`` their thick slices as they were
acquired, whose truth nobody knows, ``--set tuned`` the slices that ``fine_tuning.py``
measures on, for a model that it has saved. ``DATA`` holds ``label_maps`` and
``open_ms``.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from fine_tuning import TEST, TUNE, simulated

from guided_sr import GuidedSRModel, degrade
from guided_sr.datasets.label_maps import read_label_map
from guided_sr.evaluation.measures import central_slices
from guided_sr.evaluation.stress import CONDITIONS, StressSet
from guided_sr.inference.guide_test import compare_guide, compare_on_slices
from guided_sr.inference.volume import Cascade
from guided_sr.inference.volume_inputs import VolumeInputs
from guided_sr.inference.volume_plan import VolumePlan, target_for
from guided_sr.model.guide_use import partner_of
from guided_sr.model.prediction import served_by
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.degrade import crop_to_multiple
from guided_sr.volumes import fit_intensity, read_volume

HEADS = (17, 18, 19, 20)
LONG = ("01_study1", "01_study2", "04_study1")


class Models(NamedTuple):
    """A guided model and its partner."""

    guided: GuidedSRModel
    unguided: GuidedSRModel

    def cascades(self) -> list[Cascade]:
        return [Cascade(m.networks, m.back_projection, m.guided) for m in self]


def on_stacks(models: Models, low: Any, t1: Any, truth: Any) -> tuple[float, float]:
    """Gain by the T1 in the test, and on the truth."""
    y, guide = fit_intensity(low).forward(low), fit_intensity(t1).forward(t1)
    target = t1.shape[-2:]
    stages = models.guided.stages
    plan = CascadePlan.create(y.shape[-2:], target_shape=target, stages=stages)
    test = compare_on_slices(y, guide, plan, *models.cascades())
    assert test is not None
    errors = [
        np.sum(
            (m.predict_cascade(low, g, target_shape=target, guide_use=None) - truth)
            ** 2
        )
        for m, g in zip(models, (t1, None), strict=True)
    ]
    return test.gain_db, float(10 * np.log10(errors[1] / errors[0]))


def painted(
    data: Path,
    models: Models,
    planes: int,
    conditions: Sequence[str],
    factor: float | None,
) -> Iterator[tuple[str, Any]]:
    """Heads painted from label maps, under every condition of the stress set."""
    maps = {}
    for head in HEADS:
        name = f"training_seg_{head}"
        maps[name] = read_label_map(data / f"label_maps/{name}.nii.gz")
    scale = models.guided.scale
    assert scale is not None
    if factor is not None:
        scale = (factor, scale[1])
    plane = "coronal" if scale[1] == 1.0 else "axial"
    stress = StressSet(maps, scale=scale, plane=plane, planes=planes)
    for name in conditions or CONDITIONS:
        for k in range(len(HEADS)):
            pair = stress.pair(k, CONDITIONS[name])
            yield name, on_stacks(models, pair.low, pair.t1, pair.truth)


def patients(data: Path, models: Models) -> Iterator[tuple[str, Any]]:
    """Two patients on one grid; the T1 of the other is that of another person."""
    assert models.guided.scale is not None
    factor = models.guided.scale[0]

    def stack(patient: str, kind: str) -> Any:
        image = nib.load(data / f"open_ms/mni_patient{patient}/{kind}.nii.gz")
        voxels = np.moveaxis(np.asarray(image.dataobj, np.float32), 2, 0)[40:140:9]
        return crop_to_multiple(np.clip(voxels, 0.0, None), factor)

    for patient, other in (("07", "19"), ("19", "07")):
        t2, t1 = stack(patient, "t2"), stack(patient, "t1")
        low = degrade(t2, factor).astype(np.float32)
        for name, guide in wrong_and_right(t1, stack(other, "t1")).items():
            yield name, on_stacks(models, low, guide, t2)


def wrong_and_right(t1: Any, another: Any) -> dict[str, Any]:
    """The T1 as it lies, moved by whole pixels of 1 mm, and that of another person."""
    moves = {
        f"moved by {mm} mm": np.roll(t1, (mm, -mm), axis=(1, 2)) for mm in (1, 2, 3)
    }
    return {"right": t1, **moves, "another person": another}


def tuned(data: Path, models: Models, slices: int = 20) -> Iterator[tuple[str, Any]]:
    """What ``fine_tuning.py`` measures on; the other person is one it learnt from.

    T1s lie where their headers put them, and are moved from there.
    """
    assert models.guided.scale is not None
    test, other = (
        simulated(data, name, models.guided.scale[0], "none")
        for name in (TEST, TUNE[0])
    )
    part = central_slices(len(test.high), slices)
    low, t1, truth = test.low[part], test.guide[part], test.high[part]
    another = other.guide[central_slices(len(other.guide), slices)]
    guides = wrong_and_right(t1, centred(another, t1.shape[-2:]))
    for name, guide in guides.items():
        yield name, on_stacks(models, low, guide, truth)


def centred(stack: Any, shape: Any) -> Any:
    """Slices cut, or filled up with zeros, to a shape about their centre."""
    stack = np.pad(stack, [(0, 0), *((size, size) for size in shape)])
    top, left = np.subtract(stack.shape[1:], shape) // 2
    return stack[:, top : top + shape[0], left : left + shape[1]]


def thick(data: Path, models: Models) -> Iterator[tuple[str, Any]]:
    """Thick slices as acquired, with the T1 of another person centre on centre."""
    served = [served_by(models.guided)]
    for which in LONG:
        folder = data / "open_ms" / f"long_patient{which}"
        t2, t1 = (read_volume(folder / f"{kind}.nii.gz") for kind in ("t2", "t1"))
        others = LONG[0] if which == LONG[-1] else LONG[-1]
        other = read_volume(data / "open_ms" / f"long_patient{others}" / "t1.nii.gz")
        grid = target_for(t2.affine, t2.data.shape, served)
        plan = VolumePlan.create(grid, served)
        guides = {"right": t1, "another person": moved(other, centre(t1, other))}
        for mm in (1, 3):
            guides[f"moved by {mm} mm"] = moved(t1, np.array([mm, -mm, mm]))
        for name, guide in guides.items():
            register = "auto" if name == "right" else "none"
            inputs = VolumeInputs.prepare(t2, guide, plan, register=register)
            test = compare_guide(inputs, *models.cascades(), through_plane=True)
            assert test is not None
            yield name, (test.gain_db, float("nan"))


def centre(one: Any, other: Any) -> Any:
    """What moves the centre of another volume to that of one, in mm."""
    one, other = (
        v.affine[:3, :3] @ ((np.array(v.data.shape) - 1) / 2) + v.affine[:3, 3]
        for v in (one, other)
    )
    return one - other


def moved(volume: Any, mm: Any) -> Any:
    """A volume in another place."""
    affine = volume.affine.copy()
    affine[:3, 3] += mm
    return dataclasses.replace(volume, affine=affine, path=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="grdn_t2_x4")
    parser.add_argument(
        "--set", choices=["maps", "mni", "long", "tuned"], default="maps"
    )
    parser.add_argument("--planes", type=int, default=1)
    parser.add_argument(
        "--factor", type=float, help="along the slices, of maps and a slice model"
    )
    parser.add_argument("--conditions", nargs="*", choices=list(CONDITIONS), default=[])
    args = parser.parse_args()
    guided = GuidedSRModel.from_preset(args.model)
    unguided = partner_of(guided)
    assert unguided is not None
    models = Models(guided, unguided)
    found = {
        "maps": lambda: painted(
            args.data, models, args.planes, args.conditions, args.factor
        ),
        "mni": lambda: patients(args.data, models),
        "long": lambda: thick(args.data, models),
        "tuned": lambda: tuned(args.data, models),
    }[args.set]()
    rows: dict[str, list[Any]] = defaultdict(list)
    for name, gains in found:
        rows[name].append(gains)
        print(f"{name}: test {gains[0]:+.2f}, truth {gains[1]:+.2f}", flush=True)
    print("| condition | pairs | test | truth |\n|---|---|---|---|")
    for name, gains in rows.items():
        cells = [
            f"{low:+.2f} to {high:+.2f}"
            for low, high in zip(np.min(gains, 0), np.max(gains, 0), strict=True)
        ]
        print(f"| {name} | {len(gains)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
