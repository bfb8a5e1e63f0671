"""A table as data, as CSV and as Markdown; what is missing is None, and a dash."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["MISSING", "Column", "Table", "number", "plain", "seconds", "spread"]

MISSING = "–"
Row = Mapping[str, Any]
Cells = list[str]


@dataclass(frozen=True)
class Column:
    """A column of the Markdown.

    Attributes:
        heading: What stands above.
        text: What a row shows there.
        left: Whether it is aligned to the left; numbers stand to the right.
    """

    heading: str
    text: Callable[[Row], str]
    left: bool = False


@dataclass(frozen=True)
class Table:
    """Rows with one set of keys, and how to show them.

    Attributes:
        title: Heading.
        caption: One paragraph below it.
        columns: Of the Markdown.
        rows: Plain values by key, None where nothing was measured.
        group: Key by whose values the Markdown is cut into tables of their own.
        label: Heading of such a part, given its value.
        notes: Paragraphs below the table.
    """

    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    group: str | None = None
    label: Callable[[Any], str] = str
    notes: tuple[str, ...] = ()

    def csv(self) -> str:
        """All keys of all rows, numbers with four digits behind the point."""
        text = io.StringIO()
        keys = list(dict.fromkeys(key for row in self.rows for key in row))
        writer = csv.DictWriter(text, keys, lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            writer.writerow({key: _cell(value) for key, value in row.items()})
        return text.getvalue()

    def cells(self, rows: Sequence[Row] | None = None) -> tuple[list[str], list[Cells]]:
        """Headings, and what every row shows.

        Args:
            rows: Some of the rows; all by default.
        """
        headings = [column.heading for column in self.columns]
        chosen = self.rows if rows is None else rows
        return headings, [[c.text(row) for c in self.columns] for row in chosen]

    def markdown(self, level: int = 2) -> str:
        """The columns of all rows, headed and captioned.

        Args:
            level: Of the heading.
        """
        parts = [f"{'#' * level} {self.title}", self.caption]
        if self.group is None:
            parts.append(self._lines(self.rows))
        else:
            groups: dict[Any, list[Row]] = {}
            for row in self.rows:
                groups.setdefault(row[self.group], []).append(row)
            for value, rows in groups.items():
                parts += [f"**{self.label(value)}**", self._lines(rows)]
        return "\n\n".join(part for part in (*parts, *self.notes) if part) + "\n"

    def _lines(self, rows: Sequence[Row]) -> str:
        rule = [":--" if column.left else "--:" for column in self.columns]
        headings, cells = self.cells(rows)
        return "\n".join(f"| {' | '.join(line)} |" for line in (headings, rule, *cells))


def plain(value: float) -> float | None:
    """A number as a row holds it: NaN and infinity become None."""
    return float(value) if math.isfinite(value) else None


def number(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """A number, or a dash."""
    if value is None:
        return MISSING
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def spread(mean: float | None, deviation: float | None, digits: int = 2) -> str:
    """A mean and its deviation, which may be missing, or a dash."""
    if mean is None or deviation is None:
        return number(mean, digits)
    return f"{number(mean, digits)} ± {number(deviation, digits)}"


def seconds(value: float | None) -> str:
    """A time in the unit that suits it, or a dash."""
    if value is None:
        return MISSING
    for unit, size, least in (("h", 3600, 5400), ("min", 60, 90), ("s", 1, 0.95)):
        if value >= least:
            return f"{value / size:.{0 if value >= 10 * size else 1}f} {unit}"
    return f"{1000 * value:.{0 if value >= 0.01 else 1}f} ms"


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return round(value, 4) if isinstance(value, float) else value
