"""`GuidedSRModel`: train, save, load and apply a cascade. A façade: no maths here."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from guided_sr._version import __version__
from guided_sr.errors import UnknownScaleError, UsageError, noted_warnings
from guided_sr.inference.cascade import Progress, run_cascade
from guided_sr.inference.inputs import prepare
from guided_sr.inference.probe import probe
from guided_sr.inference.result import Result, volume_result
from guided_sr.networks.preset_files import (
    new_preset_folder,
    write_description,
    write_networks,
)
from guided_sr.networks.registry import build_backbone
from guided_sr.networks.weights import load_weights
from guided_sr.physics.back_projection import BackProjection, Method
from guided_sr.physics.cascade_plan import StageBlur, scale_per_axis
from guided_sr.presets import (
    PresetConfig,
    list_presets,
    locate_preset,
    read_config,
    read_metadata,
)
from guided_sr.presets.schema import BackboneConfig, BackProjectionConfig
from guided_sr.presets.store import weights_files
from guided_sr.runtime import framework_versions, resolve_precision
from guided_sr.training.stages import ExternalTrainer, TrainingOptions
from guided_sr.training.subjects import subjects_of


class GuidedSRModel:
    """Super-resolution of a low-resolution T2 by the same person's T1.

    A model holds one network a stage of a cascade (Iwamoto et al., II-D). It is
    trained by `fit_external` on low-resolution T2 images alone, or loaded by
    `from_preset`.

    Args:
        backbone: Registered name (``"grdn"``), or a `keras.Model` with inputs
            named ``t2`` and ``t1`` that keeps the image size; it is cloned for
            each stage.
        guided: Whether the network takes a T1; `False` is the paper's Model 1.
        back_projection: What follows each stage: ``"ibp"`` (the paper's),
            ``"exact"``, `None`, or a `BackProjection`.
        stage_blur: Blur between stages, as in `CascadePlan.create`.
        precision: ``"auto"``, ``"float32"`` or ``"bfloat16"`` for the convolutions.
        **options: Arguments of a named backbone, e.g. ``blocks=4``.

    Raises:
        UsageError: If an argument makes no sense, or the backbone does not fit.

    Example:
        >>> import numpy as np
        >>> from guided_sr import GuidedSRModel, head_phantom, degrade
        >>> head = head_phantom((96, 96), n_slices=2, voxel_mm=2.0)
        >>> model = GuidedSRModel(blocks=1, convolutions=2, filters=8, growth=8)
        >>> histories = model.fit_external(
        ...     [(degrade(head.t2, 2), head.t1)],
        ...     scale=2, stages=1, max_steps=2, batch_size=4, verbose=0)
        >>> model.predict_cascade(degrade(head.t2, 2), head.t1, scale=2).shape
        (2, 96, 96)
    """

    def __init__(
        self,
        backbone: str | keras.Model = "grdn",
        *,
        guided: bool = True,
        back_projection: Method | BackProjection = "ibp",
        stage_blur: StageBlur = "consistent",
        precision: str = "auto",
        **options: Any,
    ) -> None:
        self.backbone = backbone
        self.options = options
        self.guided = guided
        self.back_projection = BackProjection.of(back_projection)
        self.stage_blur = stage_blur
        self.dtype = resolve_precision(precision)
        self.networks: list[keras.Model] = []
        self.scale: tuple[float, float] | None = None
        self.metadata: dict[str, Any] = {}
        self.name: str | None = None
        self.weights: dict[str, str] = {}
        self._build()

    def _build(self) -> keras.Model:
        return build_backbone(
            self.backbone, guided=self.guided, dtype=self.dtype, options=self.options
        )

    @property
    def stages(self) -> int:
        """Number of trained stages; 0 before any training."""
        return len(self.networks)

    def fit_external(
        self,
        pairs: Sequence[Any],
        scale: float | Sequence[float],
        stages: int = 3,
        *,
        weights: Sequence[float] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        checkpoint_dir: str | os.PathLike[str] | None = None,
        verbose: int | str = "auto",
        **training: Any,
    ) -> list[keras.callbacks.History]:
        """Learn from the low-resolution T2 images of other subjects (eq. 4).

        The observed T2 is the target; its own degradation, made on the device, is
        the input. No high-resolution T2 is needed anywhere.

        Args:
            pairs: ``(t2, t1)`` pairs: arrays ``(h, w)`` or ``(n, h, w)`` with the T1
                on the target grid, or nibabel images or paths on any grids. For a
                model without guide, T2 images alone.
            scale: Factor to learn, of both in-plane axes or one for each.
            stages: Number r of stages (3 in the paper).
            weights: How often a slice of each pair is drawn, against the others';
                equal by default.
            callbacks: Keras callbacks, `DegradationCallback` and `IBPCallback`
                among them, run in every stage.
            checkpoint_dir: Folder from which a killed training goes on exactly, and
                into which it is saved at each epoch's end.
            verbose: As in `keras.Model.fit`.
            **training: Fields of `TrainingOptions`: ``loss``, ``max_steps``,
                ``schedule``, ``learning_rate``, ``batch_size``, ``patch_size``,
                ``steps_per_epoch``, ``augmentation``, ``warm_start``, ``seed``.

        Returns:
            One Keras `History` a stage; empty for a stage taken from a checkpoint.

        Raises:
            UsageError: If an option is unknown or out of range.
            DataError: If data are unusable, slices too small or the loss diverges.
        """
        try:
            options = TrainingOptions(**training)
        except TypeError as error:
            known = ", ".join(TrainingOptions.__dataclass_fields__)
            raise UsageError(str(error), mend=f"known are {known}") from error
        factors = scale_per_axis(scale)
        subjects = subjects_of(
            pairs,
            scale=factors,
            stages=stages,
            guided=self.guided,
            stage_blur=self.stage_blur,
            weights=weights,
        )
        trainer = ExternalTrainer(
            self._build,
            subjects,
            back_projection=self.back_projection,
            options=options,
            callbacks=callbacks,
            checkpoint_dir=checkpoint_dir,
            verbose=verbose,
        )
        self.networks, histories = trainer.run()
        self.scale = factors
        self.name, self.weights, self.metadata = None, {}, {}
        return histories

    def predict_cascade(
        self,
        t2: Any,
        t1: Any = None,
        scale: float | Sequence[float] | None = None,
        *,
        target_shape: tuple[int, int] | None = None,
        back_projection: Method | BackProjection | str = "trained",
        axes: str = "in-plane",
        progress: Progress | None = None,
    ) -> NDArray[np.float32] | Result:
        """Super-resolve a slice, a stack or a volume (eq. 5, stage by stage).

        Args:
            t2: Observed T2: array ``(h, w)`` or ``(n, h, w)``, nibabel image or path.
            t1: The same person's T1 of the same kind: an array on the target grid,
                or an image on any grid, brought there by the affines.
            scale: Factor; must be the one the model was trained for, which is the
                default.
            target_shape: Exact in-plane size of the result; wins over ``scale``.
            back_projection: Another one than the model was trained with.
            axes: Axes of a volume to enlarge: ``"in-plane"``.
            progress: Called with the slices done and their number.

        Returns:
            An array ``(H, W)`` or ``(n, H, W)``, float32, in the units of the T2, for
            arrays; a `Result` for images and paths.

        Raises:
            UnknownScaleError: If the model was not trained for the scale.
            UsageError: If the T1 is missing or an option is unknown.
            DataError: If an image is unusable; nothing is guessed.
            GeometryError: If T1 and T2 do not overlap.
        """
        factors = self._known_scale(scale)
        how = self.back_projection
        if back_projection != "trained":
            how = BackProjection.of(back_projection)
        with noted_warnings() as noticed:
            inputs = prepare(
                t2,
                t1,
                guided=self.guided,
                scale=factors,
                target_shape=target_shape,
                axes=axes,
            )
        plan = inputs.plan(stages=self.stages, stage_blur=self.stage_blur)
        begun = time.perf_counter()
        stack = run_cascade(
            self.networks,
            *inputs.normalised(),
            plan=plan,
            back_projection=how,
            progress=progress,
        )
        seconds = time.perf_counter() - begun
        stack = inputs.t2_scale.inverse(stack)
        if inputs.t2.min() >= 0.0:
            stack = np.maximum(stack, 0.0, out=stack)
        if inputs.source is None:
            return stack[0] if inputs.single else stack
        return volume_result(
            inputs,
            stack,
            plan=plan,
            back_projection=how,
            model={
                "name": self.name,
                "weights_sha256": self.weights,
                "precision": self.dtype,
            },
            framework=framework_versions(),
            warnings=noticed,
            seconds=seconds,
        )

    def _known_scale(
        self, scale: float | Sequence[float] | None
    ) -> tuple[float, float]:
        if self.scale is None:
            raise UsageError(
                "the model has no weights yet",
                mend="call fit_external, or GuidedSRModel.from_preset",
            )
        asked = self.scale if scale is None else scale_per_axis(scale)
        if not np.allclose(asked, self.scale, rtol=1e-3):
            known = " x ".join(f"{factor:g}" for factor in dict.fromkeys(self.scale))
            raise UnknownScaleError(
                f"the model was not trained for scale {scale}; it knows {known}",
                mend=f"presets are {', '.join(list_presets())}; or train with"
                " fit_external",
            )
        return self.scale

    def probe(self) -> dict[str, Any]:
        """Output figures for a fixed input; see `guided_sr.inference.probe`."""
        scale = self._known_scale(None)

        def predict(t2: Any, t1: Any) -> Any:
            return self.predict_cascade(t2, t1 if self.guided else None)

        return probe(predict, scale)

    @staticmethod
    def presets() -> list[str]:
        """Names of the packaged presets."""
        return list_presets()

    @classmethod
    def from_preset(
        cls,
        name_or_dir: str | os.PathLike[str],
        *,
        precision: str = "auto",
        backbone: keras.Model | None = None,
    ) -> GuidedSRModel:
        """Load a trained model.

        The networks are built from the package's code; only numbers come from the
        files, after their sha256 has been checked.

        Args:
            name_or_dir: Name of a packaged preset (`presets`) or a folder made by
                `save_preset`.
            precision: As in `GuidedSRModel`.
            backbone: The network of a preset that was saved from a model of your own.

        Raises:
            UnknownPresetError: If there is no such preset or folder.
            WeightsError: If a file is missing, damaged, or of another network.
        """
        folder = locate_preset(name_or_dir)
        config = read_config(folder)
        files = weights_files(folder, config)
        network: str | keras.Model = config.backbone.name
        if network == "custom":
            if backbone is None:
                raise UsageError(
                    "the preset was saved from a network of its author's own",
                    path=folder,
                    mend="pass that network as backbone=",
                )
            network = backbone
        model = cls(
            network,
            guided=config.guided,
            back_projection=BackProjection(**config.back_projection.model_dump()),
            stage_blur=config.stage_blur,
            precision=precision,
            **config.backbone.options,
        )
        for path in files:
            stage = model._build()
            load_weights(stage, path)
            model.networks.append(stage)
        model.scale = config.scale
        model.name = folder.name
        model.weights = dict(config.weights)
        model.metadata = read_metadata(folder)
        return model

    def save_preset(
        self,
        directory: str | os.PathLike[str],
        *,
        metadata: dict[str, Any] | None = None,
        force: bool = False,
    ) -> Path:
        """Save the model as a preset folder.

        Args:
            directory: Folder to make, with `config.json`, `metadata.json` and one
                weights file a stage.
            metadata: What else shall stand in `metadata.json`: data, licence, figures.
            force: Whether an existing preset there is replaced.

        Returns:
            The folder.

        Raises:
            UsageError: If the model has no weights yet.
            CannotCreateError: If the folder holds a preset already, or cannot be made.
        """
        scale = self._known_scale(None)
        folder = new_preset_folder(directory, force=force)
        digests = write_networks(self.networks, folder)
        named = isinstance(self.backbone, str)
        config = PresetConfig(
            guided_sr_version=__version__,
            backbone=BackboneConfig(
                name=str(self.backbone) if named else "custom", options=self.options
            ),
            guided=self.guided,
            scale=scale,
            stages=self.stages,
            stage_blur=self.stage_blur,
            back_projection=BackProjectionConfig(**vars(self.back_projection)),
            weights=digests,
        )
        details = {
            **(metadata or {}),
            "keras_version": keras.__version__,
            "parameters": int(self.networks[0].count_params()),
            "probe": self._exact().probe(),
        }
        write_description(folder, config, details)
        self.name, self.weights, self.metadata = folder.name, digests, details
        return folder

    def _exact(self) -> GuidedSRModel:
        """The same model with float32 convolutions."""
        if self.dtype == "float32" or not isinstance(self.backbone, str):
            return self
        twin = copy.copy(self)
        twin.dtype, twin.networks = "float32", []
        for network in self.networks:
            twin.networks.append(twin._build())
            twin.networks[-1].set_weights(network.get_weights())
        return twin
