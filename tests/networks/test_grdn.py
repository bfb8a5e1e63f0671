from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy

from guided_sr import GRDN

pytestmark = pytest.mark.backend

SIZES = [16, 20, 17, 33]
FORMS = {
    "guided": {},
    "unguided": {"guided": False},
    "paper": {"normalization": "batch"},
}
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())


@pytest.fixture
def feed(images):
    def make(network, h=16, w=16):
        pair = {"t2": images(h, w), "t1": images(h, w, seed=1)}
        return {name: pair[name] for name in network.input}

    return make


@every_form
def test_any_size_goes_through_one_network(form, tiny, feed):
    network = GRDN(**tiny, **form)
    for size in SIZES:
        out = network(feed(network, size, 20))
        assert tuple(out.shape) == (2, size, 20, 1)


@every_form
def test_predict_takes_any_size_too(form, tiny, feed):
    network = GRDN(**tiny, **form)
    for size in SIZES:
        inputs = feed(network, size, 20)
        out = network.predict(inputs, verbose=0)
        np.testing.assert_allclose(out, to_numpy(network(inputs)), atol=1e-5)


@every_form
def test_a_network_comes_back_from_its_config(form, tiny, feed, round_trip):
    network = GRDN(**tiny, **form)
    again = round_trip(network)
    assert isinstance(again, GRDN)
    assert again.get_config() == network.get_config()
    again.set_weights(network.get_weights())
    inputs = feed(network)
    np.testing.assert_allclose(
        to_numpy(again(inputs)), to_numpy(network(inputs)), atol=1e-6
    )


@every_form
def test_weights_go_through_a_file(form, tiny, feed, tmp_path):
    network, other = GRDN(**tiny, **form), GRDN(**tiny, **form)
    network.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5")
    inputs = feed(network)
    np.testing.assert_allclose(
        to_numpy(other(inputs)), to_numpy(network(inputs)), atol=1e-6
    )


@every_form
def test_one_compiled_step_trains_everything(form, tiny, feed, learns):
    network = GRDN(**tiny, **form)
    learns(network, feed(network), np.ones((2, 16, 16, 1), np.float32))


@every_form
def test_mixed_precision_gives_float32(form, tiny, feed):
    network = GRDN(**tiny, **form, dtype="mixed_bfloat16")
    out = network(feed(network))
    assert keras.backend.standardize_dtype(out.dtype) == "float32"
    assert {w.dtype for w in network.weights} <= {"float32"}
    trunk = network.get_layer("trunk")
    assert trunk.compute_dtype == "bfloat16"


def test_mixed_precision_stays_close_to_float32(tiny, feed):
    network, rounded = GRDN(**tiny), GRDN(**tiny, dtype="mixed_bfloat16")
    rounded.set_weights(network.get_weights())
    inputs = feed(network, 20, 24)
    apart = to_numpy(rounded(inputs)) - to_numpy(network(inputs))
    assert np.abs(apart).max() < 2e-3


def test_mixed_precision_survives_the_config(tiny, round_trip):
    again = round_trip(GRDN(**tiny, dtype="mixed_bfloat16"))
    for name in ("trunk", "guidance_branch", "reconstruction"):
        assert again.get_layer(name).dtype_policy.name == "mixed_bfloat16"
    assert again.get_config() == GRDN.from_config(again.get_config()).get_config()


def test_a_network_is_cloned_with_its_precision(tiny):
    clone = keras.models.clone_model(GRDN(**tiny, dtype="mixed_bfloat16"))
    assert clone.get_layer("trunk").compute_dtype == "bfloat16"


def test_inputs_go_by_name_and_not_by_position(tiny, feed):
    network = GRDN(**tiny)
    inputs = feed(network)
    turned = dict(reversed(inputs.items()))
    assert list(turned) != list(inputs)
    out = to_numpy(network(inputs))
    np.testing.assert_array_equal(to_numpy(network(turned)), out)
    np.testing.assert_allclose(network.predict(turned, verbose=0), out, atol=1e-6)
    swapped = {"t2": inputs["t1"], "t1": inputs["t2"]}
    assert np.abs(to_numpy(network(swapped)) - out).max() > 0.1


def test_the_guide_reaches_the_output(tiny, feed):
    network = GRDN(**tiny)
    inputs = feed(network)
    out = to_numpy(network(inputs))
    inputs["t1"] = 1 - inputs["t1"]
    assert np.abs(to_numpy(network(inputs)) - out).max() > 0


def test_an_untrained_network_gives_nearly_the_interpolated_image(tiny, feed):
    network = GRDN(**tiny)
    inputs = feed(network)
    assert np.abs(to_numpy(network(inputs)) - inputs["t2"]).max() < 0.1


def test_the_paper_form_is_batch_normalised(tiny):
    network = GRDN.paper(**tiny)
    assert network.normalization == "batch"
    kinds = {type(x).__name__ for x in network._flatten_layers()}
    assert "BatchNormalization" in kinds
    plain = {type(x).__name__ for x in GRDN(**tiny)._flatten_layers()}
    assert "BatchNormalization" not in plain


def test_the_default_network_has_the_size_that_the_figures_were_made_with():
    assert 450_000 < GRDN().count_params() < 460_000


def keys_of(path):
    found = []
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.append(name) if isinstance(item, h5py.Dataset) else None
            )
        )
    return sorted(found)


def test_weights_are_stored_under_attribute_names(tiny, tmp_path):
    """Keras numbers plain top-level layers in graph order, which can swap branches."""
    network = GRDN(**tiny)
    network.save_weights(tmp_path / "a.weights.h5")
    keys = keys_of(tmp_path / "a.weights.h5")
    assert len(keys) == len(network.weights)
    tops = {tuple(key.split("/")[:2]) for key in keys}
    assert tops == {
        ("layers", "grd_trunk"),
        ("layers", "guidance_branch"),
        ("layers", "reconstruction"),
    }
    assert "layers/guidance_branch/head/convolution/vars/0" in keys
    assert "layers/grd_trunk/shallow_1/convolution/vars/0" in keys


def test_an_extra_layer_does_not_move_the_weights(tiny, feed, tmp_path):
    network = GRDN(**tiny)
    network.save_weights(tmp_path / "a.weights.h5")
    t2, t1 = (keras.Input((None, None, 1), name=name) for name in ("t2", "t1"))
    twin = GRDN(**tiny)
    branch, trunk, last = (
        twin.get_layer(name) for name in ("guidance_branch", "trunk", "reconstruction")
    )
    positive = keras.layers.ReLU()(keras.layers.Identity()(t1))
    out = last([t2, trunk([t2, *branch(positive)])])
    longer = keras.Model({"t1": t1, "t2": t2}, out)
    longer.load_weights(tmp_path / "a.weights.h5")
    inputs = feed(network)
    np.testing.assert_allclose(
        to_numpy(longer(inputs)), to_numpy(network(inputs)), atol=1e-6
    )


@pytest.mark.parametrize("form", [{}, {"blocks": 2}, {"blocks": 3, "convolutions": 1}])
def test_an_input_reaches_as_far_as_the_network_says(form, tiny, feed):
    network = GRDN(**{**tiny, **form})
    inputs = feed(network, 48, 48)
    before = to_numpy(network(inputs))[0, ..., 0]
    reach = 0
    for name in ("t2", "t1"):
        touched = {key: value.copy() for key, value in inputs.items()}
        touched[name][0, 24, 24] += 100.0
        after = to_numpy(network(touched))[0, ..., 0]
        rows, columns = np.nonzero(np.abs(after - before) > 0)
        reach = max(reach, np.abs(rows - 24).max(), np.abs(columns - 24).max())
    assert reach <= network.receptive_radius
    assert reach >= network.receptive_radius - 1
