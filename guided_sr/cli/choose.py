"""Which model serves a scale; its files checked. No framework is loaded."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guided_sr.errors import UnknownScaleError, UsageError
from guided_sr.inference.volume_plan import Served
from guided_sr.physics.cascade_plan import scale_per_axis
from guided_sr.presets import (
    PresetConfig,
    describe_preset,
    is_on_hub,
    list_presets,
    locate_preset,
    read_config,
    rows_only,
    served_factors,
    served_text,
    verify_preset,
)
from guided_sr.presets.partners import unguided_name, unguided_partner
from guided_sr.volumes import TargetGrid


@dataclass(frozen=True)
class Chosen:
    """A model that has been found and whose files are whole.

    Attributes:
        name: As given or chosen: a preset's name or a folder.
        folder: Where it lies.
        config: Its configuration.
        scale: Factor of rows and columns that it is to serve.
        unguided: The model without guide that it is compared with, or `None`.
    """

    name: str
    folder: Path
    config: PresetConfig
    scale: tuple[float, float]
    unguided: Chosen | None = None

    @property
    def served(self) -> Served:
        """What it serves, and how its cascade is planned."""
        config = self.config
        return Served(
            config.scale,
            config.scale_range,
            config.stages,
            config.stage_blur,
            self.name,
        )

    def describe(self) -> str:
        """Name and the start of the first weights' sha256."""
        digest = next(iter(self.config.weights.values()), "")
        return f"{self.folder.name} (sha256 {digest[:12]})"


def scale_of(entry: dict[str, Any]) -> tuple[float, float] | None:
    """Scale of a registry entry; None where it has none."""
    value = entry.get("scale")
    if isinstance(value, int | float):
        return float(value), float(value)
    if isinstance(value, Sequence) and len(value) == 2:
        return float(value[0]), float(value[1])
    return None


def default_preset(scale: tuple[float, float], *, guided: bool = True) -> str:
    """The packaged preset for a scale: ``grdn_t2_xN`` or ``grdn_t2_slice`` first.

    Args:
        scale: Factor of rows and columns; ``(s, 1)`` for a slice model.
        guided: Whether there is a T1; without one, a preset that needs none is taken
            where there is one.

    Raises:
        UnknownScaleError: If no preset was trained for it; the known are listed.
    """
    entries = {name: describe_preset(name) for name in list_presets()}
    known = {
        name: (factors, entry.get("scale_range"))
        for name, entry in entries.items()
        if (factors := scale_of(entry)) is not None
    }
    fitting = [
        name
        for name, (factors, span) in known.items()
        if served_factors(scale, factors, span and tuple(span)) is not None
    ]
    if not fitting:
        serving: dict[str, list[str]] = {}
        same_axes = rows_only(scale)
        for name, (factors, span) in sorted(
            known.items(), key=lambda item: rows_only(item[1][0]) != same_axes
        ):
            text = served_text(factors, span and tuple(span))
            serving.setdefault(text, []).append(name)
        listed = "; ".join(f"{t} ({', '.join(n)})" for t, n in serving.items())
        said = "no preset comes with this version"
        if listed:
            said = (
                "give a factor that is served with --scale, or the voxels to make with"
                f" --target-voxel; known are {listed}"
            )
        raise UnknownScaleError(
            f"no preset was trained for scale {_asked(scale)}",
            mend=f"{said}; or train one and give its folder with --model",
        )
    first = "grdn_t2_slice" if rows_only(scale) else f"grdn_t2_x{scale[0]:g}"
    if not guided:
        unguided = [name for name in fitting if not entries[name].get("guided", True)]
        fitting, first = unguided or fitting, unguided_name(first)
    return first if first in fitting else fitting[0]


def presets_for(grid: TargetGrid, *, guided: bool) -> list[Chosen]:
    """The packaged presets that a grid needs, their files checked.

    Args:
        grid: Grid of the T2 and of the result.
        guided: Whether there is a T1.

    Raises:
        UnknownScaleError: If no preset serves a factor.
        WeightsError: If a file is missing or damaged.
    """
    wanted = []
    if grid.in_plane_scale is not None:
        wanted.append(grid.in_plane_scale)
    if grid.slice_scale is not None:
        wanted.append((grid.slice_scale, 1.0))
    return [
        choose_model(default_preset(scale, guided=guided), scale) for scale in wanted
    ]


def choose_model(
    model: str | None,
    scale: float | tuple[float, float] | None,
    *,
    option: str = "--model",
    quiet: bool = False,
) -> Chosen:
    """Find the model asked for and check its files.

    A preset that is not on this machine is downloaded.

    Args:
        model: Name or folder; None takes the preset for the scale.
        scale: Factor, of rows and columns or one for each; None takes the model's.
        option: What it was asked for with.
        quiet: Whether a download shows no progress.

    Raises:
        UsageError: If neither is given.
        UnknownPresetError: If there is no such model.
        UnknownScaleError: If the model, or no preset, was trained for the scale.
        WeightsError: If a file is missing or damaged.
        GuidedSRError: If it cannot be downloaded.
    """
    if model is None and scale is None:
        raise UsageError(
            "neither --scale nor --model is given",
            mend="give --scale 4 for the preset of that scale; 'guided-sr models list'"
            " tells which there are",
        )
    name = str(model)
    if model is None and scale is not None:
        name = default_preset(scale_per_axis(scale))
    folder = locate_preset(name, quiet=quiet)
    config = read_config(folder)
    factors = served_factors(scale, config.scale, config.scale_range)
    if factors is None:
        known = served_text(config.scale, config.scale_range)
        raise UnknownScaleError(
            f"the model {name} was not trained for scale {_asked(scale)}; it knows"
            f" {known}",
            path=folder,
            mend=f"give a --scale of {known}, or another {option}",
        )
    if is_on_hub(name):
        name = str(folder)  # what has been looked at is what will be loaded
    verify_preset(name)
    return Chosen(name, folder, config, factors)


def with_partner(model: Chosen) -> Chosen:
    """A model with its partner without guide, whose files are checked too.

    Args:
        model: What was chosen; returned as it is where it has no partner.

    Raises:
        GuidedSRError: If the partner's files are damaged or cannot be had.
    """
    name = unguided_partner(model.folder.name, model.config)
    if name is None:
        return model
    return dataclasses.replace(model, unguided=choose_model(name, model.scale))


def without_guide(model: Chosen) -> Chosen:
    """What takes the place of a model where no T1 is wanted.

    Raises:
        UsageError: If it is guided and has no partner.
    """
    partner = with_partner(model).unguided if model.config.guided else model
    if partner is None:
        raise UsageError(
            "the model is guided, and none without guide is known that could take its"
            " place",
            path=model.folder,
            mend="leave --guide-use never out, or give a --model without guide",
        )
    return partner


def _asked(scale: float | tuple[float, float] | None) -> str:
    """A factor as it was given: one number, for the slice axis too."""
    if isinstance(scale, int | float) or scale is None:
        return "?" if scale is None else f"{scale:g}"
    return served_text((float(f"{scale[0]:.4g}"), float(f"{scale[1]:.4g}")), None)
