from __future__ import annotations

import json
import shutil

import pytest

from guided_sr.errors import IOFailure, UnknownPresetError, WeightsError
from guided_sr.presets import (
    describe_preset,
    entries,
    find_preset,
    is_packaged,
    list_presets,
    locate_preset,
    read_config,
    read_metadata,
    verify_preset,
)
from guided_sr.presets.store import weights_files

MAX_BYTES = 30_000_000


HERE = list(filter(find_preset, list_presets()))
PACKAGED = list(filter(is_packaged, list_presets()))


@pytest.fixture
def folder(far_preset):
    """A preset of two stages that the registry does not know."""
    return far_preset


def test_a_folder_is_a_preset(folder):
    assert locate_preset(folder) == folder
    assert locate_preset(str(folder)) == folder
    config = read_config(folder)
    assert [p.name for p in weights_files(folder, config)] == sorted(config.weights)
    assert verify_preset(folder) == config.weights
    assert read_metadata(folder) == {}


def test_an_unknown_name_lists_the_known_ones(monkeypatch):
    monkeypatch.setattr(entries, "registry", lambda: {"b_x4": {}, "a_x2": {}})
    with pytest.raises(UnknownPresetError, match=r"'c_x8'.*a_x2, b_x4") as refusal:
        locate_preset("c_x8")
    assert refusal.value.exit_code == 64
    assert list_presets() == ["a_x2", "b_x4"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("grdn_x4", "grdn_t2_x4"),
        ("grdn-t2-x2", "grdn_t2_x2"),
        ("grdn_t2_slices", "grdn_t2_slice"),
        ("grdn_t2_x4_ligth", "grdn_t2_x4_light"),
    ],
)
def test_a_slip_of_the_hand_is_understood(typed, meant):
    with pytest.raises(UnknownPresetError, match=rf"did you mean {meant}\? choose"):
        locate_preset(typed)


@pytest.mark.parametrize("typed", ["my_model", "srcnn", "x4", "t2"])
def test_a_name_like_none_is_not_guessed_at(typed):
    with pytest.raises(UnknownPresetError) as refusal:
        locate_preset(typed)
    assert "did you mean" not in str(refusal.value)


def test_a_folder_without_configuration_is_no_preset(tmp_path):
    with pytest.raises(UnknownPresetError, match=r"no config\.json"):
        locate_preset(tmp_path)


def test_a_packaged_preset_without_files_is_named(monkeypatch):
    files = {"config.json": {"sha256": "0" * 64, "bytes": 1}}
    monkeypatch.setattr(entries, "registry", lambda: {"lost_x4": {"files": files}})
    with pytest.raises(WeightsError, match="lost_x4 are missing") as refusal:
        locate_preset("lost_x4")
    assert str(entries.packaged_place("lost_x4")) in str(refusal.value)
    assert "pip install --force-reinstall guided-sr" in str(refusal.value)


def test_a_packaged_preset_belongs_where_the_others_lie():
    for name in PACKAGED:
        assert entries.packaged_place(name) == entries.packaged_folder(name)


@pytest.mark.parametrize("lost", ["metadata.json", "README.md", "stage_1.weights.h5"])
def test_a_lost_file_of_a_packaged_preset_is_named(lost, tmp_path, monkeypatch):
    name = PACKAGED[0]
    shutil.copytree(locate_preset(name), tmp_path / "package" / name)
    monkeypatch.setattr(entries, "packaged_roots", lambda: [tmp_path / "package"])
    monkeypatch.setenv("GUIDED_SR_HOME", str(tmp_path / "home"))
    (tmp_path / "package" / name / lost).unlink()
    with pytest.raises(
        WeightsError, match=rf"is missing: .*{lost}\. Mend.*pip install"
    ):
        verify_preset(name)


def test_a_missing_file_is_named(folder):
    (folder / "stage_2.weights.h5").unlink()
    with pytest.raises(WeightsError, match=r"stage 2 are missing.*stage_2"):
        verify_preset(folder)


def test_a_flipped_bit_is_noticed(folder):
    path = folder / "stage_1.weights.h5"
    data = bytearray(path.read_bytes())
    data[50] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=r"sha256.*stage_1\.weights\.h5"):
        verify_preset(folder)


def test_what_is_no_hdf5_file_is_refused(folder):
    (folder / "stage_1.weights.h5").write_text("<html>quota exceeded</html>")
    with pytest.raises(WeightsError, match="not an HDF5"):
        verify_preset(folder)


def test_weights_that_the_configuration_does_not_know_are_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    del config["weights"]["stage_1.weights.h5"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="says none"):
        verify_preset(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not JSON"), ("[1]", "no object"), ("{}", "wrong at guided_sr_version")],
)
def test_a_damaged_configuration_is_refused(folder, text, message):
    (folder / "config.json").write_text(text)
    with pytest.raises(WeightsError, match=rf"{message}.*config\.json"):
        read_config(folder)


def test_an_unknown_key_is_named(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "surprise": 1}))
    with pytest.raises(WeightsError, match=r"wrong at surprise.*config\.json"):
        read_config(folder)


def test_a_missing_configuration_is_a_failure_to_read(tmp_path):
    with pytest.raises(IOFailure):
        read_config(tmp_path)


def test_a_file_that_the_registry_knows_otherwise_is_refused(folder, monkeypatch):
    entry = {"files": {"config.json": {"sha256": "0" * 64}}}
    monkeypatch.setattr(entries, "registry", lambda: {str(folder): entry})
    with pytest.raises(WeightsError, match="registry says"):
        verify_preset(folder)


@pytest.mark.parametrize("name", HERE)
def test_every_preset_that_is_here_is_whole(name):
    digests = verify_preset(name)
    entry = describe_preset(name)
    folder = locate_preset(name)
    assert set(entry["files"]) == {p.name for p in folder.iterdir()}
    for file, known in entry["files"].items():
        assert (folder / file).stat().st_size == known["bytes"]
        assert digests[file] == known["sha256"]
    config = read_config(folder)
    assert tuple(entry["scale"]) == config.scale
    assert entry["stages"] == config.stages
    assert read_metadata(folder)["probe"]
    assert (folder / "README.md").read_text().strip()


def test_the_packaged_presets_are_small():
    entries_of = [describe_preset(name)["files"].values() for name in PACKAGED]
    assert sum(file["bytes"] for files in entries_of for file in files) < MAX_BYTES


def test_the_packaged_presets_and_their_folders_are_the_same():
    assert [name for name in PACKAGED if entries.packaged_folder(name)] == PACKAGED
    for folder in {locate_preset(name).parent for name in PACKAGED}:
        there = {p.parent.name for p in folder.glob("*/config.json")}
        assert there == set(PACKAGED)
