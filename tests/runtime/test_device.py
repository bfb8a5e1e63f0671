from __future__ import annotations

import keras
import pytest
from keras.ops import convert_to_numpy as to_numpy

from guided_sr.errors import UsageError
from guided_sr.runtime import device_scope, list_devices


@pytest.mark.backend
def test_there_is_always_a_processor():
    assert "cpu:0" in list_devices("cpu")


@pytest.mark.backend
@pytest.mark.parametrize("device", ["auto", "cpu", "cpu:0"])
def test_keras_works_on_the_device_asked_for(device):
    with device_scope(device):
        assert to_numpy(keras.ops.ones((2,)) + 1).tolist() == [2, 2]


@pytest.mark.backend
@pytest.mark.parametrize("device", ["gpu:99", "tpu", "cpu:7", "", "cuda"])
def test_a_device_that_is_not_there_lists_those_that_are(device):
    with pytest.raises(UsageError, match=r"auto, cpu:0"):
        device_scope(device)
