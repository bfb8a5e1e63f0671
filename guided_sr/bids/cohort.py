"""The plan of a cohort: which T2 goes with which T1, and what cannot be decided."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from guided_sr.bids.entities import ENTITIES
from guided_sr.bids.layout import (
    Filters,
    Image,
    find_images,
    find_subjects,
    require_sessions,
)
from guided_sr.errors import GuidedSRError, MissingInputError, UsageError

__all__ = ["Pair", "Subject", "plan_cohort"]


@dataclass(frozen=True)
class Pair:
    """A T2 and the T1 that guides it.

    Attributes:
        t2: The T2.
        t1: The T1, or None where the model takes none.
        session: Label of the T2's session, or ``""``.
    """

    t2: Image
    t1: Image | None
    session: str = ""


@dataclass(frozen=True)
class Subject:
    """One subject's share of the work.

    Attributes:
        label: Without ``sub-``.
        pairs: What to super-resolve, one a session.
        problems: Sessions (``""`` where there are none) that cannot be, and why.
    """

    label: str
    pairs: tuple[Pair, ...] = ()
    problems: tuple[tuple[str, GuidedSRError], ...] = field(default=())


def plan_cohort(
    folder: Path,
    *,
    labels: Sequence[str] | None = None,
    sessions: Sequence[str] | None = None,
    filters: Filters | None = None,
    guided: bool = True,
) -> list[Subject]:
    """Find what is to be done for each subject. No image is opened.

    A session whose images do not decide themselves becomes a problem of its subject;
    nothing is picked from several candidates.

    Args:
        folder: Top of the data set.
        labels: Subjects, with or without ``sub-``; all by default.
        sessions: Sessions, with or without ``ses-``; all by default.
        filters: As `guided_sr.bids.layout.read_filter` gives them.
        guided: Whether a T1 is needed.

    Raises:
        MissingInputError: If there is no subject, or not one or a session that is
            asked for.
        UsageError: If two images would have results of one name.
    """
    subjects = find_subjects(folder, labels)
    if sessions is not None:
        require_sessions(folder, sessions)
    plan = [
        _plan_subject(folder, label, sessions, filters, guided) for label in subjects
    ]
    _refuse_collisions(plan)
    return plan


def _plan_subject(
    folder: Path,
    label: str,
    sessions: Sequence[str] | None,
    filters: Filters | None,
    guided: bool,
) -> Subject:
    images = find_images(folder, label, sessions=sessions, filters=filters)
    every = images
    if sessions is not None:  # the T1 may lie in a session that is not asked for
        every = find_images(folder, label, filters=filters)
    top = folder / f"sub-{label}"
    held = list(dict.fromkeys(one.session or "" for one in images["t2w"]))
    if not held:
        error = MissingInputError(
            f"sub-{label} has no T2w image",
            path=top,
            mend="leave the subject out with --participant-label, or mend the filter",
        )
        return Subject(label, problems=(("", error),))
    pairs, problems = [], []
    for session in held:
        try:
            t2 = _the_one(
                [one for one in images["t2w"] if (one.session or "") == session],
                f"sub-{label}",
            )
            t1 = _guide(every["t1w"], session, f"sub-{label}", top) if guided else None
        except GuidedSRError as error:
            problems.append((session, error))
        else:
            pairs.append(Pair(t2, t1, session))
    return Subject(label, tuple(pairs), tuple(problems))


def _guide(candidates: list[Image], session: str, who: str, top: Path) -> Image:
    """The T1 of a session, or the only one of the others."""
    near = [one for one in candidates if (one.session or "") == session]
    if not candidates:
        raise MissingInputError(
            f"{who} has no T1w image",
            path=top,
            mend="leave the subject out with --participant-label, or take a --model"
            " without guide",
        )
    return _the_one(near or candidates, who)


def _the_one(candidates: list[Image], who: str) -> Image:
    """The only candidate.

    Raises:
        MissingInputError: If there are several: the line has a filter to begin with.
    """
    if len(candidates) == 1:
        return candidates[0]
    first = candidates[0].name
    keys = dict.fromkeys(
        key
        for key in ENTITIES
        if key != "sub" and len({one.name.entities.get(key) for one in candidates}) > 1
    )
    query = {ENTITIES[key]: first.entities.get(key) for key in keys}
    text = json.dumps({first.suffix.lower(): query or {"extension": first.extension}})
    raise MissingInputError(
        f"{who} has {len(candidates)} {first.suffix} images to choose from",
        path=[one.path for one in candidates],
        mend=f"choose with a file that holds {text}, given as --bids-filter-file",
    )


def _refuse_collisions(plan: Sequence[Subject]) -> None:
    """Refuse two results of one name, also where names differ in case alone."""
    makers: dict[str, Path] = {}
    for subject in plan:
        for pair in subject.pairs:
            name = str(pair.t2.name.having(extension="")).casefold()
            if name in makers:
                raise UsageError(
                    "two images would have results of one name",
                    path=[makers[name], pair.t2.path],
                    mend="rename one, or choose subjects with --participant-label",
                )
            makers[name] = pair.t2.path
