"""Observed slices decide which weights of a stage are kept, the old ones included.

Fine-tuning holds some out for that; refinement on one scan looks at those that it
learns from.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import warn_user
from guided_sr.inference.cascade import run_cascade
from guided_sr.metrics import psnr
from guided_sr.networks.weights import save_weights
from guided_sr.physics.back_projection import BackProjection
from guided_sr.physics.cascade_plan import SMALLEST, CascadePlan
from guided_sr.training import holdout
from guided_sr.training.checkpoint import TrainingFolder, digest_of_arrays
from guided_sr.training.options import TrainingOptions
from guided_sr.training.schedule import StatefulCallback
from guided_sr.training.subjects import Subject

Stack = NDArray[np.float32]

FIGURE = "held_out_psnr"
BEFORE = "held_out_psnr_before"


@dataclasses.dataclass(frozen=True)
class Decision:
    """Which weights of a stage were kept, and why.

    Attributes:
        epoch: Epoch after which the weights kept were seen; 0 for the old ones.
        epochs: Epochs trained.
        before: PSNR of the held-out slices in dB with the old weights.
        kept: PSNR with the weights kept; never below `before`.
        last: PSNR with the last weights.
    """

    epoch: int
    epochs: int
    before: float
    kept: float
    last: float

    @classmethod
    def of(cls, history: keras.callbacks.History) -> Decision | None:
        """The decision that a stage's history shows; `None` without held-out slices."""
        seen = history.history.get(FIGURE)
        if not seen:
            return None
        best = Best(history.history[BEFORE][0])
        for epoch, figure in enumerate(seen, 1):
            best = best.or_better(figure, epoch)
        return cls(
            best.epoch, len(seen), history.history[BEFORE][0], best.figure, seen[-1]
        )

    def sentence(self, slices: str) -> str:
        """The decision in words, beginning with what decided."""
        if self.epoch == 0:
            return (
                f"{slices} {self.before:.2f} dB before, {self.last:.2f} dB after"
                f" epoch {self.epochs}: the old weights are kept"
            )
        return (
            f"{slices} {self.before:.2f} dB before, {self.kept:.2f} dB after"
            f" epoch {self.epoch} of {self.epochs}: the new weights are kept"
        )

    def record(self) -> dict[str, Any]:
        """The decision as plain data."""
        return {"weights": "new" if self.epoch else "old", **dataclasses.asdict(self)}


def decisions(histories: Sequence[keras.callbacks.History]) -> list[Decision]:
    """The decisions of all stages; none where nothing was held out."""
    return [d for d in map(Decision.of, histories) if d is not None]


@dataclasses.dataclass(frozen=True)
class Best:
    """The best figure seen and the epoch it was seen after."""

    figure: float
    epoch: int = 0

    def or_better(self, figure: float, epoch: int) -> Best:
        """Another one if it is better; a figure that is no number never is."""
        return Best(figure, epoch) if figure > self.figure else self


def fine_tuning_data(
    subjects: Sequence[Subject],
    held_out: Sequence[Subject] | None,
    *,
    share: float,
    options: TrainingOptions,
) -> tuple[list[Subject], list[Subject]]:
    """What a fine-tuning learns from and what decides, no more than it can use.

    Args:
        subjects: The subjects given.
        held_out: Those given to decide; `None` holds out a share of the others.
        share: As in `holdout.divide`.
        options: The training, which tells how much it can use.

    Raises:
        UsageError: If the share makes no sense.
        DataError: If slices are too few or too small; the minimum is named.
    """
    learning = list(subjects)
    deciding = list(held_out or ())
    if held_out is None:
        parts = holdout.divide(
            [len(s.t2) for s in subjects], share, owners=[s.owner for s in subjects]
        )
        both = list(zip(subjects, parts, strict=True))
        learning = [s.part(kept) for s, (kept, _) in both if len(kept)]
        deciding = [s.part(away) for s, (_, away) in both if len(away)]
    holdout.refuse_scarce(
        [len(s.t2) for s in learning],
        [len(s.t2) for s in deciding] if held_out is not None or share else None,
        [*_smallest(subjects), *_smallest(held_out or ())],
    )
    _warn_of_shared(learning, deciding)
    return (
        _thinned(learning, holdout.pixels_to_learn_from(options), stage=1),
        for_deciding(deciding),
    )


def _warn_of_shared(learning: Sequence[Subject], deciding: Sequence[Subject]) -> None:
    """Warn of slices that are learnt from and held out alike."""
    known = {digest_of_arrays([one]) for s in learning for one in s.t2}
    away = [digest_of_arrays([one]) for s in deciding for one in s.t2]
    if shared := sum(one in known for one in away):
        warn_user(
            f"{shared} of the {len(away)} slices held out are also learnt from, so that"
            " they cannot tell whether the new weights are better",
            mend="give each scan once",
        )


def _smallest(subjects: Sequence[Subject]) -> list[tuple[int, int]]:
    """Size of the observed slices of each pair, of its smallest view."""
    shapes: dict[int, tuple[int, int]] = {}
    for subject in subjects:
        shape = subject.plan.level_shape(0)
        shapes[subject.owner] = min(shapes.get(subject.owner, shape), shape, key=min)
    return list(shapes.values())


def for_deciding(held_out: Sequence[Subject]) -> list[Subject]:
    """As many of the held-out slices as are looked at, spread evenly."""
    return _thinned(held_out, holdout.HELD_OUT_PIXELS, stage=None)


def _thinned(
    subjects: Sequence[Subject], pixels: float, *, stage: int | None
) -> list[Subject]:
    """Slices that hold so many pixels at a stage's target level (the last's: None)."""
    shapes = [
        s.plan.level_shape(s.target_level(stage or s.plan.stages)) for s in subjects
    ]
    least = holdout.LEAST_HELD_OUT if stage is None else holdout.LEAST_SLICES
    chosen = holdout.thinned(
        [len(s.t2) for s in subjects], shapes, pixels=pixels, least=least
    )
    return [s.part(index) for s, index in zip(subjects, chosen, strict=True)]


@dataclasses.dataclass(frozen=True)
class Coarser:
    """Observed slices, made coarse by as much as a whole cascade enlarges.

    Attributes:
        truth: The slices as they were observed, shape ``(n, h, w)``.
        t2: The same, coarser.
        t1: Their guide on the grid of the truth, or `None`.
        plan: The cascade that leads from the one to the other.
    """

    truth: Stack
    t2: Stack
    t1: Stack | None
    plan: CascadePlan

    @classmethod
    def of(cls, subject: Subject) -> Coarser:
        """The observed slices of a subject."""
        plan = subject.plan
        rows, columns = plan.shape_below(plan.stages)
        coarse = max(SMALLEST, rows), max(SMALLEST, columns)
        below = plan.below(coarse, plan.stages)
        t1 = subject.t1
        return cls(
            subject.t2,
            below.observation()(subject.t2).astype(np.float32),
            None if t1 is None else plan.observation()(t1).astype(np.float32),
            below,
        )


class KeepBest(StatefulCallback):
    """Keep the best weights that the held-out slices have seen.

    Before the first step and at each epoch's end the held-out slices, degraded by the
    whole factor, are brought back by the whole cascade: by the stages that have been
    learnt, the one under way, and those to come with the weights that they start
    from. The mean PSNR against the slices themselves is logged as ``held_out_psnr``,
    beside that of the weights before the first step. So every stage is held against
    what was observed. A later one learns from estimates of those before, and a judge
    that looks at estimates, too, welcomes what they have invented.

    The best weights are saved before the state of the checkpoint names them, in two
    files in turn, so that a kill loses nothing.

    Args:
        networks: Those of the whole cascade; that of `stage` is the one in training,
            with the weights to start from.
        twin: A network of the same form, to hold the best weights.
        slices: The held-out slices.
        back_projection: What follows each network in use.
        folder: Where the training is saved, or `None`.
        stage: Number of the stage.
    """

    def __init__(
        self,
        networks: Sequence[keras.Model],
        twin: keras.Model,
        slices: Sequence[Coarser],
        *,
        back_projection: BackProjection,
        folder: TrainingFolder | None = None,
        stage: int,
    ) -> None:
        super().__init__()
        self.networks = list(networks)
        self.network = networks[stage - 1]
        self.twin = twin
        self.slices = list(slices)
        self.back_projection = back_projection
        self.folder = folder
        self.stage = stage
        self.slot = 0
        self.before: float | None = None
        self.best = Best(-math.inf)
        twin.set_weights(self.network.get_weights())

    def measure(self) -> float:
        """Mean PSNR of the held-out slices in dB; NaN for a network that diverged."""
        figures = []
        for one in self.slices:
            restored = run_cascade(
                self.networks,
                one.t2,
                one.t1,
                plan=one.plan,
                back_projection=self.back_projection,
            )
            if not np.isfinite(restored).all():
                return math.nan
            pairs = zip(one.truth, restored, strict=True)
            figures += [psnr(x, z) for x, z in pairs]
        return float(np.mean(figures))

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Measure the weights to start from, once."""
        if self.before is None:
            self.before = self.measure()
            self.best = Best(self.before)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure, log, and hold the weights if they are better."""
        figure = self.measure()
        if logs is not None:
            logs.update({FIGURE: figure, BEFORE: self.before})
        best = self.best.or_better(figure, epoch + 1)
        if best is self.best:
            return
        self.best = best
        self.twin.set_weights(self.network.get_weights())
        if self.folder is not None:
            self.slot = 1 - self.slot
            path = self.folder.best(self.stage, self.slot)
            save_weights(self.twin, path)

    def finish(self) -> None:
        """Give the network the weights that are kept."""
        self.network.set_weights(self.twin.get_weights())

    def state(self) -> dict[str, Any]:
        """Figures, and the file that holds the best weights."""
        return {
            "before": self.before,
            "figure": self.best.figure,
            "epoch": self.best.epoch,
            "slot": self.slot,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up figures and best weights.

        Raises:
            WeightsError: If the file of the best weights cannot be read.
        """
        self.before = float(state["before"])
        self.best = Best(float(state["figure"]), int(state["epoch"]))
        self.slot = int(state["slot"])
        if self.best.epoch and self.folder is not None:
            self.folder.load(self.twin, self.folder.best(self.stage, self.slot))
