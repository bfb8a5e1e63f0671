"""What a command prints: results to standard output, all else to standard error.

On a terminal, rich draws tables and progress bars. In a log file or a pipe the same
content comes as plain lines, one a step. What an encoding does not have, such as the
arrow of a plan in ASCII, is spelled in characters that it has.
"""

from __future__ import annotations

import codecs
import contextlib
import sys
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager

from guided_sr._about import CITATION as CITATION
from guided_sr._about import RESEARCH_USE as RESEARCH_USE
from guided_sr.progress import Advance, show_progress

SPELLED = {"→": "->", "±": "+/-", "–": "-", "×": "x"}
"""Characters in messages that not every terminal can show, and what stands for them."""


def spell(error: UnicodeError) -> tuple[str, int]:
    """Handler of the codecs for what an encoding does not have.

    Args:
        error: Which characters of which text.

    Returns:
        What to write in their place, and where to go on.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    spelled = (SPELLED.get(one, one) for one in missing)
    text = "".join(spelled).encode("ascii", "backslashreplace").decode("ascii")
    return text, error.end


codecs.register_error("guided_sr.spell", spell)


def settle_streams() -> None:
    """Let standard output and error spell what their encoding does not have."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="guided_sr.spell")  # type: ignore[union-attr]


def print_error(code: str, text: str) -> None:
    """Print ``ERROR [code] text`` to standard error."""
    print(f"ERROR [{code}] {text}", file=sys.stderr, flush=True)


def print_warning(text: str) -> None:
    """Print ``WARNING text`` to standard error."""
    print(f"WARNING {text}", file=sys.stderr, flush=True)


def out(text: str = "") -> None:
    """Print a result to standard output."""
    print(text, flush=True)


class Console:
    """Notes, tables and progress of one command.

    Args:
        quiet: Whether notes, facts and progress are left out. Warnings, errors and
            results are always printed.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.fancy = not quiet and sys.stderr.isatty()

    def note(self, text: str) -> None:
        """Print a line to standard error, unless quiet."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def facts(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        """Print names and values to standard error, unless quiet.

        Args:
            title: What the values are of.
            rows: Pairs of name and value.
        """
        if self.quiet:
            return
        if not self.fancy:
            width = max(len(name) for name, _ in rows)
            self.note(title)
            for name, value in rows:
                self.note(f"  {name:<{width}}  {value}")
            return
        from rich.console import Console as Rich
        from rich.table import Table
        from rich.text import Text

        table = Table(title=title, title_justify="left", show_header=False)
        for name, value in rows:
            table.add_row(Text(name, style="bold"), Text(value, overflow="fold"))
        Rich(stderr=True).print(table)

    def progress(self, what: str) -> AbstractContextManager[Advance]:
        """Show how far something is, as `show_progress` does, unless quiet.

        Args:
            what: What is being done, e.g. ``"super-resolving"``.
        """
        return show_progress(what, quiet=self.quiet)


def print_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    text: Collection[str] = (),
) -> None:
    """Print a table to standard output: drawn on a terminal, else aligned text.

    Args:
        headers: Name of each column; the first is text, the others figures.
        rows: Cells of each row.
        text: Names of further columns of text, which begin at the left.
    """
    left = [not number or name in text for number, name in enumerate(headers)]
    if sys.stdout.isatty():
        from rich.console import Console as Rich
        from rich.table import Table
        from rich.text import Text

        table = Table()
        for header, begins in zip(headers, left, strict=True):
            table.add_column(Text(header), justify="left" if begins else "right")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        Rich().print(table)
        return
    lines = (headers, *rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.ljust(width) if begins else cell.rjust(width)
            for cell, width, begins in zip(line, widths, left, strict=True)
        ]
        out("  ".join(cells).rstrip())
