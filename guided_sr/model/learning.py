"""The learning half of `GuidedSRModel`: external, supervised, internal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import keras

from guided_sr.errors import UsageError
from guided_sr.model import fitting, preset
from guided_sr.model.cascade_networks import CascadeNetworks
from guided_sr.physics.cascade_plan import scale_per_axis
from guided_sr.training.holdout import SHARE
from guided_sr.training.options import TrainingOptions
from guided_sr.training.stages import CascadeTrainer
from guided_sr.training.subjects import Subject, subjects_of, supervised_subjects_of
from guided_sr.training.validation import decisions, fine_tuning_data, for_deciding

Histories = list[keras.callbacks.History]


class LearningModel(CascadeNetworks):
    """How the networks of a cascade learn; see `GuidedSRModel`."""

    def fit_external(
        self,
        pairs: Sequence[Any],
        scale: float | Sequence[float] | None = None,
        stages: int | None = None,
        *,
        scale_range: tuple[float, float] | None = None,
        init: str | os.PathLike[str] | LearningModel | None = None,
        validation: Sequence[Any] | float | None = None,
        weights: Sequence[float] | None = None,
        register: str = "auto",
        callbacks: Sequence[keras.callbacks.Callback] = (),
        checkpoint_dir: str | os.PathLike[str] | None = None,
        verbose: int | str = "auto",
        devices: int | None = None,
        **training: Any,
    ) -> Histories:
        """Learn from the low-resolution T2 images of other subjects (eq. 4).

        The observed T2 is the target; its own degradation, made on the device, is
        the input. No high-resolution T2 is needed anywhere.

        With ``init`` this is fine-tuning. Some slices are held out and no step learns
        from them; before the first step and at each epoch's end they are degraded by
        the whole factor, brought back by the whole cascade and compared with
        themselves, and each stage keeps the best weights seen, the old ones included:
        on the held-out slices no stage makes the result worse. Slices beyond what its
        few steps can use are left out.

        Args:
            pairs: ``(t2, t1)`` pairs: arrays ``(h, w)`` or ``(n, h, w)`` with the T1
                on the target grid, or nibabel images or paths on any grids. For a
                model without guide, T2 images alone. For a scale of rows alone, a
                volume of thick slices teaches by its own planes, made coarse along
                rows and along columns by as much as its slices are thick.
            scale: Factor to learn, of both in-plane axes or one for each; that of
                ``init`` by default.
            stages: Number r of stages; that of ``init``, or 3 as in the paper, by
                default.
            scale_range: Least and largest factor that the model shall serve on the
                enlarged axes; that of ``init`` by default. Each ``(t2, t1)`` pair of
                arrays then has the factor that its sizes tell, within the range; all
                others have ``scale``.
            init: Preset, folder or trained model (this one, too) whose weights are
                the start, and whose ``range`` of images this model keeps. A model of
                one network that serves a range of factors, as those of
                ``pretrained/starts``, starts every stage; then give scale and stages.
            validation: With ``init``: pairs that decide which weights are kept, or
                the share of the subjects (of one subject, of its slices) to hold out
                for that, 0.2 by default. 0 holds nothing out and keeps the last
                weights.
            weights: How often a slice of each pair is drawn, against the others';
                equal by default.
            register: How the T1s of volumes are placed, as in `predict_cascade`. A T1
                that lies elsewhere than its T2 can teach not to rely on T1s.
            callbacks: Keras callbacks, `DegradationCallback` and `IBPCallback`
                among them, run in every stage.
            checkpoint_dir: Folder from which a killed training goes on exactly, and
                into which it is saved at each epoch's end.
            verbose: As in `keras.Model.fit`.
            devices: How many devices share each batch, with JAX and TensorFlow.
            **training: Fields of `TrainingOptions`: ``loss``, ``max_steps``,
                ``schedule``, ``learning_rate``, ``batch_size``, ``patch_size``,
                ``steps_per_epoch``, ``augmentation``, ``guide_jitter_mm``,
                ``guide_noise``, ``lower_starts``, ``warm_start``, ``seed``. With
                ``init``, 300 steps a stage on a cosine from a learning rate of 3e-4 by
                default; ``loss``, ``augmentation``, ``guide_noise``, ``lower_starts``
                and ``guide_jitter_mm`` are by default what ``init`` has learnt with.

        Returns:
            One Keras `History` a stage; that of a stage taken from a checkpoint
            comes from its log. Where slices were held out, it has the figures
            ``held_out_psnr_before`` and ``held_out_psnr`` in dB.

        Raises:
            UsageError: If an option is unknown or out of range, or ``init`` is of
                another network.
            UnknownScaleError: If the factor of a pair is out of `scale_range`.
            GeometryError: If a T1 does not overlap its T2 or cannot be registered.
            DataError: If data are unusable, slices too few or too small, or the loss
                diverges.
        """
        start, factors, stages = self._wanted(
            init, scale, stages, default=fitting.EXTERNAL_STAGES
        )
        defaults: dict[str, Any] = {}
        if start is not None:
            defaults = {**fitting.FINE_TUNING, **start.learnt_with}
        options = fitting.training_options(training, defaults)
        learning = self._learning(factors, stages, register)
        if scale_range is None and start is not None and factors == start.scale:
            scale_range = start.scale_range
        if scale_range is not None:
            learning["scale_range"] = scale_range
        learning["views"] = True
        subjects = subjects_of(pairs, **learning, weights=weights)
        held_out: list[Subject] = []
        if start is not None:
            share, given = SHARE, None
            if isinstance(validation, int | float):
                share = validation
            elif validation is not None:
                given = subjects_of(validation, **learning)
            subjects, held_out = fine_tuning_data(
                subjects, given, share=share, options=options
            )
        elif validation is not None:
            raise UsageError(
                "validation decides between old and new weights; there are no old ones",
                mend="give init=, or watch pairs with IBPCallback",
            )
        histories = self._fit(
            subjects,
            options,
            start,
            held_out=held_out,
            scale_range=scale_range,
            callbacks=callbacks,
            checkpoint_dir=checkpoint_dir,
            verbose=verbose,
            devices=devices,
        )
        self._note(options)
        if scale_range is not None:
            self.scale, self.scale_range = factors, scale_range
        if start is not None and start.usage is not None:
            self.metadata = {"range": start.usage}
        if verbose:
            for line in fitting.decision_report(histories):
                print(line)
        return histories

    def fit_supervised(
        self,
        pairs: Sequence[Any],
        scale: float | Sequence[float],
        stages: int = 1,
        *,
        init: str | os.PathLike[str] | LearningModel | None = None,
        weights: Sequence[float] | None = None,
        register: str = "auto",
        callbacks: Sequence[keras.callbacks.Callback] = (),
        checkpoint_dir: str | os.PathLike[str] | None = None,
        verbose: int | str = "auto",
        devices: int | None = None,
        **training: Any,
    ) -> Histories:
        """Learn from high-resolution T2 images, where there are any (eqs. 1-2).

        The T2 is the target; what the network sees is degraded from it by the
        scale. In a cascade each stage learns to lead the estimates of the one before
        to the truth at its own level.

        Args:
            pairs: As in `fit_external`, but with high-resolution T2 images, and T1s
                on their grid.
            scale: Factor to learn, of both in-plane axes or one for each.
            stages: Number of stages; the paper's supervised networks have one.
            init: Preset, folder or trained model whose weights are the start.
            weights: As in `fit_external`.
            register: As in `fit_external`.
            callbacks: As in `fit_external`.
            checkpoint_dir: As in `fit_external`.
            verbose: As in `keras.Model.fit`.
            devices: As in `fit_external`.
            **training: As in `fit_external`; patches of 64 pixels, flips and quarter
                turns are the default, as in the paper.

        Returns:
            One Keras `History` a stage.

        Raises:
            UsageError: If an option is unknown or out of range.
            GeometryError: If a T1 does not overlap its T2 or cannot be registered.
            DataError: If data are unusable, slices too small or the loss diverges.
        """
        options = fitting.training_options(training, fitting.SUPERVISED_DEFAULTS)
        start, factors, stages = self._wanted(init, scale, stages, default=stages)
        learning = self._learning(factors, stages, register)
        return self._fit(
            supervised_subjects_of(pairs, **learning, weights=weights),
            options,
            start,
            callbacks=callbacks,
            checkpoint_dir=checkpoint_dir,
            verbose=verbose,
            devices=devices,
        )

    def fit_internal(
        self,
        t2: Any,
        t1: Any = None,
        scale: float | Sequence[float] | None = None,
        stages: int | None = None,
        *,
        init: str | os.PathLike[str] | LearningModel | None = None,
        register: str = "auto",
        max_seconds: float | None = 900.0,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        checkpoint_dir: str | os.PathLike[str] | None = None,
        verbose: int | str = "auto",
        devices: int | None = None,
        **training: Any,
    ) -> Histories:
        """Learn from the very image that is to be super-resolved (eq. 3).

        Without guide this is ZSSR's way (``GuidedSRModel("zssr")``), with guide the
        paper's Model 2. With ``init`` it refines an externally trained model on one
        subject, which the paper names as future work. What it learns is good for
        this image alone. Some of its slices, learnt from as well, are then degraded
        by the whole factor and brought back, as the held-out ones of `fit_external`
        are, and each stage keeps the best weights seen, the old ones included.

        The root mean square of ``Y - A X`` of the image under way is watched every
        50 steps. Without ``init``, when it stands still the learning rate is divided
        by 10, and after the second time the stage ends.

        Args:
            t2: Observed T2, as in `predict_cascade`; the whole stack is learnt from.
            t1: The same person's T1, as in `predict_cascade`.
            scale: Factor to learn; that of ``init`` by default.
            stages: Number of stages; that of ``init``, or 3, by default.
            init: Preset, folder or trained model (this one, too) whose weights are
                the start.
            register: As in `fit_external`.
            max_seconds: Most seconds in all, shared by the stages; `None` for no
                bound.
            callbacks: As in `fit_external`.
            checkpoint_dir: As in `fit_external`.
            verbose: As in `keras.Model.fit`; bounds and what each stage took are
                printed unless it is 0.
            devices: As in `fit_external`.
            **training: As in `fit_external`; at most 1000 steps a stage by default.
                With ``init``, 400 steps a stage on a cosine, which spends them all;
                the rest goes on as in `fit_external`.

        Returns:
            One Keras `History` a stage, with the figure ``residual``; with ``init``
            also ``held_out_psnr_before`` and ``held_out_psnr`` in dB.

        Raises:
            UsageError: If an option is unknown or out of range, or ``init`` is of
                another network.
            GeometryError: If a T1 does not overlap its T2 or cannot be registered.
            DataError: If data are unusable, slices too small or the loss diverges.
        """
        start, factors, stages = self._wanted(
            init, scale, stages, default=fitting.EXTERNAL_STAGES
        )
        defaults = fitting.INTERNAL
        if start is not None:
            defaults = {**fitting.REFINEMENT, **start.learnt_with}
        options = fitting.training_options(training, defaults)
        subjects = subjects_of([(t2, t1)], **self._learning(factors, stages, register))
        if verbose:
            bound = "" if max_seconds is None else f", {max_seconds:g} s in all"
            print(f"{fitting.bounds(stages, options)}{bound}")
        plateau = options.schedule == "plateau"
        histories = self._fit(
            subjects,
            options,
            start,
            held_out=[] if start is None else for_deciding(subjects),
            decided_by="own_slices",
            schedule=fitting.residual_plateau if plateau else None,
            seconds=max_seconds,
            callbacks=fitting.internal_callbacks(stages, callbacks, verbose=verbose),
            checkpoint_dir=checkpoint_dir,
            verbose=verbose,
            devices=devices,
        )
        self._note(options)
        if verbose:
            for line in fitting.decision_report(histories, "its own slices"):
                print(line)
        return histories

    def _note(self, options: TrainingOptions) -> None:
        """Keep what learning on from this model should not change."""
        known = {"learnt_with": asdict(options)}
        self.learnt["learnt_with"] = fitting.learnt_with(known)

    def _wanted(
        self,
        init: str | os.PathLike[str] | LearningModel | None,
        scale: float | Sequence[float] | None,
        stages: int | None,
        *,
        default: int,
    ) -> tuple[fitting.Start | None, tuple[float, float], int]:
        """What to start from, the scale and the number of stages."""
        start, factors = self._start(init, scale, stages)
        if start is not None and factors is not None:
            return start, factors, len(start.networks)
        if factors is None:
            raise UsageError("there is no scale to learn", mend="give scale=, or init=")
        return None, factors, default if stages is None else stages

    def _learning(
        self, scale: tuple[float, float], stages: int, register: str
    ) -> dict[str, Any]:
        return {
            "register": register,
            "scale": scale,
            "stages": stages,
            "guided": self.guided,
            "stage_blur": self.stage_blur,
        }

    def _start(
        self,
        init: str | os.PathLike[str] | LearningModel | None,
        scale: float | Sequence[float] | None,
        stages: int | None,
    ) -> tuple[fitting.Start | None, tuple[float, float] | None]:
        if init is None:
            return None, None if scale is None else scale_per_axis(scale)
        model = init
        if not isinstance(model, LearningModel):
            precision = self.dtype.removeprefix("mixed_")
            model = preset.load(type(self), model, precision=precision)
        start = fitting.Start(
            list(model.networks),
            model.known_scale(),
            model.back_projection,
            model.scale_range,
            model.metadata.get("range"),
            model.unguided,
            fitting.learnt_with({**model.metadata, **model.learnt}),
        ).spread(scale, stages)
        return start, start.check(self.build, scale, stages, self.back_projection)

    def _fit(
        self,
        subjects: list[Subject],
        options: TrainingOptions,
        start: fitting.Start | None,
        *,
        shared: bool = False,
        decided_by: str = "held_out",
        **how: Any,
    ) -> Histories:
        trainer = CascadeTrainer(
            self.build,
            subjects,
            back_projection=self.back_projection,
            options=options,
            initial=None if start is None else start.networks,
            **how,
        )
        learn = trainer.run_shared if shared else trainer.run
        self.networks, histories = learn()
        self.scale, self.scale_range = subjects[0].plan.scale, None
        self.name, self.weights, self.metadata = None, {}, {}
        self.unguided = None if start is None else start.unguided
        decided = [decision.record() for decision in decisions(histories)]
        self.learnt = {decided_by: decided} if decided else {}
        return histories
