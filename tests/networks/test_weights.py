from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest

from guided_sr import GRDN
from guided_sr.errors import WeightsError
from guided_sr.networks.weights import half_precision, load_weights, save_weights


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


@pytest.mark.backend
def test_weights_of_half_precision_come_back_rounded_as_float32(tiny, tmp_path):
    network, path = GRDN.paper(**tiny), tmp_path / "stage_1.weights.h5"
    save_weights(network, path, half=True)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    other = GRDN.paper(**tiny)
    load_weights(other, path)
    pairs = zip(network.get_weights(), other.get_weights(), strict=True)
    for exact, rounded in pairs:
        assert rounded.dtype == np.float32
        np.testing.assert_array_equal(rounded, exact.astype(np.float16))
    expected = half_precision(network)
    for a, b in zip(expected, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_half_precision_takes_half_the_space(tmp_path):
    network = GRDN(blocks=1, convolutions=2)
    whole, half = (tmp_path / f"{name}.weights.h5" for name in ("whole", "half"))
    save_weights(network, whole)
    save_weights(network, half, half=True)
    assert half.stat().st_size < 0.55 * whole.stat().st_size


def test_a_weight_too_large_for_half_precision_is_refused(saved, tmp_path):
    network = saved[0]
    values = network.get_weights()
    values[2].flat[0] = 1e5
    network.set_weights(values)
    path = tmp_path / "half.weights.h5"
    with pytest.raises(WeightsError, match=r"1e\+05 is too large.*half\.weights\.h5"):
        save_weights(network, path, half=True)
    assert not path.exists()


@pytest.mark.parametrize("change", [{"filters": 4}, {"blocks": 2}, {"guided": False}])
def test_weights_of_another_network_are_refused(saved, tiny, change):
    with pytest.raises(WeightsError, match="do not fit") as refusal:
        load_weights(GRDN(**{**tiny, **change}), saved[1])
    assert str(saved[1]) in str(refusal.value)


def test_weights_without_the_normalisation_are_refused(saved, tiny):
    with pytest.raises(WeightsError, match="do not fit"):
        load_weights(GRDN.paper(**tiny), saved[1])


@pytest.mark.parametrize("half", [False, True])
def test_a_cut_file_is_refused(saved, tiny, half):
    network, path = saved
    save_weights(network, path, half=half)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(WeightsError, match="damaged"):
        load_weights(GRDN(**tiny), path)


def test_a_missing_file_is_refused(tiny, tmp_path):
    with pytest.raises(WeightsError):
        load_weights(GRDN(**tiny), tmp_path / "none.weights.h5")


def test_a_link_to_another_file_is_refused(saved, tiny, tmp_path):
    path, other = saved[1], tmp_path / "other.h5"
    shutil.copy(path, other)
    with h5py.File(path, "a") as file:
        del file["layers"]
        file["layers"] = h5py.ExternalLink(str(other), "layers")
    with pytest.raises(WeightsError, match=r"stage_1\.weights\.h5"):
        load_weights(GRDN(**tiny), path)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(saved, tiny, value, half):
    network, path = saved
    values = network.get_weights()
    values[2].flat[0] = value
    network.set_weights(values)
    save_weights(network, path, half=half)
    with pytest.raises(WeightsError, match="NaN or infinite") as refusal:
        load_weights(GRDN(**tiny), path)
    assert "stage_1.weights.h5" in str(refusal.value)
