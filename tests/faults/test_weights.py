"""Rows 74 to 80: weights, cache, security."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from guided_sr.errors import WeightsError
from guided_sr.presets import read_config
from guided_sr.presets.store import weights_files
from guided_sr.volumes import sha256_of

fault = pytest.mark.fault


@fault(74, "offline, no cache", "75 or 66")
def test_a_preset_that_is_not_there_offline_is_refused(scene):
    pytest.skip("with the download of weights")


@fault(75, "download cut, wrong hash, proxy page", "74, nothing kept")
def test_a_bad_download_is_not_kept(scene):
    pytest.skip("with the download of weights")


@fault(76, "cache read-only", "0 / 73")
def test_a_cache_that_may_not_be_written_serves_what_it_has(scene):
    pytest.skip("with the download of weights")


@fault(77, "eight processes, cold cache", "0, one download")
def test_a_cold_cache_is_filled_once(scene):
    pytest.skip("with the download of weights")


@fault(78, "weights cut, HTML, other architecture", "65, hash")
def test_files_that_are_no_weights_are_refused(scene):
    pytest.skip("with the download of weights")


@pytest.fixture
def hostile(scene: Any) -> Callable[[Callable[[h5py.File, str], None]], Path]:
    """Make a copy of the model whose first array is tampered with, sums renewed."""

    def make(change: Callable[[h5py.File, str], None]) -> Path:
        model = scene.folder / "model"
        shutil.copytree(scene.model, model)
        file = model / "stage_1.weights.h5"
        with h5py.File(file, "r+") as content:
            names: list[str] = []
            content.visititems(
                lambda name, item: (
                    names.append(name) if isinstance(item, h5py.Dataset) else None
                )
            )
            change(content, names[0])
        config = json.loads((model / "config.json").read_text("utf-8"))
        config["weights"][file.name] = sha256_of(file)
        (model / "config.json").write_text(json.dumps(config), "utf-8")
        scene.model = model
        return file

    return make


def _nan(content: h5py.File, name: str) -> None:
    content[name][...] = np.nan


def _external_link(content: h5py.File, name: str) -> None:
    del content[name]
    content[name] = h5py.ExternalLink("/etc/passwd", "/")


def _soft_link(content: h5py.File, name: str) -> None:
    del content[name]
    content[name] = h5py.SoftLink("/elsewhere")


def _external_storage(content: h5py.File, name: str) -> None:
    shape = content[name].shape
    del content[name]
    bytes_ = int(np.prod(shape)) * 4
    content.create_dataset(
        name, shape, "f4", external=[("/etc/passwd", 0, max(bytes_, 1))]
    )


def _virtual(content: h5py.File, name: str) -> None:
    shape = content[name].shape
    del content[name]
    layout = h5py.VirtualLayout(shape, "f4")
    layout[...] = h5py.VirtualSource("/etc/passwd", "x", shape)
    content.create_virtual_dataset(name, layout)


def _bomb(content: h5py.File, name: str) -> None:
    del content[name]
    content.create_dataset(
        name, (1 << 36,), "f4", chunks=(1 << 20,), compression="gzip"
    )


def _objects(content: h5py.File, name: str) -> None:
    del content[name]
    content[name] = np.array([b"import os"], dtype=h5py.string_dtype())


def _another_shape(content: h5py.File, name: str) -> None:
    del content[name]
    content[name] = np.zeros((1, 2, 3), np.float32)


@fault(79, "NaN weights", "65")
def test_weights_that_are_no_numbers_are_refused(scene, hostile):
    file = hostile(_nan)
    scene.refused(65, "E-WEIGHTS", "NaN", path=file, api=False)


@fault(80, "links, bombs, objects in HDF5", "65 before Keras")
@pytest.mark.parametrize(
    ("change", "word"),
    [
        (_external_link, "link"),
        (_soft_link, "link"),
        (_external_storage, "another file"),
        (_virtual, "another file"),
        (_bomb, "GiB"),
        (_objects, "not numbers"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_weights_that_hold_anything_but_numbers_are_refused(
    scene, hostile, change, word
):
    file = hostile(change)
    ran = scene.refused(65, "E-WEIGHTS", word, path=file, api=False)
    assert "loading Keras" not in ran.err


@fault(80, "arrays of another shape", "65")
def test_weights_of_another_network_are_refused(scene, hostile):
    file = hostile(_another_shape)
    scene.refused(65, "E-WEIGHTS", "do not fit", path=file, api=False)


@fault(80, "Keras model, pickle as --model", "64 before Keras")
@pytest.mark.parametrize("name", ["net.keras", "net.h5", "net.pkl", "net.zip"])
def test_a_model_that_may_carry_code_is_never_loaded(scene, name):
    file = scene.folder / name
    file.write_bytes(b"PK\x03\x04 a Lambda layer")
    arguments = scene.command("--model", file)
    words = ["may carry code"]
    ran = scene.refused(
        64, "E-PRESET", *words, arguments=arguments, path=file, api=False
    )
    assert "loading Keras" not in ran.err


@fault(80, "hostile config.json", "64 or 65 before Keras")
@pytest.mark.parametrize(
    "change",
    [
        {"backbone": {"name": "builtins.print", "options": {}}},
        {"backbone": {"name": "grdn", "options": {"filters": 10**9}}},
        {"backbone": {"name": "grdn", "options": {"filters": {"module": "os"}}}},
        {"weights": {"../../etc/passwd": "0" * 64}},
        {"stages": 10**6},
        {"lambda": "os.system('true')"},
    ],
    ids=["name", "huge", "object", "path", "stages", "unknown"],
)
def test_a_configuration_that_asks_for_anything_else_is_refused(scene, change):
    model = scene.folder / "model"
    shutil.copytree(scene.model, model)
    file = model / "config.json"
    config = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**config, **change}), "utf-8")
    scene.model = model
    ran = scene.refused(65, "E-WEIGHTS", path=file, api=False)
    assert "loading Keras" not in ran.err


@fault(80, "configuration of a gigabyte", "65 before Keras")
def test_a_configuration_too_large_is_not_read(scene):
    model = scene.folder / "model"
    shutil.copytree(scene.model, model)
    with (model / "config.json").open("r+b") as stream:
        stream.truncate(1 << 32)
    scene.model = model
    arguments = scene.command()
    scene.got.clear()
    ran = scene.program(arguments)
    (model / "config.json").unlink()
    assert ran.code == 65
    assert "too large" in ran.last


def test_the_inspection_passes_what_keras_wrote(model_dir: Path) -> None:
    config = read_config(model_dir)
    assert len(weights_files(model_dir, config)) == config.stages


def test_a_deep_nest_of_groups_is_refused(hostile) -> None:
    def nest(content: h5py.File, name: str) -> None:
        content.create_group("/".join(["deep"] * 300))

    file = hostile(nest)
    with pytest.raises(WeightsError, match="nested"):
        weights_files(file.parent, read_config(file.parent))
