from __future__ import annotations

import numpy as np
import pytest

from guided_sr import GRDN
from guided_sr.errors import WeightsError
from guided_sr.networks.weights import load_weights, save_weights


@pytest.fixture
def saved(tiny, tmp_path):
    network, path = GRDN(**tiny), tmp_path / "stage_1.weights.h5"
    save_weights(network, path)
    return network, path


@pytest.mark.backend
def test_weights_come_back_bit_by_bit(saved, tiny):
    network, path = saved
    other = GRDN(**tiny)
    load_weights(other, path)
    for a, b in zip(network.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("change", [{"filters": 4}, {"blocks": 2}, {"guided": False}])
def test_weights_of_another_network_are_refused(saved, tiny, change):
    with pytest.raises(WeightsError, match="do not fit") as refusal:
        load_weights(GRDN(**{**tiny, **change}), saved[1])
    assert str(saved[1]) in str(refusal.value)


def test_weights_without_the_normalisation_are_refused(saved, tiny):
    with pytest.raises(WeightsError, match="do not fit"):
        load_weights(GRDN.paper(**tiny), saved[1])


def test_a_cut_file_is_refused(saved, tiny):
    path = saved[1]
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(WeightsError, match="damaged"):
        load_weights(GRDN(**tiny), path)


def test_a_missing_file_is_refused(tiny, tmp_path):
    with pytest.raises(WeightsError):
        load_weights(GRDN(**tiny), tmp_path / "none.weights.h5")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(saved, tiny, value):
    network, path = saved
    values = network.get_weights()
    values[2].flat[0] = value
    network.set_weights(values)
    save_weights(network, path)
    with pytest.raises(WeightsError, match="NaN or infinite") as refusal:
        load_weights(GRDN(**tiny), path)
    assert "stage_1.weights.h5" in str(refusal.value)
