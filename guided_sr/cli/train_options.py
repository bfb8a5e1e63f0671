"""Options that the ways of training share. argparse and nothing more."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from guided_sr.cli.options import (
    BACK_PROJECTION,
    add_model,
    add_register,
    positive,
    scale,
)

BACKBONES = {
    "dcsrn": False,
    "grdn": True,
    "mdcsrn_gan": False,
    "recnn": True,
    "srcnn": False,
    "zssr": False,
}
"""The networks, and whether they take a T1 as published; a registry that is asked
itself loads Keras."""

TRAINING = (
    "max_steps",
    "steps_per_epoch",
    "schedule",
    "loss",
    "batch_size",
    "patch_size",
    "learning_rate",
    "guide_jitter_mm",
    "guide_noise",
    "lower_starts",
    "seed",
)
"""Options of the command line that are fields of `TrainingOptions`."""


SHARE = 0.2
"""What a fine-tuning holds out; the room that knows it loads NumPy."""


def add_pairs(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the pairs to learn from and where the model goes.

    Returns:
        The group, for what is one command's own.
    """
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
        help="pairs to watch, as --data or --pairs; PSNR and SSIM go to the log. In"
        " 'train external' with --init they decide which weights are kept",
    )
    add_register(files)
    add_model(files)
    return files


def add_network(
    parser: argparse.ArgumentParser, *, stages: int, pairs: bool = True
) -> None:
    """Add what is trained: scale, stages, network and what it starts from.

    Args:
        parser: Where to.
        stages: Stages of the cascade by default.
        pairs: Whether many pairs are learnt from, which may lack the T1 all or none.
    """
    group = parser.add_argument_group("model")
    group.add_argument(
        "--scale",
        type=scale,
        metavar="S",
        help="factor of the in-plane axes to learn (default: that of --init)",
    )
    group.add_argument(
        "--stages",
        type=positive,
        metavar="R",
        help=f"stages of the cascade (default: {stages}, or those of --init)",
    )
    group.add_argument(
        "--backbone",
        choices=list(BACKBONES),
        metavar="NAME",
        help=f"network of every stage: {', '.join(BACKBONES)} (default: grdn, the"
        " paper's, or that of --init)",
    )
    if pairs:
        group.add_argument(
            "--guide",
            action=argparse.BooleanOptionalAction,
            help="train with or without T1 (default: as the network was published;"
            " grdn with --no-guide is the paper's Model 1)",
        )
    else:
        group.add_argument("--no-guide", action="store_true", help="learn without a T1")
    group.add_argument(
        "--init",
        metavar="PRESET|DIR",
        help="start from the weights of a preset or of a model of your own",
    )
    group.add_argument(
        "--back-projection",
        choices=list(BACK_PROJECTION),
        help="what follows each stage (default: ibp, the paper's, or that of --init)",
    )


def add_watching_and_devices(parser: argparse.ArgumentParser) -> None:
    """Add ``--devices`` and ``--tensorboard``."""
    group = parser.add_argument_group("machine and log")
    group.add_argument(
        "--devices",
        type=positive,
        default=1,
        metavar="N",
        help="devices that share each batch, GPUs where there are any; with TensorFlow"
        " and JAX (default: 1)",
    )
    group.add_argument(
        "--tensorboard",
        metavar="DIR",
        help="show figures and a slice an epoch in TensorBoard, from this folder; needs"
        " guided-sr[tensorboard]",
    )


def add_training(
    parser: argparse.ArgumentParser, defaults: Mapping[str, str]
) -> argparse._ArgumentGroup:
    """Add the fields of `TrainingOptions`.

    Args:
        parser: Where to.
        defaults: What the help says of each field but the seed.

    Returns:
        The group, for what is one command's own.
    """
    group = parser.add_argument_group("training")
    group.add_argument(
        "--max-steps",
        type=positive,
        metavar="N",
        help=f"most steps a stage (default: {defaults['max_steps']})",
    )
    group.add_argument(
        "--steps-per-epoch",
        type=positive,
        metavar="N",
        help="steps between two looks at the progress, and checkpoints (default:"
        f" {defaults['steps_per_epoch']})",
    )
    group.add_argument(
        "--schedule",
        choices=["plateau", "cosine"],
        help="learning rate: lowered where progress stops, or a cosine over"
        f" --max-steps for a short budget (default: {defaults['schedule']})",
    )
    group.add_argument(
        "--loss",
        choices=["l1", "l2", "l1_wgan"],
        help="l1 is the paper's; l1_wgan adds a critic after half of the steps"
        f" (default: {defaults['loss']})",
    )
    group.add_argument(
        "--batch-size",
        type=positive,
        metavar="N",
        help=f"patches a step (default: {defaults['batch_size']})",
    )
    group.add_argument(
        "--patch-size",
        type=positive,
        metavar="N",
        help=f"side of a patch in pixels (default: {defaults['patch_size']})",
    )
    group.add_argument(
        "--learning-rate",
        type=float,
        metavar="RATE",
        help=f"initial rate of Adam (default: {defaults['learning_rate']})",
    )
    group.add_argument(
        "--guide-jitter",
        type=float,
        dest="guide_jitter_mm",
        metavar="MM",
        help="shift the T1 against the T2 by up to this along each axis, anew for each"
        " slice drawn: such a model bears a poor registration better (default:"
        f" {defaults['guide_jitter_mm']})",
    )
    group.add_argument(
        "--guide-noise",
        type=float,
        metavar="SHARE",
        help="give the T1 noise of up to this share of its range, anew for each slice"
        " drawn: coarse levels have lost theirs; grdn_t2_x2 has learnt with 0.06"
        f" (default: {defaults['guide_noise']})",
    )
    group.add_argument(
        "--lower-starts",
        type=int,
        metavar="N",
        help="learn, from the second stage on, also from cascades that begin up to so"
        " many stages lower, and so from what the stages before really make;"
        " grdn_t2_x4 has learnt with 2, grdn_t2_x2 with 3"
        f" (default: {defaults['lower_starts']})",
    )
    group.add_argument(
        "--seed", type=int, metavar="N", help="seed of everything drawn (default: 0)"
    )
    return group
