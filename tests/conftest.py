from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("GUIDED_SR_TEST_DATA", default)) / "open_ms"
    if not folder.is_dir():
        pytest.skip("no open_ms folder: set GUIDED_SR_TEST_DATA to its parent")
    return folder


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
def listing():
    """All files below a folder with their contents, to see that nothing changed."""

    def read(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return read


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
