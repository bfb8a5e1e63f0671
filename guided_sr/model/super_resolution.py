"""`GuidedSRModel`: train, save, load and apply a cascade. A façade: no maths here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import PathLike, UsageError, noted_warnings
from guided_sr.inference.cascade import Progress
from guided_sr.inference.guide_test import GuideUse
from guided_sr.inference.inputs import Inputs, is_array, prepare
from guided_sr.inference.map_meanings import chosen_maps
from guided_sr.inference.probe import probe
from guided_sr.inference.result import Result
from guided_sr.inference.stack import super_resolve_stack
from guided_sr.inference.usage import check_usage, warn_of_needless_voxels
from guided_sr.inference.volume import Cascade
from guided_sr.inference.volume_inputs import VolumeInputs
from guided_sr.inference.volume_plan import (
    VolumePlan,
    target_for,
    with_in_plane_shape,
)
from guided_sr.model import preset
from guided_sr.model.guide_use import best_for_stack, checked_use, without_guide
from guided_sr.model.learning import LearningModel
from guided_sr.model.prediction import predict_volume, served_by
from guided_sr.networks.registry import backbone_names
from guided_sr.physics.back_projection import BackProjection, Method
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.slice_profile import SliceProfile
from guided_sr.presets import list_presets, rows_only
from guided_sr.presets.usage_range import check_range, usage_range
from guided_sr.volumes.plausible import read_examined, refuse_target


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
            ``"exact"``, `None`, or a `BackProjection`, whose ``epsilon="auto"`` takes
            the regularisation from the noise of each T2, as the presets do.
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
        target_voxel: float | None = None,
        axes: str = "auto",
        slice_model: GuidedSRModel | None = None,
        slice_profile: SliceProfile | None = None,
        register: str = "auto",
        t2_to_t1: PathLike | None = None,
        guide_use: str | None = "auto",
        back_projection: Method | BackProjection | str = "trained",
        strict: bool | None = False,
        maps: str | Sequence[str] = (),
        progress: Progress | None = None,
    ) -> NDArray[np.float32] | Result:
        """Super-resolve a slice, a stack or a volume (eq. 5, stage by stage).

        A model that enlarges rows alone is a slice model: of a volume it enlarges
        the slice axis. The volume is cut into both stacks of planes across its
        slices, and the mean of the two results is taken.

        Args:
            t2: Observed T2: array ``(h, w)`` or ``(n, h, w)``, nibabel image or path.
            t1: The same person's T1 of the same kind: an array on the target grid,
                or an image on any grid, brought there by the affines.
            scale: Factor, one that the model serves; of a volume also one for each
                axis of the file. By default the one that the model was trained for;
                of a model that serves a range, what brings slices over 1.2 mm to
                1 mm, or to the T2's finest voxel where that is larger.
            target_shape: Exact in-plane size of the result; wins over ``scale``.
            target_voxel: Voxel size in mm to bring coarser axes of a volume to.
            axes: Axes of a volume to enlarge: ``"in-plane"``, ``"slice"``, or
                ``"auto"`` for those that the models are for.
            slice_model: A second model, for the slice axis of a volume whose slices
                this one enlarges.
            slice_profile: Shape and gap of the slices that a slice model leads up. By
                default it is read from the T1, where that is fine enough across them
                and the factor is 2.5 or more; else they are Gaussian without a gap.
            register: How the T1 of a volume is placed on the T2: ``"auto"`` measures
                how far the headers are off and moves the T1 where that helps,
                ``"rigid"`` always, ``"none"`` never.
            t2_to_t1: File of a transform from the T2 to the T1, made elsewhere.
            guide_use: ``"auto"`` makes some slices of the T2 coarser, brings them back
                with the T1 and without, and leaves the T1 out where that is not
                better, by the model's partner without guide (`unguided`; packaged
                presets have one, others only what is set); ``"always"`` only warns
                then; ``"never"`` uses the partner at once; `None`, of arrays, makes no
                test.
            back_projection: Another one than the model was trained with.
            strict: Whether images outside the range of the model's card (voxel sizes,
                factor), and a T1 that hurts, are refused in place of a warning; `None`
                does not look at the range.
            maps: Maps of a volume to make as well, of ``"consistency"``,
                ``"uncertainty"`` (three more predictions) and ``"guide_influence"``
                (one more), or ``"all"``; they come as `Result.maps`.
            progress: Called with the slices done and their number.

        Returns:
            An array ``(H, W)`` or ``(n, H, W)``, float32, in the units of the T2, for
            arrays; a `Result` for images and paths.

        Raises:
            UnknownScaleError: If the model was not trained for the scale.
            UsageError: If the T1 is missing or an option is unknown.
            DataError: If an image is unusable; nothing is guessed. With ``strict``,
                if one is outside the range.
            GeometryError: If T1 and T2 do not overlap or cannot be registered.
        """
        how = None
        if back_projection != "trained":
            how = BackProjection.of(back_projection)
        use = None if guide_use is None else checked_use(guide_use)
        if not is_array(t2) and not is_array(t1):
            return self._predict_volume(
                t2,
                t1,
                {"scale": scale, "target_voxel": target_voxel, "axes": axes},
                target_shape=target_shape,
                slice_model=slice_model,
                slice_profile=slice_profile,
                strict=strict,
                guide_use=use or "auto",
                maps=chosen_maps(maps),
                placing={"register": register, "t2_to_t1": t2_to_t1},
                back_projection=how,
                progress=progress,
            )
        if register == "rigid" or t2_to_t1 is not None:
            raise UsageError(
                "arrays have no place in millimetres, so that none can be registered",
                path=t2_to_t1,
                mend="give images or paths, or leave the T1 as it is",
            )
        if maps:
            raise UsageError(
                "maps are made of volumes", mend="give images or paths, or no maps="
            )
        if axes == "slice" or target_voxel is not None or slice_model is not None:
            raise UsageError(
                "arrays have no voxel sizes and no slice axis",
                mend="give images or paths; or stacks of planes to a slice model",
            )
        factors = self.known_scale(scale)
        model = without_guide(self) if use == "never" else self
        inputs = prepare(
            t2, t1, guided=model.guided, scale=factors, target_shape=target_shape
        )
        if rows_only(factors):
            inputs = inputs.with_profile(slice_profile)
        elif slice_profile is not None:
            raise UsageError(
                "slices of these arrays are not led up, a profile has no part in it",
                mend="leave slice_profile out, or give planes to a slice model",
            )
        if strict is not None:
            known = usage_range(self.metadata)
            measured = inputs.measured()
            check_range(known, measured, paths={}, model=self.name, strict=strict)
        if use is not None:
            model = best_for_stack(model, inputs, use, strict=bool(strict))
        stack, _ = model.predict_inputs(inputs, back_projection=how, progress=progress)
        return stack[0] if inputs.single else stack

    def _predict_volume(
        self,
        t2: Any,
        t1: Any,
        wanted: dict[str, Any],
        *,
        target_shape: tuple[int, int] | None,
        slice_model: GuidedSRModel | None,
        slice_profile: SliceProfile | None,
        strict: bool | None,
        guide_use: GuideUse,
        placing: dict[str, Any],
        **how: Any,
    ) -> Result:
        models = [self] if slice_model is None else [self, slice_model]
        if guide_use == "never":
            models = [without_guide(model) for model in models]
        served = [served_by(model) for model in models]
        if len({one.through_plane for one in served}) < len(models):
            raise UsageError(
                "both models enlarge the same axes",
                mend="give one that enlarges slices in-plane, and a slice model",
            )
        with noted_warnings() as noticed:
            low = read_examined(t2, name="T2")
            grid = target_for(
                low.affine, low.data.shape, served, path=low.path, **wanted
            )
            if target_shape is not None:
                grid = with_in_plane_shape(grid, target_shape)
            refuse_target(grid, path=low.path)
            plan = VolumePlan.create(grid, served, profile=slice_profile)
            guided = any(model.guided for model in models)
            inputs = VolumeInputs.prepare(low, t1 if guided else None, plan, **placing)
            if strict is not None:
                guide = None if inputs.guide is None else inputs.guide.volume
                affine = None if guide is None else guide.affine
                warn_of_needless_voxels(grid, affine, path=low.path)
                for model, one in zip(models, served, strict=True):
                    check_usage(
                        model.metadata,
                        grid,
                        low,
                        guide,
                        through_plane=one.through_plane,
                        strict=strict,
                        model=model.name,
                    )
        return predict_volume(
            inputs,
            models,
            guide_use=guide_use,
            strict=bool(strict),
            noticed=noticed,
            **how,
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
        how = back_projection or self.back_projection
        model = Cascade(self.networks, how, self.guided)
        return super_resolve_stack(inputs, model, plan, progress=progress), plan

    def probe(self) -> dict[str, Any]:
        """Output figures for a fixed input; see `guided_sr.inference.probe`.

        Back-projection is regularised by a fixed number: the probe looks at the
        weights, and its input has no noise. Nor is it held against a range.
        """
        scale, how = self.known_scale(), self.back_projection.fixed()

        def predict(t2: Any, t1: Any) -> Any:
            guide = t1 if self.guided else None
            return self.predict_cascade(
                t2, guide, strict=None, guide_use=None, back_projection=how
            )

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
            name_or_dir: Name of a preset (`presets`), a folder made by
                `save_preset`, or ``hf://OWNER/REPO`` on the Hugging Face hub.
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
