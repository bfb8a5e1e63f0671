from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest


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
    """A head of 1 mm in 24 x 28 x 24 voxels, its T1, and T2 slices of 4 mm.

    Returns a mapping of float64-affine volumes: ``t2``, ``t1``, ``truth``.
    """
    from scipy.spatial.transform import Rotation

    from guided_sr.datasets.phantom import head_phantom
    from guided_sr.physics.operators import LineOperator, SeparableOperator
    from guided_sr.physics.slice_profile import SliceProfile
    from guided_sr.volumes import Volume, target_affine

    head = head_phantom((24, 28), 24, seed=3, voxel_mm=7.0)
    t2, t1 = (np.moveaxis(x, 0, -1).astype(np.float32) for x in (head.t2, head.t1))
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", (10, 5, -8), degrees=True).as_matrix()
    turn[:3, 3] = -11.0, 17.0, 5.0
    lines = [LineOperator(24, 24), LineOperator(28, 28), SliceProfile().line(24, 6)]
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
