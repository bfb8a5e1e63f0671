from __future__ import annotations

import runpy
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from guided_sr.presets import list_presets

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))


@pytest.mark.slow
@pytest.mark.skipif(not list_presets(), reason="no preset has been packaged")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_draws(path: Path) -> None:
    mpl.use("Agg")
    runpy.run_path(str(path))
    assert plt.get_fignums()
    plt.close("all")
