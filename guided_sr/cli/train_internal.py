"""``guided-sr train internal``: learn from the very scan to be super-resolved."""

from __future__ import annotations

import argparse
import shlex
import time
from typing import TYPE_CHECKING, Any

from guided_sr.cli.console import Console
from guided_sr.cli.options import (
    add_compute,
    add_model,
    add_quiet,
    add_register,
    new_parser,
    seconds,
)
from guided_sr.cli.train_options import (
    add_network,
    add_training,
    add_watching_and_devices,
)

if TYPE_CHECKING:
    from keras.callbacks import History

    from guided_sr.cli.train_setup import Setup
    from guided_sr.model import GuidedSRModel

_STAGES = 3
_SECONDS = 900.0
_DEFAULTS = {
    "max_steps": "1000; 400 with --init",
    "schedule": "plateau; cosine with --init",
    "steps_per_epoch": "50",
    "batch_size": "16",
    "patch_size": "48",
    "learning_rate": "0.001",
    "loss": "l1; that of --init",
    "guide_jitter_mm": "0; that of --init",
    "guide_noise": "0; that of --init",
    "lower_starts": "0; that of --init",
}


def add_parser(parts: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = new_parser(
        parts,
        "internal",
        common,
        brief="learn from the one scan that is to be super-resolved",
        description="Learn from a low-resolution T2 and its T1 alone; what is learnt"
        " is good for this scan only. A stage ends when the residual, how far the"
        " result is from explaining the T2, stands still, or when its steps or its"
        " share of the time are over. With --init, a model trained on other people is"
        " refined on it: slices of the scan, made coarser, decide after every epoch,"
        " and a stage that has become no better keeps its old weights. Running the same"
        " command again after it was interrupted goes on from the last checkpoint.",
        example="guided-sr train internal -i T2.nii.gz -g T1.nii.gz -o my_model"
        " --scale 4",
    )
    files = parser.add_argument_group("files")
    files.add_argument(
        "-i",
        "--t2",
        required=True,
        metavar="T2",
        help="low-resolution T2: .nii, .nii.gz or .mgz",
    )
    files.add_argument(
        "-g", "--t1", "--guide", metavar="T1", help="the same person's T1, on any grid"
    )
    add_register(files)
    add_model(files)
    add_network(parser, stages=_STAGES, pairs=False)
    group = add_training(parser, _DEFAULTS)
    group.add_argument(
        "--max-seconds",
        type=seconds,
        default=_SECONDS,
        metavar="S",
        help=f"most seconds, shared by the stages (default: {_SECONDS:g})",
    )
    add_watching_and_devices(parser)
    add_compute(parser)
    add_quiet(parser)
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Check everything, train, save.

    Raises:
        GuidedSRError: The first fault found; those of images, options and output
            before a framework is loaded.
    """
    begun = time.perf_counter()
    from guided_sr.cli.pair import read_pair
    from guided_sr.cli.train_session import train
    from guided_sr.cli.train_setup import Place, Setup, placement_facts

    console = Console(quiet=args.quiet)
    asked = False if args.no_guide else None if args.t1 is None else True
    setup = Setup.of(args, stages=_STAGES, guided=asked)
    _refuse_missing_guide(setup, args)
    place = Place.of(args)
    pair = read_pair(
        args.t2,
        args.t1,
        scale=setup.scale,
        guided=setup.guided,
        register=args.register,
    )
    stack = pair.inputs.t2
    plan = setup.plan((stack.shape[1], stack.shape[2]), pair.inputs.target_shape)
    setup.refuse_small_slices(plan, level=0)
    console.facts(
        "plan",
        [
            ("T2", f"{pair.t2.path}, {len(stack)} slices"),
            *([("T1", str(pair.t1.path))] if pair.t1 else []),
            *placement_facts([pair]),
            *setup.facts(plan),
            ("device", f"{args.device}, precision {args.precision}"),
            *place.facts(),
        ],
    )

    def learn(precision: str) -> tuple[GuidedSRModel, dict[str, Any]]:
        from guided_sr.cli.training_log import InternalReporter
        from guided_sr.model import fitting

        start = fitting.INTERNAL if setup.start is None else fitting.REFINEMENT
        options = fitting.training_options(setup.training, start)
        console.note(
            f"{fitting.bounds(setup.stages, options)}, {args.max_seconds:g} s in all"
        )
        model = setup.model(precision)
        histories = model.fit_internal(
            pair.t2,
            pair.guide,
            setup.scale,
            setup.stages,
            max_seconds=args.max_seconds,
            callbacks=[
                InternalReporter(console, place.checkpoints, setup.stages),
                *setup.watching(),
            ],
            **setup.fitting(place),
        )
        for line in fitting.decision_report(histories, "its own slices"):
            console.note(line)
        took = [
            {
                "steps": len(one.epoch) * options.steps_in_epoch,
                "residual": _residual_of_kept(one),
            }
            for one in histories
        ]
        spent = time.perf_counter() - begun
        return model, setup.record("internal", [pair], spent, stages_took=took)

    files = ["-i", args.t2]
    if setup.guided:
        files += ["-g", args.t1]
    return train(
        args, console, place, learn, begun=begun, files=[shlex.join(map(str, files))]
    )


def _residual_of_kept(history: History) -> float | None:
    """Residual of the weights that a stage has kept; `None` for the old ones."""
    from guided_sr.training.validation import Decision

    seen = history.history.get("residual", [])
    decision = Decision.of(history)
    if decision is None:
        return seen[-1] if seen else None
    return seen[decision.epoch - 1] if decision.epoch else None


def _refuse_missing_guide(setup: Setup, args: argparse.Namespace) -> None:
    from guided_sr.errors import UsageError

    if setup.guided and args.t1 is None:
        way_out = "" if setup.start is not None else ", or leave it out by --no-guide"
        raise UsageError(
            "the network takes a T1, but there is none",
            mend=f"give it with -g{way_out}",
        )
