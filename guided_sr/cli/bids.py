"""``guided-sr bids`` and ``guided-sr-bids``: a whole BIDS data set."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from guided_sr._version import __version__
from guided_sr.cli.options import (
    add_force,
    add_quiet,
    add_register,
    new_parser,
    positive,
)
from guided_sr.cli.run_options import add_dry_run, add_making

NO_LEVEL = 17
LEVELS = ("participant", "group")


class _Named(argparse.Action):
    """A positional argument given by name, as BEP027 spells it."""

    def __init__(self, *args: Any, positional: argparse.Action, **how: Any) -> None:
        super().__init__(*args, **how)
        self.positional = positional

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, values)
        self.positional.required = False


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = new_parser(
        commands,
        "bids",
        common,
        brief="super-resolve the T2 images of a BIDS data set",
        description="Super-resolve every T2w image of a BIDS data set with the same"
        " person's T1w, into a BIDS derivative data set. A subject that fails holds"
        " nobody up; what is up to date is not made again. The level group makes a"
        " table of quality.",
        example="guided-sr bids data data/derivatives/guided-sr participant",
    )
    parser.add_argument(
        "--version", action="version", version=f"guided-sr {__version__}"
    )
    _add_places(parser)
    _add_choice(parser.add_argument_group("what to take"))
    add_register(parser.add_argument_group("place the T1"))
    add_making(parser)
    _add_execution(parser.add_argument_group("execution"))
    add_quiet(parser)
    parser.set_defaults(execute=execute, t2_to_t1=None)


def _add_places(parser: argparse.ArgumentParser) -> None:
    places = (
        ("bids_dir", "BIDS_DIR", "--input-dataset", "top folder of the data set"),
        ("output_dir", "OUT_DIR", "--output-location", "folder for the results"),
        (
            "analysis_level",
            "LEVEL",
            "--analysis-level",
            "participant makes the images, group the table of quality",
        ),
    )
    named = parser.add_argument_group("the same by name")
    for dest, metavar, option, text in places:
        positional = parser.add_argument(dest, metavar=metavar, help=text)
        named.add_argument(
            *_both(option),
            dest=dest,
            action=_Named,
            positional=positional,
            metavar=metavar,
            help=f"in place of {metavar}",
        )


def _add_choice(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        *_both("--participant-label", "--subject-label"),
        dest="participant_label",
        nargs="+",
        action="extend",
        metavar="LABEL",
        help="subjects, with or without sub- (default: all)",
    )
    group.add_argument(
        *_both("--session-label"),
        dest="session_label",
        nargs="+",
        action="extend",
        metavar="LABEL",
        help="sessions, with or without ses- (default: all)",
    )
    group.add_argument(
        *_both("--bids-filter-file"),
        dest="bids_filter_file",
        metavar="FILE",
        help='JSON that chooses images, such as {"t2w": {"acquisition": "tse"}}',
    )
    group.add_argument(
        *_both("--skip-bids-validation"),
        dest="skip_bids_validation",
        action="store_true",
        help="go on without a dataset_description.json",
    )


def _add_execution(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        *_both("--nprocs", "--n-cpus"),
        dest="nprocs",
        type=positive,
        default=1,
        metavar="N",
        help="subjects at a time; more than 1 means --cluster local unless another is"
        " given, and for slurm it is the number of jobs (default: 1)",
    )
    group.add_argument(
        *_both("--mem-mb"),
        dest="mem_mb",
        type=positive,
        metavar="M",
        help="memory of all subjects at a time together, in MiB; a subject that needs"
        " more than its share is refused",
    )
    group.add_argument(
        "--cluster",
        metavar="local|slurm|ADDRESS",
        help="run one subject a task on Dask: workers on this machine, in SLURM jobs"
        " (described in Dask's jobqueue.yaml), or at a scheduler such as"
        " tcp://host:8786; needs guided-sr[cluster]",
    )
    group.add_argument(
        *_both("-w", "--work-dir"),
        dest="work_dir",
        metavar="DIR",
        help="folder for what Dask writes meanwhile; nothing else is kept in between",
    )
    group.add_argument(
        *_both("--stop-on-first-crash"),
        dest="stop_on_first_crash",
        action="store_true",
        help="begin no further subject once one has failed",
    )
    add_force(group, "results that are up to date, too")
    add_dry_run(group, "check every subject, print the plans")


def _both(*names: str) -> list[str]:
    """Each option, and as older BIDS Apps spell it."""
    return [
        spelled
        for name in names
        for spelled in dict.fromkeys((name, f"--{name[2:].replace('-', '_')}"))
        if name.startswith("--") or spelled == name
    ]


def execute(args: argparse.Namespace) -> int:
    """Run one level.

    Returns:
        0 if all went well; else the exit code that all failures share, or 1.

    Raises:
        UsageError: For a level that there is not (17).
        GuidedSRError: If the data set or an option cannot be used.
    """
    from guided_sr.errors import UsageError

    level = args.analysis_level
    if level not in LEVELS:
        raise UsageError(
            f"there is no analysis level {level!r}",
            mend=f"give {' or '.join(LEVELS)}",
            code="E-BIDS",
            exit_code=NO_LEVEL,
        )
    from guided_sr.cli.cohort import run_group, run_participants

    return run_participants(args) if level == "participant" else run_group(args)


def labels_of(given: Sequence[str] | None) -> list[str] | None:
    """Labels that may also have come as one text with spaces, as from a job script."""
    if given is None:
        return None
    return [label for text in given for label in text.split()]
