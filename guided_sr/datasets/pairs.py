"""Find the pairs to train on: a table of paths, or folders with a T2 and a T1 each."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from guided_sr.errors import DataError, MissingInputError, UsageError, warn_user

_IMAGE = re.compile(r"(?i)^(t[12].*|.*_t[12]w)\.nii(\.gz)?$")
_OURS = "desc-guidedsr"  # results of ours are no training data


@dataclass(frozen=True)
class PairOfPaths:
    """A T2 and its T1, which is None where no guide is asked for."""

    t2: Path
    t1: Path | None


def pairs_from_table(file: Path, *, guided: bool = True) -> list[PairOfPaths]:
    """Read pairs from a table with the columns ``t2`` and ``t1``.

    Args:
        file: Tab- or comma-separated, with a header; other columns are ignored.
            Paths are relative to the file's folder.
        guided: Whether a T1 is needed.

    Raises:
        MissingInputError: If the table is not there or holds no pair.
        DataError: If it is no table, or lacks a column or a path.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            "the table of pairs is not text", path=file, mend="save it as .tsv or .csv"
        ) from error
    except OSError as error:
        raise MissingInputError(
            "the table of pairs cannot be read", path=file, mend="check the path"
        ) from error
    lines = text.splitlines()
    header = lines[0] if lines else ""
    delimiter = "\t" if "\t" in header else ";" if ";" in header else ","
    rows = csv.DictReader(lines, delimiter=delimiter)
    columns = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
    needed = ("t2", "t1") if guided else ("t2",)
    lacking = [name for name in needed if name not in columns]
    if lacking:
        raise DataError(
            f"the table of pairs has no column {' nor '.join(lacking)}",
            path=file,
            mend="give it the header t2<TAB>t1, and one pair a line",
        )
    pairs = []
    for row in rows:
        if not any((value or "").strip() for value in row.values() if value):
            continue
        paths = {}
        for name in needed:
            value = (row[columns[name]] or "").strip()
            if not value:
                raise DataError(
                    f"line {rows.line_num} of the table of pairs has no {name}",
                    path=file,
                    mend="complete or remove the line",
                )
            paths[name] = file.parent / value
        pairs.append(PairOfPaths(paths["t2"], paths.get("t1")))
    if not pairs:
        raise MissingInputError(
            "the table of pairs holds no pair", path=file, mend="add one a line"
        )
    return pairs


def pairs_from_folders(folder: Path, *, guided: bool = True) -> list[PairOfPaths]:
    """Find one pair in every folder at or below one that has a T2 and a T1.

    Args:
        folder: Where to look. Images are named ``t2*`` or ``*_T2w`` and ``t1*`` or
            ``*_T1w`` (in any case), ``.nii`` or ``.nii.gz``.
        guided: Whether a T1 is needed; a folder that lacks it is left out with a
            warning.

    Raises:
        MissingInputError: If the folder is not there or holds no pair.
        UsageError: If a folder has several candidates; they are listed.
    """
    if not folder.is_dir():
        raise MissingInputError(
            "the folder of training data does not exist",
            path=folder,
            mend="check the path; a table of pairs is given with --pairs",
        )
    pairs = []
    for place, names in _folders(folder):
        images = [n for n in names if _IMAGE.match(n) and _OURS not in n]
        t2 = _the_one([n for n in images if _weighting(n) == "2"], "T2", place)
        if not guided and t2:
            pairs.append(PairOfPaths(place / t2, None))
            continue
        t1 = _the_one([n for n in images if _weighting(n) == "1"], "T1", place)
        if t2 and t1:
            pairs.append(PairOfPaths(place / t2, place / t1))
        elif t2 or t1:
            missing = "T1" if t2 else "T2"
            warn_user(f"a folder without {missing} is left out", path=place)
    if not pairs:
        raise MissingInputError(
            "no folder holds a T2 and a T1" if guided else "no folder holds a T2",
            path=folder,
            mend="name them t2.nii.gz and t1.nii.gz (or *_T2w, *_T1w), one pair a"
            " folder, or list them in a table for --pairs",
        )
    return pairs


def find_pairs(place: Path, *, guided: bool = True) -> list[PairOfPaths]:
    """Pairs of a folder or of a table, whichever the path is."""
    search = pairs_from_folders if place.is_dir() else pairs_from_table
    return search(place, guided=guided)


def _folders(top: Path) -> Iterator[tuple[Path, list[str]]]:
    """Folders and their file names, sorted, each once; links are followed."""
    seen: set[str] = set()
    for place, folders, names in os.walk(top, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(place), sorted(names)


def _weighting(name: str) -> str:
    """``"1"`` or ``"2"``: what ends the stem wins over what begins it."""
    ending = re.search(r"(?i)_t([12])w\.nii(\.gz)?$", name)
    return ending.group(1) if ending else name[1]


def _the_one(names: list[str], kind: str, place: Path) -> str | None:
    if len(names) > 1:
        raise UsageError(
            f"a folder has {len(names)} candidates for the {kind}: {', '.join(names)}",
            path=place,
            mend="keep one of them there, or list the pairs in a table for --pairs",
        )
    return names[0] if names else None
