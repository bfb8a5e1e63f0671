"""The gallery: all of it runs in the documentation's build, the quick ones here too."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from guided_sr.presets import list_presets

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))
QUICK = [path for path in EXAMPLES if path.stem[5:7] in ("01", "02", "05")]


def test_the_gallery_is_numbered_without_a_gap() -> None:
    numbers = [int(path.stem[5:7]) for path in EXAMPLES]
    assert numbers == list(range(1, len(EXAMPLES) + 1))
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_what_it_is_about_and_compares_with_cubic(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    title, line, *_ = (ast.get_docstring(ast.parse(text)) or "").splitlines()
    assert line == "=" * len(title)
    assert "cubic" in text
    assert "plt.show()" in text


@pytest.mark.slow
@pytest.mark.skipif(not list_presets(), reason="no preset has been packaged")
@pytest.mark.parametrize("path", QUICK, ids=lambda path: path.stem)
def test_an_example_runs_and_draws(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mpl.use("Agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    runpy.run_path(str(path))
    assert plt.get_fignums()
    plt.close("all")
