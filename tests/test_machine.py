from __future__ import annotations

import pytest

from guided_sr import machine


@pytest.mark.parametrize(
    ("gpu", "native", "backend", "wanted"),
    [
        (True, False, "jax", "bfloat16"),
        (False, True, "tensorflow", "bfloat16"),
        (False, True, "jax", "float32"),
        (False, False, "tensorflow", "float32"),
    ],
)
def test_the_fast_format_is_that_of_the_device(
    monkeypatch, gpu, native, backend, wanted
):
    monkeypatch.setattr(machine, "cpu_has_bfloat16", lambda: native)
    assert machine.fast_format(gpu=gpu, backend=backend) == wanted


@pytest.mark.parametrize(
    ("precision", "device", "native", "gpu", "wanted"),
    [
        ("float32", "auto", True, True, "float32"),
        ("auto", "cpu", True, True, "bfloat16"),
        ("auto", "cpu", False, True, "float32"),
        ("auto", "gpu:1", False, True, "bfloat16"),
        ("auto", "auto", True, True, "bfloat16"),  # with either
        ("auto", "auto", False, False, "float32"),
        ("auto", "auto", False, True, None),
    ],
)
def test_a_format_is_foreseen_unless_a_gpu_decides(
    monkeypatch, precision, device, native, gpu, wanted
):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setattr(machine, "cpu_has_bfloat16", lambda: native)
    monkeypatch.setattr(machine, "may_have_gpu", lambda: gpu)
    assert machine.foreseen_format(precision, device) == wanted


def test_without_a_device_file_there_is_no_gpu_on_linux(monkeypatch):
    there: set[str] = set()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(machine.sys, "platform", "linux")
    monkeypatch.setattr(machine.os.path, "exists", lambda path: path in there)
    assert not machine.may_have_gpu()
    there.add("/dev/nvidia0")
    assert machine.may_have_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert not machine.may_have_gpu()
    monkeypatch.setattr(machine.sys, "platform", "darwin")
    assert machine.may_have_gpu()
