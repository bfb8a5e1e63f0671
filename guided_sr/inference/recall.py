"""Read again what a result was made from, by its provenance. No framework is loaded."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from guided_sr.errors import DataError, GuidedSRWarning
from guided_sr.inference.map_meanings import MAPS
from guided_sr.inference.result import Result, map_path
from guided_sr.inference.volume_plan import VolumePlan
from guided_sr.volumes import Volume, read_volume
from guided_sr.volumes.locate import suffix_of

__all__ = ["recall_result", "recall_t1", "recall_t2"]

_READING = {"frame", "prefer", "assume_affine"}


def recall_result(image: Path, plan: VolumePlan) -> Result:
    """A result that was saved, with all that its files tell.

    Args:
        image: The file that `Result.save` wrote, with its sidecar beside it.
        plan: The plan that it was made by.

    Returns:
        The result. Its consistency map is computed from it and the T2; other maps are
        read where they lie beside it.

    Raises:
        DataError: If the sidecar is not there or not whole.
        GuidedSRError: If the image or the T2 cannot be read, or is another one.
    """
    known = recall_provenance(image)
    source = recall_t2(known, beside=image)
    ours = read_volume(image, name="result")
    if source is None:
        raise DataError("the T2 of the result did not come from a file", path=image)
    turn = plan.orientation
    seen = plan.observation(turn.apply(ours.data)).astype(np.float32)
    residual = turn.undo(turn.apply(source.data) - seen)
    maps = {"consistency": Volume(residual, source.affine)}
    for name in MAPS:
        path = map_path(image, name)
        if name not in maps and path.exists():
            maps[name] = read_volume(path, name=name)
    warned, qc = tuple(known.pop("warnings", ())), known.pop("qc", {})
    return Result(ours.data, ours.affine, plan, warned, known, source, qc, maps)


def recall_provenance(image: Path) -> dict[str, Any]:
    """The package's block of the JSON sidecar beside a result.

    Args:
        image: The file that `Result.save` wrote.

    Raises:
        DataError: If there is none, or it names no T2.
    """
    path = image.with_name(image.name.removesuffix(suffix_of(image)) + ".json")
    try:
        block = json.loads(path.read_text("utf-8"))["GuidedSR"]
        if "t2" in block["inputs"]:
            return dict(block)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise DataError(
        "there is no sidecar of guided-sr beside the image, so that its inputs are not"
        " known",
        path=path,
        mend="give a result of guided-sr run, with its .json file beside it",
    )


def recall_t2(
    provenance: Mapping[str, Any], *, beside: Path | None = None
) -> Volume | None:
    """The T2 of a result, read in the same way as then.

    Args:
        provenance: Of the result, or the package's block of its sidecar.
        beside: A file in whose folder it is looked for as well.

    Returns:
        The volume, or None where it did not come from a file.

    Raises:
        GuidedSRError: If the file is not there any more, or not the same.
    """
    options = provenance.get("options", {})
    how = {key: options[key] for key in _READING & options.keys()}
    return _recalled(provenance, "t2", beside, **how)


def recall_t1(
    provenance: Mapping[str, Any], *, beside: Path | None = None
) -> Volume | None:
    """The T1 of a result, placed on the T2 as it was then.

    Args:
        provenance: As for `recall_t2`.
        beside: As for `recall_t2`.

    Returns:
        The volume, whose affine holds the registration that was applied, or None where
        there was no T1 or it did not come from a file.

    Raises:
        GuidedSRError: If the file is not there any more, or not the same.
    """
    volume = _recalled(provenance, "t1", beside)
    found = provenance.get("registration") or {}
    if volume is None or not found.get("applied"):
        return volume
    placement = np.asarray(found["t1_to_t2_ras_mm"], np.float64)
    return dataclasses.replace(volume, affine=placement @ volume.affine)


def _recalled(
    provenance: Mapping[str, Any], key: str, beside: Path | None, **how: Any
) -> Volume | None:
    known = provenance.get("inputs", {}).get(key) or {}
    if not known.get("path"):
        return None
    path = Path(known["path"])
    if beside is not None and not path.exists():  # moved, or seen from another folder
        neighbour = beside.with_name(path.name)
        path = neighbour if neighbour.exists() else path
    with warnings.catch_warnings():  # it was said when the result was made
        warnings.simplefilter("ignore", GuidedSRWarning)
        volume = read_volume(path, name=key.upper(), **how)
    if volume.sha256 != known.get("sha256"):
        raise DataError(
            f"the {key.upper()} is not the one that the result was made from",
            path=path,
            mend="make the result again",
        )
    return volume
