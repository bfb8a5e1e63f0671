"""Learn from the pairs of many people, coarse or sharp."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guided_sr.cli.console import Console
from guided_sr.cli.pair import Pair, read_pair
from guided_sr.cli.train_session import train
from guided_sr.cli.train_setup import Place, Setup, placement_facts
from guided_sr.datasets.pairs import (
    PairOfPaths,
    find_pairs,
    pairs_from_folders,
    pairs_from_table,
)
from guided_sr.errors import UsageError
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.degrade import crop_to_multiple, degrade
from guided_sr.training.holdout import (
    SHARE,
    Index,
    check_share,
    divide,
    refuse_scarce,
)
from guided_sr.training.thick_views import Stack, views_of

if TYPE_CHECKING:
    from guided_sr.model import GuidedSRModel

_NAMED = 3


@dataclass(frozen=True)
class Way:
    """One of the two ways.

    Attributes:
        kind: ``"external"`` or ``"supervised"``.
        stages: Stages by default.
        sharp: Whether the T2s are high-resolution, and degraded here.
    """

    kind: str
    stages: int
    sharp: bool


def learn_from_pairs(args: argparse.Namespace, way: Way) -> int:
    """Check everything, train, save.

    Raises:
        GuidedSRError: The first fault found; those of data, options and output before
            a framework is loaded.
    """
    begun = time.perf_counter()
    console = Console(quiet=args.quiet)
    setup = Setup.of(args, stages=way.stages, guided=args.guide)
    tuning = setup.start is not None and not way.sharp
    share = _share(args, tuning)
    if args.data is not None:
        found = pairs_from_folders(Path(args.data), guided=setup.guided)
    else:
        found = pairs_from_table(Path(args.pairs), guided=setup.guided)
    watched = []
    if args.validation is not None:
        watched = find_pairs(Path(args.validation), guided=setup.guided)
    place = Place.of(args)
    pairs = _read(found, console, setup, way, args.register)
    validation = _read(watched, console, setup, way, args.register)
    plans = [_plan(pair, setup, way) for pair in pairs]
    facts = [
        ("pairs", _count(pairs, validation)),
        *placement_facts([*pairs, *validation]),
    ]
    if tuning:
        stacks = _stacks(pairs, setup)
        _refuse_scarce(stacks, _stacks(validation, setup), share)
        facts.append(("held out", _held_out(pairs, stacks, validation, share)))
    lowest, sizes = 0, "sizes of the first pair"
    if not way.sharp:
        lowest, sizes = -1, f"{sizes}, learnt from one level lower"
    for plan in plans:
        setup.refuse_small_slices(plan, level=lowest + 1)
    console.facts(
        "plan",
        [
            *facts,
            *setup.facts(plans[0], lowest=lowest, sizes=sizes),
            ("device", f"{args.device}, precision {args.precision}"),
            *place.facts(),
        ],
    )

    def learn(precision: str) -> tuple[GuidedSRModel, dict[str, Any]]:
        from guided_sr.cli.training_log import Reporter
        from guided_sr.model import fitting
        from guided_sr.training.callbacks import IBPCallback

        defaults = fitting.FINE_TUNING if tuning else {}
        if way.sharp:
            defaults = fitting.SUPERVISED_DEFAULTS
        options = fitting.training_options(setup.training, defaults)
        console.note(fitting.bounds(setup.stages, options))
        callbacks: list[Any] = [
            Reporter(console, place.checkpoints, setup.stages),
            *setup.watching(),
        ]
        how = setup.fitting(place)
        if tuning:
            how["validation"] = _both(validation) if validation else share
        elif validation:  # first, so that its figures are there when they are reported
            callbacks.insert(0, IBPCallback(_both(validation)))
        model = setup.model(precision)
        fit = model.fit_supervised if way.sharp else model.fit_external
        histories = fit(
            _both(pairs), setup.scale, setup.stages, callbacks=callbacks, **how
        )
        for line in fitting.decision_report(histories):
            console.note(line)
        return model, setup.record(way.kind, pairs, time.perf_counter() - begun)

    return train(args, console, place, learn, begun=begun)


def _share(args: argparse.Namespace, tuning: bool) -> float:
    """The share to hold out.

    Raises:
        UsageError: If there is nothing to hold out for, or it makes no sense.
    """
    given = getattr(args, "validation_share", None)
    if given is None:
        return SHARE
    if not tuning:
        raise UsageError(
            "--validation-share decides between old and new weights; there are no old"
            " ones",
            mend="give --init, or leave it out",
        )
    if args.validation is not None:
        raise UsageError(
            "--validation and --validation-share are both given", mend="leave one out"
        )
    check_share(given)
    return float(given)


def _stacks(pairs: list[Pair], setup: Setup) -> list[list[Stack]]:
    """What is learnt from each pair: its T2, or both coarse views of it."""
    if not setup.through_plane:
        return [[pair.inputs.t2] for pair in pairs]
    seen = (views_of(pair.inputs, setup.thickness(pair)) for pair in pairs)
    return [[view.t2 for view in views] for views in seen]


def _refuse_scarce(
    stacks: list[list[Stack]], validation: list[list[Stack]], share: float
) -> None:
    """Refuse too few or too small slices; empty ones are found out later."""
    learning = [len(stack) for views in stacks for stack in views]
    held_out = None
    if validation:
        held_out = [len(stack) for views in validation for stack in views]
    elif share:
        parts = [part for views in _divided(stacks, share) for part in views]
        learning = [len(kept) for kept, _ in parts]
        held_out = [len(away) for _, away in parts]
    shapes = [
        min(((view.shape[1], view.shape[2]) for view in views), key=min)
        for views in [*stacks, *validation]
    ]
    refuse_scarce(learning, held_out, shapes)


def _divided(
    stacks: list[list[Stack]], share: float
) -> list[list[tuple[Index, Index]]]:
    """Slices to learn from and held out, of each pair's stacks."""
    counts = [len(stack) for views in stacks for stack in views]
    owners = [owner for owner, views in enumerate(stacks) for _ in views]
    parts = iter(divide(counts, share, owners=owners))
    return [[next(parts) for _ in views] for views in stacks]


def _count(pairs: list[Pair], validation: list[Pair]) -> str:
    """How much there is to learn from and to watch, in words."""
    slices = sum(len(pair.inputs.t2) for pair in pairs)
    watched = f", {len(validation)} to watch" if validation else ""
    return f"{len(pairs)}, {slices} slices{watched}"


def _held_out(
    pairs: list[Pair],
    stacks: list[list[Stack]],
    validation: list[Pair],
    share: float,
) -> str:
    """What decides which weights are kept, in words."""
    if validation:
        return f"the {len(validation)} pairs to watch decide which weights are kept"
    if not share:
        return "nothing; the last weights are kept"
    away = [sum(len(held) for _, held in views) for views in _divided(stacks, share)]
    names = [str(pair.t2.path) for pair, held in zip(pairs, away, strict=True) if held]
    shown = ", ".join(names[:_NAMED]) + (" and others" if names[_NAMED:] else "")
    return f"{sum(away)} slices, which no step learns from, of {shown}"


def _both(pairs: list[Pair]) -> list[tuple[Any, Any]]:
    return [(pair.t2, pair.guide) for pair in pairs]


def _read(
    found: list[PairOfPaths], console: Console, setup: Setup, way: Way, register: str
) -> list[Pair]:
    """Read and check all pairs, and place their T1s."""
    own_grid = way.sharp or setup.through_plane
    scale = None if own_grid else setup.scale
    pairs = []
    with console.progress("reading pairs") as advance:
        for number, one in enumerate(found, 1):
            pair = read_pair(
                one.t2, one.t1, scale=scale, guided=setup.guided, register=register
            )
            pairs.append(pair)
            advance(number, len(found))
    return pairs


def _plan(pair: Pair, setup: Setup, way: Way) -> CascadePlan:
    """The plan of a pair: from its T2's grid, or to it.

    Raises:
        UsageError: If there is none.
    """
    stack, scale = pair.inputs.t2, setup.scale
    if not way.sharp and not setup.through_plane:
        return setup.plan((stack.shape[1], stack.shape[2]), pair.inputs.target_shape)
    if setup.through_plane and not way.sharp:
        scale = (setup.thickness(pair), 1.0)
    sharp = crop_to_multiple(stack[:1], scale)
    coarse = degrade(sharp, scale)
    return setup.plan(
        (coarse.shape[1], coarse.shape[2]), (sharp.shape[1], sharp.shape[2])
    )
