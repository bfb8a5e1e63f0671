"""Which number format the convolutions run in."""

from __future__ import annotations

import functools
from pathlib import Path

import keras

from guided_sr.errors import UsageError
from guided_sr.runtime.device import list_devices

PRECISIONS = ("auto", "float32", "bfloat16")


@functools.cache
def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 natively (AMX or AVX-512)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="ignore")
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags


def resolve_precision(precision: str = "auto") -> str:
    """Turn ``"auto"`` into a Keras dtype policy for this machine.

    Weights and every image stay float32; only the convolutions change.

    Args:
        precision: ``"auto"``, ``"float32"`` or ``"bfloat16"``. ``"auto"`` takes
            bfloat16 on a GPU, and on a CPU that has it with TensorFlow.

    Returns:
        ``"float32"`` or ``"mixed_bfloat16"``.

    Raises:
        UsageError: If the precision is unknown.
    """
    if precision not in PRECISIONS:
        raise UsageError(
            f"precision {precision!r} is unknown",
            mend=f"choose one of {', '.join(PRECISIONS)}",
        )
    if precision == "auto":
        gpu = bool(list_devices("gpu"))
        fast_cpu = keras.backend.backend() == "tensorflow" and cpu_has_bfloat16()
        precision = "bfloat16" if gpu or fast_cpu else "float32"
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"
