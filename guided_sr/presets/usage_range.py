"""The images that a preset was made for, and a word on those it was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from guided_sr.errors import DataError, WeightsError, warn_user

Interval = tuple[float, float]

_WORDS = {
    "t2_mm": "the T2 has voxels of {} mm along the enlarged axes",
    "t1_mm": "the T1 has voxels of {} mm along the enlarged axes",
    "factors": "the factor is {}",
}
_SLACK = 0.01  # headers round


class UsageRange(BaseModel):
    """What stands under ``range`` in a preset's `metadata.json`, min and max each.

    Attributes:
        t2_mm: Voxel size of the T2 in mm, along the axes that are enlarged.
        t1_mm: Voxel size of the T1 in mm, along the same axes.
        factors: Factor of those axes.
    """

    model_config = ConfigDict(extra="forbid")

    t2_mm: Interval | None = None
    t1_mm: Interval | None = None
    factors: Interval | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name, interval in self.intervals().items():
            if not 0.0 < interval[0] <= interval[1]:
                raise ValueError(f"{name} {interval} is no range of positive numbers")
        return self

    def intervals(self) -> dict[str, Interval]:
        """The ranges that are given, by name."""
        named = {name: getattr(self, name) for name in _WORDS}
        return {name: interval for name, interval in named.items() if interval}

    def faults(self, measured: Mapping[str, Sequence[float]]) -> dict[str, str]:
        """What lies outside, one sentence each, by the name of the range.

        Args:
            measured: Values found, by the name of the range; what is not known is
                left out.
        """
        found = {}
        for name, (low, high) in self.intervals().items():
            values = measured.get(name, ())
            if all(low * (1 - _SLACK) <= v <= high * (1 + _SLACK) for v in values):
                continue
            told = " x ".join(dict.fromkeys(f"{v:.3g}" for v in values))
            found[name] = f"{_WORDS[name].format(told)}; the model is for " + (
                f"{low:g} to {high:g}"
            )
        return found


def usage_range(
    metadata: Mapping[str, Any], *, path: Path | None = None
) -> UsageRange | None:
    """The range in a preset's metadata; `None` where there is none.

    Args:
        metadata: Content of `metadata.json`.
        path: Of the file, for the error.

    Raises:
        WeightsError: If it is not of the known form; the first fault is named.
    """
    if metadata.get("range") is None:
        return None
    try:
        return UsageRange.model_validate(metadata["range"])
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in ("range", *fault["loc"]))
        raise WeightsError(
            f"the preset's metadata are wrong at {where}: {fault['msg']}",
            path=path,
            mend="give t2_mm, t1_mm and factors as [min, max], or none of them",
        ) from error


def check_range(
    known: UsageRange | None,
    measured: Mapping[str, Sequence[float]],
    *,
    paths: Mapping[str, Path | None],
    model: str | None = None,
    strict: bool = False,
) -> None:
    """Warn of images outside the range of a preset, or refuse them.

    Args:
        known: The range; `None` refuses nothing.
        measured: As in `UsageRange.faults`.
        paths: File behind each value, by the name of the range.
        model: Name of the model, for the message.
        strict: Whether to refuse.

    Raises:
        DataError: If one is outside and `strict` is true.
    """
    if known is None:
        return
    for name, fault in known.faults(measured).items():
        if model:
            fault = f"{fault} ({model})"
        if strict:
            raise DataError(
                fault,
                path=paths.get(name),
                mend="use a model made for such images, or leave strict out",
            )
        warn_user(
            f"{fault}: nothing is known of its quality here",
            path=paths.get(name),
            mend="look at the result beside cubic interpolation, or fine-tune",
            stacklevel=4,
        )
