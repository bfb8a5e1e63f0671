"""A table of the gain over cubic interpolation under every condition."""

from __future__ import annotations

from collections.abc import Sequence

from guided_sr.report.table import Column, Row, Table, number, spread

__all__ = ["stress_table"]

_CAPTION = (
    "Gain over cubic interpolation in dB, mean of all slices and their standard"
    " deviation, on heads painted by a generator that training never uses."
)


def stress_table(rows: Sequence[Row], *, model: str, fallback: str | None) -> Table:
    """Gains by condition.

    Args:
        rows: From `stress_rows`.
        model: Method that the table is about.
        fallback: A method without guide to compare with, where there is one.
    """

    def gain(name: str) -> Column:
        def text(row: Row) -> str:
            return spread(row.get(f"{name} gain"), row.get(f"{name} sd"))

        return Column(name, text)

    columns = [
        Column("condition", lambda row: str(row["condition"]), left=True),
        Column("slices", lambda row: str(row["slices"])),
        Column("cubic [dB]", lambda row: number(row["cubic"])),
        gain(model),
    ]
    if fallback is not None:
        columns += [
            gain(fallback),
            Column(
                "difference",
                lambda row: number(
                    row[f"{model} gain"] - row[f"{fallback} gain"], sign=True
                ),
            ),
        ]
    return Table("Stress set", _CAPTION, tuple(columns), tuple(rows))
