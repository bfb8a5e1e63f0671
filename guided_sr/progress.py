"""How far something is: a bar on a terminal, a line at every tenth elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_STEPS = 10  # lines of a plain report
_MEGABYTE = 1e6

Advance = Callable[[int, int], None]


@contextmanager
def show_progress(
    what: str, *, quiet: bool = False, of_bytes: bool = False
) -> Iterator[Advance]:
    """Show on standard error how far something is.

    Args:
        what: What is being done, e.g. ``"super-resolving"``.
        quiet: Whether nothing is shown.
        of_bytes: Whether the items are bytes, which are told in MB.

    Yields:
        A function of the items done and their number.
    """
    if quiet:
        yield lambda done, total: None
    elif not sys.stderr.isatty():
        yield _lines(what, of_bytes)
    else:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn() if of_bytes else MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)


def _lines(what: str, of_bytes: bool) -> Advance:
    last = 0

    def advance(done: int, total: int) -> None:
        nonlocal last
        step = done * _STEPS // max(1, total)
        if step <= last:
            return
        last = step
        amount = f"{done} of {total}"
        if of_bytes:
            amount = f"{done / _MEGABYTE:.1f} of {total / _MEGABYTE:.1f} MB"
        print(f"{what}: {amount}", file=sys.stderr, flush=True)

    return advance
