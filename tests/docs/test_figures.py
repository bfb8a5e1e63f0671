"""The figures of the concepts pages are those that their scripts draw."""

from __future__ import annotations

import html
import importlib
import re
from pathlib import Path

import pytest
from matplotlib.text import Text

DOCS = Path(__file__).parents[2] / "docs"
NAMES = ("cascade", "learning", "network")


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_has_the_labels_that_its_script_draws(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(DOCS / "figures"))
    figure = importlib.import_module(name).draw()
    drawn = {
        part
        for text in figure.findobj(Text)
        for part in text.get_text().split("\n")
        if part
    }
    saved = (DOCS / f"images/{name}.svg").read_text(encoding="utf-8")
    shown = {html.unescape(part) for part in re.findall(r"<!-- (.*?) -->", saved)}
    assert drawn <= shown


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_stands_in_a_page(name: str) -> None:
    pages = (DOCS / "concepts").glob("*.md")
    assert any(f"images/{name}.svg" in page.read_text("utf-8") for page in pages)
