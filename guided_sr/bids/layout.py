"""Find the T2 and T1 images of a BIDS data set, by its folders and names alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guided_sr.bids.entities import BidsName, known_filter_keys, matches, parse_name
from guided_sr.errors import DataError, MissingInputError, UsageError

__all__ = [
    "DESCRIPTION",
    "Image",
    "find_images",
    "find_subjects",
    "read_description",
    "read_filter",
    "sidecar_content",
]

DESCRIPTION = "dataset_description.json"
NO_DATA_SET, NO_LABEL = 16, 18
_IMAGES = (".nii", ".nii.gz")
_QUERIES = ("t1w", "t2w")

Filters = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Image:
    """An anatomical image.

    Attributes:
        path: The file.
        name: Its name, taken apart.
    """

    path: Path
    name: BidsName = field(compare=False)

    @property
    def session(self) -> str | None:
        """Label of its session, if the subject has any."""
        return self.name.entities.get("ses")


def read_description(folder: Path, *, needed: bool = True) -> dict[str, Any]:
    """Read ``dataset_description.json``.

    Args:
        folder: Top of the data set.
        needed: Whether the data set must have one.

    Raises:
        MissingInputError: (16) If the folder is not there, or has none.
        DataError: (16) If it cannot be understood.
    """
    if not folder.is_dir():
        raise MissingInputError(
            "there is no BIDS data set: the folder does not exist",
            path=folder,
            mend="check the path",
            code="E-BIDS",
            exit_code=NO_DATA_SET,
        )
    path = folder / DESCRIPTION
    try:
        content = json.loads(path.read_text("utf-8-sig"))
        if not isinstance(content, dict):
            raise ValueError("it holds no object")
    except FileNotFoundError as error:
        if not needed:
            return {}
        raise MissingInputError(
            f"this is no BIDS data set: it has no {DESCRIPTION}",
            path=folder,
            mend='make one with {"Name": "...", "BIDSVersion": "1.10.0"}, or go on with'
            " --skip-bids-validation",
            code="E-BIDS",
            exit_code=NO_DATA_SET,
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(
            f"the description of the data set cannot be read ({error})",
            path=path,
            mend="mend its JSON",
            code="E-BIDS",
            exit_code=NO_DATA_SET,
        ) from error
    return content


def find_subjects(folder: Path, labels: Sequence[str] | None = None) -> list[str]:
    """Labels of the subjects, without ``sub-``.

    Args:
        folder: Top of the data set.
        labels: Those that are asked for, with or without ``sub-``; all by default.

    Raises:
        MissingInputError: If there is none (16), or not one that is asked for (18).
    """
    there = sorted(
        one.name.removeprefix("sub-") for one in folder.glob("sub-*") if one.is_dir()
    )
    if not there:
        raise MissingInputError(
            "this is no BIDS data set: there is no folder sub-<label>",
            path=folder,
            mend="check the path; it must be that of the top folder",
            code="E-BIDS",
            exit_code=NO_DATA_SET,
        )
    if labels is None:
        return there
    asked = list(dict.fromkeys(one.removeprefix("sub-") for one in labels))
    lacking = [one for one in asked if one not in there]
    if lacking:
        raise _no_label("subject", lacking, there, folder)
    return asked


def find_images(
    folder: Path,
    subject: str,
    *,
    sessions: Sequence[str] | None = None,
    filters: Filters | None = None,
) -> dict[str, list[Image]]:
    """The images of one subject.

    Args:
        folder: Top of the data set.
        subject: Its label.
        sessions: Labels of the only sessions to look at.
        filters: As `read_filter` gives them.

    Returns:
        Lists of images under ``"t1w"`` and ``"t2w"``, in the order of their names.
    """
    top = folder / f"sub-{subject}"
    found: dict[str, list[Image]] = {query: [] for query in _QUERIES}
    wanted = (
        None if sessions is None else {one.removeprefix("ses-") for one in sessions}
    )
    for path in sorted([*top.glob("anat/*.nii*"), *top.glob("ses-*/anat/*.nii*")]):
        name = parse_name(path)
        if name is None or name.extension not in _IMAGES:
            continue
        session = path.parent.parent.name.removeprefix("ses-")
        held = subject if path.parent.parent == top else session
        key = "sub" if path.parent.parent == top else "ses"
        if name.entities.get("sub") != subject or name.entities.get(key) != held:
            continue  # misplaced: whose it is cannot be told
        if wanted is not None and name.entities.get("ses") not in wanted:
            continue
        query = name.suffix.lower()
        if query in found and matches(name, (filters or {}).get(query, {})):
            found[query].append(Image(path, name))
    return found


def require_sessions(folder: Path, sessions: Sequence[str]) -> None:
    """Refuse session labels that no subject has.

    Raises:
        MissingInputError: (18) If there is one.
    """
    there = sorted({p.name.removeprefix("ses-") for p in folder.glob("sub-*/ses-*")})
    lacking = [
        one for one in (s.removeprefix("ses-") for s in sessions) if one not in there
    ]
    if lacking:
        raise _no_label("session", lacking, there, folder)


def read_filter(path: Path) -> dict[str, dict[str, Any]]:
    """Read a filter file: ``{"t2w": {"acquisition": "tse"}, "t1w": {"run": 1}}``.

    Raises:
        MissingInputError: If it cannot be read.
        UsageError: If it is no such file.
    """
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise MissingInputError(
            "the filter cannot be read", path=path, mend="check the path"
        ) from error
    except ValueError as error:
        raise UsageError(
            f"the filter is not JSON ({error})", path=path, mend="mend it"
        ) from error
    known = known_filter_keys()
    right = isinstance(content, dict) and all(
        isinstance(query, dict) for query in content.values()
    )
    if not right:
        raise UsageError(
            "the filter holds no queries",
            path=path,
            mend='write it as {"t2w": {"acquisition": "tse"}}',
        )
    chosen = {name: query for name, query in content.items() if name in _QUERIES}
    wrong = [key for query in chosen.values() for key in query if key not in known]
    if wrong or not chosen:
        raise UsageError(
            f"the filter names no entity of BIDS with {wrong[0]!r}"
            if wrong
            else "the filter has neither t2w nor t1w",
            path=path,
            mend=f"queries are t2w and t1w, entities {', '.join(sorted(known))}",
        )
    return chosen


def sidecar_content(image: Path, folder: Path) -> dict[str, Any]:
    """What the sidecars say of an image, by the inheritance principle.

    Args:
        image: The image.
        folder: Top of its data set.

    Returns:
        Their keys, those nearer to the image winning; files that cannot be read are
        passed over.
    """
    own = parse_name(image)
    content: dict[str, Any] = {}
    if own is None:
        return content
    places = [one for one in reversed(image.parents) if one.is_relative_to(folder)]
    for place in places:
        found = []
        for path in place.glob(f"*{own.suffix}.json"):
            name = parse_name(path)
            held = dict(name.entities) if name else {}
            if path.name == f"{own.suffix}.json" or (
                held and held.items() <= own.entities.items()
            ):
                found.append((len(held), path))
        for _, path in sorted(found):
            try:
                read = json.loads(path.read_text("utf-8-sig"))
            except (OSError, ValueError):
                continue
            content.update(read if isinstance(read, dict) else {})
    return content


def _no_label(
    what: str, lacking: Sequence[str], there: Sequence[str], folder: Path
) -> MissingInputError:
    shown = ", ".join(there[:8]) + (", ..." if len(there) > 8 else "")
    return MissingInputError(
        f"the data set has no {what} {', '.join(lacking)}",
        path=folder,
        mend=f"there is {shown or 'none'}",
        code="E-BIDS",
        exit_code=NO_LABEL,
    )
