"""The table of presets says what registry and cards say."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from guided_sr.presets import list_presets, locate_preset

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("sphinx", reason="Sphinx is in the extra docs")
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    return importlib.import_module("preset_pages")


@pytest.mark.skipif(not list_presets(), reason="no preset has been packaged")
def test_every_preset_has_a_row_and_a_card(pages: ModuleType) -> None:
    header, rule, *rows = pages.table().splitlines()
    assert len(rows) == len(list_presets())
    for name, row in zip(list_presets(), rows, strict=True):
        assert row.startswith(f"| [{name}]({name}.md) |")
        assert row.count("|") == header.count("|") == rule.count("|")
        card = pages.card_of(name)
        assert card.startswith(f"# {name}\n")
        assert f"]({pages.picture_of(name)})" in card
        assert (locate_preset(name) / pages.PICTURE).is_file()
        assert "## Honest detail" in card
        assert "## Stress set" in card


def test_figures_are_read_from_a_card(pages: ModuleType) -> None:
    card = (
        "| cubic interpolation | 24.33 (22.88–25.79) | 0.794 (0.782–0.805) |\n"
        "| this recipe | 29.61 (28.22–31.00) | 0.942 (0.942–0.943) |\n"
        "| mean of all | 60 | 23.87 | 3.94 | 2.07 | +1.88 |\n"
    )
    assert pages.figures_of(card) == ["24.33", "29.61", "3.94"]
    assert pages.figures_of("Leave-one-out was not run.") == ["–", "–", "–"]
