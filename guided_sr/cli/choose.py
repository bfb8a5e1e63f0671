"""Which model serves a scale; its files checked. No framework is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guided_sr.errors import UnknownScaleError, UsageError
from guided_sr.presets import (
    PresetConfig,
    describe_preset,
    list_presets,
    locate_preset,
    read_config,
    scale_text,
    served_factors,
    served_text,
    verify_preset,
)


@dataclass(frozen=True)
class Chosen:
    """A model that has been found and whose files are whole.

    Attributes:
        name: As given or chosen: a preset's name or a folder.
        folder: Where it lies.
        config: Its configuration.
        scale: Factor of rows and columns that it is to serve.
    """

    name: str
    folder: Path
    config: PresetConfig
    scale: tuple[float, float]

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


def _same(scale: Sequence[float] | None, factor: float) -> bool:
    return scale is not None and all(abs(s - factor) <= 1e-3 * s for s in scale)


def default_preset(scale: float) -> str:
    """The packaged preset for a scale; ``grdn_t2_xN`` before its variants.

    Args:
        scale: Factor of both in-plane axes.

    Raises:
        UnknownScaleError: If no preset was trained for it; the known are listed.
    """
    scales = {name: scale_of(describe_preset(name)) for name in list_presets()}
    fitting = [name for name, known in scales.items() if _same(known, scale)]
    if not fitting:
        listed = ", ".join(f"{scale_text(s)} ({name})" for name, s in scales.items())
        known = f"known are {listed}" if listed else "no preset comes with this version"
        raise UnknownScaleError(
            f"no preset was trained for scale {scale:g}",
            mend=f"{known}; or train one and give its folder with --model",
        )
    first = f"grdn_t2_x{scale:g}"
    return first if first in fitting else fitting[0]


def choose_model(
    model: str | None,
    scale: float | None,
    *,
    option: str = "--model",
    quiet: bool = False,
) -> Chosen:
    """Find the model asked for and check its files.

    A preset that is not on this machine is downloaded.

    Args:
        model: Name or folder; None takes the preset for the scale.
        scale: Factor; None takes the model's.
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
    name = default_preset(scale) if model is None and scale is not None else str(model)
    folder = locate_preset(name, quiet=quiet)
    config = read_config(folder)
    factors = served_factors(scale, config.scale, config.scale_range)
    if factors is None:
        known = served_text(config.scale, config.scale_range)
        raise UnknownScaleError(
            f"the model was not trained for scale {scale:g}; it knows {known}",
            path=folder,
            mend=f"give --scale {known}, or another {option}",
        )
    verify_preset(name)
    return Chosen(name, folder, config, factors)
