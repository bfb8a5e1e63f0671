"""A cohort: each subject through ``run``, here or on a cluster, with its records."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guided_sr.bids.cohort import Pair, Subject, plan_cohort
from guided_sr.bids.derivatives import prepare_data_set, result_path, sidecar_keys
from guided_sr.bids.layout import read_description, read_filter
from guided_sr.bids.quality import write_group_table
from guided_sr.bids.records import DONE, FAILED, PLANNED, UP_TO_DATE, Outcome, RunLog
from guided_sr.cli import run
from guided_sr.cli.bids import labels_of
from guided_sr.cli.choose import choose_model
from guided_sr.cli.console import Console, out, print_error
from guided_sr.cli.outcome import describe, shared_code
from guided_sr.cli.planning import choose, locate_files
from guided_sr.cluster.deploy import LOCAL, ClusterOptions, is_cluster
from guided_sr.cluster.pool import run_tasks
from guided_sr.errors import TryAgainError, UsageError
from guided_sr.inference.cost import memory_gib
from guided_sr.volumes import read_grid, voxel_sizes

_NOT_PLAIN = ("execute", "tell")
_ONE = threading.Lock()  # a worker of several threads: streams and warnings are shared


@dataclass(frozen=True)
class SubjectTask:
    """One subject's share, as it is sent to a worker.

    Attributes:
        subject: What to do.
        bids: Top of the data set.
        out: Top of the results.
        options: Those of the command, plain.
        memory_mb: The subject's share of the memory; None sets no limit.
        remote: Whether it runs in another process, which prints nothing.
    """

    subject: Subject
    bids: Path
    out: Path
    options: dict[str, Any]
    memory_mb: int | None = None
    remote: bool = False


def run_participants(args: argparse.Namespace) -> int:
    """Super-resolve every subject that is asked for.

    Returns:
        0 if all were made; else the exit code that all failures share, or 1.

    Raises:
        GuidedSRError: If the data set, the model or the cluster cannot be used.
    """
    console = Console(quiet=args.quiet)
    bids, results = _absolute(args.bids_dir), _absolute(args.output_dir)
    where = args.cluster or (LOCAL if args.nprocs > 1 else None)
    if where is not None and not is_cluster(where):
        raise UsageError(
            f"there is no cluster {where!r}",
            mend="give local, slurm or the address of a scheduler, tcp://host:8786",
        )
    raw = read_description(bids, needed=not args.skip_bids_validation)
    models = [choose_model(name, None) for name in args.model or ()]
    plan = plan_cohort(
        bids,
        labels=labels_of(args.participant_label),
        sessions=labels_of(args.session_label),
        filters=read_filter(Path(args.bids_filter_file))
        if args.bids_filter_file
        else None,
        guided=args.guide_use != "never"
        and (not models or any(model.config.guided for model in models)),
    )
    share = None if args.mem_mb is None else max(1, args.mem_mb // args.nprocs)
    options = {k: v for k, v in vars(args).items() if k not in _NOT_PLAIN}
    options["model"] = [_whole(name) for name in args.model] if args.model else None
    remote = where is not None and not args.dry_run
    tasks = [SubjectTask(one, bids, results, options, share, remote) for one in plan]
    log = None
    if not args.dry_run:
        prepare_data_set(results, bids, raw)
        log = RunLog(results, shlex.join(["guided-sr", *args.argv]), options)
    pool = None
    if remote and where is not None:
        scratch = args.work_dir and str(_absolute(args.work_dir))
        pool = ClusterOptions(where, args.nprocs, share, scratch)
    outcomes = _gather(args, console, tasks, pool, log)
    failed = [one for one in outcomes if one.status == FAILED]
    console.note(
        f"{len(outcomes) - len(failed)} of {len(outcomes)} are made or up to date"
        + (f", {len(failed)} failed" if failed else "")
        + (f"; records in {log.folder}" if log else "")
    )
    return shared_code(one.exit_code for one in outcomes)


def run_group(args: argparse.Namespace) -> int:
    """Make the table of quality.

    Raises:
        MissingInputError: If there is no result.
    """
    table, flagged = write_group_table(_absolute(args.output_dir))
    console = Console(quiet=args.quiet)
    console.note(f"{flagged} results stand out; see the column outlier")
    out(str(table))
    return 0


def run_subject(task: SubjectTask) -> list[Outcome]:
    """Super-resolve the pairs of one subject. Nothing is raised but interrupts."""
    if task.remote:
        with (
            _ONE,
            open(os.devnull, "w") as nowhere,
            contextlib.redirect_stdout(nowhere),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # they are in the sidecars
            return list(_run_pairs(task))
    return list(_run_pairs(task))


def _run_pairs(task: SubjectTask) -> Iterator[Outcome]:
    label = task.subject.label
    for session, problem in task.subject.problems:
        yield Outcome.failure(label, session, problem, *describe(problem)[:2])
    for pair in task.subject.pairs:
        try:
            yield _run_pair(task, pair)
        except Exception as error:
            yield Outcome.failure(label, pair.session, error, *describe(error)[:2])


def _run_pair(task: SubjectTask, pair: Pair) -> Outcome:
    """One pair through ``run``, which finds out whether there is anything to do."""
    told: list[tuple[Path, bool]] = []
    given = {
        "t2": str(pair.t2.path),
        "t1": pair.t1 and str(pair.t1.path),
        "pairs": None,
        "report": True,
        "maps": (),
        "refresh": True,
        "quiet": task.remote or task.options["quiet"],
        "tell": lambda path, made: told.append((path, made)),
    }
    args = argparse.Namespace(**{**run.ALONE, **task.options, **given})
    files = locate_files(args)
    plan, _ = choose(args, files)
    if task.memory_mb is not None:
        shape = read_grid(files["t1"], name="T1")[1] if "t1" in files else None
        needed = memory_gib(plan, shape)
        if needed * 1024 > task.memory_mb:
            raise TryAgainError(
                f"the result needs about {needed:.1f} GiB of memory, its share of"
                f" --mem-mb is {task.memory_mb / 1024:.1f} GiB",
                path=pair.t2.path,
                mend="raise --mem-mb, or lower --nprocs",
            )
    grid = plan.grid
    path = result_path(task.out, pair, grid.scale)
    args.out = str(path)
    args.describe = sidecar_keys(
        pair,
        task.bids,
        scale=grid.scale,
        voxel=voxel_sizes(grid.target_affine).tolist(),
        thinner=grid.scale[grid.slice_axis] != 1.0,
    )
    run.execute(args)
    where = path.relative_to(task.out).as_posix()
    made = {made for _, made in told}  # empty after a dry run
    status = DONE if True in made else UP_TO_DATE if made else PLANNED
    return Outcome(task.subject.label, pair.session, status, where)


def _gather(
    args: argparse.Namespace,
    console: Console,
    tasks: Sequence[SubjectTask],
    pool: ClusterOptions | None,
    log: RunLog | None,
) -> list[Outcome]:
    """Outcomes as they come, told and noted; stops early where that is asked for."""
    outcomes: list[Outcome] = []
    done = 0
    # one subject at a time shows its slices instead
    bar = console if pool is not None else Console(quiet=True)
    with bar.progress("subjects") as advance:
        for who, part in _each(tasks, pool):
            done += 1
            for one in part:
                outcomes.append(one)
                if log is not None:
                    log.add(one)
                if one.status == FAILED:
                    print_error(one.tag, f"{one.who}: {one.error}")
                else:
                    console.note(f"{one.who}: {one.status} ({done} of {len(tasks)})")
                    if log is not None:
                        out(str(tasks[who].out / one.result))
            advance(done, len(tasks))
            if args.stop_on_first_crash and any(o.status == FAILED for o in part):
                console.note(f"stopped; {len(tasks) - done} subjects were not begun")
                break
    return outcomes


def _each(
    tasks: Sequence[SubjectTask], pool: ClusterOptions | None
) -> Iterator[tuple[int, list[Outcome]]]:
    if pool is None:
        for number, task in enumerate(tasks):
            yield number, run_subject(task)
        return
    with contextlib.closing(run_tasks(run_subject, tasks, pool)) as ended:
        for number, result in ended:
            if isinstance(result, Exception):
                label = tasks[number].subject.label
                result = [Outcome.failure(label, "", result, *describe(result)[:2])]
            yield number, result


def _absolute(text: str) -> Path:
    return Path(os.path.abspath(text))


def _whole(name: str) -> str:
    """A folder of a model by its whole path: a worker may have another folder."""
    return str(_absolute(name)) if Path(name).is_dir() else name
