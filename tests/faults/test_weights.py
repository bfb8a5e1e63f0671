"""Rows 74 to 80: weights, cache, security."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
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


@pytest.fixture
def far(scene, model_dir, publish_preset, tmp_path, environment):
    """The scene with a preset that only a server has, which is `far.server`."""
    scene.server = publish_preset(model_dir)
    scene.home = tmp_path / "home"
    scene.registry = tmp_path / "registry.json"
    scene.model = model_dir.name

    def how(kind: str = "whole", **more: str) -> dict[str, Any]:
        entry = {**scene.server.entry, "urls": [scene.server.url(kind)]}
        scene.registry.write_text(json.dumps({model_dir.name: entry}), "utf-8")
        known = environment(TEST_REGISTRY=str(scene.registry), **more)
        return {"inject": "another_registry", "environment": known}

    scene.how = how
    return scene


def kept(home: Path) -> list[str]:
    """Files of a cache, its locks aside."""
    found = [path for path in home.rglob("*") if path.is_file()]
    return [path.name for path in found if path.suffix != ".lock"]


@fault(74, "offline, no cache", "66, file, hash, address")
def test_a_preset_that_is_not_there_offline_is_refused(far):
    how = far.how(GUIDED_SR_OFFLINE="1")
    words = ["GUIDED_SR_OFFLINE", "sha256", far.server.url("whole"), "models pull"]
    far.refused(66, "E-INPUT", *words, path=far.home, api=False, **how)
    assert far.server.requests == []


@fault(75, "download cut, wrong hash, proxy page", "74, nothing kept")
@pytest.mark.parametrize("kind", ["cut", "wrong", "page"])
def test_a_bad_download_is_not_kept(far, kind):
    far.refused(74, "E-IO", "models pull", path=far.home, api=False, **far.how(kind))
    assert kept(far.home) == []


@fault(76, "cache read-only, preset there", "0")
def test_a_cache_that_may_only_be_read_serves_what_it_has(far, bound):
    assert far.planned(**far.how()).code == 0
    asked = len(far.server.requests)
    folders = [path for path in far.home.rglob("*") if path.is_dir()]
    for folder in (far.home, *folders):
        folder.chmod(0o500)
    try:
        far.planned(before=bound, **far.how())
    finally:
        for folder in (far.home, *folders):
            folder.chmod(0o700)
    assert len(far.server.requests) == asked


@fault(76, "cache read-only, preset not there", "73")
def test_a_cache_that_may_not_be_written_and_lacks_the_preset_is_refused(far, bound):
    far.home.mkdir()
    far.home.chmod(0o500)
    words = ["set GUIDED_SR_HOME"]
    how = {"before": bound, "api": False, **far.how()}
    far.refused(73, "E-OUTPUT", *words, path=far.home, **how)
    far.home.chmod(0o700)


@fault(77, "eight processes, cold cache", "0, one download")
def test_a_cold_cache_is_filled_once(far):
    how = far.how("late")
    command = [*how_to_inject(how["inject"]), "models", "pull", far.model]
    started = [
        subprocess.Popen(
            [sys.executable, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=how["environment"],
        )
        for _ in range(8)
    ]
    told = [one.communicate(timeout=240) for one in started]
    codes = [one.returncode for one in started]
    far.got += map(str, sorted(set(codes)))
    assert codes == [0] * 8, told
    assert len(far.server.requests) == len(far.server.entry["files"])
    assert set(kept(far.home)) == set(far.server.entry["files"])


def how_to_inject(name: str) -> list[str]:
    return [str(Path(__file__).with_name("injected.py")), name]


@fault(78, "weights cut, HTML", "65, hash")
@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda content: content[: len(content) // 2], "sha256"),
        (lambda _: b"<!DOCTYPE html><html>sign in</html>", "HDF5"),
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "sha256"),
    ],
    ids=["cut", "page", "changed"],
)
def test_files_that_are_no_weights_are_refused(scene, change, word):
    model = scene.folder / "model"
    shutil.copytree(scene.model, model)
    file = model / "stage_2.weights.h5"
    file.write_bytes(change(file.read_bytes()))
    scene.model = model
    scene.refused(65, "E-WEIGHTS", word, path=file, api=False)


@fault(78, "weights of another architecture", "65")
def test_weights_of_another_architecture_are_refused(scene):
    model = scene.folder / "model"
    shutil.copytree(scene.model, model)
    config = json.loads((model / "config.json").read_text("utf-8"))
    config["backbone"]["options"]["filters"] = 16
    (model / "config.json").write_text(json.dumps(config), "utf-8")
    scene.model = model
    file = model / "stage_1.weights.h5"
    scene.refused(65, "E-WEIGHTS", "do not fit", path=file, api=False)


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
