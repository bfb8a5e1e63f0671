"""``guided-sr train external``: train a model on coarse T2 images and their T1s."""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guided_sr.cli import train_recipe
from guided_sr.cli.console import RESEARCH_USE, Console, out
from guided_sr.cli.options import (
    add_compute,
    add_model,
    add_quiet,
    new_parser,
    positive,
    scale,
)

if TYPE_CHECKING:
    from guided_sr.cli.pair import Pair

# Options of the command line that are fields of TrainingOptions.
_TRAINING = (
    "max_steps",
    "steps_per_epoch",
    "schedule",
    "loss",
    "batch_size",
    "patch_size",
    "learning_rate",
    "seed",
)


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command and its part."""
    parser = new_parser(
        commands,
        "train",
        common,
        brief="train a model on scans of your own",
        description="Train a model. No sharp T2 is needed anywhere.",
    )
    parts = parser.add_subparsers(
        title="commands", dest="part", metavar="external|recipe", required=True
    )
    external = new_parser(
        parts,
        "external",
        common,
        brief="learn from the coarse T2s of many people and their T1s",
        description="Learn from pairs of a low-resolution T2 and its T1. The T2s are"
        " taken as they are, already low-resolution: they are the targets, and what the"
        " network sees is made from them. Running the same command again after it was"
        " interrupted goes on from the last checkpoint.",
        example="guided-sr train external --data SCANS -o my_model --scale 4",
    )
    _add_files(external)
    _add_training(external)
    add_compute(external)
    add_quiet(external)
    external.set_defaults(execute=execute)
    train_recipe.add_parser(parts, common)


def _add_files(parser: argparse.ArgumentParser) -> None:
    files = parser.add_argument_group("files")
    data = files.add_mutually_exclusive_group(required=True)
    data.add_argument(
        "--data",
        metavar="DIR",
        help="take a pair from every folder in it that has one t2* (or *_T2w) and one"
        " t1* (or *_T1w), .nii or .nii.gz",
    )
    data.add_argument(
        "--pairs",
        metavar="FILE",
        help="take the pairs of a table (.tsv, .csv) with the columns t2 and t1, paths"
        " relative to it",
    )
    files.add_argument(
        "--validation",
        metavar="DIR|FILE",
        help="pairs to watch, as --data or --pairs; PSNR and SSIM go to the log",
    )
    add_model(files)


def _add_training(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("training")
    group.add_argument(
        "--scale",
        type=scale,
        required=True,
        metavar="S",
        help="factor of the in-plane axes to learn",
    )
    group.add_argument(
        "--stages",
        type=positive,
        default=3,
        metavar="R",
        help="stages of the cascade (default: 3)",
    )
    group.add_argument(
        "--no-guide", action="store_true", help="train without T1 (the paper's Model 1)"
    )
    group.add_argument(
        "--max-steps",
        type=positive,
        metavar="N",
        help="most steps a stage (default: 10000)",
    )
    group.add_argument(
        "--steps-per-epoch",
        type=positive,
        metavar="N",
        help="steps between two looks at the loss, and checkpoints (default: 100)",
    )
    group.add_argument(
        "--schedule",
        choices=["plateau", "cosine"],
        help="learning rate: the paper's plateau rule, or a cosine over --max-steps for"
        " a short budget (default: plateau)",
    )
    group.add_argument(
        "--loss", choices=["l1", "l2"], help="loss; l1 is the paper's (default: l1)"
    )
    group.add_argument(
        "--batch-size", type=positive, metavar="N", help="patches a step (default: 32)"
    )
    group.add_argument(
        "--patch-size",
        type=positive,
        metavar="N",
        help="side of a patch in pixels (default: 48)",
    )
    group.add_argument(
        "--learning-rate",
        type=float,
        metavar="RATE",
        help="initial rate of Adam (default: 0.001)",
    )
    group.add_argument(
        "--seed", type=int, metavar="N", help="seed of everything drawn (default: 0)"
    )


def execute(args: argparse.Namespace) -> int:
    """Check everything, train, save.

    Raises:
        GuidedSRError: The first fault found; those of data, options and output before
            a framework is loaded.
    """
    begun = time.perf_counter()
    from guided_sr.cli.outputs import check_folder, refuse_existing_model
    from guided_sr.cli.pairs import find_pairs, pairs_from_folders, pairs_from_table
    from guided_sr.errors import UsageError
    from guided_sr.physics.cascade_plan import scale_per_axis

    console = Console(quiet=args.quiet)
    guided = not args.no_guide
    factors = scale_per_axis(args.scale)
    if args.learning_rate is not None and not 0 < args.learning_rate < 10:
        raise UsageError(
            f"learning rate {args.learning_rate} makes no sense", mend="try 0.001"
        )
    if args.seed is not None and args.seed < 0:
        raise UsageError(f"seed {args.seed} is negative", mend="give 0 or more")
    if args.data is not None:
        found = pairs_from_folders(Path(args.data), guided=guided)
    else:
        found = pairs_from_table(Path(args.pairs), guided=guided)
    watched = []
    if args.validation is not None:
        watched = find_pairs(Path(args.validation), guided=guided)
    folder = Path(args.out)
    refuse_existing_model(folder, force=args.force)
    checkpoints = Path(args.checkpoint) if args.checkpoint else folder / "checkpoints"
    check_folder(folder)
    check_folder(checkpoints)
    pairs = _read(found, console, factors, guided)
    validation = _read(watched, console, factors, guided)
    given = {name: getattr(args, name) for name in _TRAINING}
    options = {name: value for name, value in given.items() if value is not None}
    console.facts("plan", _plan(args, pairs, validation, folder, checkpoints))

    from guided_sr.cli.framework import load_framework, precision_for

    load_framework(console, debug=args.debug)
    from guided_sr.cli.training_log import reporter
    from guided_sr.model import GuidedSRModel
    from guided_sr.runtime import device_scope
    from guided_sr.training.callbacks import IBPCallback

    callbacks: list[Any] = [reporter(console, checkpoints, args.stages)]
    if validation:  # first, so that its figures are in the log when it is reported
        callbacks.insert(0, IBPCallback([(p.t2, p.guide) for p in validation]))
    try:
        with device_scope(args.device):
            model = GuidedSRModel(
                guided=guided, precision=precision_for(args.device, args.precision)
            )
            model.fit_external(
                [(pair.t2, pair.guide) for pair in pairs],
                args.scale,
                args.stages,
                callbacks=callbacks,
                checkpoint_dir=checkpoints,
                verbose=0,
                **options,
            )
            record = _record(args, pairs, options, time.perf_counter() - begun)
            model.save_preset(folder, metadata=record, force=args.force)
    except KeyboardInterrupt:
        console.note(f"the same command goes on from {checkpoints}")
        raise
    console.note(
        f"{time.perf_counter() - begun:.0f} s; use it with"
        f" {shlex.join(['guided-sr', 'run', '--model', str(folder)])} ..."
    )
    console.note(RESEARCH_USE)
    out(str(folder))
    return 0


def _read(
    found: list[Any], console: Console, factors: tuple[float, float], guided: bool
) -> list[Pair]:
    """Read and check all pairs, and that their slices can be planned."""
    from guided_sr.cli.pair import read_pair

    pairs = []
    with console.progress("reading pairs") as advance:
        for number, one in enumerate(found, 1):
            pairs.append(read_pair(one.t2, one.t1, scale=factors, guided=guided))
            advance(number, len(found))
    return pairs


def _plan(
    args: argparse.Namespace,
    pairs: list[Pair],
    validation: list[Pair],
    folder: Path,
    checkpoints: Path,
) -> list[tuple[str, str]]:
    plan = pairs[0].inputs.plan(stages=args.stages)
    levels = [plan.level_shape(k) for k in range(-1, plan.stages + 1)]
    slices = sum(len(pair.inputs.t2) for pair in pairs)
    return [
        ("pairs", f"{len(pairs)}, {slices} slices, {len(validation)} more to watch"),
        (
            "cascade",
            f"scale {args.scale:g}, {args.stages} stages; sizes of the first pair: "
            + " > ".join(f"{h}x{w}" for h, w in levels),
        ),
        ("guide", "none" if args.no_guide else "T1"),
        ("steps", f"at most {args.max_steps or 10_000} a stage"),
        ("device", f"{args.device}, precision {args.precision}"),
        ("checkpoints", str(checkpoints)),
        ("model", str(folder)),
    ]


def _record(
    args: argparse.Namespace,
    pairs: list[Pair],
    options: dict[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """What the model's metadata say of its training: no names of files or people."""
    digests = [
        {
            name: volume.sha256
            for name, volume in (("t2", pair.t2), ("t1", pair.t1))
            if volume is not None
        }
        for pair in pairs
    ]
    return {
        "training": {
            "kind": "external",
            "scale": args.scale,
            "stages": args.stages,
            "guided": not args.no_guide,
            "options": options,
            "pairs_sha256": digests,
            "slices": sum(len(pair.inputs.t2) for pair in pairs),
            "seconds_of_last_run": round(seconds, 1),
        }
    }
