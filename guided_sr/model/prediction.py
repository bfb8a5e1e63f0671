"""A volume through one model or two, with the provenance of all that made it."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from guided_sr.errors import UsageError, noted_warnings
from guided_sr.inference.cascade import Progress
from guided_sr.inference.guide_test import GuideUse, compare_guide
from guided_sr.inference.maps import make_maps
from guided_sr.inference.result import Result, volume_result
from guided_sr.inference.volume import Cascade, super_resolve
from guided_sr.inference.volume_inputs import VolumeInputs
from guided_sr.inference.volume_plan import Served
from guided_sr.model.guide_use import Decision, decide, record
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
    return Served(scale, model.scale_range, model.stages, model.stage_blur, model.name)


def predict_volume(
    inputs: VolumeInputs,
    models: Sequence[LearningModel],
    *,
    back_projection: BackProjection | None = None,
    guide_use: GuideUse = "auto",
    strict: bool = False,
    maps: Sequence[str] = (),
    progress: Progress | None = None,
    noticed: Sequence[str] = (),
) -> Result:
    """Super-resolve prepared inputs.

    Args:
        inputs: The inputs and their plan.
        models: One of the in-plane axes, one of the slice axis, or both.
        back_projection: Another one than the models were trained with.
        guide_use: As in `GuidedSRModel.predict_cascade`.
        strict: Whether a T1 that hurts is refused.
        maps: Names of `MAPS` to make as well.
        progress: Called with the slices and planes done and their number.
        noticed: Warnings so far.

    Raises:
        UsageError: If a guided model has no guide.
        DataError: If the T1 hurts and `strict` is true.
    """
    cascades: dict[str, Cascade] = {}
    decisions: dict[str, Decision[LearningModel]] = {}
    records: dict[str, dict[str, Any]] = {}
    plan = inputs.plan
    begun = time.perf_counter()
    with noted_warnings() as noted:
        for model in models:
            through = rows_only(model.known_scale())
            if (plan.through_plane if through else plan.in_plane) is None:
                continue
            if model.guided and inputs.guide is None:
                raise UsageError(
                    "the model is guided, but there is no T1",
                    mend="give t1=, or use a model without guide",
                )
            decision = decide(
                model,
                functools.partial(compare_guide, inputs, through_plane=through),
                guide_use=guide_use,
                back_projection=back_projection,
                strict=strict,
                path=None if inputs.guide is None else inputs.guide.volume.path,
            )
            used, name = decision.model, "through_plane" if through else "in_plane"
            how = back_projection or used.back_projection
            cascades[name] = Cascade(used.networks, how, used.guided)
            decisions[name] = decision
            known = record(used)
            if used is not model:
                known["in_place_of"] = record(model)
            records["model" if not records else "slice_model"] = known
        tested = time.perf_counter()
        estimate = super_resolve(inputs, **cascades, progress=progress)
        seconds = time.perf_counter() - tested
    settled = {
        name: one._replace(
            back_projection=one.back_projection.fixed(estimate.back_projection.number)
        )
        for name, one in cascades.items()
    }
    made = make_maps(inputs, settled, estimate.data, maps, progress=progress)
    return volume_result(
        inputs,
        estimate,
        maps=made,
        models=records,
        guide_use=_guide_use(guide_use, decisions, seconds=tested - begun),
        framework=framework_versions(),
        warnings=[*noticed, *noted],
        seconds=seconds,
    )


def _guide_use(
    asked: str, decisions: Mapping[str, Decision[LearningModel]], *, seconds: float
) -> dict[str, Any]:
    """What became of the T1, as plain data: asked for, and used, on which grounds."""
    known: dict[str, Any] = {
        "asked": asked,
        "used": any(one.model.guided for one in decisions.values()),
    }
    for name, one in decisions.items():
        if one.test is not None and one.partner is not None:
            known[name] = {
                **one.test.to_dict(),
                "used": one.model.guided,
                "unguided": record(one.partner),
            }
            known["seconds"] = round(seconds, 2)
    return known
