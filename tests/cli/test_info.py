from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest

import guided_sr
from guided_sr.cli.info import EXIT_CODES, collect
from guided_sr.cli.main import main
from guided_sr.presets import list_presets


def test_json_holds_versions_presets_and_exit_codes(
    no_framework: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["guided-sr"] == guided_sr.__version__
    assert content["packages"]["keras"] == metadata.version("keras")
    assert list(content["presets"]) == list_presets()
    assert content["exit_codes"] == {str(k): v for k, v in EXIT_CODES.items()}
    assert "devices" not in content


def test_text_holds_the_same(
    no_framework: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info"]) == 0
    shown = capsys.readouterr().out
    assert f"guided-sr {guided_sr.__version__}" in shown
    assert "KERAS_BACKEND" in shown
    assert "not a medical device" in shown


def test_devices_are_listed_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--devices", "--json"]) == 0
    assert "cpu:0" in json.loads(capsys.readouterr().out)["devices"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"backend": "torch"}', "torch"),
        ("{}", "tensorflow"),
        ("no json", "tensorflow"),
        (None, "tensorflow"),
    ],
)
def test_the_backend_is_found_by_the_rules_of_keras(
    content: str | None,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    if content is not None:
        (tmp_path / "keras.json").write_text(content, "utf-8")
    assert collect()["backend"] == expected
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert collect()["backend"] == "jax"
