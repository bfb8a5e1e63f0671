"""What the machine and its settings promise, before a framework is loaded.

A plan tells in which number format the convolutions will run. The choice is made here,
for the plan and for the run alike; only whether there is a GPU is not always known
before the framework has looked.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from pathlib import Path

__all__ = [
    "cpu_has_amx",
    "cpu_has_bfloat16",
    "fast_format",
    "foreseen_format",
    "keras_backend",
    "may_have_gpu",
]

_GPU_DEVICES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
_HIDDEN = ("", "-1")  # what CUDA_VISIBLE_DEVICES says where no GPU is to be seen


@functools.cache
def _cpu_flags() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="ignore")
    except OSError:
        return ""


def cpu_has_amx() -> bool:
    """Whether the processor multiplies matrices of bfloat16 in tiles (AMX)."""
    return "amx_bf16" in _cpu_flags()


def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 natively (AMX or AVX-512)."""
    return cpu_has_amx() or "avx512_bf16" in _cpu_flags()


def keras_backend() -> str:
    """The backend that Keras will take, by its own rules."""
    if "KERAS_BACKEND" in os.environ:
        return os.environ["KERAS_BACKEND"]
    home = os.environ.get("KERAS_HOME")
    folder = Path(home) if home else Path(os.path.expanduser("~")) / ".keras"
    try:
        settings = json.loads((folder / "keras.json").read_text("utf-8"))
        return str(settings.get("backend", "tensorflow"))
    except (OSError, ValueError, AttributeError):
        return "tensorflow"


def may_have_gpu() -> bool:
    """Whether a framework may find a GPU; no device file, no GPU, on Linux."""
    if sys.platform != "linux":
        return True
    if os.environ.get("CUDA_VISIBLE_DEVICES") in _HIDDEN:
        return os.path.exists("/dev/kfd")  # AMD's are hidden otherwise
    return any(map(os.path.exists, _GPU_DEVICES))


def fast_format(*, gpu: bool, backend: str) -> str:
    """What ``auto`` takes for the convolutions: ``"bfloat16"`` or ``"float32"``.

    Args:
        gpu: Whether there is a GPU to work on.
        backend: Of Keras; on a CPU, TensorFlow alone is faster in bfloat16.
    """
    fast_cpu = backend == "tensorflow" and cpu_has_bfloat16()
    return "bfloat16" if gpu or fast_cpu else "float32"


def foreseen_format(precision: str, device: str = "auto") -> str | None:
    """The number format that a run will take, if that is known by now.

    Args:
        precision: ``"auto"``, ``"float32"`` or ``"bfloat16"``.
        device: ``"auto"``, ``"cpu"``, ``"gpu"`` or ``"gpu:N"``.

    Returns:
        ``"float32"`` or ``"bfloat16"``; `None` where it depends on a GPU that only the
        framework can see.
    """
    if precision != "auto":
        return precision
    gpus = {False, may_have_gpu()} if device == "auto" else {device != "cpu"}
    backend = keras_backend()
    formats = {fast_format(gpu=gpu, backend=backend) for gpu in gpus}
    return formats.pop() if len(formats) == 1 else None
