"""Learning-rate schedules. Their state is saved, so a resumed training goes on."""

from __future__ import annotations

import math
import time
from typing import Any

import keras


class StatefulCallback(keras.callbacks.Callback):
    """A callback whose state travels with the checkpoint."""

    def state(self) -> dict[str, Any]:
        """Plain data that brings the callback back."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state given by `state`."""


class PlateauSchedule(StatefulCallback):
    """The paper's rule: divide by 10 on a plateau, stop when too small.

    The running mean of the loss is looked at once an epoch (100 steps). If it
    has not fallen for ``patience`` epochs, the learning rate is divided by
    ``factor``; below ``minimum`` training stops (Iwamoto et al., III-A). Keras's
    own `ReduceLROnPlateau` forgets its counters on a restart; this one does not.

    Args:
        monitor: Figure of the logs that should fall.
        patience: Epochs without a lower figure before the rate falls.
        margin: Relative fall that counts as one.
        factor: Divisor of the learning rate.
        minimum: Learning rate below which training stops.
    """

    def __init__(
        self,
        *,
        monitor: str = "loss",
        patience: int = 10,
        margin: float = 0.0,
        factor: float = 10.0,
        minimum: float = 1e-6,
    ) -> None:
        super().__init__()
        self.monitor = monitor
        self.patience = patience
        self.margin = margin
        self.factor = factor
        self.minimum = minimum
        self.best = math.inf
        self.waited = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the epoch's figure."""
        figure = float((logs or {}).get(self.monitor, math.nan))
        if figure < self.best * (1.0 - self.margin):
            self.best, self.waited = figure, 0
            return
        self.waited += 1
        if self.waited < self.patience:
            return
        self.waited = 0
        optimizer = self.model.optimizer
        rate = float(optimizer.learning_rate) / self.factor
        if rate < self.minimum * (1 - 1e-6):
            self.model.stop_training = True
        else:
            optimizer.learning_rate = rate

    def state(self) -> dict[str, Any]:
        """Best figure and epochs waited."""
        best = self.best if math.isfinite(self.best) else None
        return {"best": best, "waited": self.waited}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up best figure and epochs waited."""
        best = state["best"]
        self.best = math.inf if best is None else float(best)
        self.waited = int(state["waited"])


class Stopwatch(StatefulCallback):
    """Log the seconds a stage has been trained for, interruptions left out.

    Args:
        limit: Seconds after which training stops, at an epoch's end; `None` for
            never.
    """

    def __init__(self, *, limit: float | None = None) -> None:
        super().__init__()
        self.limit = limit
        self.before = 0.0
        self.begun = time.perf_counter()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start."""
        self.begun = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return self.before + time.perf_counter() - self.begun

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the seconds, and stop when they are over."""
        if logs is not None:
            logs["seconds"] = round(self.seconds, 2)
        if self.limit is not None and self.seconds >= self.limit:
            self.model.stop_training = True

    def state(self) -> dict[str, Any]:
        """Seconds so far."""
        return {"seconds": self.seconds}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up the seconds."""
        self.before = float(state.get("seconds", 0.0))


class CosineSchedule(StatefulCallback):
    """Half a cosine from the initial rate to (almost) nothing over a fixed budget.

    For budgets far below a plateau; set once an epoch, a function of the epoch.

    Args:
        initial: Initial learning rate.
        epochs: Epochs of the whole training.
        final: Learning rate of the last epoch, as a share of the initial one.
    """

    def __init__(self, *, initial: float, epochs: int, final: float = 0.01) -> None:
        super().__init__()
        self.initial = initial
        self.epochs = epochs
        self.final = final

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the epoch's learning rate."""
        done = epoch / max(1, self.epochs - 1)
        share = 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
        self.model.optimizer.learning_rate = self.initial * (
            self.final + (1.0 - self.final) * share
        )
