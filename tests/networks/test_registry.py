from __future__ import annotations

import keras
import numpy as np
import pytest

from guided_sr import GRDN
from guided_sr.errors import UsageError
from guided_sr.networks import registry
from guided_sr.networks.registry import (
    backbone_names,
    backbone_options,
    build_backbone,
    check_backbone,
    register_backbone,
)


def own_network(*, names=("t2", "t1"), strides=1, padding="same", channels=1):
    inputs = {name: keras.Input((None, None, 1), name=name) for name in names}
    joined = keras.layers.Concatenate()([*inputs.values(), *inputs.values()])
    out = keras.layers.Conv2D(channels, 3, strides=strides, padding=padding)(joined)
    return keras.Model(inputs, out)


@pytest.fixture
def names(monkeypatch):
    """Registrations of a test are forgotten after it."""
    monkeypatch.setattr(registry, "_BUILDERS", dict(registry._BUILDERS))


def test_grdn_is_registered(tiny):
    assert "grdn" in backbone_names()
    network = build_backbone("grdn", guided=False, dtype="float32", options=tiny)
    assert isinstance(network, GRDN)
    assert set(network.input) == {"t2"}


@pytest.mark.usefixtures("names")
def test_a_network_of_ones_own_can_be_registered():
    def builder(*, guided, dtype, names=("t2", "t1")):
        return own_network(names=names if guided else ("t2",))

    register_backbone("own", builder)
    register_backbone("own", builder)
    assert "own" in backbone_names()
    network = build_backbone("own", guided=True, dtype=None, options={})
    assert set(network.input) == {"t2", "t1"}


@pytest.mark.usefixtures("names")
def test_a_name_is_given_once():
    with pytest.raises(UsageError, match="'grdn' is taken"):
        register_backbone("grdn", lambda **options: None)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"no backbone 'unet'.*grdn"):
        build_backbone("unet", guided=True, dtype=None, options={})


@pytest.mark.backend
def test_a_model_is_cloned_for_each_stage():
    own = own_network()
    first, second = (
        build_backbone(own, guided=True, dtype=None, options={}) for _ in range(2)
    )
    assert first is not own
    assert set(first.input) == {"t2", "t1"}
    assert not np.array_equal(first.get_weights()[0], second.get_weights()[0])
    out = first({"t1": np.ones((1, 17, 20, 1)), "t2": np.ones((1, 17, 20, 1))})
    assert tuple(out.shape) == (1, 17, 20, 1)


@pytest.mark.parametrize(
    ("options", "guided", "message"),
    [
        ({"names": ("t2", "flair")}, True, r"inputs \['flair', 't2'\].*\['t1', 't2'\]"),
        ({"names": ("t2",)}, True, r"inputs \['t2'\].*\['t1', 't2'\]"),
        ({"names": ("t2", "t1")}, False, r"inputs \['t1', 't2'\].*\['t2'\]"),
        ({"strides": 2}, True, r"into \(2, 10, 12, 1\).*strides"),
        ({"padding": "valid"}, True, r"into \(2, 18, 22, 1\)"),
        ({"channels": 2}, True, r"into \(2, 20, 24, 2\)"),
    ],
)
def test_networks_that_do_not_fit_a_stage_are_refused(options, guided, message):
    with pytest.raises(UsageError, match=message):
        check_backbone(own_network(**options), guided=guided)


def test_inputs_without_names_are_refused():
    t2, t1 = (keras.Input((None, None, 1), name=name) for name in ("t2", "t1"))
    network = keras.Model([t2, t1], keras.layers.Add()([t2, t1]))
    with pytest.raises(UsageError, match="wanted is a mapping"):
        check_backbone(network, guided=True)


def test_a_model_of_ones_own_takes_no_options():
    with pytest.raises(UsageError, match="takes no options, got blocks"):
        build_backbone(own_network(), guided=True, dtype=None, options={"blocks": 1})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("srcnn", {"blocks": 1}, r"'srcnn' has no option 'blocks'.*filters, kernel_s"),
        ("grdn", {"depth": 1}, r"'grdn' has no option 'depth'.*blocks, convolutions"),
        ("zssr", {"filters": 4, "layers": 1}, r"no option 'layers'.*hidden_layers"),
    ],
)
def test_an_unknown_option_lists_those_of_the_network(name, options, message):
    with pytest.raises(UsageError, match=message):
        build_backbone(name, guided=False, dtype=None, options=options)


@pytest.mark.usefixtures("names")
def test_options_of_ones_own_builder_are_checked_where_they_are_named():
    def strict(*, guided, dtype):
        return own_network(names=("t2",))

    register_backbone("strict", strict)
    register_backbone("open", lambda *, guided, dtype, **rest: own_network(**rest))
    with pytest.raises(UsageError, match=r"no option 'depth'.*give none"):
        build_backbone("strict", guided=False, dtype=None, options={"depth": 1})
    options = {"names": ("t2",)}
    build_backbone("open", guided=False, dtype=None, options=options)


def test_options_of_a_network_can_be_asked_for():
    assert backbone_options("recnn") == ["depth", "filters"]


def test_a_network_of_one_size_is_refused():
    t2 = keras.Input((32, 32, 1), name="t2")
    network = keras.Model({"t2": t2}, keras.layers.Conv2D(1, 3, padding="same")(t2))
    with pytest.raises(UsageError, match=r"takes no images of \(2, 20, 24, 1\)"):
        check_backbone(network, guided=False)


def test_a_network_that_loses_odd_sizes_is_refused():
    t2 = keras.Input((None, None, 1), name="t2")
    x = keras.layers.UpSampling2D(2)(keras.layers.AveragePooling2D(2)(t2))
    network = keras.Model({"t2": t2}, x)
    with pytest.raises(UsageError, match=r"\(2, 17, 21, 1\) into \(2, 16, 20, 1\)"):
        check_backbone(network, guided=False)
