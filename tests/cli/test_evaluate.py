from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guided_sr.cli import evaluate
from guided_sr.cli.main import main
from guided_sr.evaluation import SLICES
from guided_sr.physics.degrade import upsample
from guided_sr.volumes import from_slices, read_volume, to_slices, write_volume


@pytest.fixture
def result(pair: Any) -> Path:
    """Cubic interpolation, saved as if it were a result."""
    low, high = read_volume(pair.t2), read_volume(pair.truth)
    stack = upsample(to_slices(low.data, 2), (48, 48))
    return write_volume(pair.folder / "sr.nii.gz", from_slices(stack, 2), high.affine)


def test_cubic_judged_as_a_result_has_the_figures_of_cubic(
    pair: Any, result: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = pair.folder / "figures.json"
    files = ["--hr", str(pair.truth), "-i", str(result), "--lr", str(pair.t2)]
    assert main(["eval", *files, "--slices", "all", "--json", str(figures)]) == 0
    captured = capsys.readouterr()
    assert "3 slices across axis 3" in captured.err
    assert [line.split("  ")[0] for line in captured.out.splitlines()] == [
        "method",
        "cubic",
        "cubic + IBP",
        "cubic + exact",
        "result",
    ]
    methods = json.loads(figures.read_text("utf-8"))["methods"]
    assert methods["result"]["psnr"] == pytest.approx(methods["cubic"]["psnr"])
    assert methods["result"]["ssim_mean"] == pytest.approx(
        methods["cubic"]["ssim_mean"]
    )
    again = ["eval", *files, "--json", str(figures)]
    assert main(again) == 73
    assert main([*again, "--force"]) == 0


def test_the_low_resolution_image_can_be_made_from_the_truth(
    pair: Any, result: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["eval", "--hr", str(pair.truth), "-i", str(result)]
    assert main([*files, "--scale", "2", "--slices", "centre"]) == 0
    made = capsys.readouterr()
    assert "1 slice across" in made.err
    assert "±" not in made.out
    assert main([*files, "--lr", str(pair.t2), "--slices", "centre"]) == 0
    assert capsys.readouterr().out == made.out


def test_a_result_on_a_part_of_the_truth_is_compared_there(
    pair: Any, result: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    high = read_volume(pair.truth)
    shift = np.eye(4)
    shift[:3, 3] = (-2, -1, 0)
    wide = np.pad(high.data, ((2, 3), (1, 1), (0, 0)))
    larger = pair.folder / "wide.nii.gz"
    write_volume(larger, wide, high.affine @ shift)
    rest = ["-i", str(result), "--lr", str(pair.t2)]
    assert main(["eval", "--hr", str(larger), *rest]) == 0
    first = capsys.readouterr().out
    assert main(["eval", "--hr", str(pair.truth), *rest]) == 0
    assert capsys.readouterr().out == first


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--hr", "{t2}", "-i", "{sr}", "--scale", "2"], 65),
        (["--hr", "{hr}", "-i", "{sr}", "--lr", "{part}"], 65),
        (["--hr", "nowhere.nii", "-i", "{sr}", "--scale", "2"], 66),
        (["--hr", "{hr}", "-i", "{sr}", "--scale", "100"], 64),
        (["--hr", "{hr}", "-i", "{sr}", "--scale", "2", "--json", "{hr}"], 64),
    ],
)
def test_what_cannot_be_compared_is_refused(
    options: list[str], code: int, pair: Any, result: Path, no_framework: None
) -> None:
    low = read_volume(pair.t2)
    part = pair.folder / "part.nii.gz"
    write_volume(part, low.data[:20], low.affine)
    names = {"t2": pair.t2, "sr": result, "hr": pair.truth, "part": part}
    assert main(["eval", *(o.format(**names) for o in options)]) == code


def test_the_choices_are_those_of_the_evaluation_room() -> None:
    assert evaluate._SLICES == SLICES
