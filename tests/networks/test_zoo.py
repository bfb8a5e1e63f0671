"""What every network of the registry must keep, and what each is known by."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy

from guided_sr.networks.dcsrn import DCSRN
from guided_sr.networks.mdcsrn_gan import MDCSRN, Critic
from guided_sr.networks.recnn import ReCNN
from guided_sr.networks.registry import _ZOO, backbone_names, build_backbone
from guided_sr.networks.srcnn import SRCNN
from guided_sr.networks.zssr import ZSSRNet

pytestmark = pytest.mark.backend

SMALL = {
    "dcsrn": {"units": 2, "growth": 4},
    "grdn": {"blocks": 1, "convolutions": 2, "filters": 8, "growth": 8},
    "mdcsrn_gan": {"blocks": 2, "units": 2, "growth": 4},
    "recnn": {"depth": 4, "filters": 8},
    "srcnn": {"filters": [8, 4]},
    "zssr": {"hidden_layers": 3, "filters": 8},
}
OLDER = ["dcsrn", "mdcsrn_gan", "srcnn"]
FORMS = [
    *((name, {}) for name in SMALL),
    *((name, {"residual": False}) for name in OLDER),
    *((name, {"normalization": None}) for name in ("dcsrn", "mdcsrn_gan")),
    ("grdn", {"normalization": "batch"}),
    ("srcnn", {"kernel_sizes": [9, 1, 5]}),
]
IDS = ["-".join([name, *(f"{k}={v}" for k, v in form.items())]) for name, form in FORMS]
every_form = pytest.mark.parametrize(("name", "form"), FORMS, ids=IDS)
every_name = pytest.mark.parametrize("name", SMALL)
guided_or_not = pytest.mark.parametrize("guided", [True, False])


def build(name, form=None, *, guided=True, dtype="float32"):
    options = {**SMALL[name], **(form or {})}
    return build_backbone(name, guided=guided, dtype=dtype, options=options)


@pytest.fixture
def feed(images):
    def make(network, h=16, w=20, n=2):
        pair = {"t2": images(h, w, n=n), "t1": images(h, w, n=n, seed=1)}
        return {name: pair[name] for name in network.input}

    return make


def test_the_zoo_is_what_is_tested_here():
    assert set(backbone_names()) >= set(SMALL) == set(_ZOO)


@every_form
@guided_or_not
def test_any_size_goes_through_one_network(name, form, guided, feed):
    network = build(name, form, guided=guided)
    assert set(network.input) == ({"t2", "t1"} if guided else {"t2"})
    for size in (16, 17, 20, 33):
        out = network(feed(network, size, 20))
        assert tuple(out.shape) == (2, size, 20, 1)
        assert keras.backend.standardize_dtype(out.dtype) == "float32"


@every_name
def test_predict_takes_any_size_too(name, feed):
    network = build(name)
    for size in (16, 17, 33):
        inputs = feed(network, size)
        out = network.predict(inputs, verbose=0)
        np.testing.assert_allclose(out, to_numpy(network(inputs)), atol=1e-5)


@every_form
@guided_or_not
def test_a_network_comes_back_from_its_config(name, form, guided, feed, round_trip):
    network = build(name, form, guided=guided)
    again = round_trip(network)
    assert type(again) is type(network)
    assert again.get_config() == network.get_config()
    again.set_weights(network.get_weights())
    inputs = feed(network)
    np.testing.assert_allclose(
        to_numpy(again(inputs)), to_numpy(network(inputs)), atol=1e-6
    )


@every_form
def test_weights_go_through_a_file_under_names_of_their_own(name, form, feed, tmp_path):
    network, other = build(name, form), build(name, form)
    path = tmp_path / "a.weights.h5"
    network.save_weights(path)
    other.load_weights(path)
    inputs = feed(network)
    np.testing.assert_allclose(
        to_numpy(other(inputs)), to_numpy(network(inputs)), atol=1e-6
    )
    keys = []
    with h5py.File(path) as file:
        file.visititems(
            lambda key, item: (
                keys.append(key) if isinstance(item, h5py.Dataset) else None
            )
        )
    assert len(keys) == len(network.weights)
    tops = [type(layer).__name__ for layer in network.layers if layer.weights]
    assert len(set(tops)) == len(tops), "Keras numbers layers of one class by position"
    assert len({key.split("/")[1] for key in keys}) == len(tops)


@every_form
def test_one_compiled_step_trains_everything(name, form, feed, learns):
    network = build(name, form)
    learns(network, feed(network), np.ones((2, 16, 20, 1), np.float32))


@every_form
def test_mixed_precision_keeps_weights_and_image_float32(name, form, feed, round_trip):
    network = build(name, form, dtype="mixed_bfloat16")
    inputs = feed(network)
    out = network(inputs)
    assert keras.backend.standardize_dtype(out.dtype) == "float32"
    assert {w.dtype for w in network.weights} <= {"float32"}
    assert network.get_layer("trunk").compute_dtype == "bfloat16"
    plain = build(name, form)
    plain.set_weights(network.get_weights())
    np.testing.assert_allclose(to_numpy(out), to_numpy(plain(inputs)), atol=0.1)
    assert round_trip(network).get_layer("trunk").compute_dtype == "bfloat16"


@pytest.mark.parametrize("name", sorted(SMALL.keys() - {"grdn"}))
def test_the_last_layer_runs_in_float32(name, feed):
    network = build(name, dtype="mixed_bfloat16")
    last = network.get_layer("reconstruction")
    assert last.dtype_policy.name == "float32"
    assert {layer.compute_dtype for layer in last._layers} == {"float32"}


@every_form
def test_inputs_go_by_name_and_not_by_position(name, form, feed):
    network = build(name, form)
    inputs = feed(network)
    turned = dict(reversed(inputs.items()))
    assert list(turned) != list(inputs)
    out = to_numpy(network(inputs))
    np.testing.assert_array_equal(to_numpy(network(turned)), out)
    swapped = {"t2": inputs["t1"], "t1": inputs["t2"]}
    assert np.abs(to_numpy(network(swapped)) - out).max() > 0.01


@every_form
def test_the_guide_reaches_the_output(name, form, feed):
    network = build(name, form)
    inputs = feed(network)
    out = to_numpy(network(inputs))
    inputs["t1"] = 1 - inputs["t1"]
    assert np.abs(to_numpy(network(inputs)) - out).max() > 0


@every_name
def test_an_untrained_network_gives_nearly_the_interpolated_image(name, feed):
    network = build(name)
    inputs = feed(network)
    assert np.abs(to_numpy(network(inputs)) - inputs["t2"]).max() < 0.1


@pytest.mark.parametrize("name", OLDER)
def test_the_published_form_gives_the_image_itself(name, feed):
    network = build(name, {"residual": False}, guided=False)
    inputs = {"t2": np.zeros((1, 16, 20, 1), np.float32)}
    assert np.abs(to_numpy(network(inputs))).max() == 0
    inputs["t2"] += 1
    assert np.abs(to_numpy(network(inputs)) - 1).max() > 0.01


@every_form
def test_an_input_reaches_as_far_as_the_network_says(name, form, feed):
    network = build(name, form)
    inputs = feed(network, 48, 48, n=1)
    before = to_numpy(network(inputs))[0, ..., 0]
    reach = 0
    for key in inputs:
        touched = {k: value.copy() for k, value in inputs.items()}
        touched[key][0, 24, 24] += 100.0
        after = to_numpy(network(touched))[0, ..., 0]
        rows, columns = np.nonzero(np.abs(after - before) > 0)
        reach = max(reach, np.abs(rows - 24).max(), np.abs(columns - 24).max())
    assert reach <= network.receptive_radius
    assert reach >= network.receptive_radius - (name == "grdn")


@every_name
def test_only_recnn_and_the_proposed_network_are_guided_by_default(name):
    kind = _ZOO[name]
    assert kind.guided_by_default is (name in ("grdn", "recnn"))
    assert set(kind(**SMALL[name]).input) == (
        {"t2", "t1"} if kind.guided_by_default else {"t2"}
    )


def kernels(network):
    """Weights of the convolutions, without biases and normalisations."""
    return sum(int(np.prod(w.shape)) for w in network.weights if len(w.shape) == 4)


def in_three_dimensions(network):
    """As `kernels`, with every 3x3 kernel a 3x3x3 one."""
    return sum(
        int(np.prod(w.shape)) * (3 if w.shape[0] == 3 else 1)
        for w in network.weights
        if len(w.shape) == 4
    )


def test_srcnn_has_the_published_number_of_weights():
    assert kernels(SRCNN()) == 57_184
    assert kernels(SRCNN(kernel_sizes=(9, 1, 5))) == 8_032


def test_dcsrn_has_the_weights_of_its_architecture():
    k = 24
    units = sum(9 * (2 + unit) * k * k for unit in range(4))
    assert kernels(DCSRN()) == 9 * 2 * k + units + 9 * 6 * k
    assert in_three_dimensions(DCSRN()) == 222_912


def test_mdcsrn_has_the_weights_of_its_architecture():
    k = 16
    block = sum(9 * (2 + unit) * k * k for unit in range(4))
    compressors = (8 + 14 + 20) * k * 2 * k
    assert kernels(MDCSRN()) == 9 * 2 * k + 4 * block + compressors + 26 * k
    assert in_three_dimensions(MDCSRN()) == 409_856


def test_recnn_and_zssr_have_the_weights_of_their_layers():
    hidden = 9 * 64 * 64
    assert kernels(ReCNN()) == 9 * 2 * 64 + 8 * hidden + 9 * 64
    assert kernels(ZSSRNet()) == 9 * 64 + 7 * hidden + 9 * 64
    assert ReCNN().receptive_radius == 10


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (SRCNN, {"filters": (64,)}),
        (SRCNN, {"kernel_sizes": (9, 5)}),
        (DCSRN, {"normalization": "layer"}),
    ],
)
def test_impossible_options_are_refused(kind, wrong):
    with pytest.raises(ValueError, match=r"got"):
        kind(**wrong)


def test_the_critic_scores_patches_of_any_size(images, round_trip, tmp_path):
    critic = Critic(filters=4, hidden=8)
    again = round_trip(critic)
    critic.save_weights(tmp_path / "critic.weights.h5")
    again.load_weights(tmp_path / "critic.weights.h5")
    for size in (16, 17, 33):
        scores = critic(images(size, 20, n=3))
        assert tuple(scores.shape) == (3, 1)
        np.testing.assert_allclose(
            to_numpy(again(images(size, 20, n=3))), to_numpy(scores), atol=1e-5
        )


def test_the_critic_looks_at_each_image_for_itself(images):
    critic = Critic(filters=4, hidden=8)
    batch = images(16, 20, n=3)
    alone = np.concatenate([to_numpy(critic(batch[k : k + 1])) for k in range(3)])
    np.testing.assert_allclose(to_numpy(critic(batch)), alone, atol=1e-5)


def test_the_critic_has_the_published_convolutions():
    pairs = [(1, 64), (64, 64), (64, 128), (128, 128)]
    pairs += [(128, 256), (256, 256), (256, 512), (512, 512)]
    assert kernels(Critic()) == sum(9 * a * b for a, b in pairs)
