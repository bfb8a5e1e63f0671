"""The line an epoch that a training prints; loads Keras."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import keras

from guided_sr.cli.console import Console


def reporter(console: Console, checkpoints: Path, stages: int) -> Any:
    """A Keras callback that prints one line an epoch."""

    class Reporter(keras.callbacks.Callback):
        """Tell stage, epoch, loss, learning rate and the figures of validation."""

        def on_train_begin(self, logs: Any = None) -> None:
            done = (checkpoints / f"stage_{k}.weights.h5" for k in range(1, stages + 1))
            self.stage = 1 + sum(path.exists() for path in done)
            self.begun = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            figures = dict(logs or {})
            rate = float(self.model.optimizer.learning_rate)
            shown = [
                f"loss {figures.pop('loss', float('nan')):.5f}",
                f"rate {rate:.1e}",
            ]
            shown += [
                f"{name.removeprefix('val_')} {figures[name]:.4g}"
                for name in ("val_psnr", "val_psnr_ibp")
                if name in figures
            ]
            console.note(
                f"stage {self.stage} of {stages}, epoch {epoch + 1} of at most"
                f" {self.params['epochs']}: {', '.join(shown)},"
                f" {time.perf_counter() - self.begun:.0f} s"
            )

    return Reporter()
