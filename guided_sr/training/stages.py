"""Learning stage by stage (Iwamoto et al., II-C and II-D)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import keras

from guided_sr._version import __version__
from guided_sr.errors import DataError
from guided_sr.networks.mdcsrn_gan import Critic
from guided_sr.physics.back_projection import BackProjection
from guided_sr.runtime import framework_versions, jit_compile, several_devices
from guided_sr.training.adversarial import AdversarialModel
from guided_sr.training.callbacks import (
    DegradationCallback,
    IBPCallback,
    ResidualCallback,
    StopOnDivergence,
)
from guided_sr.training.checkpoint import (
    Checkpoint,
    TrainingFolder,
    digest_of_arrays,
    read_log,
)
from guided_sr.training.lower_starts import learnt_from
from guided_sr.training.options import (
    LOSSES,
    TrainingOptions,
    patch_size,
    refuse_unequal_shares,
)
from guided_sr.training.patches import LevelStack, PatchDataset
from guided_sr.training.schedule import (
    CosineSchedule,
    PlateauSchedule,
    StatefulCallback,
    Stopwatch,
)
from guided_sr.training.slice_images import SliceImages
from guided_sr.training.subjects import Subject, subjects_of, supervised_subjects_of
from guided_sr.training.validation import Coarser, KeepBest

_CRITIC = {"filters": 16, "hidden": 256}
_CRITIC_STEPS = 1


class CascadeTrainer:
    """Trains the r networks of a cascade, one after the other.

    Without truth, stage 1 learns to bring observed slices back from their own
    degradation, and each later stage learns on the back-projected estimates of the
    one before (eqs. 3-4), with `lower_starts` also on cascades begun lower. With it,
    each stage learns to lead those estimates to the truth at its own level (eqs. 1-2).

    Args:
        build: Gives a fresh network for a stage.
        subjects: The training subjects.
        back_projection: What follows each stage; ``epsilon="auto"`` is 1e-3 here.
        options: Everything else.
        initial: One network a stage whose weights are the start, or `None`.
        scale_range: As in `subjects_of`, for the pairs that an `IBPCallback` watches.
        schedule: Gives the learning-rate schedule of a stage in place of that of the
            options.
        seconds: Most seconds in all, shared equally by the stages; `None` for no
            bound.
        held_out: Subjects whose slices decide which weights of a stage are kept: the
            best that were seen, those of the start included. Needs `initial`.
        callbacks: Keras callbacks of the user.
        checkpoint_dir: Folder to go on from and to save into, or `None`.
        verbose: As in Keras: 0 silent, 1 bar, 2 a line an epoch.
        devices: Number of devices to share each batch, as in `several_devices`.

    Raises:
        UsageError: If the devices cannot share the batches.
    """

    def __init__(
        self,
        build: Callable[[], keras.Model],
        subjects: Sequence[Subject],
        *,
        back_projection: BackProjection,
        options: TrainingOptions,
        initial: Sequence[keras.Model] | None = None,
        scale_range: tuple[float, float] | None = None,
        schedule: Callable[[], StatefulCallback] | None = None,
        seconds: float | None = None,
        held_out: Sequence[Subject] = (),
        callbacks: Sequence[keras.callbacks.Callback] = (),
        checkpoint_dir: str | os.PathLike[str] | None = None,
        verbose: int | str = "auto",
        devices: int | None = None,
    ) -> None:
        self.scope = several_devices(devices)
        refuse_unequal_shares(options, devices)
        self.build = build
        self.subjects = list(subjects)
        self.plan = self.subjects[0].plan
        self.back_projection = back_projection.fixed()
        self.options = options
        self.initial = initial
        self.seconds = seconds
        self._schedule = schedule or self._scheduled
        self.callbacks = list(callbacks)
        self.verbose = verbose
        self.held_out = list(held_out)
        self.folder = None
        if checkpoint_dir is not None:
            self.folder = TrainingFolder(checkpoint_dir, self._fingerprint())
        self._validation: dict[int, list[tuple[Subject, Any]]] = {}
        sharp = self.subjects[0].truth is not None
        for callback in self.callbacks:
            if isinstance(callback, IBPCallback):
                prepared: Callable[..., list[Subject]] = supervised_subjects_of
                if not sharp:
                    prepared = partial(subjects_of, scale_range=scale_range)
                watched = prepared(
                    callback.pairs,
                    scale=self.plan.scale,
                    stages=self.plan.stages,
                    guided=self.subjects[0].t1 is not None,
                    stage_blur=self.plan.stage_blur,
                )
                self._validation[id(callback)] = [(s, s.t2) for s in watched]

    def _fingerprint(self) -> dict[str, Any]:
        away = [a for s in self.held_out for a in (s.t2, s.t1, s.truth)]
        arrays = [a for s in self.subjects for a in (s.t2, s.t1, s.truth)]
        start = [w for n in self.initial or () for w in n.get_weights()]
        network = self.build()
        blur = [c for c in self.callbacks if isinstance(c, DegradationCallback)]
        return {
            "options": asdict(self.options),
            "back_projection": asdict(self.back_projection),
            "plan": self.plan.summary(),
            "data": digest_of_arrays(arrays),
            "held_out": digest_of_arrays(away) if away else None,
            "initial": digest_of_arrays(start),
            "weights": [s.weight for s in self.subjects],
            "masks": [s.mask is not None for s in self.subjects],
            "network": [list(weight.shape) for weight in network.weights],
            "precision": sorted({layer.dtype_policy.name for layer in network.layers}),
            "versions": {"guided_sr": __version__, **framework_versions()},
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
        reached: list[list[Any]] = []  # the estimates of the last levels
        networks: list[keras.Model] = []
        histories = []
        for stage, side in zip(self._stages(), sides, strict=True):
            keras.utils.set_random_seed(self.options.seed + 1000 * stage)
            with self.scope():
                network = self.build()
            if self.initial is not None:
                network.set_weights(self.initial[stage - 1].get_weights())
            elif networks and self.options.warm_start:
                network.set_weights(networks[-1].get_weights())
            reached = [*reached, estimates][-max(1, self.options.lower_starts) :]
            levels = learnt_from(
                self.subjects,
                reached,
                networks,
                lower_starts=self.options.lower_starts,
                side=side,
                back_projection=self.back_projection,
            )
            self._tell_residual(estimates, stage)
            with self.scope():
                histories.append(
                    self._stage(network, levels, stage, side, before=networks)
                )
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

    def run_shared(self) -> tuple[list[keras.Model], list[keras.callbacks.History]]:
        """Train one network for the steps between all levels.

        For subjects whose truth is known at every level; what leads to a level is the
        truth of the level below. The network is a start for the stages of a cascade.

        Returns:
            The network and its `History`, as lists of one.

        Raises:
            DataError: If no level is as large as a patch, or the loss diverges.
        """
        levels = [
            subject.level_stack(subject.known(stage - 1), stage)
            for subject in self.subjects
            for stage in self._stages()
        ]
        side = self.options.patch_size
        levels = [level for level in levels if min(level.target.shape[1:]) >= side]
        if not levels:
            raise DataError(
                f"no slices are as large as a patch of {side} pixels",
                mend="give larger slices or a smaller patch_size",
            )
        keras.utils.set_random_seed(self.options.seed + 1000)
        with self.scope():
            network = self.build()
        if self.initial is not None:
            network.set_weights(self.initial[0].get_weights())
        with self.scope():
            history = self._stage(network, levels, 1, side)
        network = self._plain(network)
        if self.folder:
            self.folder.finish(1, network)
        return [network], [history]

    def _stages(self) -> range:
        return range(1, self.plan.stages + 1)

    def _smallest_patch(self, stage: int) -> int:
        shapes = [s.plan.level_shape(s.target_level(stage)) for s in self.subjects]
        return patch_size(shapes, self.options.patch_size)

    def _lift(
        self, network: keras.Model, subject: Subject, estimate: Any, stage: int
    ) -> Any:
        return subject.next_level(
            network, estimate, stage=stage, back_projection=self.back_projection
        )

    def _lift_validation(self, network: keras.Model, stage: int) -> None:
        self._validation = {
            key: [(s, self._lift(network, s, e, stage)) for s, e in watched]
            for key, watched in self._validation.items()
        }

    def _tell_residual(self, estimates: Sequence[Any], stage: int) -> None:
        for callback in self.callbacks:
            if isinstance(callback, ResidualCallback):
                callback.set_stage(self.subjects[0], estimates[0], stage)

    def _scheduled(self) -> StatefulCallback:
        if self.options.schedule == "plateau":
            adversarial = self.options.loss == "l1_wgan"
            return PlateauSchedule(monitor="pixel_loss" if adversarial else "loss")
        return CosineSchedule(
            initial=self.options.learning_rate, epochs=self.options.epochs
        )

    def _judge(
        self, network: keras.Model, stage: int, before: Sequence[keras.Model]
    ) -> KeepBest | None:
        """What decides on the weights of a stage, where slices are held out."""
        if not self.held_out:
            return None
        to_come = (self.initial or ())[stage:]
        return KeepBest(
            [*before, network, *to_come],
            self.build(),
            [Coarser.of(subject) for subject in self.held_out],
            back_projection=self.back_projection,
            folder=self.folder,
            stage=stage,
        )

    def _stage(
        self,
        network: keras.Model,
        levels: list[LevelStack],
        stage: int,
        side: int,
        *,
        before: Sequence[keras.Model] = (),
    ) -> keras.callbacks.History:
        options = self.options
        if self.folder and self.folder.finished(stage).exists():
            network.load_weights(self.folder.finished(stage))
            return self._past(network, stage)
        model = self._compiled(network)
        schedule = self._schedule()
        watch = Stopwatch(
            limit=None if self.seconds is None else self.seconds / self.plan.stages
        )
        blur = None
        for callback in self.callbacks:
            if isinstance(callback, IBPCallback):
                watched = self._validation[id(callback)]
                callback.set_levels([s.level_stack(e, stage) for s, e in watched])
            if isinstance(callback, DegradationCallback):
                blur = callback.factor
            if isinstance(callback, SliceImages):
                callback.set_level(levels[0], stage)
        stateful: list[StatefulCallback] = [schedule, watch]
        judge = self._judge(network, stage, before)
        # The judge comes first, so that its figures are there for the user's.
        judges = [] if judge is None else [judge]
        stateful = [*judges, *stateful]
        stop = StopOnDivergence(stage)
        callbacks = [*judges, *self.callbacks, stop, schedule, watch]
        first, stopped, log = 0, False, None
        if self.folder:
            checkpoint = Checkpoint(self.folder, stage, stateful)
            first, stopped = checkpoint.resume(model)
            log = keras.callbacks.CSVLogger(
                self.folder.log_file(stage), append=first > 0
            )
            callbacks += [log, checkpoint]
        if stopped or first >= options.epochs:
            history = self._past(model, stage)
        else:
            data = PatchDataset(
                levels,
                patch=side,
                batch_size=options.batch_size,
                augmentation=options.augmentation,
                guide_jitter_mm=options.guide_jitter_mm,
                guide_noise=options.guide_noise,
                seed=options.seed + 1000 * stage,
                steps_per_epoch=options.steps_in_epoch,
                first_epoch=first,
                epochs=options.epochs,
                blur=blur,
            )
            try:
                history = model.fit(
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
            if self.folder:
                history = self._past(model, stage)  # with what was before a kill
        if judge is not None:
            judge.finish()
        return history

    def _compiled(self, network: keras.Model) -> keras.Model:
        """The network, or it and its critic, ready for `fit`."""
        options = self.options
        model, trained = network, network.trainable_variables
        if options.loss == "l1_wgan":
            warm_up = options.epochs * options.steps_in_epoch // 2
            model = AdversarialModel(
                network,
                critic=Critic(**_CRITIC),
                critic_steps=_CRITIC_STEPS,
                learning_rate=options.learning_rate,
                warm_up=warm_up,
                seed=options.seed,
            )
        model.compile(
            optimizer=keras.optimizers.Adam(options.learning_rate),
            loss=LOSSES[options.loss],
            jit_compile=jit_compile(),
        )
        model.optimizer.build(trained)
        return model

    def _past(self, model: keras.Model, stage: int) -> keras.callbacks.History:
        """The history of a stage trained before, from its log."""
        history = keras.callbacks.History()
        history.set_model(model)
        history.on_train_begin()
        if self.folder:
            for epoch, logs in read_log(self.folder.log_file(stage)).items():
                history.on_epoch_end(epoch, logs)
        return history

    def _plain(self, network: keras.Model) -> keras.Model:
        """The same network without optimizer, to keep and to save."""
        plain = self.build()
        plain.set_weights(network.get_weights())
        return plain
