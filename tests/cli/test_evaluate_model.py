from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from guided_sr.cli.main import main


@pytest.fixture
def maps_dir(nested_labels: np.ndarray, tmp_path: Path) -> Path:
    """Two label maps, one of a smaller head."""
    folder = tmp_path / "maps"
    folder.mkdir()
    for name, labels in (("a", nested_labels), ("b", nested_labels[::-1, 2:-2])):
        image = nib.Nifti1Image(np.ascontiguousarray(labels), np.eye(4))
        nib.save(image, folder / f"head_{name}.nii.gz")
    return folder


@pytest.fixture
def small_phantoms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guided_sr.evaluation.honesty._PHANTOM", (96, 108))


@pytest.mark.usefixtures("small_phantoms")
def test_honesty_prints_two_tables_and_writes_figures_and_a_picture(
    model_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["eval", "--honesty", "--model", str(model_dir), "-o", str(out)]
    assert main([*command, "--planes", "1"]) == 0
    printed = capsys.readouterr().out
    assert "leak" in printed
    assert "mean, cubic" in printed
    assert {path.name for path in out.iterdir()} == {
        "tiny_x2_honesty.json",
        "tiny_x2_honesty.md",
        "tiny_x2_honesty.png",
    }
    content = json.loads((out / "tiny_x2_honesty.json").read_text("utf-8"))
    assert content["scale"] == [2.0, 2.0]
    assert content["scenes"] == ["phantom", "phantom, skull"]
    assert {row["method"] for row in content["rows"]} == {"tiny_x2", "cubic"}
    assert content["models"]["tiny_x2"]
    assert main([*command, "--planes", "1"]) == 73


def test_stress_measures_every_condition_on_every_head(
    model_dir: Path,
    maps_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from guided_sr.evaluation import stress

    few = {name: stress.CONDITIONS[name] for name in ("3 T", "T1 of another person")}
    monkeypatch.setattr(stress.stress_lines, "__kwdefaults__", _with(stress, few))
    out = tmp_path / "out"
    command = ["eval", "--stress", "--model", str(model_dir), "-o", str(out)]
    assert main([*command, "--label-maps", str(maps_dir), "--planes", "1"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in printed[1:]] == [*few, "mean of all"]
    lines = (out / "tiny_x2_stress.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 4
    assert {json.loads(line)["head"] for line in lines} == {"head_a", "head_b"}
    assert "| 3 T | 2 |" in (out / "tiny_x2_stress.md").read_text("utf-8")


def _with(stress: Any, conditions: dict[str, Any]) -> dict[str, Any]:
    return {**stress.stress_lines.__kwdefaults__, "conditions": conditions}


@pytest.mark.usefixtures("no_framework")
def test_what_does_not_go_together_is_refused_before_the_framework(
    model_dir: Path,
    maps_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = ["--model", str(model_dir), "-o", str(tmp_path / "out")]
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, code, said in (
        (["--honesty"], 64, "needs a model"),
        (["--honesty", *model, "--hr", "t2.nii.gz"], 64, "leave out --hr"),
        (["--stress", *model], 64, "--label-maps"),
        (["--stress", *model, "--label-maps", str(empty)], 66, "no label map"),
        (["--honesty", *model, "--scale", "4"], 64, "not trained for scale 4"),
        (["--honesty", *model, "--fallback", str(model_dir)], 64, "same name"),
        ([], 64, "--honesty"),
    ):
        assert main(["eval", *arguments]) == code, arguments
        assert said in capsys.readouterr().err
    (maps_dir / "head_a.nii.gz").write_bytes(b"<html>")
    broken = ["--stress", *model, "--label-maps", str(maps_dir)]
    assert main(["eval", *broken]) == 65
    assert "head_a.nii.gz" in capsys.readouterr().err


def test_maps_that_presets_have_seen_are_left_out(maps_dir: Path) -> None:
    from guided_sr.cli.evaluate_model import held_out

    assert list(held_out(maps_dir)) == ["head_a", "head_b"]
    first = (maps_dir / "head_a.nii.gz").read_bytes()
    for k in range(15):
        (maps_dir / f"a_{k:02}.nii.gz").write_bytes(b"never read")
    (maps_dir / "aa.nii.gz").write_bytes(first)
    assert list(held_out(maps_dir)) == ["head_a", "head_b"]
