from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from guided_sr import GuidedSRModel
from guided_sr.cli.main import main

SHORT = ["--max-steps", "1", "--batch-size", "2", "--patch-size", "16"]
SHORT += ["--precision", "float32"]


@pytest.fixture
def table(pair: Any) -> Path:
    """A table whose T2 is the sharp one."""
    file = pair.folder / "pairs.tsv"
    file.write_text(f"t2\tt1\n{pair.truth.name}\t{pair.t1.name}\n", encoding="utf-8")
    return file


def test_a_model_learns_from_sharp_images(
    table: Path,
    tiny: dict[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    small = functools.partial(GuidedSRModel, **tiny)
    monkeypatch.setattr("guided_sr.model.GuidedSRModel", small)
    model = tmp_path / "model"
    command = ["train", "supervised", "--pairs", str(table), "-o", str(model)]
    command += ["--scale", "2", "--validation", str(table), *SHORT]
    assert main(command) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{model}\n"
    assert "1 stages; sizes of the first pair: 24x24 → 48x48" in captured.err
    (line,) = [x for x in captured.err.splitlines() if x.startswith("stage 1 of 1")]
    assert "psnr " in line
    record = json.loads((model / "metadata.json").read_text("utf-8"))["training"]
    assert record["kind"] == "supervised"
    assert record["guided"] is True
    assert record["slices"] == 3
    assert "hr.nii" not in json.dumps(record)
    loaded = GuidedSRModel.from_preset(model)
    assert (loaded.scale, loaded.stages) == ((2.0, 2.0), 1)
    assert main(command) == 73


def test_a_published_network_is_trained_as_published(
    pair: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, Any] = {}

    def keep(self: GuidedSRModel, pairs: Any, *how: Any, **options: Any) -> None:
        made.update(model=self, pairs=pairs, how=how, options=options)
        raise KeyboardInterrupt

    monkeypatch.setattr(GuidedSRModel, "fit_supervised", keep)
    for name in ("t2", "t1"):
        getattr(pair, name).unlink()
    pair.truth.rename(pair.t2)  # there is no T1 at all
    command = ["train", "supervised", "--data", str(pair.folder), "--scale", "2"]
    command += ["-o", str(tmp_path / "model"), "--backbone", "srcnn"]
    assert main([*command, "--loss", "l1_wgan", "--seed", "3"]) == 130
    assert made["model"].backbone == "srcnn"
    assert made["model"].guided is False
    assert made["pairs"][0][1] is None
    assert made["how"] == ((2.0, 2.0), 1)
    assert made["options"]["loss"] == "l1_wgan"
    assert made["options"]["seed"] == 3


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--pairs", "nowhere.tsv", "--scale", "2"], 66),
        (["--pairs", "{table}"], 64),
        (["--pairs", "{table}", "--scale", "2", "--validation", "nowhere"], 66),
        (["--pairs", "{table}", "--scale", "2", "--learning-rate", "nan"], 64),
        (["--pairs", "{table}", "--scale", "2", "--guide-noise", "0.03"], 64),
        (["--pairs", "{table}", "--scale", "2", "--lower-starts", "1"], 64),
        (["--data", "{folder}", "--scale", "2", "-o", "{table}"], 73),
    ],
)
def test_what_cannot_work_is_refused_before_a_framework_is_loaded(
    options: list[str],
    code: int,
    pair: Any,
    table: Path,
    tmp_path: Path,
    no_framework: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [option.format(folder=pair.folder, table=table) for option in options]
    model = tmp_path / "model"
    assert main(["train", "supervised", "-o", str(model), *given]) == code
    assert capsys.readouterr().err.splitlines()[-1].startswith("ERROR [E-")
    assert not model.exists()
