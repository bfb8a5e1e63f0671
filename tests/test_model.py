from __future__ import annotations

import hashlib
import json
import re

import keras
import nibabel as nib
import numpy as np
import pytest

from guided_sr import GRDN, GuidedSRModel, degrade, upsample
from guided_sr.errors import (
    CannotCreateError,
    DataError,
    GuidedSRWarning,
    UnknownPresetError,
    UnknownScaleError,
    UsageError,
    WeightsError,
)
from guided_sr.inference.probe import TOLERANCE, probe_error
from guided_sr.inference.result import Result
from guided_sr.model.fitting import Start
from guided_sr.networks.weights import save_weights
from guided_sr.physics.back_projection import BackProjection
from guided_sr.presets import (
    find_preset,
    list_presets,
    locate_preset,
    verify_preset,
)
from guided_sr.volumes import target_affine


@pytest.fixture(scope="module")
def pair(small_head):
    """Observed slices (3, 24, 24) and their guide (3, 48, 48)."""
    return degrade(small_head.t2, 2), small_head.t1


@pytest.fixture(scope="module")
def volumes(small_head, pair):
    """The pair as nibabel images, oblique, with one field of view."""
    turn = np.eye(4)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    fine = turn @ small_head.affine @ np.diag([0.5, 0.5, 1.5, 1.0])
    t2, t1 = (np.moveaxis(x, 0, -1) for x in pair)
    coarse = target_affine(fine, t1.shape, t2.shape)
    return nib.Nifti1Image(t2, coarse), nib.Nifti1Image(t1, fine)


@pytest.fixture
def preset(trained, tmp_path):
    return trained.save_preset(tmp_path / "mine")


# --- Prediction ---


@pytest.mark.backend
def test_a_slice_gives_a_slice_and_a_stack_a_stack(trained, pair):
    t2, t1 = pair
    stack = trained.predict_cascade(t2, t1, scale=2)
    assert stack.shape == (3, 48, 48)
    assert stack.dtype == np.float32
    one = trained.predict_cascade(t2[1], t1[1])
    assert one.shape == (48, 48)


def test_the_result_is_in_the_units_of_the_t2(trained, pair):
    t2, t1 = pair
    out = trained.predict_cascade(t2, t1)
    assert out.mean() == pytest.approx(t2.mean(), rel=0.05)
    tenfold = trained.predict_cascade(10 * t2, 3 * t1 + 0)
    np.testing.assert_allclose(tenfold, 10 * out, rtol=1e-3, atol=1.0)


def test_a_magnitude_image_stays_at_or_above_zero(trained, pair):
    t2, t1 = pair
    assert trained.predict_cascade(t2, t1).min() >= 0
    signed = t2 - t2.mean()
    assert trained.predict_cascade(signed, t1).min() < 0


def test_the_guide_makes_a_difference(trained, pair):
    t2, t1 = pair
    out = trained.predict_cascade(t2, t1)
    other = trained.predict_cascade(t2, t1[:, ::-1])
    assert np.abs(out - other).max() > 1e-3


def test_another_back_projection_can_be_asked_for(trained, pair):
    t2, t1 = pair
    default = trained.predict_cascade(t2, t1)
    np.testing.assert_array_equal(
        trained.predict_cascade(t2, t1, back_projection="ibp"), default
    )
    for how in ("exact", None, BackProjection("ibp", 5)):
        other = trained.predict_cascade(t2, t1, back_projection=how)
        assert np.abs(other - default).max() > 1e-3
    with pytest.raises(UsageError, match="'magic' is unknown"):
        trained.predict_cascade(t2, t1, back_projection="magic")


def test_a_target_shape_wins_over_the_scale(trained, pair):
    t2, t1 = pair
    guide = upsample(t1, (50, 46))
    out = trained.predict_cascade(t2, guide, target_shape=(50, 46))
    assert out.shape == (3, 50, 46)


def test_images_give_a_result_with_all_that_is_known(trained, pair, volumes):
    result = trained.predict_cascade(*volumes, scale=2)
    assert isinstance(result, Result)
    assert result.image.shape == (48, 48, 3)
    np.testing.assert_allclose(result.affine, volumes[1].affine, atol=1e-6)
    wanted = np.moveaxis(trained.predict_cascade(*pair), 0, -1)
    apart = np.abs(result.image.get_fdata() - wanted)
    assert apart.max() < 1e-2 * wanted.max()
    assert result.plan.target_shape == (48, 48, 3)
    assert result.plan.in_plane.level_shape(1) == (34, 34)
    json.dumps(dict(result.provenance))
    assert result.provenance["plan"]["slice_axis"] == 2
    assert result.provenance["model"]["precision"] == "float32"
    assert result.provenance["intensity"]["t2"]["high"] > 0
    assert result.provenance["versions"]["backend"] == keras.backend.backend()


def test_paths_give_the_same_result_and_are_named_in_it(trained, volumes, tmp_path):
    paths = [tmp_path / "T2.nii.gz", tmp_path / "T1.nii.gz"]
    for volume, path in zip(volumes, paths, strict=True):
        nib.save(volume, path)
    result = trained.predict_cascade(*paths)
    wanted = trained.predict_cascade(*volumes)
    np.testing.assert_allclose(result.data, wanted.data, atol=1e-2)
    inputs = result.provenance["inputs"]
    for name, path in zip(("t2", "t1"), paths, strict=True):
        assert inputs[name]["path"] == str(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert inputs[name]["sha256"] == digest
    saved = result.save(tmp_path / "out" / "sr.nii.gz")
    np.testing.assert_array_equal(nib.load(saved).get_fdata(), result.data)


def test_what_is_noticed_is_warned_of_and_kept(trained, volumes):
    t2, t1 = volumes
    data = t2.get_fdata(dtype=np.float32).copy()
    data[0, 0, 0] = np.nan
    with pytest.warns(GuidedSRWarning):
        result = trained.predict_cascade(nib.Nifti1Image(data, t2.affine), t1)
    assert len(result.warnings) == 1
    assert np.isfinite(result.data).all()


def test_images_outside_the_range_of_the_card_are_told_or_refused(preset, volumes):
    usage = {"range": {"t2_mm": [1.0, 1.5]}}
    (preset / "metadata.json").write_text(json.dumps(usage), encoding="utf-8")
    model = GuidedSRModel.from_preset(preset)
    words = re.escape("the model is for 1 to 1.5")
    with pytest.warns(GuidedSRWarning, match=words):
        result = model.predict_cascade(*volumes)
    assert len(result.warnings) == 1
    with pytest.raises(DataError, match=words):
        model.predict_cascade(*volumes, strict=True)
    assert model.predict_cascade(*volumes, strict=None).warnings == ()


def test_a_range_of_another_form_is_not_saved(trained, tmp_path):
    with pytest.raises(WeightsError, match=r"range\.t2"):
        trained.save_preset(tmp_path / "new", metadata={"range": {"t2": 2.0}})
    assert not (tmp_path / "new").exists()


def test_an_unknown_scale_names_the_known_one(trained, pair):
    with pytest.raises(UnknownScaleError, match=r"scale 4; it knows 2\b"):
        trained.predict_cascade(*pair, scale=4)
    with pytest.raises(UnknownScaleError, match=r"it knows 2\b"):
        trained.predict_cascade(*pair, scale=(2, 1))
    trained.predict_cascade(*pair, scale=(2, 2))


def test_a_scale_of_rows_alone_is_named_by_its_axis(tiny, pair):
    model = GuidedSRModel(precision="float32", **tiny)
    model.scale = (2.0, 1.0)
    with pytest.raises(UnknownScaleError, match="it knows 2 along the slice axis"):
        model.predict_cascade(*pair, scale=3)
    assert model.known_scale(2) == (2.0, 1.0)


@pytest.fixture
def sliced(small_head, tiny):
    """Rows-only pairs of two factors, and a model that has learnt from both."""
    coarse = [degrade(small_head.t2, (s, 1)) for s in (2, 3)]
    model = GuidedSRModel(precision="float32", **tiny)
    model.fit_external(
        [(low, small_head.t1) for low in coarse],
        scale=(2, 1),
        scale_range=(2, 4),
        stages=2,
        max_steps=1,
        batch_size=4,
        patch_size=16,
        verbose=0,
    )
    return model


def test_a_model_of_a_range_serves_every_factor_inside(sliced, small_head, tmp_path):
    assert (sliced.scale, sliced.scale_range) == ((2.0, 1.0), (2.0, 4.0))
    again = GuidedSRModel.from_preset(
        sliced.save_preset(tmp_path / "slices"), precision="float32"
    )
    assert again.scale_range == (2.0, 4.0)
    for factor in (2, 3, (4, 1)):
        rows = factor if isinstance(factor, int) else factor[0]
        low = degrade(small_head.t2, (rows, 1))
        assert again.predict_cascade(low, small_head.t1, scale=factor).shape == (
            3,
            48,
            48,
        )
    with pytest.raises(UnknownScaleError, match="it knows 2 to 4 along the slice axis"):
        again.predict_cascade(low, small_head.t1, scale=5)


def test_a_pair_outside_the_range_is_refused_before_any_training(small_head, tiny):
    model = GuidedSRModel(precision="float32", **tiny)
    pair = (degrade(small_head.t2, (4, 1)), small_head.t1)
    with pytest.raises(UnknownScaleError, match="pair 1 has scale 4x1, the range is 2"):
        model.fit_external([pair], scale=(2, 1), scale_range=(2, 3))


def test_internal_learning_takes_a_factor_from_the_range(sliced, small_head):
    pair = (degrade(small_head.t2, (3, 1)), small_head.t1)
    sliced.fit_internal(
        *pair, scale=3, init=sliced, max_steps=1, batch_size=4, patch_size=16, verbose=0
    )
    assert sliced.scale == (3.0, 1.0)
    assert sliced.scale_range is None


def test_a_model_without_weights_says_so(tiny, pair, tmp_path):
    model = GuidedSRModel(precision="float32", **tiny)
    assert model.stages == 0
    for call in (
        lambda: model.predict_cascade(*pair, scale=2),
        lambda: model.save_preset(tmp_path / "none"),
    ):
        with pytest.raises(UsageError, match="no weights yet"):
            call()
    assert not (tmp_path / "none").exists()


def test_a_missing_guide_is_refused(trained, pair):
    with pytest.raises(UsageError, match="there is no T1"):
        trained.predict_cascade(pair[0])


def test_shapes_that_do_not_fit_are_refused(trained, pair):
    t2, t1 = pair
    with pytest.raises(DataError, match="target grid"):
        trained.predict_cascade(t2, t1[:, :24, :24])


# --- Construction and training ---


def test_senseless_arguments_are_refused(tiny, pair):
    with pytest.raises(UsageError, match="no backbone 'unet'"):
        GuidedSRModel("unet")
    with pytest.raises(UsageError, match="precision"):
        GuidedSRModel(precision="float8", **tiny)
    with pytest.raises(UsageError, match="'magic' is unknown"):
        GuidedSRModel(back_projection="magic", **tiny)
    model = GuidedSRModel(precision="float32", **tiny)
    with pytest.raises(UsageError, match=r"stepz.*known are loss, max_steps"):
        model.fit_external([pair], scale=2, stepz=3)
    with pytest.raises(UsageError, match="rescale_to"):
        model.fit_external([pair], scale=2, augmentation={"rescale_to": 1})


def test_a_model_without_guide_needs_t2_images_alone(tiny, pair):
    model = GuidedSRModel(guided=False, precision="float32", **tiny)
    model.fit_external(
        [pair[0]], scale=2, stages=1, max_steps=1, batch_size=4, verbose=0
    )
    assert model.predict_cascade(pair[0]).shape == (3, 48, 48)


@pytest.mark.parametrize("kind", ["images", "paths"])
def test_volumes_can_be_trained_on(tiny, volumes, tmp_path, kind):
    given = volumes
    if kind == "paths":
        given = [tmp_path / "T2.nii.gz", tmp_path / "T1.nii.gz"]
        for volume, path in zip(volumes, given, strict=True):
            nib.save(volume, path)
    model = GuidedSRModel(precision="float32", **tiny)
    model.fit_external(
        [tuple(given)], scale=2, stages=1, max_steps=1, batch_size=4, verbose=0
    )
    assert model.predict_cascade(*given).data.shape == (48, 48, 3)


def own_network():
    t2, t1 = (keras.Input((None, None, 1), name=name) for name in ("t2", "t1"))
    x = keras.layers.Concatenate()([t2, t1])
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = keras.layers.Conv2D(1, 3, padding="same")(x)
    return keras.Model({"t2": t2, "t1": t1}, keras.layers.Add()([t2, x]))


@pytest.mark.backend
def test_a_network_of_ones_own_trains_and_comes_back(pair, tmp_path):
    model = GuidedSRModel(own_network(), precision="float32")
    model.fit_external([pair], scale=2, stages=2, max_steps=1, batch_size=4, verbose=0)
    wanted = model.predict_cascade(*pair)
    folder = model.save_preset(tmp_path / "own")
    with pytest.raises(UsageError, match="pass that network as backbone="):
        GuidedSRModel.from_preset(folder)
    again = GuidedSRModel.from_preset(folder, backbone=own_network())
    np.testing.assert_allclose(again.predict_cascade(*pair), wanted, atol=1e-3)


def test_a_network_of_ones_own_that_does_not_fit_is_refused():
    t2 = keras.Input((None, None, 1), name="t2")
    half = keras.layers.Conv2D(1, 3, strides=2, padding="same")(t2)
    with pytest.raises(UsageError, match="inputs"):
        GuidedSRModel(keras.Model({"t2": t2}, half), guided=True)
    with pytest.raises(UsageError, match="keep the image size"):
        GuidedSRModel(keras.Model({"t2": t2}, half), guided=False)


def test_bfloat16_is_close_to_float32(trained, pair, tmp_path):
    folder = trained.save_preset(tmp_path / "mine")
    rounded = GuidedSRModel.from_preset(folder, precision="bfloat16")
    assert rounded.dtype == "mixed_bfloat16"
    out, wanted = rounded.predict_cascade(*pair), trained.predict_cascade(*pair)
    assert out.dtype == np.float32
    assert np.abs(out - wanted).max() < 0.01 * wanted.max()


# --- Presets ---


@pytest.mark.backend
def test_a_preset_gives_equal_outputs(trained, preset, pair):
    again = GuidedSRModel.from_preset(preset, precision="float32")
    np.testing.assert_array_equal(
        again.predict_cascade(*pair), trained.predict_cascade(*pair)
    )
    assert again.scale == (2.0, 2.0)
    assert again.stages == 2
    assert again.name == "mine"
    assert set(again.weights) == {"stage_1.weights.h5", "stage_2.weights.h5"}
    assert verify_preset(preset) == again.weights


@pytest.mark.backend
def test_the_probe_of_a_preset_is_repeated(preset):
    again = GuidedSRModel.from_preset(str(preset), precision="float32")
    assert probe_error(again.probe(), again.metadata["probe"]) <= TOLERANCE


def test_the_probe_is_made_in_float32_whatever_the_precision(preset, tmp_path):
    rounded = GuidedSRModel.from_preset(preset, precision="bfloat16")
    folder = rounded.save_preset(tmp_path / "again")
    exact = GuidedSRModel.from_preset(folder, precision="float32")
    assert probe_error(exact.probe(), exact.metadata["probe"]) <= TOLERANCE


def test_a_preset_of_half_precision_has_a_probe_of_its_own(trained, pair, tmp_path):
    folder = trained.save_preset(tmp_path / "half", half=True)
    again = GuidedSRModel.from_preset(folder, precision="float32")
    assert again.metadata["weights_dtype"] == "float16"
    assert probe_error(again.probe(), again.metadata["probe"]) <= TOLERANCE
    wanted = trained.predict_cascade(*pair)
    out = again.predict_cascade(*pair)
    assert 0.0 < np.abs(out - wanted).max() < 1e-3 * wanted.max()


@pytest.mark.parametrize("epsilon", [0.01, "auto"])
def test_all_settings_travel_with_a_preset(tiny, trained, tmp_path, epsilon):
    model = GuidedSRModel(
        back_projection=BackProjection("exact", epsilon=epsilon),
        stage_blur=3.0,
        precision="float32",
        **tiny,
    )
    model.networks, model.scale = trained.networks, (2.0, 2.0)
    with pytest.warns(GuidedSRWarning, match="does not compose"):
        folder = model.save_preset(tmp_path / "set", metadata={"licence": "CC BY 4.0"})
    again = GuidedSRModel.from_preset(folder, precision="float32")
    assert again.back_projection == model.back_projection
    assert again.stage_blur == 3.0
    assert again.options == tiny
    assert again.metadata["licence"] == "CC BY 4.0"
    assert again.metadata["parameters"] == trained.networks[0].count_params()


def test_a_preset_is_replaced_by_force_only(trained, preset):
    with pytest.raises(CannotCreateError, match="preset already"):
        trained.save_preset(preset)
    trained.save_preset(preset, force=True)


def edited(preset, **changes):
    path = preset / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return preset


def refused(preset, message, named):
    with pytest.raises(WeightsError, match=message) as refusal:
        GuidedSRModel.from_preset(preset)
    assert named in str(refusal.value)


def test_one_flipped_byte_is_refused(preset):
    path = preset / "stage_2.weights.h5"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    refused(preset, "sha256", "stage_2.weights.h5")


def test_weights_that_are_no_numbers_are_refused(preset, tiny):
    network = GRDN(**tiny)
    network.set_weights([np.full_like(w, np.nan) for w in network.get_weights()])
    path = preset / "stage_1.weights.h5"
    save_weights(network, path)
    digests = json.loads((preset / "config.json").read_text())["weights"]
    digests[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    refused(edited(preset, weights=digests), "NaN", "stage_1.weights.h5")


def test_a_missing_file_is_refused(preset):
    (preset / "stage_1.weights.h5").unlink()
    refused(preset, "missing", "stage_1.weights.h5")


@pytest.mark.parametrize("change", [{"filters": 4}, {"blocks": 2}, {"growth": 4}])
def test_weights_of_another_architecture_are_refused(preset, tiny, change):
    backbone = {"name": "grdn", "options": {**tiny, **change}}
    refused(edited(preset, backbone=backbone), "do not fit", "stage_1.weights.h5")


def test_a_guide_that_the_weights_do_not_know_is_refused(preset):
    refused(edited(preset, guided=False), "do not fit", "stage_1.weights.h5")


def test_an_unknown_key_is_refused(preset):
    refused(edited(preset, surprise=1), "surprise", "config.json")


def test_an_unknown_preset_lists_the_known_names():
    with pytest.raises(UnknownPresetError, match="no preset 'grdn_t2_x99'") as refusal:
        GuidedSRModel.from_preset("grdn_t2_x99")
    for name in list_presets():
        assert name in str(refusal.value)
    assert GuidedSRModel.presets() == list_presets()


@pytest.mark.parametrize("name", list(filter(find_preset, list_presets())))
def test_every_preset_that_is_here_passes_its_probe(name):
    model = GuidedSRModel.from_preset(name, precision="float32")
    assert model.metadata["probe"]
    error = probe_error(model.probe(), model.metadata["probe"])
    print(f"{name}: probe off by {error:.1e}")
    assert error <= TOLERANCE
    assert locate_preset(name).name == model.name == name


INTERNAL = {
    "max_steps": 4,
    "steps_per_epoch": 2,
    "batch_size": 2,
    "patch_size": 16,
    "verbose": 0,
}


@pytest.mark.backend
@pytest.mark.parametrize("guided", [True, False])
def test_internal_learning_knows_nothing_but_the_slice(small_head, tiny, guided):
    low = degrade(small_head.t2[1], 2)
    t1 = small_head.t1[1] if guided else None
    model = GuidedSRModel(guided=guided, precision="float32", **tiny)
    histories = model.fit_internal(low, t1, 2, 2, **INTERNAL)
    assert len(histories) == model.stages == 2
    for history in histories:
        assert np.isfinite(history.history["residual"]).all()
    assert model.predict_cascade(low, t1).shape == (48, 48)


def test_internal_learning_lowers_the_residual(small_head, tiny):
    low = degrade(small_head.t2[1], 2)
    model = GuidedSRModel(precision="float32", **tiny)
    (history,) = model.fit_internal(
        low, small_head.t1[1], 2, 1, **{**INTERNAL, "max_steps": 60}
    )
    residual = history.history["residual"]
    assert min(residual[-3:]) < 0.9 * residual[0]


def test_internal_learning_ends_when_the_residual_stands_still(small_head, tiny):
    model = GuidedSRModel(precision="float32", **tiny)
    (history,) = model.fit_internal(
        degrade(small_head.t2[1], 2),
        small_head.t1[1],
        2,
        1,
        **{**INTERNAL, "max_steps": 400, "learning_rate": 1e-9},
    )
    assert len(history.epoch) < 20


def test_internal_learning_ends_when_its_time_is_over(small_head, tiny):
    model = GuidedSRModel(precision="float32", **tiny)
    (history,) = model.fit_internal(
        degrade(small_head.t2[1], 2),
        small_head.t1[1],
        2,
        1,
        max_seconds=1e-3,
        **{**INTERNAL, "max_steps": 400},
    )
    assert len(history.epoch) == 1


def test_internal_learning_tells_its_bounds_and_what_it_took(small_head, tiny, capsys):
    model = GuidedSRModel(precision="float32", **tiny)
    pair = degrade(small_head.t2[1], 2), small_head.t1[1]
    model.fit_internal(*pair, 2, 1, max_seconds=60, **{**INTERNAL, "verbose": 2})
    text = capsys.readouterr().out
    assert "1 stage of at most 4 steps, 60 s in all" in text
    assert "stage 1 of 1: 4 steps, residual 0.0" in text


def test_refinement_starts_from_the_external_weights(trained, small_head, tiny):
    low = degrade(small_head.t2[1], 2)
    model = GuidedSRModel(precision="float32", **tiny)
    options = {**INTERNAL, "learning_rate": 1e-12}
    model.fit_internal(low, small_head.t1[1], init=trained, **options)
    assert model.stages == trained.stages
    assert model.scale == trained.scale
    for one, other in zip(model.networks, trained.networks, strict=True):
        for x, y in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(x, y, atol=1e-6)


def test_refinement_keeps_no_weights_that_make_its_own_slices_worse(
    trained, small_head, tiny, capsys
):
    low = degrade(small_head.t2, 2)
    model = GuidedSRModel(precision="float32", **tiny)
    options = {**INTERNAL, "learning_rate": 0.5, "max_seconds": None, "verbose": 2}
    histories = model.fit_internal(low, small_head.t1, init=trained, **options)
    kept = [one["weights"] for one in model.learnt["own_slices"]]
    assert kept == ["old"] * len(histories)
    for one, other in zip(model.networks, trained.networks, strict=True):
        for x, y in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(x, y)
    assert model.learnt["learnt_with"]["loss"] == "l1"
    assert "stage 1 of 2: its own slices " in capsys.readouterr().out


def test_refinement_goes_on_with_what_the_preset_has_learnt_with(
    trained, small_head, tiny, tmp_path, monkeypatch
):
    noted = {"learnt_with": {"loss": "l2", "guide_noise": 0.06}}
    folder = trained.save_preset(tmp_path / "preset", metadata=noted)
    model, seen = GuidedSRModel(precision="float32", **tiny), []
    monkeypatch.setattr(model, "_fit", lambda _, options, *a, **k: seen.append(options))
    low = degrade(small_head.t2, 2)
    model.fit_internal(low, small_head.t1, init=folder, verbose=0)
    assert (seen[0].loss, seen[0].guide_noise, seen[0].max_steps) == ("l2", 0.06, 400)


def test_refinement_starts_from_a_preset_folder(trained, small_head, tiny, tmp_path):
    folder = trained.save_preset(tmp_path / "preset")
    model = GuidedSRModel(precision="bfloat16", **tiny)
    pair = degrade(small_head.t2[1], 2), small_head.t1[1]
    model.fit_internal(*pair, init=folder, **INTERNAL)
    assert model.stages == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"filters": 4}, "another network"),
        ({"stages": 1}, "has 2 stages, not 1"),
        ({"scale": 4}, r"trained for scale 2, not 4"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(
    trained, small_head, tiny, change, message
):
    asked = {k: change.pop(k) for k in ("stages", "scale") if k in change}
    model = GuidedSRModel(precision="float32", **{**tiny, **change})
    with pytest.raises(UsageError, match=message):
        model.fit_internal(small_head.t2, small_head.t1, init=trained, **asked)


def test_internal_learning_wants_a_scale(small_head, tiny):
    with pytest.raises(UsageError, match="no scale to learn"):
        GuidedSRModel(**tiny).fit_internal(small_head.t2, small_head.t1)


@pytest.mark.backend
@pytest.mark.parametrize("stages", [1, 2])
def test_supervised_learning_takes_fine_t2s(small_head, tiny, stages):
    model = GuidedSRModel(precision="float32", **tiny)
    histories = model.fit_supervised(
        [(small_head.t2, small_head.t1)], 2, stages, **INTERNAL
    )
    assert len(histories) == stages
    low = degrade(small_head.t2, 2)
    assert model.predict_cascade(low, small_head.t1).shape == small_head.t2.shape


@pytest.mark.parametrize("name", ["dcsrn", "mdcsrn_gan", "recnn", "srcnn", "zssr"])
def test_every_network_of_the_zoo_trains_and_is_saved(name, small_head, tmp_path):
    model = GuidedSRModel(name, precision="float32")
    t1 = small_head.t1 if model.guided else None
    assert model.guided is (name == "recnn")
    options = {**INTERNAL, "max_steps": 2}
    low = degrade(small_head.t2, 2)
    model.fit_internal(low[1], None if t1 is None else t1[1], 2, 1, **options)
    model.fit_supervised([(small_head.t2, t1)], 2, **options)
    model.fit_external([(low, t1)], 2, 1, **options)
    folder = model.save_preset(tmp_path / name)
    twin = GuidedSRModel.from_preset(folder, precision="float32")
    np.testing.assert_array_equal(
        twin.predict_cascade(low, t1), model.predict_cascade(low, t1)
    )


def test_the_zoo_is_listed():
    zoo = {"grdn", "srcnn", "dcsrn", "mdcsrn_gan", "recnn", "zssr"}
    assert zoo <= set(GuidedSRModel.backbones())


def test_a_regularisation_left_open_is_a_number_in_training(random_model):
    """So that a start with either is the same start, and a checkpoint fits both."""
    left = random_model((2.0, 2.0), back_projection=BackProjection("exact", 1, "auto"))
    start = Start(left.networks, left.scale, left.back_projection)
    exact = BackProjection("exact")
    assert start.check(left.build, None, None, exact) == (2.0, 2.0)
    with pytest.warns(GuidedSRWarning, match="has back-projection 'exact', this one"):
        start.check(left.build, None, None, BackProjection("ibp"))
