"""Which number format the convolutions run in."""

from __future__ import annotations

import keras

from guided_sr.errors import UsageError
from guided_sr.machine import fast_format
from guided_sr.runtime.device import list_devices

PRECISIONS = ("auto", "float32", "bfloat16")


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
        gpu, backend = bool(list_devices("gpu")), keras.backend.backend()
        precision = fast_format(gpu=gpu, backend=backend)
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"
