from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from guided_sr.cli.main import main
from guided_sr.presets import list_presets


def test_list_prints_what_the_registry_holds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["models", "list", "--json"]) == 0
    assert sorted(json.loads(capsys.readouterr().out)) == list_presets()
    assert main(["models", "list"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown[1:]] == list_presets()


def test_list_tells_scale_stages_and_size(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"stage_1.weights.h5": {"sha256": "0", "bytes": 2_000_000}}
    entry = {"scale": [4, 4], "stages": 3, "description": "axial", "files": files}
    monkeypatch.setattr("guided_sr.presets.list_presets", lambda: ["grdn_t2_x4"])
    monkeypatch.setattr("guided_sr.presets.describe_preset", lambda _: entry)
    assert main(["models", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [
        *("grdn_t2_x4", "4", "3", "2.0", "MB", "axial")
    ]


def test_the_packaged_presets_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify"]) == 0
    assert capsys.readouterr().out.count("as they should be") == len(list_presets())


def test_a_folder_can_be_located_and_verified(
    model_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "path", str(model_dir)]) == 0
    assert capsys.readouterr().out == f"{model_dir}\n"
    assert main(["models", "verify", str(model_dir)]) == 0
    copy = tmp_path / "copy"
    shutil.copytree(model_dir, copy)
    (copy / "stage_1.weights.h5").unlink()
    assert main(["models", "verify", str(copy)]) == 65


@pytest.mark.parametrize("part", ["path", "verify"])
def test_an_unknown_preset_is_64(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", part, "grdn_t9"]) == 64
    assert capsys.readouterr().err.startswith("ERROR [E-PRESET] ")
