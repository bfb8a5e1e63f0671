"""The lines that a training prints; loads Keras."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import keras

from guided_sr.cli.console import Console


class Reporter(keras.callbacks.Callback):
    """Prints a line an epoch: loss, learning rate and the figures watched.

    Args:
        console: Where to.
        checkpoints: Folder whose finished stages tell which one is under way.
        stages: Number of stages.
    """

    figures: tuple[tuple[str, str], ...] = (
        ("val_psnr", "psnr"),
        ("val_psnr_ibp", "psnr_ibp"),
        ("held_out_psnr_before", "held out before"),
        ("held_out_psnr", "now"),
    )

    def __init__(self, console: Console, checkpoints: Path, stages: int) -> None:
        super().__init__()
        self.console = console
        self.checkpoints = checkpoints
        self.stages = stages
        self.stage = 0
        self.begun = 0.0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Tell the stage."""
        numbers = range(1, self.stages + 1)
        done = (self.checkpoints / f"stage_{k}.weights.h5" for k in numbers)
        self.stage = 1 + sum(path.exists() for path in done)
        self.begun = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Print the line."""
        known = logs or {}
        rate = float(self.model.optimizer.learning_rate)
        shown = [f"loss {known.get('loss', float('nan')):.5f}", f"rate {rate:.1e}"]
        shown += [
            f"{title} {known[name]:.4g}"
            for name, title in self.figures
            if name in known
        ]
        self.console.note(
            f"stage {self.stage} of {self.stages}, epoch {epoch + 1} of at most"
            f" {self.params['epochs']}: {', '.join(shown)},"
            f" {time.perf_counter() - self.begun:.0f} s"
        )


class InternalReporter(Reporter):
    """Prints the residual an epoch, and what each stage took."""

    figures = (("residual", "residual"),)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Tell the stage."""
        super().on_train_begin(logs)
        self.epochs = 0
        self.residual = float("nan")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Print the line and keep the figures."""
        super().on_epoch_end(epoch, logs)
        self.epochs = epoch + 1
        self.residual = float((logs or {}).get("residual", float("nan")))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Print what the stage took."""
        self.console.note(
            f"stage {self.stage} of {self.stages}:"
            f" {self.epochs * int(self.params['steps'])} steps,"
            f" residual {self.residual:.4g},"
            f" {time.perf_counter() - self.begun:.0f} s"
        )
