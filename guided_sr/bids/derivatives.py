"""The derivative data set: names, sidecars, its description, what validators skip."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from guided_sr._version import __version__
from guided_sr.bids.cohort import Pair
from guided_sr.bids.layout import DESCRIPTION, sidecar_content
from guided_sr.errors import CannotCreateError, UsageError, warn_user
from guided_sr.volumes.writing import replace_json, write_file

__all__ = ["prepare_data_set", "resolution_label", "result_path", "sidecar_keys"]

_VERSION = "1.10.0"
_PAPER = "doi:10.1109/TETCI.2022.3215137"
_TOOL = "guided-sr"
_IGNORED = (
    "*.html",
    "figures/",
    "logs/",
    "group_*",
    "*_xfm.*",
    "*_consistency.nii.gz",
    ".guided-sr-*",
)
_README = """\
T2 images super-resolved by guided-sr, one for each T2w image of the raw data set.

Research use only, not a medical device: voxels are estimated, not measured; fine
detail
can be invented or copied from the T1. The .json file beside each image tells what it
was made from and how; logs/ holds the records of each run; group_T2w.tsv, where there
is one, is a table of quality.
"""
# True of the acquired image and no longer of the result.
_DROPPED = ("ReconMatrixPE", "SliceTiming")
# The same, where slices were made thinner.
_RENAMED = ("SliceThickness", "SpacingBetweenSlices")


def resolution_label(scale: Sequence[float]) -> str:
    """Label of ``res-``: ``"4x4x1"``, or ``"1x1x2p5"`` where the last factor is 2.5.

    Args:
        scale: Factor of each axis of the file.
    """
    return "x".join(f"{factor:.4g}".replace(".", "p") for factor in scale)


def result_path(out: Path, pair: Pair, scale: Sequence[float]) -> Path:
    """Where the result of a pair goes: every entity of the T2, and three more.

    Args:
        out: Top of the derivative data set.
        pair: The pair.
        scale: Factor of each axis of the file.
    """
    name = pair.t2.name.having(
        extension=".nii.gz",
        space="orig",
        res=resolution_label(scale),
        desc="guidedsr",
    )
    folder = out / f"sub-{name.entities['sub']}"
    if "ses" in name.entities:
        folder /= f"ses-{name.entities['ses']}"
    return folder / "anat" / str(name)


def sidecar_keys(
    pair: Pair,
    bids: Path,
    *,
    scale: Sequence[float],
    voxel: Sequence[float],
    thinner: bool,
) -> dict[str, Any]:
    """What the specification wants in the sidecar of a result.

    Args:
        pair: The pair it is made from.
        bids: Top of the raw data set.
        scale: Factor of each axis of the file.
        voxel: Voxel sizes of the result, in mm.
        thinner: Whether its slices are thinner than those of the T2.

    Returns:
        The keys of the T2's own sidecars that still hold, and those of a derivative.
    """
    kept = sidecar_content(pair.t2.path, bids)
    for key in _DROPPED:
        kept.pop(key, None)
    for key in _RENAMED:
        if thinner and key in kept:
            kept[f"Source{key}"] = kept.pop(key)
    sources = [one.path for one in (pair.t2, pair.t1) if one is not None]
    uris = [f"bids:raw:{path.relative_to(bids).as_posix()}" for path in sources]
    size = " x ".join(f"{one:.4g}" for one in voxel)
    finer = " x ".join(f"{one:.4g}" for one in scale)
    return {
        **kept,
        "Description": "T2 super-resolved"
        + (" with the same person's T1 as guide" if pair.t1 else " without guide"),
        "Sources": uris,
        "SpatialReference": uris[0],
        "Resolution": f"Grid of the T2, {finer} times finer along its axes: voxels of"
        f" {size} mm",
        "SkullStripped": bool(kept.get("SkullStripped", False)),
    }


def prepare_data_set(out: Path, bids: Path, raw: Mapping[str, Any]) -> None:
    """Make the derivative data set, or see that it is ours and bring it up to date.

    Args:
        out: Its top folder.
        bids: Top of the raw data set.
        raw: Its description.

    Raises:
        UsageError: If both are the same folder.
        CannotCreateError: If there is another tool's data set.
    """
    if out.resolve() == bids.resolve():
        raise UsageError(
            "results do not go into the raw data set itself",
            path=out,
            mend=f"give {bids / 'derivatives' / _TOOL}",
        )
    if out.resolve().parent.name == "derivatives" and _TOOL not in out.resolve().name:
        warn_user(
            "a folder in derivatives/ is named after the tool that filled it",
            path=out,
            mend=f"name it {_TOOL}",
        )
    path = out / DESCRIPTION
    if path.exists() and not _is_ours(path):
        raise CannotCreateError(
            "the folder holds a data set that guided-sr has not made",
            path=path,
            mend="choose another folder",
        )
    out.mkdir(parents=True, exist_ok=True)
    replace_json(path, _description(out, bids, raw))
    readme = out / "README"
    if not readme.exists():
        write_file(readme, lambda f: _write_text(f, _README), force=True)
    ignored = "".join(f"{line}\n" for line in _IGNORED)
    write_file(out / ".bidsignore", lambda f: _write_text(f, ignored), force=True)


def _description(out: Path, bids: Path, raw: Mapping[str, Any]) -> dict[str, Any]:
    link = PurePosixPath(Path(os.path.relpath(bids.resolve(), out.resolve())))
    content: dict[str, Any] = {
        "Name": f"{raw.get('Name') or bids.resolve().name}: super-resolved T2",
        "BIDSVersion": _VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {
                "Name": _TOOL,
                "Version": __version__,
                "Description": "T1-guided super-resolution of T2 images",
            }
        ],
        "DatasetLinks": {"raw": str(link)},
        "HowToAcknowledge": f"Please cite {_PAPER}, and the raw data set.",
    }
    if raw.get("License"):
        content["License"] = raw["License"]
    if raw.get("DatasetDOI"):
        content["SourceDatasets"] = [{"DOI": raw["DatasetDOI"]}]
    return content


def _is_ours(path: Path) -> bool:
    try:
        made = json.loads(path.read_text("utf-8"))["GeneratedBy"][0]["Name"]
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return False
    return bool(made == _TOOL)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
