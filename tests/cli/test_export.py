from __future__ import annotations

from pathlib import Path

import keras
import pytest

from guided_sr.cli import export
from guided_sr.cli.main import main
from guided_sr.export.formats import FORMATS


def test_the_formats_of_the_option_are_those_of_the_room() -> None:
    assert tuple(FORMATS) == export.FORMATS


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports need TensorFlow"
)
def test_the_difference_from_keras_is_printed(model_dir, tmp_path, capsys) -> None:
    folder = tmp_path / "exported"
    arguments = [str(model_dir), "--format", "saved-model", "-o", str(folder)]
    assert main(["export", *arguments, "--size", "24x24"]) == 0
    told = capsys.readouterr().out
    assert "differs from Keras" in told
    assert "cascade" in told
    assert (folder / "cascade" / "saved_model.pb").is_file()
    assert main(["export", *arguments]) == 73


@pytest.mark.usefixtures("no_framework")
def test_a_wrong_size_or_model_is_refused_before_the_framework(
    model_dir, tmp_path, capsys
) -> None:
    out = ["--format", "onnx", "-o", str(tmp_path / "e")]
    assert main(["export", str(model_dir), *out, "--size", "64"]) == 64
    assert "64x64" in capsys.readouterr().err
    assert main(["export", "no_such_preset", *out]) == 64
    assert not Path(tmp_path / "e").exists()
