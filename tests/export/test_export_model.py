from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from guided_sr.errors import CannotCreateError, GuidedSRError, UsageError
from guided_sr.export import formats
from guided_sr.export.formats import FORMATS
from guided_sr.export.model import DESCRIPTION, export_model

SIZE = (24, 20)


@pytest.fixture(scope="module")
def tiny() -> Any:
    """Two stages that nobody trained: only the equality of numbers matters."""
    from guided_sr import GuidedSRModel

    model = GuidedSRModel(
        blocks=1, convolutions=1, filters=4, growth=4, precision="float32"
    )
    model.networks, model.scale = [model.build(), model.build()], (2.0, 2.0)
    return model


@pytest.fixture
def on_tensorflow() -> None:
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("exports are made with the TensorFlow backend")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.usefixtures("on_tensorflow")
def test_networks_and_cascade_give_the_numbers_of_keras(tiny, name, tmp_path) -> None:
    for module in FORMATS[name].modules:
        pytest.importorskip(module)
    found = export_model(tiny, tmp_path / "e", format=name, size=SIZE)
    assert [one.holds.split(":")[0] for one in found] == [
        "network of stage 1",
        "network of stage 2",
        "whole cascade",
    ]
    assert max(one.max_abs_difference for one in found) < 1e-5
    assert found[0].inputs["t1"] == (None, None, None, 1)
    told = json.loads((tmp_path / "e" / DESCRIPTION).read_text("utf-8"))
    assert told["plan"]["level_shapes"][-1] == [48, 40]
    assert all((tmp_path / "e" / one["file"]).exists() for one in told["graphs"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["e"]


@pytest.mark.usefixtures("on_tensorflow")
def test_the_exported_cascade_is_what_predict_cascade_computes(tiny, tmp_path) -> None:
    from guided_sr import degrade, head_phantom
    from guided_sr.volumes.intensity import fit_intensity

    head = head_phantom((48, 40), n_slices=1, voxel_mm=4.0)
    low = degrade(head.t2, 2)
    expected = tiny.predict_cascade(low, head.t1, scale=2, strict=None)
    export_model(tiny, tmp_path / "e", size=SIZE)
    run = FORMATS["saved-model"].read(tmp_path / "e" / "cascade")
    scale = fit_intensity(low)
    images = {
        "t2": scale.forward(low)[..., None],
        "t1": fit_intensity(head.t1).forward(head.t1)[..., None],
    }
    got = np.maximum(scale.inverse(run(images)[..., 0]), 0.0)
    np.testing.assert_allclose(got, expected, atol=2e-3 * expected.max())


@pytest.mark.usefixtures("on_tensorflow")
def test_a_graph_with_other_numbers_is_refused_and_nothing_is_left(
    tiny, tmp_path, monkeypatch
) -> None:
    wrong = formats.Format("saved-model", "tf_saved_model", "", (), _off_by_one)
    monkeypatch.setitem(FORMATS, "saved-model", wrong)
    with pytest.raises(GuidedSRError, match="differs from Keras by 1") as caught:
        export_model(tiny, tmp_path / "e")
    assert caught.value.code == "E-PARITY"
    assert not list(tmp_path.iterdir())


def _off_by_one(path: Any) -> Any:
    run = formats._read_saved_model(path)
    return lambda images: run(images) + 1.0


@pytest.mark.usefixtures("on_tensorflow")
def test_a_missing_package_is_named_with_its_extra(tiny, tmp_path, monkeypatch) -> None:
    missing = formats.Format("onnx", "onnx", ".onnx", ("no_such_package",), _off_by_one)
    monkeypatch.setitem(FORMATS, "onnx", missing)
    with pytest.raises(UsageError, match=r"no_such_package.*guided-sr\[onnx\]"):
        export_model(tiny, tmp_path / "e", format="onnx")


def test_another_backend_is_refused_by_name(tiny, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(UsageError, match="needs the TensorFlow backend, this is jax"):
        export_model(tiny, tmp_path / "e")


def test_an_earlier_export_is_replaced_by_force_alone_and_another_folder_never(
    tiny, tmp_path
) -> None:
    earlier, other = tmp_path / "earlier", tmp_path / "other"
    for folder, name in ((earlier, DESCRIPTION), (other, "thesis.txt")):
        folder.mkdir()
        (folder / name).write_text("{}")
    with pytest.raises(CannotCreateError, match="exists already"):
        export_model(tiny, earlier)
    with pytest.raises(CannotCreateError, match="not replaced"):
        export_model(tiny, other, force=True)


def test_half_precision_and_unknown_formats_are_refused(tiny, tmp_path) -> None:
    from guided_sr import GuidedSRModel

    half = GuidedSRModel(blocks=1, filters=4, growth=4, precision="bfloat16")
    half.networks, half.scale = [half.build()], (2.0, 2.0)
    with pytest.raises(UsageError, match="float32"):
        export_model(half, tmp_path / "e")
    with pytest.raises(UsageError, match="saved-model, onnx, litert"):
        export_model(tiny, tmp_path / "e", format="pickle")
