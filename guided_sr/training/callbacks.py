"""Callbacks of a training: blur that varies, back-projection that is watched."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from guided_sr.errors import DataError
from guided_sr.layers.projection import separable
from guided_sr.metrics import consistency, psnr, ssim
from guided_sr.physics.back_projection import BackProjection
from guided_sr.training.patches import LevelStack, projected
from guided_sr.training.subjects import Subject


class DegradationCallback(keras.callbacks.Callback):
    """Vary the blur of the degradation around the nominal one between epochs.

    For scanners whose slice profile is not known exactly. The factor is a
    function of (seed, epoch) and is logged as ``blur``.

    Args:
        spread: Largest relative change of the blur's standard deviation: 0.1
            draws factors from 0.9 to 1.1.
        seed: Seed of the draws.
    """

    def __init__(self, *, spread: float = 0.1, seed: int = 0) -> None:
        super().__init__()
        self.spread = spread
        self.seed = seed

    def factor(self, epoch: int) -> float:
        """Factor on the blur in an epoch."""
        draw = np.random.default_rng([self.seed, 7, epoch]).uniform(-1.0, 1.0)
        return 1.0 + self.spread * float(draw)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the factor."""
        if logs is not None:
            logs["blur"] = self.factor(epoch)


class IBPCallback(keras.callbacks.Callback):
    """Watch validation slices with and without back-projection (eq. 6).

    At each epoch's end, slices degraded by one stage go through the network on
    the device; PSNR and SSIM against the observed slices and the consistency
    (root-mean-square of ``Y - A X``) are logged, without and with (``_ibp``)
    back-projection.

    Args:
        pairs: ``(t2, t1)`` pairs to validate on, as in `fit_external`, but that T1s
            of volumes lie where their headers say; the trainer brings them to the
            level of each stage.
        slices: Slices looked at, spread over the pairs.
        back_projection: What is compared with none.
    """

    def __init__(
        self,
        pairs: Sequence[Any],
        *,
        slices: int = 8,
        back_projection: BackProjection | None = None,
    ) -> None:
        super().__init__()
        self.pairs = pairs
        self.slices = slices
        self.back_projection = back_projection or BackProjection()
        self._levels: list[LevelStack] = []

    def set_levels(self, levels: Sequence[LevelStack]) -> None:
        """Take the validation slices at the level of the coming stage."""
        self._levels = list(levels)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Run the slices and add the figures to the logs."""
        if logs is None or not self._levels:
            return
        figures: dict[str, list[float]] = {}
        each = max(1, self.slices // len(self._levels))
        for level in self._levels:
            chosen = np.linspace(0, len(level) - 1, min(each, len(level))).astype(int)
            for index in chosen:
                for name, value in self._look_at(level, int(index)).items():
                    figures.setdefault(name, []).append(value)
        logs.update({name: float(np.mean(v)) for name, v in figures.items()})

    def _look_at(self, level: LevelStack, index: int) -> dict[str, float]:
        plain, image, observed = projected(
            functools.partial(self.model, training=False),
            level,
            slice(index, index + 1),
            self.back_projection,
        )
        operator = level.plan.degradation(level.level)
        truth = level.target[index]
        low = keras.ops.convert_to_numpy(observed)[0, ..., 0]
        figures = {}
        for suffix, tensor in (("", plain), ("_ibp", image)):
            restored = keras.ops.convert_to_numpy(tensor)[0, ..., 0]
            figures[f"val_psnr{suffix}"] = psnr(truth, restored)
            figures[f"val_ssim{suffix}"] = ssim(truth, restored)
            figures[f"val_consistency{suffix}"] = consistency(restored, low, operator)
        return figures


class ResidualCallback(keras.callbacks.Callback):
    """Log how far the image under way is from the observation (internal learning).

    At each epoch's end the slices that are to be super-resolved go through the
    network at the stage's own level, and the root mean square of ``Y - A X``, before
    any back-projection, is logged as ``residual``: the one measure of success that
    needs no truth.

    Args:
        slices: Slices looked at, spread over the stack.
    """

    def __init__(self, *, slices: int = 4) -> None:
        super().__init__()
        self.slices = slices
        self._look: Callable[[keras.Model], float] | None = None

    def set_stage(self, subject: Subject, estimate: Any, stage: int) -> None:
        """Take the image that the coming stage will super-resolve."""
        chosen = np.linspace(0, len(estimate) - 1, min(self.slices, len(estimate)))
        part = chosen.astype(int)
        inputs = {
            "t2": separable(estimate[part][..., None], subject.plan.upsampling(stage))
        }
        if subject.t1 is not None:
            guide = separable(subject.t1[part][..., None], subject.plan.guide(stage))
            inputs["t1"] = guide
        operator = subject.plan.observation(stage)

        def look(network: keras.Model) -> float:
            image = keras.ops.convert_to_numpy(network(inputs, training=False))
            pairs = zip(image[..., 0], subject.t2[part], strict=True)
            return float(np.mean([consistency(x, y, operator) for x, y in pairs]))

        self._look = look

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Run the slices and add the figure to the logs."""
        if logs is not None and self._look is not None:
            logs["residual"] = self._look(self.model)


class StopOnDivergence(keras.callbacks.Callback):
    """Stop with a clear error when the loss is no longer a number.

    Args:
        stage: Number of the stage, for the message.
    """

    def __init__(self, stage: int = 1) -> None:
        super().__init__()
        self.stage = stage

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the epoch's loss.

        Raises:
            DataError: If it is NaN or infinite.
        """
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise DataError(
                f"the loss of stage {self.stage} became {loss} in epoch {epoch + 1};"
                " training was stopped, the checkpoint is from the epoch before",
                mend="train with a lower learning rate: --fresh --learning-rate 0.0001",
            )
