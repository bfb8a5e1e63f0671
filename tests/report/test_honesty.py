from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guided_sr.evaluation.honesty import Example
from guided_sr.report.honesty import draw_honesty, honesty_tables


def _row(seen_in: str, method: str, diameter: float | None, **more: Any) -> dict:
    head = {"seen_in": seen_in, "method": method, "diameter": diameter}
    return {**head, "contrast": None, "count": 4, **more}


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    leaks = {"leak": 0.08, "leak_worst": 0.2, "strength": 0.11}
    rows = []
    for diameter in (None, 10.0, 3.0):
        rows.append(_row("t1", "ours", diameter, **leaks))
        rows.append(_row("t1", "cubic", diameter, **dict.fromkeys(leaks, 0.0)))
        rows.append(_row("t2", "ours", diameter, sum=0.97, mean=0.9))
        rows.append(_row("t2", "cubic", diameter, sum=1.01, mean=0.62))
    rows.append({**_row("t1", "ours", 3.0, **leaks), "contrast": 0.3})
    return rows


def test_sizes_come_in_order_and_all_of_them_last(rows: list[dict]) -> None:
    leak, kept = honesty_tables(rows, model="ours")
    headings, cells = leak.cells()
    assert headings == ["diameter [px]", "discs", "leak", "1 in 20", "strength"]
    assert [cell[0] for cell in cells] == ["3", "10", "all"]
    assert cells[0] == ["3", "4", "8 %", "20 %", "11 %"]
    headings, cells = kept.cells()
    assert headings[2:] == ["sum, ours", "sum, cubic", "mean, ours", "mean, cubic"]
    assert cells[0][2:] == ["97 %", "101 %", "90 %", "62 %"]
    assert "| 3 | 4 | 97 % |" in kept.markdown()


def test_the_picture_is_a_png_of_all_panels(tmp_path: Path) -> None:
    image = np.random.default_rng(0).random((30, 24))
    change = {"ours": image - 0.5, "cubic": image - 0.6}
    example = Example(image, image, image - 0.4, image - 0.3, change, change)
    path = tmp_path / "panel.png"
    draw_honesty(path, example, model="ours", title="ours, a head")
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    assert width > height > 500
