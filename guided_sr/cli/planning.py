"""The plan of a run: files, grids, models, cost. No framework is loaded."""

from __future__ import annotations

import argparse
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from guided_sr.cli.choose import (
    Chosen,
    choose_model,
    presets_for,
    with_partner,
    without_guide,
)
from guided_sr.cli.options import of_guide, reading
from guided_sr.cli.swapped import swap_told
from guided_sr.errors import DataError, UsageError, noted_warnings, split_mend
from guided_sr.inference.cost import memory_gib, network_pixels, seconds
from guided_sr.inference.guide import check_guide
from guided_sr.inference.map_meanings import map_passes
from guided_sr.inference.usage import check_usage, warn_of_needless_voxels
from guided_sr.inference.volume_inputs import VolumeInputs
from guided_sr.inference.volume_plan import VolumePlan, target_for
from guided_sr.machine import foreseen_format
from guided_sr.physics.slice_profile import SliceProfile
from guided_sr.presets import read_metadata, scale_text
from guided_sr.volumes import (
    Volume,
    choose_target,
    fit_intensity,
    memory,
    overlap_fraction,
    read_grid,
    require_overlap,
    voxel_sizes,
)
from guided_sr.volumes.locate import locate
from guided_sr.volumes.plausible import (
    examine_pair,
    nearest_on_grid,
    read_examined,
    refuse_target,
)
from guided_sr.volumes.registration import announced
from guided_sr.volumes.target import triple_text

_SIDECAR = 1 << 16  # bytes, amply


@dataclass(frozen=True, eq=False)
class Job:
    """What is to be done, read and checked.

    Attributes:
        plan: Grids and cascades.
        chosen: The models that are used.
        t2: The T2.
        t1: The T1, or `None`.
        overlap: Share of the T2's field of view that the T1 covers.
        memory: Memory that it needs, in GiB.
        warnings: What was noticed.
        moved: Whether a transform will place the T1.
        maps: Names of the maps that are made as well.
    """

    plan: VolumePlan
    chosen: Sequence[Chosen]
    t2: Volume
    t1: Volume | None
    overlap: float | None
    memory: float
    warnings: tuple[str, ...]
    moved: bool = False
    maps: Sequence[str] = ()

    @property
    def result_bytes(self) -> int:
        """Most bytes that the result can take on a disk."""
        return 4 * math.prod(self.plan.target_shape) + _SIDECAR

    def inputs(
        self, *, register: str, t2_to_t1: str | None
    ) -> tuple[VolumeInputs, tuple[str, ...]]:
        """The inputs with the guide placed, on its grid, and all that was noticed."""
        with noted_warnings() as noticed:
            inputs = VolumeInputs.prepare(
                self.t2, self.t1, self.plan, register=register, t2_to_t1=t2_to_t1
            )
            if self.moved:
                inputs.examine()
        return inputs, tuple(dict.fromkeys((*self.warnings, *noticed)))

    def facts(
        self, args: argparse.Namespace, output: Path | None
    ) -> list[tuple[str, str]]:
        """Lines of the plan."""
        grid, plan = self.plan.grid, self.plan
        result = _grid(grid.target_affine, grid.target_shape)
        rows = [("T2", f"{self.t2.path}  {_grid(grid.affine, grid.shape)}")]
        if self.t1 is not None:
            rows.append(
                (
                    "T1",
                    f"{self.t1.path}  {_grid(self.t1.affine, self.t1.data.shape)}"
                    f", covers {100 * (self.overlap or 0.0):.0f} % of the T2",
                )
            )
        rows += [
            ("result", result if output is None else f"{output}  {result}"),
            (
                "axes",
                f"{triple_text(grid.scale)}: {grid.reason}; the slices lie across axis"
                f" {grid.slice_axis + 1}",
            ),
        ]
        for model in self.chosen:
            rows += _cascade(model, plan)
        if plan.through_plane is not None:
            read = self.t1 is not None and not plan.told
            rest = ""
            if read:
                rest = (
                    "; read from the T1 in the run, if it is fine enough: another"
                    " profile takes twice the time"
                )
            rows.append(("slices", f"{plan.profile.describe()}{rest}"))
        first = self.chosen[0].config.back_projection
        projection = args.back_projection or first.method or "none"
        if args.back_projection is None and first.automatic:
            projection += ", less firm where the T2 is noisy"
        rows += [
            ("back-projection", projection),
            ("registration", self._registration(args)),
            ("guide", self._guide_use(args)),
            ("device", f"{args.device}, {_precision(args)}"),
            ("memory", f"about {self.memory:.1f} GiB"),
            ("time", self._time(args)),
        ]
        for name, image in (("T2", self.t2), ("T1", self.t1)):
            if image is not None and image.extensions:
                many = image.extensions > 1
                what = f"extension{'s' if many else ''} of the {name}"
                verb = "are" if many else "is"
                rows.append(
                    ("left out", f"{image.extensions} header {what} {verb} not copied")
                )
        return rows

    def _registration(self, args: argparse.Namespace) -> str:
        if self.t1 is None:
            return "none: no T1"
        if args.t2_to_t1 is not None:
            return f"by {args.t2_to_t1}"
        return announced(args.register, self.t1, self.t2)

    def _guide_use(self, args: argparse.Namespace) -> str:
        if self.t1 is None:
            return "not used" if args.guide_use == "never" else "none: no T1"
        tested = [one for one in self.chosen if one.unguided is not None]
        if not tested:
            return "used; there is no model without guide to compare it with"
        instead = " and ".join(
            one.unguided.describe() for one in tested if one.unguided
        )
        if args.guide_use == "always":
            return f"used; compared with {instead} on slices of the T2, in the run"
        return f"auto: compared with {instead} on slices of the T2, in the run"

    def _time(self, args: argparse.Namespace) -> str:
        precision = foreseen_format(args.precision, "cpu") or "float32"
        pixels = dict(zip((False, True), network_pixels(self.plan), strict=True))
        total = 0.0
        for model in self.chosen:
            parameters = read_metadata(model.folder).get("parameters")
            if not isinstance(parameters, int):
                return "not known for this model"
            through = model.served.through_plane
            total += seconds(pixels[through], parameters, precision)
        total *= 1 + map_passes(self.maps)
        return (
            f"about {max(1.0, total):.0f} s of networks on two idle cores in"
            f" {precision}; less where slices are empty, with more cores or a GPU"
        )

    def summary(self, args: argparse.Namespace) -> dict[str, Any]:
        """The plan as plain data."""
        return {
            "plan": self.plan.summary(),
            "models": [model.folder.name for model in self.chosen],
            "guide_overlap": self.overlap,
            "registration": self._registration(args),
            "guide_use": self._guide_use(args),
            "precision": args.precision,
            "convolutions": foreseen_format(args.precision, args.device),
            "memory_gib": round(self.memory, 2),
            "warnings": list(self.warnings),
        }


def refuse_doubtful(noticed: Sequence[str]) -> None:
    """Turn the first warning into a refusal.

    Raises:
        DataError: If there is one.
    """
    if noticed:
        what, mend = split_mend(noticed[0])
        raise DataError(
            f"refused by --strict: {what}",
            mend=f"{mend or 'mend the images'}; or leave --strict out",
        )


def locate_files(args: argparse.Namespace) -> dict[str, Path]:
    """The input files, by name, checked to be there.

    Raises:
        UsageError: If there is no T2.
        MissingInputError: If a file is not there.
    """
    if args.t2 is None:
        raise UsageError(
            "there is no T2",
            mend="give it with -i; 'guided-sr run' also takes a table with --pairs",
        )
    named = {"t2": args.t2, "t1": args.t1}
    return {
        key: locate(Path(value), name=key.upper())
        for key, value in named.items()
        if value is not None
    }


def choose(
    args: argparse.Namespace, files: dict[str, Path]
) -> tuple[VolumePlan, list[Chosen]]:
    """Grid, models and cascades, from the header of the T2 alone.

    Raises:
        GuidedSRError: The first fault found.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # told when the voxels are read
        affine, shape = read_grid(files["t2"], **reading(args))
    wanted = {
        "scale": args.scale,
        "target_voxel": args.target_voxel,
        "axes": args.axes,
        "path": files["t2"],
    }
    if args.model:
        chosen = [choose_model(name, None) for name in args.model]
        if args.guide_use == "never":
            chosen = [without_guide(model) for model in chosen]
        served = [model.served for model in chosen]
        if len({one.through_plane for one in served}) < len(served):
            raise UsageError(
                "the models enlarge the same axes",
                mend="give one --model for slices in-plane and one slice model",
            )
        with swap_told(affine, files, args):
            grid = target_for(affine, shape, served, **wanted)
    else:
        with swap_told(affine, files, args):
            grid = choose_target(affine, shape, **wanted)
        guided = "t1" in files and args.guide_use != "never"
        chosen = presets_for(grid, guided=guided)
    refuse_target(grid, path=files["t2"])
    profile = None
    if (args.slice_profile, args.slice_gap) != (None, None):
        profile = SliceProfile(args.slice_profile or "gaussian", args.slice_gap or 0.0)
    plan = VolumePlan.create(grid, [one.served for one in chosen], profile=profile)
    used = [
        model
        for model in chosen
        if (plan.through_plane if model.served.through_plane else plan.in_plane)
    ]
    if any(model.config.guided for model in used) and "t1" not in files:
        raise UsageError(
            "the model is guided, but there is no T1",
            mend="give it with -g, or a --model without guide",
        )
    return plan, [with_partner(model) for model in used]


def read_job(
    plan: VolumePlan,
    chosen: Sequence[Chosen],
    files: dict[str, Path],
    *,
    strict: bool = False,
    moved: bool = False,
    how: Mapping[str, Any] | None = None,
    maps: Sequence[str] = (),
) -> Job:
    """Read both images and check all but what the guide's own grid tells.

    Args:
        plan: Grids and cascades.
        chosen: The models that are used.
        files: The input files, by name.
        strict: Whether doubtful images, and those outside the range of a model's
            card, are refused.
        moved: Whether a transform will place the T1, which need not overlap yet.
        how: Options of `read_volume`; the frame is the T2's.
        maps: Names of the maps that are made as well.

    Raises:
        GuidedSRError: The first fault found; too little memory before any voxel is
            read.
    """
    guided = any(model.config.guided for model in chosen) and "t1" in files
    how = dict(how or {})
    guide_how = of_guide(how)
    with noted_warnings() as noticed:
        shape = affine = None
        if guided:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                affine, shape = read_grid(files["t1"], name="T1", **guide_how)
        warn_of_needless_voxels(plan.grid, affine, path=files["t2"])
        needed = memory_gib(plan, shape, maps=maps)
        memory.refuse_short_memory(needed, what="the result", path=files["t2"])
        t2 = read_examined(files["t2"], name="T2", **how)
        fit_intensity(t2.data, name="T2", path=t2.path)
        t1 = overlap = None
        if guided:
            t1 = read_examined(files["t1"], name="T1", **guide_how)
            fit_intensity(t1.data, name="T1", path=t1.path)
            check_guide(t1, t2, plan.grid)
            overlap = overlap_fraction(
                t1.affine, t1.data.shape, t2.affine, t2.data.shape
            )
            if not moved:
                require_overlap(t1, t2)
                on_grid = nearest_on_grid(t1, t2)
                paths = list(files.values())
                examine_pair(t2.data, on_grid, overlap=overlap, paths=paths)
        for model in chosen:
            check_usage(
                read_metadata(model.folder),
                plan.grid,
                t2,
                t1,
                through_plane=model.served.through_plane,
                strict=strict,
                model=model.folder.name,
                path=model.folder / "metadata.json",
            )
    if strict:
        refuse_doubtful(noticed)
    return Job(plan, chosen, t2, t1, overlap, needed, tuple(noticed), moved, maps)


def _cascade(model: Chosen, plan: VolumePlan) -> list[tuple[str, str]]:
    if not model.served.through_plane:
        assert plan.in_plane is not None
        levels = [plan.in_plane.level_shape(k) for k in range(model.config.stages + 1)]
        count = plan.shape[plan.across]
        what = f"{count} slices, scale {scale_text(plan.grid.in_plane_scale)}"
        name = "in-plane"
    else:
        assert plan.through_plane is not None
        one, _ = plan.through_plane
        levels = [one.level_shape(k) for k in range(model.config.stages + 1)]
        first, second = (plan.target_shape[axis] for axis in plan.within)
        what = f"{second} + {first} planes both ways, scale {plan.grid.slice_scale:.4g}"
        name = "through-plane"
    sizes = " → ".join(f"{h}x{w}" for h, w in levels)
    if model.served.through_plane:
        sizes += f", then {plan.target_shape[plan.across]} slices"
    return [
        (name, f"{what}, {model.config.stages} stages: {sizes}"),
        ("model", model.describe()),
    ]


def _precision(args: argparse.Namespace) -> str:
    if args.precision != "auto":
        return f"precision {args.precision}"
    found = foreseen_format("auto", args.device)
    if found is None:
        return "precision auto: bfloat16 convolutions on a GPU, float32 without one"
    return f"precision auto: {found} convolutions"


def _grid(affine: np.ndarray, shape: tuple[int, ...]) -> str:
    sizes = triple_text(voxel_sizes(affine))
    return f"{' x '.join(str(n) for n in shape)} voxels of {sizes} mm"
