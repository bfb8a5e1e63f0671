"""External learning, stage by stage (Iwamoto et al., II-C and II-D)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras

from guided_sr.errors import UsageError
from guided_sr.physics.back_projection import BackProjection
from guided_sr.runtime import jit_compile
from guided_sr.training.augmentation import UNSUPERVISED, Augmentation
from guided_sr.training.callbacks import (
    DegradationCallback,
    IBPCallback,
    StopOnDivergence,
)
from guided_sr.training.checkpoint import (
    Checkpoint,
    TrainingFolder,
    digest_of_arrays,
)
from guided_sr.training.patches import LevelStack, PatchDataset, patch_size
from guided_sr.training.schedule import (
    CosineSchedule,
    PlateauSchedule,
    StatefulCallback,
)
from guided_sr.training.subjects import Subject, subjects_of

LOSSES = {"l1": "mean_absolute_error", "l2": "mean_squared_error"}
SCHEDULES = ("plateau", "cosine")


@dataclass(frozen=True)
class TrainingOptions:
    """Everything that determines a training beside the data and the network.

    Attributes:
        loss: ``"l1"`` (the paper's) or ``"l2"``.
        max_steps: Most steps a stage; whole epochs of `steps_per_epoch` are run.
        schedule: ``"plateau"`` (the paper's: divide by 10 when the loss stands still)
            or ``"cosine"`` over `max_steps`, for short budgets.
        learning_rate: Adam's initial rate.
        batch_size: Patches a step.
        patch_size: Side of the patches in pixels; 48 in the paper.
        steps_per_epoch: Steps between two looks at the loss.
        augmentation: What is drawn for each slice.
        warm_start: Whether a stage starts from the weights of the one before.
        seed: Seed of weights, patches and augmentation.
    """

    loss: str = "l1"
    max_steps: int = 10_000
    schedule: str = "plateau"
    learning_rate: float = 1e-3
    batch_size: int = 32
    patch_size: int = 48
    steps_per_epoch: int = 100
    augmentation: Augmentation = UNSUPERVISED
    warm_start: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what is not defined, before the first slow step.

        Raises:
            UsageError: If an option is unknown or out of range.
        """
        if self.loss not in LOSSES:
            raise UsageError(f"loss {self.loss!r} is unknown", mend="choose l1 or l2")
        if self.schedule not in SCHEDULES:
            raise UsageError(
                f"schedule {self.schedule!r} is unknown",
                mend=f"choose {' or '.join(SCHEDULES)}",
            )
        numbers = (
            self.max_steps,
            self.batch_size,
            self.patch_size,
            self.steps_per_epoch,
        )
        if min(numbers) < 1 or self.learning_rate <= 0:
            raise UsageError(
                "max_steps, batch_size, patch_size, steps_per_epoch and"
                " learning_rate must be positive",
                mend="leave them at their defaults",
            )

    @property
    def epochs(self) -> int:
        """Looks at the loss within `max_steps`."""
        return max(1, self.max_steps // self.steps_in_epoch)

    @property
    def steps_in_epoch(self) -> int:
        """Steps of an epoch, at most `max_steps`."""
        return min(self.steps_per_epoch, self.max_steps)


class ExternalTrainer:
    """Trains the r networks of a cascade on low-resolution images alone.

    Stage 1 learns to bring observed slices back from their own degradation; each
    later stage learns on the back-projected estimates of the one before.

    Args:
        build: Gives a fresh network for a stage.
        subjects: The training subjects.
        back_projection: What follows each stage.
        options: Everything else.
        callbacks: Keras callbacks of the user.
        checkpoint_dir: Folder to go on from and to save into, or `None`.
        verbose: As in Keras: 0 silent, 1 bar, 2 a line an epoch.
    """

    def __init__(
        self,
        build: Callable[[], keras.Model],
        subjects: Sequence[Subject],
        *,
        back_projection: BackProjection,
        options: TrainingOptions,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        checkpoint_dir: str | os.PathLike[str] | None = None,
        verbose: int | str = "auto",
    ) -> None:
        self.build = build
        self.subjects = list(subjects)
        self.plan = self.subjects[0].plan
        self.back_projection = back_projection
        self.options = options
        self.callbacks = list(callbacks)
        self.verbose = verbose
        self.folder = None
        if checkpoint_dir is not None:
            self.folder = TrainingFolder(checkpoint_dir, self._fingerprint())
        self._validation: dict[int, list[tuple[Subject, Any]]] = {}
        for callback in self.callbacks:
            if isinstance(callback, IBPCallback):
                watched = subjects_of(
                    callback.pairs,
                    scale=self.plan.scale,
                    stages=self.plan.stages,
                    guided=self.subjects[0].t1 is not None,
                    stage_blur=self.plan.stage_blur,
                )
                self._validation[id(callback)] = [(s, s.t2) for s in watched]

    def _fingerprint(self) -> dict[str, Any]:
        arrays = [a for s in self.subjects for a in (s.t2, s.t1)]
        network = self.build()
        blur = [c for c in self.callbacks if isinstance(c, DegradationCallback)]
        return {
            "options": asdict(self.options),
            "back_projection": asdict(self.back_projection),
            "plan": self.plan.summary(),
            "data": digest_of_arrays(arrays),
            "weights": [s.weight for s in self.subjects],
            "network": [list(weight.shape) for weight in network.weights],
            "precision": sorted({layer.dtype_policy.name for layer in network.layers}),
            "blur": [[callback.spread, callback.seed] for callback in blur],
        }

    def run(self) -> tuple[list[keras.Model], list[keras.callbacks.History]]:
        """Train all stages.

        Returns:
            The networks and one Keras `History` each.

        Raises:
            DataError: If slices are too small for a patch, or the loss diverges.
        """
        sides = [self._smallest_patch(stage) for stage in self._stages()]
        estimates = [subject.t2 for subject in self.subjects]
        networks: list[keras.Model] = []
        histories = []
        for stage, side in zip(self._stages(), sides, strict=True):
            keras.utils.set_random_seed(self.options.seed + 1000 * stage)
            network = self.build()
            if networks and self.options.warm_start:
                network.set_weights(networks[-1].get_weights())
            levels = [
                subject.level_stack(estimate, stage - 1)
                for subject, estimate in zip(self.subjects, estimates, strict=True)
            ]
            histories.append(self._stage(network, levels, stage, side))
            network = self._plain(network)
            if self.folder:
                self.folder.finish(stage, network)
            networks.append(network)
            if stage < self.plan.stages:
                estimates = [
                    self._lift(network, subject, estimate, stage)
                    for subject, estimate in zip(self.subjects, estimates, strict=True)
                ]
                self._lift_validation(network, stage)
        return networks, histories

    def _stages(self) -> range:
        return range(1, self.plan.stages + 1)

    def _smallest_patch(self, stage: int) -> int:
        shapes = [subject.plan.level_shape(stage - 1) for subject in self.subjects]
        return patch_size(shapes, self.options.patch_size)

    def _lift(
        self, network: keras.Model, subject: Subject, estimate: Any, stage: int
    ) -> Any:
        return subject.next_level(
            network, estimate, stage=stage, back_projection=self.back_projection
        )

    def _lift_validation(self, network: keras.Model, stage: int) -> None:
        for key, watched in self._validation.items():
            self._validation[key] = [
                (subject, self._lift(network, subject, estimate, stage))
                for subject, estimate in watched
            ]

    def _schedule(self) -> StatefulCallback:
        if self.options.schedule == "plateau":
            return PlateauSchedule()
        return CosineSchedule(
            initial=self.options.learning_rate, epochs=self.options.epochs
        )

    def _stage(
        self, network: keras.Model, levels: list[LevelStack], stage: int, side: int
    ) -> keras.callbacks.History:
        options = self.options
        if self.folder and self.folder.finished(stage).exists():
            network.load_weights(self.folder.finished(stage))
            return _empty_history(network)
        network.compile(
            optimizer=keras.optimizers.Adam(options.learning_rate),
            loss=LOSSES[options.loss],
            jit_compile=jit_compile(),
        )
        network.optimizer.build(network.trainable_variables)
        schedule = self._schedule()
        blur = None
        for callback in self.callbacks:
            if isinstance(callback, IBPCallback):
                watched = self._validation[id(callback)]
                callback.set_levels([s.level_stack(e, stage - 1) for s, e in watched])
            if isinstance(callback, DegradationCallback):
                blur = callback.factor
        callbacks = [*self.callbacks, StopOnDivergence(), schedule]
        first, stopped, log = 0, False, None
        if self.folder:
            checkpoint = Checkpoint(self.folder, stage, [schedule])
            first, stopped = checkpoint.resume(network)
            log = keras.callbacks.CSVLogger(
                self.folder.log_file(stage), append=first > 0
            )
            callbacks += [log, checkpoint]
        if stopped or first >= options.epochs:
            history = _empty_history(network)
        else:
            data = PatchDataset(
                levels,
                patch=side,
                batch_size=options.batch_size,
                augmentation=self._augmentation(),
                seed=options.seed + 1000 * stage,
                steps_per_epoch=options.steps_in_epoch,
                first_epoch=first,
                epochs=options.epochs,
                blur=blur,
            )
            try:
                history = network.fit(
                    data,
                    epochs=options.epochs,
                    initial_epoch=first,
                    steps_per_epoch=options.steps_in_epoch,
                    shuffle=False,
                    callbacks=callbacks,
                    verbose=self.verbose,
                )
            finally:
                if log is not None:
                    log.on_train_end()  # Keras leaves the file open after an error
        return history

    def _plain(self, network: keras.Model) -> keras.Model:
        """The same network without optimizer, to keep and to save."""
        plain = self.build()
        plain.set_weights(network.get_weights())
        return plain

    def _augmentation(self) -> Augmentation:
        rows, columns = self.plan.scale
        augmentation = self.options.augmentation
        if abs(rows - columns) > 0.1 * min(rows, columns):
            return augmentation.along_one_axis()
        return augmentation


def _empty_history(network: keras.Model) -> keras.callbacks.History:
    history = keras.callbacks.History()
    history.set_model(network)
    history.on_train_begin()
    return history
