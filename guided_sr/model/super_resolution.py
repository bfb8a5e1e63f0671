"""`GuidedSRModel`: train, save, load and apply a cascade. A façade: no maths here."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import noted_warnings
from guided_sr.inference.cascade import Progress, run_cascade
from guided_sr.inference.inputs import Inputs, prepare
from guided_sr.inference.probe import probe
from guided_sr.inference.result import Result, volume_result
from guided_sr.model import preset
from guided_sr.model.learning import LearningModel
from guided_sr.networks.registry import backbone_names
from guided_sr.physics.back_projection import BackProjection, Method
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.presets import list_presets
from guided_sr.presets.usage_range import check_range, usage_range
from guided_sr.runtime import framework_versions


class GuidedSRModel(LearningModel):
    """Super-resolution of a low-resolution T2 by the same person's T1.

    A model holds one network a stage of a cascade (Iwamoto et al., II-D). It is
    trained on low-resolution T2 images alone, of other people (`fit_external`) or of
    the very scan to be sharpened (`fit_internal`); on high-resolution ones where
    there are any (`fit_supervised`); or loaded by `from_preset`.

    Args:
        backbone: Registered name (``"grdn"``), or a `keras.Model` with inputs
            named ``t2`` and ``t1`` that keeps the image size; it is cloned for
            each stage.
        guided: Whether the network takes a T1; by default as it was published.
            ``GuidedSRModel(guided=False)`` is the paper's Model 1.
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

    def predict_cascade(
        self,
        t2: Any,
        t1: Any = None,
        scale: float | Sequence[float] | None = None,
        *,
        target_shape: tuple[int, int] | None = None,
        back_projection: Method | BackProjection | str = "trained",
        axes: str = "in-plane",
        strict: bool | None = False,
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
            strict: Whether images outside the range of the model's card (voxel sizes,
                factor) are refused in place of a warning; `None` does not look.
            progress: Called with the slices done and their number.

        Returns:
            An array ``(H, W)`` or ``(n, H, W)``, float32, in the units of the T2, for
            arrays; a `Result` for images and paths.

        Raises:
            UnknownScaleError: If the model was not trained for the scale.
            UsageError: If the T1 is missing or an option is unknown.
            DataError: If an image is unusable; nothing is guessed. With ``strict``,
                if one is outside the range.
            GeometryError: If T1 and T2 do not overlap.
        """
        factors = self.known_scale(scale)
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
            if strict is not None:
                check_range(
                    usage_range(self.metadata),
                    inputs.measured(),
                    paths=inputs.paths(),
                    strict=strict,
                )
        begun = time.perf_counter()
        stack, plan = self.predict_inputs(
            inputs, back_projection=how, progress=progress
        )
        seconds = time.perf_counter() - begun
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

    def predict_inputs(
        self,
        inputs: Inputs,
        *,
        back_projection: BackProjection | None = None,
        progress: Progress | None = None,
    ) -> tuple[NDArray[np.float32], CascadePlan]:
        """Super-resolve a pair that has been checked, with its own intensity scales.

        Args:
            inputs: The pair.
            back_projection: Another one than the model was trained with.
            progress: Called with the slices done and their number.

        Returns:
            Slices of shape ``(n, H, W)`` in the units of the T2, and the plan that was
            followed.
        """
        plan = inputs.plan(stages=self.stages, stage_blur=self.stage_blur)
        stack = run_cascade(
            self.networks,
            *inputs.normalised(),
            plan=plan,
            back_projection=back_projection or self.back_projection,
            progress=progress,
        )
        stack = inputs.t2_scale.inverse(stack)
        if inputs.t2.min() >= 0.0:
            stack = np.maximum(stack, 0.0, out=stack)
        return stack, plan

    def probe(self) -> dict[str, Any]:
        """Output figures for a fixed input; see `guided_sr.inference.probe`."""
        scale = self.known_scale()

        def predict(t2: Any, t1: Any) -> Any:
            return self.predict_cascade(t2, t1 if self.guided else None)

        return probe(predict, scale)

    @staticmethod
    def presets() -> list[str]:
        """Names of the known presets."""
        return list_presets()

    @staticmethod
    def backbones() -> list[str]:
        """Names of the networks that a model can be made of."""
        return backbone_names()

    @classmethod
    def from_preset(
        cls,
        name_or_dir: str | os.PathLike[str],
        *,
        precision: str = "auto",
        backbone: keras.Model | None = None,
    ) -> Self:
        """Load a trained model.

        The networks are built from the package's code; only numbers come from the
        files, after their sha256 has been checked. A preset that does not come with
        the package is downloaded the first time.

        Args:
            name_or_dir: Name of a preset (`presets`) or a folder made by
                `save_preset`.
            precision: As in `GuidedSRModel`.
            backbone: The network of a preset that was saved from a model of your own.

        Raises:
            UnknownPresetError: If there is no such preset or folder.
            WeightsError: If a file is missing, damaged, or of another network.
            GuidedSRError: If the preset cannot be downloaded.
        """
        return preset.load(cls, name_or_dir, precision=precision, backbone=backbone)

    def save_preset(
        self,
        directory: str | os.PathLike[str],
        *,
        metadata: dict[str, Any] | None = None,
        half: bool = False,
        force: bool = False,
    ) -> Path:
        """Save the model as a preset folder.

        Args:
            directory: Folder to make, with `config.json`, `metadata.json` and one
                weights file a stage.
            metadata: What else shall stand in `metadata.json`: data, licence, figures,
                and under ``range`` the images it is made for, e.g. ``{"t2_mm": [1.6,
                2.5], "t1_mm": [0.7, 1.25], "factors": [1.8, 2.2]}``.
            half: Whether the weights are stored as float16, in half the space. They
                are loaded as float32 again, rounded; this model keeps its own.
            force: Whether an existing preset there is replaced.

        Returns:
            The folder.

        Raises:
            UsageError: If the model has no weights yet.
            WeightsError: If a weight is too large for half precision.
            WeightsError: If ``range`` is not of that form.
            CannotCreateError: If the folder holds a preset already, or cannot be made.
        """
        return preset.save(
            self,
            directory,
            scale=self.known_scale(),
            metadata=metadata,
            half=half,
            force=force,
        )
