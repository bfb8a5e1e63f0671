from __future__ import annotations

from guided_sr.report.stress import stress_table

ROWS = [
    {
        "condition": "3 T",
        "slices": 8,
        "cubic": 24.0,
        "ours gain": 4.5,
        "ours sd": 0.5,
        "alone gain": 2.0,
        "alone sd": 0.25,
    },
    {
        "condition": "mean of all",
        "slices": 8,
        "cubic": 24.0,
        "ours gain": 4.5,
        "alone gain": 5.0,
    },
]


def test_gains_stand_beside_each_other_with_their_difference() -> None:
    headings, cells = stress_table(ROWS, model="ours", fallback="alone").cells()
    assert headings[3:] == ["ours", "alone", "difference"]
    assert cells[0][2:] == ["24.00", "4.50 ± 0.50", "2.00 ± 0.25", "+2.50"]
    assert cells[1][3:] == ["4.50", "5.00", "−0.50"]


def test_without_a_fallback_there_is_no_difference() -> None:
    headings, cells = stress_table(ROWS, model="ours", fallback=None).cells()
    assert headings[-1] == "ours"
    assert all(len(row) == len(headings) for row in cells)
