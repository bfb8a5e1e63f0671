from __future__ import annotations

import keras
import pytest

from guided_sr import machine
from guided_sr.errors import UsageError
from guided_sr.runtime import precision, resolve_precision


def test_the_names_are_those_of_the_formats():
    assert resolve_precision("float32") == "float32"
    assert resolve_precision("bfloat16") == "mixed_bfloat16"


@pytest.mark.parametrize(
    ("gpus", "native", "backend", "wanted"),
    [
        (["gpu:0"], False, "jax", "mixed_bfloat16"),
        ([], True, "tensorflow", "mixed_bfloat16"),
        ([], True, "jax", "float32"),
        ([], False, "tensorflow", "float32"),
    ],
)
def test_auto_takes_what_is_fast_here(monkeypatch, gpus, native, backend, wanted):
    monkeypatch.setattr(precision, "list_devices", lambda kind: gpus)
    monkeypatch.setattr(machine, "cpu_has_bfloat16", lambda: native)
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    assert resolve_precision("auto") == wanted


def test_an_unknown_precision_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"float16.*auto, float32, bfloat16"):
        resolve_precision("float16")
