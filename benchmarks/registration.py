"""What a misplaced T1 costs, and what registration gives back.

Moves the T1 of a registered pair by a known amount, makes the T2 coarse, and
super-resolves it by `grdn_t2_x4` with the T1 as it lay, as moved, and as registered.
The T1 is always used, also where the guide test would leave it out. Then the residual
misfit alone, for slices of 4 mm and for raw pairs. Prints the tables and puts them
between the comments of a page.

    python benchmarks/registration.py --data shared/data/open_ms \
        --page docs/how_to/register.md
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from scipy.spatial.transform import Rotation
from tables import with_table

from guided_sr import GuidedSRModel, psnr, upsample
from guided_sr.evaluation.grids import lower_resolution
from guided_sr.evaluation.measures import central_slices
from guided_sr.inference.inputs import prepare
from guided_sr.volumes import Orientation, Volume, place_guide, read_volume, to_slices

PRESET, SCALE = "grdn_t2_x4", 4
PATIENTS = ("mni_patient07", "mni_patient19")
RAW = ("long_patient01_study1", "long_patient01_study2", "long_patient04_study1")
THICK = 4
AXIS = (0.3, 0.2, 0.93)
CASES: dict[str, tuple[float, tuple[float, float, float]]] = {
    "as it came": (0.0, (0, 0, 0)),
    "0.5 mm in-plane": (0.0, (0.5, 0, 0)),
    "1 mm in-plane": (0.0, (1, 0, 0)),
    "1 mm across": (0.0, (0, 0, 1)),
    "2 mm in-plane": (0.0, (2, 0, 0)),
    "10 degrees, 20 mm": (10.0, (12, 12.8, 9.6)),
}


def foreground(t2: Volume) -> np.ndarray:
    """Points of the head in mm, shape (n, 3)."""
    index = np.argwhere(t2.data > 0.1 * np.percentile(t2.data, 99.5))[::97]
    return index @ t2.affine[:3, :3].T + t2.affine[:3, 3]


def motion(degrees: float, shift: Sequence[float], centre: np.ndarray) -> np.ndarray:
    """A turn about a point, then a shift, as a matrix."""
    axis = np.array(AXIS) / np.linalg.norm(AXIS)
    matrix = np.eye(4)
    turn = Rotation.from_rotvec(np.radians(degrees) * axis).as_matrix()
    matrix[:3, :3] = turn
    matrix[:3, 3] = centre - turn @ centre + shift
    return matrix


def distance(matrix: np.ndarray, points: np.ndarray) -> float:
    """Root mean square distance that a matrix moves points, in mm."""
    moved = points @ matrix[:3, :3].T + matrix[:3, 3] - points
    return float(np.sqrt((moved**2).sum(axis=1).mean()))


def moved(t1: Volume, matrix: np.ndarray) -> Volume:
    return dataclasses.replace(t1, affine=matrix @ t1.affine)


def thick(t2: Volume, axis: int) -> Volume:
    """The mean of every `THICK` slices along an axis."""
    whole = t2.data.shape[axis] // THICK
    part = np.take(t2.data, range(whole * THICK), axis)
    shape = list(part.shape)
    shape[axis : axis + 1] = [whole, THICK]
    affine = t2.affine.copy()
    affine[:3, 3] += affine[:3, axis] * (THICK - 1) / 2
    affine[:3, axis] *= THICK
    return Volume(part.reshape(shape).mean(axis=axis + 1), affine)


def positive(volume: Volume) -> Volume:
    return dataclasses.replace(volume, data=np.clip(volume.data, 0.0, None))


def along_ras(volume: Volume) -> Volume:
    """The same image with its axes along RAS+, as `prepare` has its slices."""
    turn = Orientation.of(volume.affine)
    affine = turn.affine(volume.affine, volume.data.shape)
    data = np.ascontiguousarray(turn.apply(volume.data))
    return dataclasses.replace(volume, data=data, affine=affine)


def real_pair(folder: Path) -> tuple[Volume, Volume]:
    t2 = along_ras(read_volume(folder / "t2.nii.gz"))
    return positive(t2), positive(read_volume(folder / "t1.nii.gz", name="T1"))


def scores(model: GuidedSRModel, folder: Path, slices: int) -> Iterator[list[str]]:
    """One row a case: misfit and PSNR."""
    t2, t1 = real_pair(folder)
    points = foreground(t2)
    low = lower_resolution(t2, SCALE)
    coarse = Volume(low.data, low.affine)
    truth = to_slices(low.cropped.data, low.slice_axis)
    chosen = central_slices(len(truth), slices)
    y = to_slices(low.data, low.slice_axis)[chosen]
    cubic = mean_psnr(truth[chosen], upsample(y, truth.shape[-2:]))

    def result(guide: Volume) -> float:
        pair = prepare(coarse, guide, guided=True, scale=SCALE)
        stack = model.predict_cascade(
            pair.t2[chosen], pair.t1[chosen], guide_use="always"
        )
        return mean_psnr(truth[chosen], stack)

    perfect = result(t1)
    for case, (degrees, shift) in CASES.items():
        away = motion(degrees, shift, points.mean(axis=0))
        guide = moved(t1, away)
        _, found = place_guide(guide, coarse, register="auto")
        yield [
            folder.name,
            case,
            f"{distance(away, points):.2f}",
            f"{found.misfit.mm:.2f}",
            f"{distance(found.placement @ away, points):.2f}",
            "{:.3f} → {:.3f}".format(*found.information),
            "moved" if found.applied else "left",
            f"{cubic:.2f}",
            f"{perfect:.2f}",
            f"{result(guide):.2f}",
            f"{result(moved(guide, found.placement)):.2f}",
        ]


def mean_psnr(truth: np.ndarray, stack: np.ndarray) -> float:
    return float(np.mean([psnr(x, z) for x, z in zip(truth, stack, strict=True)]))


def residuals(data: Path) -> Iterator[list[str]]:
    """One row a pair and slice axis, moved by 10 degrees and 20 mm."""
    degrees, shift = CASES["10 degrees, 20 mm"]
    for name in (*PATIENTS, *RAW):
        t2, t1 = real_pair(data / name)
        points = foreground(t2)
        away = motion(degrees, shift, points.mean(axis=0))
        stacks = {"own": t2}
        if name not in RAW:
            stacks[f"{THICK} mm"] = thick(t2, 2)
        for what, stack in stacks.items():
            begun = time.process_time()
            _, found = place_guide(moved(t1, away), stack, register="rigid")
            seconds = time.process_time() - begun
            _, still = place_guide(t1, stack, register="auto")
            against = found.placement @ away
            yield [
                name,
                what,
                f"{distance(against, points):.2f}",
                f"{distance(np.linalg.inv(still.placement) @ against, points):.3f}",
                f"{found.residual.mm:.3f}",
                f"{still.misfit.mm:.2f} mm, {'moved' if still.applied else 'left'}",
                f"{seconds:.1f}",
            ]


SCORES = [
    "patient", "T1 moved by", "misfit [mm]", "estimated [mm]", "after [mm]",
    "mutual information", "`auto`", "cubic", "T1 as it came", "as moved", "registered",
]  # fmt: skip
RESIDUALS = [
    "pair", "slices", "after, to the headers [mm]", "to the unmoved pair's [mm]",
    "second start [mm]", "unmoved: estimate, `auto`", "CPU [s]",
]  # fmt: skip


def markdown(head: Sequence[str], rows: Iterator[list[str]]) -> list[str]:
    """A table; each row is printed as soon as it is known."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    print(*lines, sep="\n")
    for row in rows:
        lines.append("| " + " | ".join(row) + " |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path, help="open_ms folder")
    parser.add_argument("--slices", type=int, default=8, help="central ones to score")
    parser.add_argument("--page", type=Path, help="page to put the tables into")
    args = parser.parse_args()

    model = GuidedSRModel.from_preset(PRESET)
    rows = (
        row for name in PATIENTS for row in scores(model, args.data / name, args.slices)
    )
    tables = {"registration": markdown(SCORES, rows)}
    tables["residuals"] = markdown(RESIDUALS, residuals(args.data))
    if args.page is not None:
        page = args.page.read_text("utf-8")
        for name, lines in tables.items():
            page = with_table(page, name, lines)
        args.page.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
