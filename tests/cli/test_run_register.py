"""Where the T1 is placed, through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guided_sr.cli.main import main

ITK = (
    "#Insight Transform File V1.0\n#Transform 0\n"
    "Transform: TranslationTransform_double_3_3\nParameters: {} 0 0\n"
    "FixedParameters:\n"
)


def record(out: Path) -> dict[str, Any]:
    note = json.loads(out.with_suffix(".json").read_text("utf-8"))
    return dict(note["GuidedSR"])


def test_the_sidecar_says_how_the_guide_was_placed(pair: Any, model_dir: Path) -> None:
    out = pair.folder / "sr.nii"
    assert main(pair.arguments(model_dir, "-o", str(out))) == 0
    known = record(out)
    assert known["options"]["register"] == "auto"
    assert known["registration"] == {"mode": "auto", "applied": False}


def test_a_transform_of_ones_own_is_used_and_recorded(
    pair: Any, model_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = pair.folder / "x.tfm"
    file.write_text(ITK.format(0.01))
    out = pair.folder / "sr.nii"
    command = pair.arguments(model_dir, "-o", str(out), "--t2-to-t1", str(file))
    assert main(command) == 0
    known = record(out)["registration"]
    assert known["mode"] == "file"
    assert known["file"]["path"] == str(file)
    assert known["misfit"]["mm"] == pytest.approx(0.01, abs=1e-4)
    assert "the T1 is moved" in capsys.readouterr().err
    assert main(command) == 0
    assert "up to date" in capsys.readouterr().err
    file.write_text(ITK.format(0.02))
    assert main(command) == 73


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--register", "rigid"], 65, "the registration of the T1 to the T2 failed"),
        (["--register", "affine"], 64, "affine"),
        (["--t2-to-t1", "nowhere.txt"], 66, "nowhere.txt"),
        (["--t2-to-t1", "{t1}"], 64, "is unknown"),
        (["--register", "rigid", "--t2-to-t1", "{tfm}"], 64, "choose one of the two"),
    ],
)
def test_what_cannot_be_placed_is_refused_before_a_framework_is_loaded(
    pair: Any,
    model_dir: Path,
    no_framework: None,
    listing: Any,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    status: int,
    words: str,
) -> None:
    file = pair.folder / "x.tfm"
    file.write_text(ITK.format(0.0))
    before = listing(pair.folder)
    named = [text.format(t1=pair.t1, tfm=file) for text in options]
    try:
        found = main(pair.arguments(model_dir, *named))
    except SystemExit as stop:
        found = stop.code
    assert found == status
    assert words in capsys.readouterr().err
    assert listing(pair.folder) == before


def test_a_dry_run_names_the_mode_and_measures_nothing(
    pair: Any,
    model_dir: Path,
    no_framework: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("guided_sr.volumes.registration.MutualInformation", None)
    assert main(pair.arguments(model_dir, "--register", "rigid", "--dry-run")) == 0
    assert "rigid: the misfit is measured in the run" in capsys.readouterr().err
