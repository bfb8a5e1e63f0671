from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from guided_sr.cli.main import main
from guided_sr.presets import entries, find_preset, is_packaged, list_presets


def test_list_prints_what_the_registry_holds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["models", "list", "--json"]) == 0
    assert sorted(json.loads(capsys.readouterr().out)) == list_presets()
    assert main(["models", "list"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown[1:]] == list_presets()
    (slices,) = (line for line in shown if line.startswith("grdn_t2_slice "))
    assert " 1.2 to 6 along the slice axis " in slices
    begin = shown[0].index("description")  # and so do all of them
    assert all(line[begin - 1] == " " != line[begin] for line in shown[1:])


def test_list_tells_scale_stages_size_and_whether_it_is_here(
    far_entry: dict[str, Any],
    preset_server: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    far_entry["files"]["stage_1.weights.h5"]["bytes"] = 2_000_000
    assert main(["models", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [
        *("far_x2", "2", "2", "2.0", "MB", "to", "download", "far")
    ]
    assert main(["models", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["far_x2"]["folder"] is None
    assert preset_server.requests == []


def test_the_presets_that_are_here_are_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = [name for name in list_presets() if find_preset(name)]
    assert main(["models", "verify"]) == 0
    assert capsys.readouterr().out.count("as they should be") == len(here)


@pytest.fixture
def package(
    far_entry: dict[str, Any],
    far_preset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A package whose presets are far_x2 and its twin near_x2, without addresses."""
    names = ("far_x2", "near_x2")
    far_entry |= {"packaged": True, "urls": []}
    for name in names:
        shutil.copytree(far_preset, tmp_path / "package" / name)
    known = dict.fromkeys(names, far_entry)
    monkeypatch.setattr(entries, "registry", lambda: known)
    monkeypatch.setattr(entries, "packaged_roots", lambda: [tmp_path / "package"])
    return tmp_path / "package"


def states(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What ``models list`` says of each preset."""
    capsys.readouterr()
    assert main(["models", "list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    return {name: entry["is"] for name, entry in told.items()}


def damage(file: Path) -> None:
    """Another content of the same size."""
    file.write_bytes(bytes(file.stat().st_size))


@pytest.mark.parametrize("fault", ["damaged", "file missing", "missing"])
def test_pull_refuses_a_packaged_preset_that_it_cannot_mend(
    fault: str,
    package: Path,
    preset_server: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = package / "far_x2" / "stage_2.weights.h5"
    if fault == "damaged":
        damage(file)
    elif fault == "file missing":
        file.unlink()
    else:
        shutil.rmtree(file.parent)
    state = "missing" if fault == "missing" else "damaged"
    assert states(capsys) == {"far_x2": state, "near_x2": "here"}
    for part in ("pull", "verify"):
        assert main(["models", part, "far_x2"]) == 65
        printed = capsys.readouterr()
        assert printed.out == ""
        named = file if state == "damaged" else file.parent
        assert f": {named}. Mend: install the package again: pip" in printed.err
    assert preset_server.requests == []


@pytest.mark.parametrize("gone", [False, True])
def test_verify_goes_through_all_and_tells_each_that_is_bad(
    gone: bool, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if gone:
        shutil.rmtree(package / "far_x2")
    else:
        damage(package / "far_x2" / "stage_1.weights.h5")
    assert main(["models", "verify"]) == 65
    printed = capsys.readouterr()
    assert printed.out == "near_x2: 3 files as they should be\n"
    (line,) = printed.err.splitlines()
    assert line.startswith("ERROR [E-WEIGHTS] ")
    assert str(package / "far_x2") in line
    damage(package / "near_x2" / "config.json")
    assert main(["models", "verify"]) == 65
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 2


@pytest.mark.parametrize("gone", [False, True])
def test_pull_brings_a_copy_of_a_damaged_packaged_preset_where_there_is_an_address(
    gone: bool,
    package: Path,
    preset_server: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GUIDED_SR_WEIGHTS_URL", preset_server.url("whole"))
    if gone:
        shutil.rmtree(package / "far_x2")
    else:
        damage(package / "far_x2" / "stage_1.weights.h5")
    assert states(capsys)["far_x2"] == ("to download" if gone else "damaged")
    assert main(["models", "verify", "far_x2"]) == (66 if gone else 65)
    assert "models pull far_x2" in capsys.readouterr().err
    assert main(["models", "pull", "far_x2", "near_x2", "--quiet"]) == 0
    far, near = (Path(line) for line in capsys.readouterr().out.splitlines())
    assert far.is_relative_to(tmp_path / "home")
    assert near == package / "near_x2"
    assert main(["models", "path", "far_x2"]) == 0
    assert capsys.readouterr().out == f"{far}\n"
    assert states(capsys)["far_x2"] == "here"
    assert main(["models", "verify", "far_x2"]) == 0


@pytest.mark.parametrize("command", ["--help", "--version", "info"])
def test_nothing_is_downloaded_before_a_preset_is_asked_for(
    command: str, preset_server: Any
) -> None:
    assert main([command]) == 0
    assert preset_server.requests == []


def test_pull_brings_a_preset_that_path_and_verify_then_know(
    far_entry: dict[str, Any],
    preset_server: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for part in ("path", "verify"):
        assert main(["models", part, "far_x2"]) == 66
        assert "Mend: guided-sr models pull far_x2" in capsys.readouterr().err
    assert main(["models", "verify"]) == 0
    assert "far_x2: not on this machine" in capsys.readouterr().err
    assert preset_server.requests == []
    assert main(["models", "pull", "far_x2"]) == 0
    folder = capsys.readouterr().out
    assert Path(folder.strip()).is_relative_to(tmp_path / "home")
    assert main(["models", "path", "far_x2"]) == 0
    assert capsys.readouterr().out == folder
    assert main(["models", "verify"]) == 0
    assert "far_x2: 3 files as they should be" in capsys.readouterr().out


def test_path_alone_prints_the_cache(
    far_entry: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "path"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'home'}\n"


def test_what_was_pulled_into_a_folder_serves_as_home(
    far_entry: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["models", "pull", "--all", "--quiet", "--to", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert not (tmp_path / "home").exists()
    monkeypatch.setenv("GUIDED_SR_HOME", str(tmp_path))
    monkeypatch.setenv("GUIDED_SR_OFFLINE", "1")
    assert main(["models", "path", "far_x2"]) == 0
    assert capsys.readouterr().out == printed.out


def test_packaged_presets_are_copied_into_a_folder_and_not_into_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GUIDED_SR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GUIDED_SR_OFFLINE", "1")
    names = [name for name in list_presets() if is_packaged(name)]
    assert main(["models", "pull", *names]) == 0
    assert not (tmp_path / "home").exists()
    assert main(["models", "pull", *names, "--to", str(tmp_path / "to")]) == 0
    copies = capsys.readouterr().out.splitlines()[len(names) :]
    assert [Path(copy).name for copy in copies] == names
    for copy in copies:
        assert main(["models", "verify", copy]) == 0


def test_a_failed_pull_is_74_in_one_line(
    far_entry: dict[str, Any], preset_server: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    far_entry["urls"] = [preset_server.url("none")]
    assert main(["models", "pull", "far_x2"]) == 74
    assert capsys.readouterr().err.splitlines()[-1].startswith("ERROR [E-IO] ")


@pytest.mark.parametrize("names", [(), ("--all", "far_x2")])
def test_pull_wants_names_or_all(
    names: tuple[str, ...], far_entry: dict[str, Any], preset_server: Any
) -> None:
    assert main(["models", "pull", *names]) == 64
    assert preset_server.requests == []


def test_a_name_that_is_unknown_stops_a_pull_before_it_begins(
    far_entry: dict[str, Any], preset_server: Any
) -> None:
    assert main(["models", "pull", "far_x2", "far_x9"]) == 64
    assert preset_server.requests == []


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


def test_verify_tells_that_a_folder_has_lost_its_metadata(
    model_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(model_dir, copy)
    assert main(["models", "verify", str(copy)]) == 0
    assert capsys.readouterr().err == ""
    (copy / "metadata.json").unlink()
    assert main(["models", "verify", str(copy)]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("WARNING there is no metadata.json")
    assert f"{copy / 'metadata.json'}. Mend: copy the whole preset folder" in line


@pytest.mark.parametrize("part", ["path", "verify", "pull"])
def test_an_unknown_preset_is_64(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", part, "grdn_t9"]) == 64
    assert capsys.readouterr().err.startswith("ERROR [E-PRESET] ")
