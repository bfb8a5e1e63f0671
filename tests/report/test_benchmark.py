from __future__ import annotations

import numpy as np
import pytest

from guided_sr.evaluation.benchmark.lines import append_line, image_file, lines_file
from guided_sr.report.benchmark import render

METHODS = ("cubic", "srcnn", "proposed")


@pytest.fixture
def folder(tmp_path, small_head):
    """A benchmark's folder of three methods on one subject."""
    rng = np.random.default_rng(0)
    truth = small_head.t2[1]
    for number, method in enumerate(METHODS):
        line = {
            "format": 1,
            "key": method,
            "method": method,
            "scale": 2.0,
            "stages": 1,
            "loss": "l1",
            "shift_mm": 0.0,
            "jitter_mm": 0.0,
            "fold": 0,
            "seed": 0,
            "config": {},
            "train": ["b"],
            "test": ["a"],
            "parameters": 10,
            "steps": 10,
            "train_seconds": 1.0,
            "predict_seconds": 0.1,
            "hardware": "",
            "versions": {},
            "scores": [
                {
                    "subject": "a",
                    "slice": 1,
                    "centre": True,
                    "psnr": 30.0 + number,
                    "ssim": 0.9,
                    "psnr_without": 29.0 + number,
                    "ssim_without": 0.9,
                }
            ],
        }
        append_line(lines_file(tmp_path), line)
        file = image_file(tmp_path, method, "a")
        file.parent.mkdir(parents=True)
        noise = rng.normal(size=truth.shape) * 50 / (1 + number)
        np.savez(
            file,
            truth=truth,
            guide=small_head.t1[1],
            image=(truth + noise).astype(np.float32),
        )
    return tmp_path


def test_tables_and_figures_are_written(folder):
    names = {path.name for path in render(folder)}
    assert {f"table_{k}.csv" for k in range(1, 6)} <= names
    assert {"tables.md", "figure_3.png", "figure_4.png", "figure_5.png"} <= names
    assert all((folder / name).stat().st_size > 0 for name in names)


def test_only_the_cells_asked_for_are_shown(folder):
    names = {path.name for path in render(folder, keys=["cubic", "srcnn"])}
    assert "figure_3.png" in names
    assert "figure_4.png" not in names
    page = (folder / "tables.md").read_text("utf-8")
    assert "Lines: 2" in page


def test_a_method_whose_image_is_gone_is_left_out(folder):
    image_file(folder, "srcnn", "a").unlink()
    names = {path.name for path in render(folder)}
    assert "figure_3.png" not in names
    assert "figure_4.png" in names


def test_a_folder_without_lines_gives_empty_tables(tmp_path):
    names = {path.name for path in render(tmp_path)}
    assert "tables.md" in names
    assert not any(name.endswith(".png") for name in names)
