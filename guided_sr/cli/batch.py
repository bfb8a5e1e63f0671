"""Many pairs by one command: one that fails holds nobody up."""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Callable
from pathlib import Path

from guided_sr.cli.choose import choose_model
from guided_sr.cli.console import Console, print_table
from guided_sr.cli.outcome import refuse, shared_code
from guided_sr.cli.outputs import result_name
from guided_sr.datasets.pairs import PairOfPaths, pairs_from_table
from guided_sr.errors import GuidedSRError, UsageError
from guided_sr.volumes.writing import write_file

FAILURES = "failures.tsv"


def run_batch(
    args: argparse.Namespace, execute: Callable[[argparse.Namespace], int]
) -> int:
    """Super-resolve every pair of a table.

    Args:
        args: With ``pairs``, a table of paths, and ``out``, a folder.
        execute: Super-resolves one pair.

    Returns:
        0 if all were made; else the exit code that all failures share, or 1.

    Raises:
        UsageError: If options do not go together, or two pairs have one result.
        GuidedSRError: If the table or the model cannot be used.
    """
    console = Console(quiet=args.quiet)
    if args.t2 is not None or args.t1 is not None or args.out is None:
        raise UsageError(
            "--pairs takes its images from the table and needs a folder",
            path=args.pairs,
            mend="leave -i and -g out, and give the folder with -o",
        )
    if args.t2_to_t1 is not None:
        raise UsageError(
            "--t2-to-t1 places one T1, and --pairs takes many",
            path=args.t2_to_t1,
            mend="leave it out, or super-resolve the pairs one by one",
        )
    models = [choose_model(name, None) for name in args.model or ()]
    guided = args.guide_use != "never" and (
        not models or any(model.config.guided for model in models)
    )
    found = pairs_from_table(Path(args.pairs), guided=guided)
    folder = Path(args.out)
    results = _results(found, folder)
    failures: list[tuple[str, int, str]] = []
    for number, (one, path) in enumerate(zip(found, results, strict=True), 1):
        console.note(f"pair {number} of {len(found)}: {one.t2}")
        own = {"t2": str(one.t2), "t1": one.t1 and str(one.t1), "out": str(path)}
        try:
            execute(argparse.Namespace(**{**vars(args), **own, "pairs": None}))
        except Exception as error:
            failures.append((str(one.t2), refuse(error), " ".join(str(error).split())))
            if not isinstance(error, GuidedSRError) and not args.dry_run:
                _keep_crash(path, error)
    if not args.dry_run:
        _keep_failures(folder, failures)
    if not failures:
        return 0
    console.note(f"{len(failures)} of {len(found)} failed")
    print_table(("T2", "exit"), [(t2, str(code)) for t2, code, _ in failures])
    return shared_code(code for _, code, _ in failures)


def _results(found: list[PairOfPaths], folder: Path) -> list[Path]:
    """The result of each pair, none of them twice."""
    makers: dict[Path, Path] = {}
    for one in found:
        path = folder / result_name(one.t2, "guidedsr")
        if path in makers:
            raise UsageError(
                f"two pairs have results of one name, {path.name}",
                path=[makers[path], one.t2],
                mend="rename one T2, or make two tables and two folders of them",
            )
        makers[path] = one.t2
    return list(makers)


def _keep_failures(folder: Path, failures: list[tuple[str, int, str]]) -> None:
    """Write what failed as a table; bring the one of an earlier run up to date."""
    path = folder / FAILURES
    if not failures and not path.exists():
        return
    lines = ["t2\texit\terror", *("\t".join(map(str, one)) for one in failures)]
    _write(path, "\n".join(lines) + "\n")


def _keep_crash(result: Path, error: Exception) -> None:
    text = "".join(traceback.format_exception(error))
    _write(result.with_name(f"{result.name.split('.')[0]}_crash.txt"), text)


def _write(path: Path, text: str) -> None:
    def write(file: Path) -> None:
        file.write_text(text, encoding="utf-8")

    write_file(path, write, force=True)
