from __future__ import annotations

import functools
import json
import re
import shutil
from pathlib import Path
from typing import Any

import keras
import pytest

from guided_sr import GuidedSRModel
from guided_sr.cli.main import main
from guided_sr.cli.train_internal import _residual_of_kept

SHORT = ["--max-steps", "2", "--steps-per-epoch", "1", "--batch-size", "2"]
SHORT += ["--patch-size", "16", "--precision", "float32"]


def command(pair: Any, model: Path, *more: str) -> list[str]:
    files = ["-i", str(pair.t2), "-g", str(pair.t1), "-o", str(model)]
    return ["train", "internal", *files, *SHORT, *more]


def test_a_scan_is_learnt_from_and_what_each_stage_took_is_told(
    pair: Any,
    tiny: dict[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    small = functools.partial(GuidedSRModel, **tiny)
    monkeypatch.setattr("guided_sr.model.GuidedSRModel", small)
    model = tmp_path / "model"
    bounds = ["--scale", "2", "--stages", "2", "--max-seconds", "60"]
    assert main(command(pair, model, *bounds)) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{model}\n"
    lines = captured.err.splitlines()
    bound = lines.index("2 stages of at most 2 steps, 60 s in all")
    took = [x for x in lines if re.match(r"stage \d of 2: ", x)]
    assert bound < lines.index(took[0])
    for stage, line in enumerate(took, 1):
        assert re.fullmatch(
            rf"stage {stage} of 2: 2 steps, residual \d\S*, \d+ s", line
        )
    assert len([x for x in lines if ", epoch " in x and "residual " in x]) == 4
    (use,) = [x for x in lines if "use it with " in x]
    assert use.endswith(
        f"guided-sr run --model {model} -i '{pair.t2}' -g '{pair.t1}'"
    )  # the folder's name holds spaces
    text = (model / "metadata.json").read_text("utf-8")
    record = json.loads(text)["training"]
    assert record["kind"] == "internal"
    assert [entry["steps"] for entry in record["stages_took"]] == [2, 2]
    assert all(entry["residual"] > 0 for entry in record["stages_took"])
    assert pair.folder.name not in text
    assert main(pair.arguments(model, "--dry-run")) == 0

    assert main(command(pair, model, *bounds)) == 73  # it is not replaced


def test_a_trained_model_is_refined_and_lends_scale_and_stages(
    pair: Any,
    model_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen: dict[str, Any] = {}

    def keep(self: GuidedSRModel, *what: Any, **how: Any) -> None:
        seen.update(what=what[2:], how=how)
        raise KeyboardInterrupt

    monkeypatch.setattr(GuidedSRModel, "fit_internal", keep)
    model = tmp_path / "model"
    files = ["-i", str(pair.t2), "-g", str(pair.t1), "-o", str(model)]
    assert main(["train", "internal", *files, "--init", str(model_dir)]) == 130
    assert seen["what"] == ((2.0, 2.0), 2)
    assert seen["how"]["init"] == model_dir
    assert seen["how"]["max_seconds"] == 900
    shown = capsys.readouterr().err
    assert "2 stages of at most 400 steps, 900 s in all" in shown
    assert f"goes on from {model / 'checkpoints'}" in shown


@pytest.mark.parametrize(
    ("held_out", "residual"),
    [
        ({}, 0.1),
        ({"held_out_psnr": [31.0, 30.5, 30.9]}, 0.3),
        ({"held_out_psnr": [29.0] * 3}, None),
    ],
)
def test_the_residual_told_is_that_of_the_weights_kept(
    held_out: dict[str, list[float]], residual: float | None
) -> None:
    history = keras.callbacks.History()
    history.history = {"residual": [0.3, 0.2, 0.1], **held_out}
    if held_out:
        history.history["held_out_psnr_before"] = [30.0] * 3
    assert _residual_of_kept(history) == residual


def test_zssr_needs_no_t1(
    pair: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def keep(self: GuidedSRModel, t2: Any, t1: Any, *_: Any, **__: Any) -> None:
        seen.update(model=self, t1=t1)
        raise KeyboardInterrupt

    monkeypatch.setattr(GuidedSRModel, "fit_internal", keep)
    files = ["-i", str(pair.t2), "-o", str(tmp_path / "model")]
    options = ["--scale", "2", "--stages", "1", "--backbone", "zssr"]
    assert main(["train", "internal", *files, *options]) == 130
    assert seen["model"].backbone == "zssr"
    assert seen["model"].guided is False
    assert seen["t1"] is None


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        (["-i", "{t2}", "--scale", "2"], 64, "--no-guide"),
        (["-i", "{t2}", "--init", "{model}"], 64, "no T1|there is none"),
        (["-i", "{t2}", "-g", "{t1}"], 64, "--scale or --init"),
        (["-i", "{t2}", "-g", "{t2}", "--scale", "2"], 64, "same file"),
        (["-i", "{t2}", "-g", "{t1}", "--scale", "4", "--init", "{model}"], 64, "--in"),
        (["-i", "{t2}", "-g", "{t1}", "--init", "{model}", "--stages", "1"], 64, "2 "),
        (["-i", "nowhere.nii", "-g", "{t1}", "--scale", "2"], 66, "nowhere"),
        (["-i", "{t2}", "-g", "nowhere.nii", "--scale", "2"], 66, "nowhere"),
        (["-i", "{t2}", "-g", "{t1}", "--scale", "2", "-o", "{t1}"], 73, "is a file"),
    ],
)
def test_what_cannot_work_is_refused_before_a_framework_is_loaded(
    options: list[str],
    code: int,
    word: str,
    pair: Any,
    model_dir: Path,
    tmp_path: Path,
    no_framework: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = {"t2": pair.t2, "t1": pair.t1, "model": model_dir}
    given = [option.format(**there) for option in options]
    model = tmp_path / "model"
    assert main(["train", "internal", "-o", str(model), *given]) == code
    shown = capsys.readouterr().err.splitlines()[-1]
    assert shown.startswith("ERROR [E-")
    assert re.search(word, shown)
    assert not model.exists()


def test_a_t1_for_a_start_without_guide_is_refused(
    pair: Any,
    model_dir: Path,
    tmp_path: Path,
    no_framework: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    start = tmp_path / "start"
    shutil.copytree(model_dir, start)
    config = json.loads((start / "config.json").read_text("utf-8"))
    (start / "config.json").write_text(
        json.dumps({**config, "guided": False}), encoding="utf-8"
    )
    assert main(command(pair, tmp_path / "model", "--init", str(start))) == 64
    assert "takes no T1" in capsys.readouterr().err
