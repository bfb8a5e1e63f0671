"""A volume through one model or two, with the provenance of all that made it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from guided_sr.errors import UsageError, noted_warnings
from guided_sr.inference.cascade import Progress
from guided_sr.inference.result import Result, volume_result
from guided_sr.inference.volume import Cascade, super_resolve
from guided_sr.inference.volume_inputs import VolumeInputs
from guided_sr.inference.volume_plan import Served
from guided_sr.physics.back_projection import BackProjection
from guided_sr.presets import rows_only
from guided_sr.runtime import framework_versions

if TYPE_CHECKING:
    from guided_sr.model.learning import LearningModel


def served_by(model: LearningModel) -> Served:
    """What a model serves.

    Raises:
        UsageError: If it has no weights yet.
    """
    scale = model.known_scale()
    return Served(scale, model.scale_range, model.stages, model.stage_blur)


def predict_volume(
    inputs: VolumeInputs,
    models: Sequence[LearningModel],
    *,
    back_projection: BackProjection | None = None,
    progress: Progress | None = None,
    noticed: Sequence[str] = (),
) -> Result:
    """Super-resolve prepared inputs.

    Args:
        inputs: The inputs and their plan.
        models: One of the in-plane axes, one of the slice axis, or both.
        back_projection: Another one than the models were trained with.
        progress: Called with the slices and planes done and their number.
        noticed: Warnings so far.

    Raises:
        UsageError: If a guided model has no guide.
    """
    cascades: dict[str, Cascade] = {}
    records: dict[str, dict[str, Any]] = {}
    plan = inputs.plan
    for model in models:
        through = rows_only(model.known_scale())
        used = plan.through_plane if through else plan.in_plane
        if used is None:
            continue
        if model.guided and inputs.guide is None:
            raise UsageError(
                "the model is guided, but there is no T1",
                mend="give t1=, or use a model without guide",
            )
        how = back_projection or model.back_projection
        cascade = Cascade(model.networks, how, model.guided)
        cascades["through_plane" if through else "in_plane"] = cascade
        records["model" if not records else "slice_model"] = {
            "name": model.name,
            "weights_sha256": model.weights,
            "precision": model.dtype,
        }
    begun = time.perf_counter()
    with noted_warnings() as told:
        estimate = super_resolve(inputs, **cascades, progress=progress)
    return volume_result(
        inputs,
        estimate,
        models=records,
        framework=framework_versions(),
        warnings=[*noticed, *told],
        seconds=time.perf_counter() - begun,
    )
