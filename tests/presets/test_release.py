from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from guided_sr.presets import entries

SCRIPT = Path(__file__).parents[2] / "pretrained" / "release.py"


@pytest.fixture
def release(far_entry, far_preset, monkeypatch):
    """The script, in a checkout that has `far_preset` alone."""
    monkeypatch.setattr(entries, "packaged_roots", lambda: [far_preset.parent])
    spec = importlib.util.spec_from_file_location("release", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "release", module)
    spec.loader.exec_module(module)
    return module


def test_the_folder_holds_what_the_registry_lists(release, tmp_path, capsys):
    release.main([str(tmp_path / "out")])
    assert capsys.readouterr().out.startswith("3 files")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "far_x2.config.json",
        "far_x2.stage_1.weights.h5",
        "far_x2.stage_2.weights.h5",
        "SHA256SUMS",
    }
    release.main([str(tmp_path / "out"), "--check"])


def test_a_prepared_folder_serves_a_download(
    release, far_entry, far_preset, tmp_path, preset_server, monkeypatch
):
    out = tmp_path / "out"
    release.main([str(out)])
    for name in far_entry["files"]:
        sent = (far_preset / name).read_bytes()
        assert (out / release.asset_name("far_x2", name)).read_bytes() == sent
    release.main(["--url", preset_server.url("whole")])
    assert len(preset_server.requests) == len(far_entry["files"])


@pytest.mark.parametrize("kind", ["cut", "wrong", "none"])
def test_a_faulty_upload_is_told(release, preset_server, kind):
    with pytest.raises(SystemExit, match=r"far_x2\.config\.json"):
        release.main(["--url", preset_server.url(kind)])


def test_every_fault_of_a_folder_is_told(release, tmp_path):
    out = tmp_path / "out"
    release.main([str(out)])
    weights = out / "far_x2.stage_1.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    (out / "far_x2.config.json").write_text("{}")
    (out / "far_x2.stage_2.weights.h5").unlink()
    (out / "notes.txt").write_text("")
    (out / "SHA256SUMS").write_text("")
    with pytest.raises(SystemExit) as stop:
        release.main([str(out), "--check"])
    assert str(stop.value).splitlines() == [
        "far_x2.config.json has 2 bytes, not "
        f"{release.describe_preset('far_x2')['files']['config.json']['bytes']}",
        "far_x2.stage_1.weights.h5 has another sha256 than the registry says",
        "far_x2.stage_2.weights.h5 is missing",
        "SHA256SUMS is missing or is not that of the registry",
        "notes.txt does not belong here",
    ]


def test_a_preset_that_the_registry_knows_otherwise_is_not_released(
    release, far_preset, tmp_path
):
    path = far_preset / "stage_1.weights.h5"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(SystemExit, match=r"stage_1\.weights\.h5"):
        release.main([str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_a_preset_that_is_not_in_the_checkout_is_not_released(
    release, tmp_path, monkeypatch
):
    monkeypatch.setattr(entries, "packaged_roots", lambda: [tmp_path / "none"])
    with pytest.raises(SystemExit, match="far_x2 is not in this checkout"):
        release.main([str(tmp_path / "out")])


@pytest.mark.parametrize("arguments", [(), ("out", "--url", "x"), ("--check",)])
def test_the_script_wants_a_folder_or_an_address(release, arguments):
    with pytest.raises(SystemExit) as stop:
        release.main(list(arguments))
    assert stop.value.code == 2
