from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import numpy as np
import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fault-table",
        action="store_true",
        help="print the table of faults: row, fault, expected, got, pass",
    )


@dataclass(frozen=True)
class NiftiPair:
    t2: Path
    t1: Path
    t2_data: np.ndarray
    t1_data: np.ndarray


@pytest.fixture(scope="session")
def open_ms() -> Path:
    """The folder of real MS patients; tests that need it are skipped without it."""
    return _data("open_ms")


@pytest.fixture(scope="session")
def label_maps() -> Path:
    """The folder of label maps, likewise."""
    return _data("label_maps")


def _data(name: str) -> Path:
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("GUIDED_SR_TEST_DATA", default)) / name
    if not folder.is_dir():
        pytest.skip(f"no {name} folder: set GUIDED_SR_TEST_DATA to its parent")
    return folder


@pytest.fixture(scope="session")
def disc() -> np.ndarray:
    """Slices of 48 x 48 pixels, true within a disc."""
    x, y = np.meshgrid(*(np.arange(48) - 23.5,) * 2, indexing="ij")
    return np.repeat((np.hypot(x, y) < 15.0)[None], 3, axis=0)


@pytest.fixture(scope="session")
def cut_out(disc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A T2 at half the size and its T1, cut out by the disc."""
    from guided_sr.physics.degrade import degrade

    rng = np.random.default_rng(0)
    t2, t1 = (np.float32(1.0) + 0.2 * rng.random((2, *disc.shape), np.float32)) * disc
    return degrade(t2, 2).astype(np.float32), t1


@pytest.fixture
def nifti_pair(tmp_path: Path) -> NiftiPair:
    """A thick-slice T2 (16 x 14 x 4, 1 x 1 x 4 mm) and a T1 (16 x 14 x 16, 1 mm)
    with the same field of view and one smooth content, int16 and float32."""
    folder = tmp_path / "pair"
    folder.mkdir()
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (16, 14, 16)), indexing="ij")
    head = np.exp(-2 * (x**2 + y**2 + z**2))
    t1 = (400 * head + 20 * np.sin(7 * x) * head).astype(np.float32)
    t2 = (900 * head.reshape(16, 14, 4, 4).mean(axis=3)).astype(np.int16)
    t1_affine = np.diag([1.0, 1.0, 1.0, 1.0])
    t1_affine[:3, 3] = (-8.0, -7.0, -8.0)
    t2_affine = t1_affine @ np.diag([1.0, 1.0, 4.0, 1.0])
    t2_affine[2, 3] = -8.0 + 1.5
    pair = NiftiPair(folder / "T2.nii.gz", folder / "T1.nii.gz", t2, t1)
    for path, data, affine in (
        (pair.t2, t2, t2_affine),
        (pair.t1, t1, t1_affine),
    ):
        image = nib.Nifti1Image(data, affine)
        image.set_sform(affine, code=1)
        image.set_qform(affine, code=1)
        image.header.set_xyzt_units("mm")
        nib.save(image, path)
    return pair


class PresetServer:
    """A server on this machine that has one preset, and gives it well or badly.

    ``url("whole")`` is the address of a folder whose files come as they are. Others
    are named after their fault: "cut", "wrong" (another content), "page" (HTML with
    status 200), "empty" (status 202 and nothing), "more" (bytes without end), "none"
    (status 404), "second" (404 at the first request of a file), "late" (whole, but
    not at once).
    """

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        self.entry: dict[str, Any] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                again = self.path in outer.requests
                outer.requests.append(self.path)
                kind, name = self.path.lstrip("/").split("/")
                data = (folder / name.removeprefix(f"{folder.name}.")).read_bytes()
                status, length = 200, len(data)
                if kind == "none" or (kind == "second" and not again):
                    status, data, length = 404, b"", 0
                elif kind == "empty":
                    status, data, length = 202, b"", 0
                elif kind == "cut":
                    data = data[: len(data) // 2]
                elif kind == "wrong":
                    data = data[:-1] + bytes([data[-1] ^ 1])
                elif kind == "page":
                    data = b"\n<!DOCTYPE html><html>sign in</html>"
                    length = len(data)
                elif kind == "more":
                    data, length = data * 50, 50 * length
                elif kind == "late":
                    time.sleep(0.3)
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(
            target=self.server.serve_forever, args=(0.02,), daemon=True
        )
        self.thread.start()

    def url(self, kind: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{kind}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def far_preset(tmp_path: Path) -> Path:
    """Folder of a preset "far_x2" whose weights are one array a stage."""
    folder = tmp_path / "far_x2"
    folder.mkdir()
    digests = {}
    for stage in (1, 2):
        path = folder / f"stage_{stage}.weights.h5"
        with h5py.File(path, "w") as file:
            file["kernel"] = np.full(700, stage, np.float32)
        digests[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    config = {
        "guided_sr_version": "0.1.0",
        "backbone": {"name": "grdn"},
        "guided": True,
        "scale": [2, 2],
        "stages": 2,
        "weights": digests,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def publish_preset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Path], PresetServer]]:
    """Serve a folder as the only preset that the registry knows, which is not
    packaged; its registry entry is `entry` of the server. The cache is
    ``tmp_path / "home"``, which is not there yet."""
    servers = []

    def publish(folder: Path) -> PresetServer:
        server = PresetServer(folder)
        servers.append(server)
        server.entry = {
            "description": "far",
            "scale": [2.0, 2.0],
            "stages": 2,
            "guided": True,
            "packaged": False,
            "files": {
                path.name: {
                    "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                    "bytes": path.stat().st_size,
                }
                for path in sorted(folder.iterdir())
            },
            "urls": [server.url("whole")],
        }
        known = {folder.name: server.entry}
        monkeypatch.setattr("guided_sr.presets.entries.registry", lambda: known)
        return server

    monkeypatch.setattr("guided_sr.presets.download.PAUSE_SECONDS", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("GUIDED_SR_HOME", str(tmp_path / "home"))
    for name in ("GUIDED_SR_OFFLINE", "GUIDED_SR_WEIGHTS_URL"):
        monkeypatch.delenv(name, raising=False)
    yield publish
    for server in servers:
        server.close()


@pytest.fixture
def preset_server(
    far_preset: Path, publish_preset: Callable[[Path], PresetServer]
) -> PresetServer:
    """A server that has `far_preset`."""
    return publish_preset(far_preset)


@pytest.fixture
def far_entry(preset_server: PresetServer) -> dict[str, Any]:
    """The registry entry of `far_preset`, which may be changed."""
    return preset_server.entry


TINY = {"blocks": 1, "convolutions": 2, "filters": 8, "growth": 8}
"""Options of a network small enough for a test."""


@pytest.fixture
def tiny() -> dict[str, int]:
    """Options of the smallest useful GRDN."""
    return dict(TINY)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture(scope="session")
def patient07(open_ms: Path) -> np.ndarray:
    """Centre axial slice (182 x 218) of a real T2, clipped at 0."""
    volume = nib.load(open_ms / "mni_patient07" / "t2.nii.gz")
    middle = volume.shape[2] // 2
    return np.clip(np.asarray(volume.dataobj[:, :, middle], np.float64), 0.0, None)


@pytest.fixture(scope="session")
def small_head():
    """A phantom of three slices, 48 x 48: fast to train on."""
    from guided_sr.datasets.phantom import head_phantom

    return head_phantom((48, 48), 3, seed=1, voxel_mm=4.0)


@pytest.fixture(scope="session")
def nested_labels() -> np.ndarray:
    """A brain of nested balls within skull and scalp, with the labels of FreeSurfer."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, 72),) * 3, indexing="ij")
    radius = np.sqrt(x**2 + (y / 1.05) ** 2 + z**2)
    out = np.zeros(radius.shape, np.int16)
    for limit, label in (
        (0.95, 511),
        (0.92, 507),
        (0.86, 515),
        (0.8, 24),
        (0.7, 3),
        (0.6, 2),
        (0.2, 4),
    ):
        out[radius < limit] = label
    return out


@pytest.fixture
def round_trip():
    """Send a Keras object through its config as JSON text."""
    import json

    import keras

    def through_json(thing: Any) -> Any:
        config = keras.saving.serialize_keras_object(thing)
        return keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))

    return through_json


@pytest.fixture(scope="session")
def trained(small_head):
    """A guided model, 2x in two stages, after a handful of steps.

    Shared: tests must not train or change it.
    """
    from guided_sr import GuidedSRModel, degrade

    model = GuidedSRModel(precision="float32", **TINY)
    model.fit_external(
        [(degrade(small_head.t2, 2), small_head.t1)],
        scale=2,
        stages=2,
        max_steps=6,
        steps_per_epoch=3,
        batch_size=4,
        patch_size=16,
        verbose=0,
    )
    return model


@dataclass(frozen=True)
class CoarsePair:
    folder: Path
    t2: Path
    t1: Path
    truth: Path

    def arguments(self, model: Path, *more: str) -> list[str]:
        """The command that super-resolves this pair."""
        files = ["-i", str(self.t2), "-g", str(self.t1)]
        return ["run", *files, "--model", str(model), *more]


@pytest.fixture(scope="session")
def model_dir(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model, 2x in two stages. Tests must not change it."""
    return trained.save_preset(tmp_path_factory.mktemp("models") / "tiny_x2")


@pytest.fixture
def pair(small_head: Any, tmp_path: Path) -> CoarsePair:
    """A coarse T2 (24 x 24 x 3), its T1 and its truth (48 x 48 x 3) as files."""
    from guided_sr.evaluation.grids import lower_resolution
    from guided_sr.volumes import Volume, write_volume

    folder = tmp_path / "scans of one person"
    sharp = Volume(np.moveaxis(small_head.t2, 0, -1), small_head.affine)
    made = lower_resolution(sharp, 2)
    files = CoarsePair(folder, *(folder / f"{n}.nii.gz" for n in ("t2", "t1", "hr")))
    write_volume(files.t2, made.data, made.affine)
    write_volume(files.t1, np.moveaxis(small_head.t1, 0, -1), small_head.affine)
    write_volume(files.truth, sharp.data, sharp.affine)
    return files


@pytest.fixture
def phantom_bids(tmp_path: Path, small_head: Any):
    """A BIDS data set, 2x coarse: ``phantom_bids(12)`` subjects, one head brighter
    from one to the next."""
    from guided_sr.evaluation.grids import lower_resolution
    from guided_sr.volumes import Volume, write_volume

    def make(subjects: int) -> Path:
        top = tmp_path / "raw"
        top.mkdir()
        about = {"Name": "drawn heads", "BIDSVersion": "1.10.0", "License": "CC0"}
        (top / "dataset_description.json").write_text(json.dumps(about))
        (top / "T2w.json").write_text('{"EchoTime": 0.1, "MagneticFieldStrength": 3}')
        for number in range(1, subjects + 1):
            t2, t1 = (
                np.moveaxis(one, 0, -1) * (1 + number / 100)
                for one in (small_head.t2, small_head.t1)
            )
            made = lower_resolution(Volume(t2, small_head.affine), 2)
            who = f"sub-{number:02d}"
            folder = top / who / "anat"
            write_volume(folder / f"{who}_T2w.nii.gz", made.data, made.affine)
            write_volume(folder / f"{who}_T1w.nii.gz", t1, small_head.affine)
        return top

    return make


@pytest.fixture
def tall_pair(tmp_path: Path) -> CoarsePair:
    """As `pair`, but of twelve slices and without truth: enough to fine-tune on."""
    from guided_sr.datasets.phantom import head_phantom
    from guided_sr.evaluation.grids import lower_resolution
    from guided_sr.volumes import Volume, write_volume

    head = head_phantom((48, 48), 12, seed=1, voxel_mm=4.0)
    folder = tmp_path / "scans of another person"
    files = CoarsePair(folder, *(folder / f"{n}.nii.gz" for n in ("t2", "t1", "hr")))
    made = lower_resolution(Volume(np.moveaxis(head.t2, 0, -1), head.affine), 2)
    write_volume(files.t2, made.data, made.affine)
    write_volume(files.t1, np.moveaxis(head.t1, 0, -1), head.affine)
    return files


@pytest.fixture
def listing():
    """All files below a folder with their contents, to see that nothing changed."""

    def read(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return read


@pytest.fixture(scope="session")
def random_model():
    """Models with random weights: ``random_model((4, 1), scale_range=(2, 6))``."""
    import keras

    from guided_sr import GuidedSRModel

    def make(scale: Any, stages: int = 2, **attributes: Any) -> Any:
        keras.utils.set_random_seed(4)
        guided = attributes.pop("guided", True)
        how = attributes.pop("back_projection", "exact")
        model = GuidedSRModel(
            precision="float32", guided=guided, back_projection=how, **TINY
        )
        model.networks = [model.build() for _ in range(stages)]
        generator = np.random.default_rng(8)
        for network in model.networks:
            network.set_weights(
                [generator.normal(0, 0.1, w.shape) for w in network.get_weights()]
            )
        model.scale = scale
        for name, value in attributes.items():
            setattr(model, name, value)
        return model

    return make


@pytest.fixture(scope="session")
def thick():
    """A head of 1 mm in 24 x 28 x 32 voxels, its T1, and T2 slices of 4 mm.

    Returns a mapping of float64-affine volumes: ``t2``, ``t1``, ``truth``.
    """
    from scipy.spatial.transform import Rotation

    from guided_sr.datasets.phantom import head_phantom
    from guided_sr.physics.operators import LineOperator, SeparableOperator
    from guided_sr.physics.slice_profile import SliceProfile
    from guided_sr.volumes import Volume, target_affine

    head = head_phantom((24, 28), 32, seed=3, voxel_mm=7.0)
    t2, t1 = (np.moveaxis(x, 0, -1).astype(np.float32) for x in (head.t2, head.t1))
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", (10, 5, -8), degrees=True).as_matrix()
    turn[:3, 3] = -11.0, 17.0, 5.0
    lines = [LineOperator(24, 24), LineOperator(28, 28), SliceProfile().line(32, 8)]
    low = SeparableOperator(*lines)(t2)
    return {
        "t2": Volume(low, target_affine(turn, t2.shape, low.shape)),
        "t1": Volume(t1, turn),
        "truth": Volume(t2, turn),
    }


@pytest.fixture
def images():
    """Batches of random float32 images: ``images(h, w, channels=1, n=2)``."""

    def make(h: int, w: int, channels: int = 1, n: int = 2, seed: int = 5) -> Any:
        generator = np.random.default_rng(seed)
        return generator.random((n, h, w, channels), dtype=np.float32)

    return make


@pytest.fixture
def learns():
    """Whether one compiled training step changes every trainable weight."""

    def step(network: Any, inputs: Any, target: np.ndarray) -> None:
        import keras

        before = [np.array(w) for w in network.get_weights()]
        network.compile(optimizer=keras.optimizers.Adam(1e-2), loss="mae")
        loss = network.train_on_batch(inputs, target)
        assert np.isfinite(loss)
        after = network.get_weights()
        assert len(after) == len(network.weights) == len(before)
        moved = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
        paths = [w.path for w, new in zip(network.weights, moved, strict=True) if new]
        assert set(paths) >= {w.path for w in network.trainable_weights}

    return step


def cubic_result(folder: Path) -> Any:
    """A result of the files in a folder, in which cubic interpolation stands for the
    networks: as good as any to write about, and made in no time."""
    import dataclasses

    from guided_sr.inference.result import volume_result
    from guided_sr.inference.volume_inputs import Estimate, VolumeInputs
    from guided_sr.inference.volume_plan import Served, VolumePlan, target_for
    from guided_sr.physics.back_projection import BackProjection
    from guided_sr.physics.operators import SeparableOperator
    from guided_sr.volumes import read_volume

    t2 = read_volume(folder / "t2.nii.gz")
    models = [Served((4.0, 1.0), (2.0, 6.0), 2, "consistent")]
    plan = VolumePlan.create(target_for(t2.affine, t2.data.shape, models), models)
    inputs = VolumeInputs.prepare(t2, folder / "t1.nii.gz", plan)
    cubic = SeparableOperator.interpolation(plan.shape, plan.target_shape)(inputs.low)
    residual = inputs.low - plan.observation(cubic)
    made = volume_result(
        inputs,
        Estimate(
            cubic.astype(np.float32),
            residual.astype(np.float32),
            (0.02, 0.01),
            BackProjection(None),
        ),
        models={"model": {"name": "cubic", "weights_sha256": {}, "precision": "none"}},
        guide_use={"asked": "always", "used": True},
        maps={},
        framework={},
        warnings=["a warning with <b>brackets</b>"],
        seconds=1.0,
    )
    known = {**made.provenance, "command": "guided-sr run -i t2.nii.gz"}
    return dataclasses.replace(made, provenance=known)


@pytest.fixture(scope="session")
def saved_result(thick: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result of thick slices as ``sr.nii.gz``, its T2 and its T1 beside it. Tests
    must not change it."""
    from guided_sr.volumes import write_volume

    folder = tmp_path_factory.mktemp("saved") / "a <b>person</b> & more"
    for name in ("t2", "t1"):
        write_volume(folder / f"{name}.nii.gz", thick[name].data, thick[name].affine)
    path: Path = cubic_result(folder).save(folder / "sr.nii.gz")
    return path


@pytest.fixture(scope="module")
def view_server(saved_result: Path) -> Iterator[Any]:
    """A viewer of that result, serving."""
    from guided_sr.view.scene import Scene
    from guided_sr.view.server import ViewServer

    with ViewServer(Scene.of(saved_result)) as one:
        thread = threading.Thread(target=one.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield one
        one.shutdown()
        thread.join()


@pytest.fixture
def result(saved_result: Path) -> Any:
    """The same, as it was before it was saved."""
    return cubic_result(saved_result.parent)
