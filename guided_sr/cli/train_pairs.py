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
from guided_sr.cli.train_setup import Place, Setup
from guided_sr.datasets.pairs import (
    PairOfPaths,
    find_pairs,
    pairs_from_folders,
    pairs_from_table,
)
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.degrade import crop_to_multiple, degrade
from guided_sr.training.options import TrainingOptions

if TYPE_CHECKING:
    from guided_sr.model import GuidedSRModel


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
    if args.data is not None:
        found = pairs_from_folders(Path(args.data), guided=setup.guided)
    else:
        found = pairs_from_table(Path(args.pairs), guided=setup.guided)
    watched = []
    if args.validation is not None:
        watched = find_pairs(Path(args.validation), guided=setup.guided)
    place = Place.of(args)
    pairs = _read(found, console, setup, way)
    validation = _read(watched, console, setup, way)
    plans = [_plan(pair, setup, way) for pair in pairs]
    lowest = 0 if way.sharp else -1
    for plan in plans:
        setup.refuse_small_slices(plan, level=lowest + 1)
    slices = sum(len(pair.inputs.t2) for pair in pairs)
    console.facts(
        "plan",
        [
            ("pairs", f"{len(pairs)}, {slices} slices, {len(validation)} to watch"),
            *setup.facts(plans[0], lowest=lowest, sizes="sizes of the first pair"),
            ("steps", f"at most {TrainingOptions(**setup.training).max_steps} a stage"),
            ("device", f"{args.device}, precision {args.precision}"),
            *place.facts(),
        ],
    )

    def learn(precision: str) -> tuple[GuidedSRModel, dict[str, Any]]:
        from guided_sr.cli.training_log import Reporter
        from guided_sr.training.callbacks import IBPCallback

        callbacks: list[Any] = [Reporter(console, place.checkpoints, setup.stages)]
        if validation:  # first, so that its figures are in the log when it is reported
            callbacks.insert(0, IBPCallback(_both(validation)))
        model = setup.model(precision)
        fit = model.fit_supervised if way.sharp else model.fit_external
        fit(
            _both(pairs),
            setup.scale,
            setup.stages,
            callbacks=callbacks,
            **setup.fitting(place),
        )
        return model, setup.record(way.kind, pairs, time.perf_counter() - begun)

    return train(args, console, place, learn, begun=begun)


def _both(pairs: list[Pair]) -> list[tuple[Any, Any]]:
    return [(pair.t2, pair.guide) for pair in pairs]


def _read(
    found: list[PairOfPaths], console: Console, setup: Setup, way: Way
) -> list[Pair]:
    """Read and check all pairs."""
    scale = None if way.sharp else setup.scale
    pairs = []
    with console.progress("reading pairs") as advance:
        for number, one in enumerate(found, 1):
            pairs.append(read_pair(one.t2, one.t1, scale=scale, guided=setup.guided))
            advance(number, len(found))
    return pairs


def _plan(pair: Pair, setup: Setup, way: Way) -> CascadePlan:
    """The plan of a pair: from its T2's grid, or to it.

    Raises:
        UsageError: If there is none.
    """
    stack = pair.inputs.t2
    if not way.sharp:
        return setup.plan((stack.shape[1], stack.shape[2]), pair.inputs.target_shape)
    sharp = crop_to_multiple(stack[:1], setup.scale)
    coarse = degrade(sharp, setup.scale)
    return setup.plan(
        (coarse.shape[1], coarse.shape[2]), (sharp.shape[1], sharp.shape[2])
    )
