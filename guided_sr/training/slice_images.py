"""Slices of a training, shown by TensorBoard.

Written as event files without any framework, so that they come from every backend.
"""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import UsageError
from guided_sr.training.patches import LevelStack, training_inputs


class SliceImages(keras.callbacks.Callback):
    """Show at each epoch's end what the network makes of a slice, in TensorBoard.

    The middle slice of the first training subject, at the level of the stage: the
    network's input (the degraded T2, interpolated), its estimate and the target side
    by side, on the grey scale of the target.

    Args:
        log_dir: Folder of the event files; each stage has one of its own in it,
            ``stage_1`` and so on.

    Raises:
        UsageError: If TensorBoard is not installed.
    """

    def __init__(self, log_dir: str | os.PathLike[str]) -> None:
        super().__init__()
        require_tensorboard()
        self.log_dir = Path(log_dir)
        self._level: LevelStack | None = None
        self._stage = 0
        self._writer: Any = None

    def set_level(self, level: LevelStack, stage: int) -> None:
        """Take the slices of the coming stage."""
        self._level, self._stage = level, stage

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Open the event file of the stage."""
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._writer = EventFileWriter(str(self.log_dir / f"stage_{self._stage}"))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the picture, and the epoch's figures beside it."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        entries = [
            Summary.Value(tag=name, simple_value=float(value))
            for name, value in (logs or {}).items()
        ]
        if self._level is not None:
            grey = self._picture(self._level)
            image = Summary.Image(
                height=grey.shape[0],
                width=grey.shape[1],
                colorspace=1,
                encoded_image_string=_png(grey),
            )
            entries.append(Summary.Value(tag="input | estimate | target", image=image))
        event = Event(wall_time=time.time(), step=epoch, summary=Summary(value=entries))
        self._writer.add_event(event)
        self._writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the event file."""
        self._writer.close()

    def _picture(self, level: LevelStack) -> NDArray[np.uint8]:
        middle = len(level) // 2
        inputs = training_inputs(level, slice(middle, middle + 1))
        del inputs["observed"]
        estimate = keras.ops.convert_to_numpy(self.model(inputs, training=False))
        target = level.target[middle]
        shown = [keras.ops.convert_to_numpy(inputs["t2"])[0, ..., 0]]
        shown += [estimate[0, ..., 0], target]
        low, high = float(target.min()), float(target.max())
        row = (np.concatenate(shown, axis=1) - low) / max(high - low, 1e-6)
        return np.round(255 * np.clip(row, 0.0, 1.0)).astype(np.uint8)


def require_tensorboard() -> None:
    """Refuse where TensorBoard is not installed.

    Raises:
        UsageError: If it cannot be loaded.
    """
    try:
        import tensorboard.summary.writer.event_file_writer  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"TensorBoard cannot be loaded ({error})",
            mend='pip install "guided-sr[tensorboard]"',
        ) from error


def _png(grey: NDArray[np.uint8]) -> bytes:
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    imsave(buffer, grey, cmap="gray", vmin=0, vmax=255, format="png")
    return buffer.getvalue()
