"""``guided-sr benchmark``: the paper's comparison on a folder of T1/T2 pairs."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guided_sr.cli.console import RESEARCH_USE, Console, out
from guided_sr.cli.options import add_compute, add_quiet, new_parser

if TYPE_CHECKING:
    from guided_sr.evaluation.benchmark import BenchmarkConfig, Cell

_DEMO = Path(__file__).parents[1] / "evaluation" / "benchmark" / "demo.toml"
_DEMO_SUBJECTS = ("subject_a", "subject_b")


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = new_parser(
        commands,
        "benchmark",
        common,
        brief="compare every method of the paper on your own pairs",
        description="Train and measure every method of the paper's comparison by k-fold"
        " cross-validation, and render its Tables I-V and Figures 3-5. Each result is"
        " one JSON line in OUT/cells.jsonl; those that are there with an equal"
        " configuration are not run again, and a run that was interrupted goes on"
        " where it stopped.",
        example="guided-sr benchmark bench.toml --data SCANS -o results",
    )
    files = parser.add_argument_group("files")
    files.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="TOML file: data, methods, scales, stages, losses, shifts, budget, seeds",
    )
    files.add_argument(
        "--data",
        metavar="DIR",
        help="folder with one folder a subject, each with one t2* (or *_T2w) and one"
        " t1* (or *_T1w)",
    )
    files.add_argument(
        "--demo",
        action="store_true",
        help="two synthetic subjects and a small budget instead of FILE and --data;"
        " about three minutes on two cores",
    )
    files.add_argument(
        "-o", "--out", required=True, metavar="DIR", help="folder of the results"
    )
    group = parser.add_argument_group("benchmark")
    group.add_argument(
        "--methods",
        metavar="A,B",
        help="run the cells of these methods only; the tables show all that is there",
    )
    group.add_argument(
        "--dry-run", action="store_true", help="print the cells and stop"
    )
    add_compute(parser, precision=False)
    add_quiet(parser)
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Check file, data and output, run what is due, render.

    Raises:
        GuidedSRError: The first fault found; those of file, data and output before a
            framework is loaded.
    """
    begun = time.perf_counter()
    from guided_sr.cli.outputs import check_folder
    from guided_sr.errors import UsageError
    from guided_sr.evaluation.benchmark import cells_of, find_subjects, read_config

    console = Console(quiet=args.quiet)
    if args.demo == bool(args.file or args.data) or bool(args.file) != bool(args.data):
        raise UsageError(
            "give FILE and --data, or --demo alone", mend="see guided-sr benchmark -h"
        )
    folder = Path(args.out)
    config = read_config(_DEMO if args.demo else args.file)
    methods = _methods(args.methods, config)
    check_folder(folder)
    if args.demo and args.dry_run:
        folds = len(_DEMO_SUBJECTS)
    else:
        data = Path(args.data or folder / "data")
        if args.demo:
            _write_demo_subjects(data, console)
        subjects = find_subjects(data, config)
        subjects.check()
        folds = len(subjects.folds)
    cells = [
        cell
        for cell in cells_of(config, folds)
        if methods is None or cell.method in methods
    ]
    console.facts("plan", _plan(config, cells, folder))
    if args.dry_run:
        for cell in cells:
            out(describe(cell))
        return 0

    from guided_sr.cli.framework import load_framework

    load_framework(console, debug=args.debug)
    from guided_sr.evaluation.benchmark.runner import Benchmark
    from guided_sr.report.benchmark import render
    from guided_sr.runtime import device_scope

    with console.progress("training steps") as advance:
        bench = Benchmark(
            subjects, folder, watcher=Watch(console, advance), methods=methods
        )
        try:
            with device_scope(args.device):
                bench.run()
        except KeyboardInterrupt:
            console.note("the same command goes on from here")
            raise
    written = render(folder, keys=bench.keys)
    console.note(f"{time.perf_counter() - begun:.0f} s")
    console.note(RESEARCH_USE)
    for path in written:
        out(str(path))
    return 0


class Watch:
    """Prints what a benchmark does, and how long it will go on.

    Args:
        console: Where to.
        advance: Of the progress bar: steps done and their number.
    """

    def __init__(self, console: Console, advance: Any) -> None:
        self.console = console
        self.advance = advance
        self.begun = time.perf_counter()
        self.place = ""
        self.done = 0
        self.left = 0

    def begin(self, cell: Cell, number: int, count: int) -> None:
        """Note the cell."""
        self.place = f"[{number}/{count}] {describe(cell)}"

    def steps(self, done: int, left: int) -> None:
        """Move the bar."""
        self.done, self.left = done, left
        self.advance(done, done + left)

    def end(self, line: dict[str, Any]) -> None:
        """Print the cell's figures and the time left."""
        scores = line["scores"]
        mean = sum(score["psnr"] for score in scores) / len(scores)
        text = f"{self.place}: {mean:.2f} dB on {len(scores)} slices"
        if line["train_seconds"]:
            text += f", trained {line['train_seconds']:.0f} s"
        if self.done:
            rate = (time.perf_counter() - self.begun) / self.done
            text += f"; about {_duration(rate * self.left)} left"
        self.console.note(text)


def describe(cell: Cell) -> str:
    """A cell in one line."""
    parts = [f"{cell.method} {cell.scale:g}x"]
    if cell.how.kind != "classical":
        parts += [f"r={cell.stages}", cell.loss]
    if cell.shift_mm:
        parts.append(f"guide off by {cell.shift_mm:g} mm")
    if cell.jitter_mm:
        parts.append(f"trained with jitter of {cell.jitter_mm:g} mm")
    return ", ".join([*parts, f"fold {cell.fold}", f"seed {cell.seed}"])


def _methods(text: str | None, config: BenchmarkConfig) -> list[str] | None:
    from guided_sr.errors import UsageError

    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in config.methods]
    if unknown or not names:
        raise UsageError(
            f"the benchmark has no method {', '.join(unknown) or 'at all'}",
            mend=f"its methods are {', '.join(config.methods)}",
        )
    return names


def _plan(
    config: BenchmarkConfig, cells: list[Cell], folder: Path
) -> list[tuple[str, str]]:
    folds = sorted({str(cell.fold) for cell in cells})
    steps = sum(c.steps(config) * c.trainings(config, 1) for c in cells)
    budget = config.budget
    return [
        ("cells", f"{len(cells)}, folds {', '.join(folds)}"),
        ("methods", ", ".join(dict.fromkeys(cell.method for cell in cells))),
        (
            "budget",
            f"{budget.steps} steps a training, {budget.batch_size} patches of"
            f" {budget.patch_size} pixels a step; at most {steps} steps in all, a tenth"
            " of a second each on two cores",
        ),
        ("results", str(folder / "cells.jsonl")),
    ]


def _write_demo_subjects(folder: Path, console: Console) -> None:
    """Two synthetic heads, as NIfTI files."""
    import numpy as np

    from guided_sr.datasets.phantom import head_phantom
    from guided_sr.volumes import from_slices, write_volume

    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    for seed, name in enumerate(_DEMO_SUBJECTS, 11):
        place = folder / name
        if (place / "t2.nii.gz").exists():
            continue
        console.note(f"making the synthetic {name}")
        place.mkdir(parents=True, exist_ok=True)
        head = head_phantom((96, 112), n_slices=40, seed=seed, voxel_mm=2.0)
        for weighting, stack in (("t1", head.t1), ("t2", head.t2)):
            write_volume(place / f"{weighting}.nii.gz", from_slices(stack, 2), affine)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "a minute"
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"
