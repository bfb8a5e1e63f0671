from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "pretrained" / "register.py"


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location("register", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "register", module)
    spec.loader.exec_module(module)
    return module


def test_a_card_tells_what_eval_found_of_its_preset(
    register: Any, tmp_path: Path
) -> None:
    head = {"method": "one_x2", "diameter": 3.0, "contrast": None, "count": 5}
    rows = [
        {**head, "seen_in": "t1", "leak": 0.07, "leak_worst": 0.1, "strength": 0.2},
        {**head, "seen_in": "t2", "sum": 0.96, "mean": 0.91},
    ]
    (tmp_path / "one_x2_honesty.json").write_text(
        json.dumps({"command": "guided-sr eval --honesty", "rows": rows})
    )
    line = {
        "command": "guided-sr eval --stress",
        "models": {"one_x2": {}, "one_x2_noguide": {}},
        "condition": "7 T",
        "psnr": {"cubic": [20.0], "one_x2": [24.5], "one_x2_noguide": [22.0]},
    }
    (tmp_path / "one_x2_stress.jsonl").write_text(json.dumps(line) + "\n")
    told = register.honest_detail(tmp_path, "one_x2")
    assert "| 3 | 5 | 7 % | 10 % | 20 % |" in told
    assert "| 3 | 5 | 96 % | 91 % |" in told
    assert "| 7 T | 1 | 20.00 | 4.50 | 2.00 | +2.50 |" in told
    assert "From `guided-sr eval --stress`" in told
    assert "## Honest detail\n" in told


def test_a_card_says_nothing_where_nothing_was_measured(
    register: Any, tmp_path: Path
) -> None:
    assert register.honest_detail(tmp_path, "one_x2") == ""
