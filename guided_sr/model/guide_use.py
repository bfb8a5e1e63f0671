"""Whether a model uses the T1, or its partner without guide takes its place."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from guided_sr.errors import DataError, UsageError, warn_user
from guided_sr.inference.guide_test import (
    GUIDE_USE,
    GuideTest,
    GuideUse,
    compare_on_slices,
)
from guided_sr.inference.inputs import Inputs
from guided_sr.inference.volume import Cascade
from guided_sr.model import preset

if TYPE_CHECKING:
    from guided_sr.model.learning import LearningModel
    from guided_sr.physics.back_projection import BackProjection

Model = TypeVar("Model", bound="LearningModel")

_MEND = "look at both images together: one person, and the T1 lies on the T2"


class Decision(NamedTuple, Generic[Model]):
    """Which model is used for a group of axes, and why.

    Attributes:
        model: The one that is used.
        test: What the T1 was worth on held-out slices; `None` where none was made.
        partner: The model without guide that it was compared with, or `None`.
    """

    model: Model
    test: GuideTest | None = None
    partner: Model | None = None


def checked_use(guide_use: str) -> GuideUse:
    """One of `GUIDE_USE`.

    Raises:
        UsageError: If it is none of them.
    """
    for known in GUIDE_USE:
        if guide_use == known:
            return known
    raise UsageError(
        f"guide use {guide_use!r} is unknown",
        mend=f"choose one of {', '.join(GUIDE_USE)}",
    )


def partner_of(model: Model) -> Model | None:
    """The model without guide beside a guided one, loaded when first asked for.

    Args:
        model: A packaged preset, one that began as such, or a model whose ``unguided``
            has been set.

    Raises:
        UsageError: If that is guided itself, or works in other stages.
        GuidedSRError: If the preset cannot be loaded.
    """
    if not model.guided or model.unguided is None:
        return None
    if isinstance(model.unguided, str):
        precision = model.dtype.removeprefix("mixed_")
        model.unguided = preset.load(type(model), model.unguided, precision=precision)
    partner = model.unguided
    if partner.guided or (partner.stages, partner.stage_blur) != (
        model.stages,
        model.stage_blur,
    ):
        raise UsageError(
            "the partner of a guided model must have no guide and the same stages",
            mend="set unguided to such a model, or to None",
        )
    return partner  # type: ignore[return-value]


def without_guide(model: Model) -> Model:
    """What is used where no T1 is wanted: the partner of a guided model.

    Raises:
        UsageError: If there is none.
    """
    if not model.guided:
        return model
    partner = partner_of(model)
    if partner is None:
        raise UsageError(
            "the model is guided, and none without guide is known that could take its"
            " place",
            mend="use a model that was trained without guide",
        )
    return partner


def decide(
    model: Model,
    compare: Callable[[Cascade, Cascade], GuideTest | None],
    *,
    guide_use: GuideUse,
    back_projection: BackProjection | None = None,
    strict: bool = False,
    path: Path | None = None,
) -> Decision[Model]:
    """Choose between a guided model and its partner by a test on the T2 itself.

    Args:
        model: The model asked for.
        compare: Puts the T1 to the test, with a guided and an unguided cascade.
        guide_use: ``"always"`` makes the test too, and only warns.
        back_projection: Another one than the models were trained with.
        strict: Whether a T1 that hurts is refused.
        path: Of the T1, for messages.

    Raises:
        DataError: If the T1 hurts and `strict` is true.
    """
    partner = None if guide_use == "never" else partner_of(model)
    if partner is None:
        return Decision(model)
    guided, unguided = (
        Cascade(one.networks, back_projection or one.back_projection, one.guided)
        for one in (model, partner)
    )
    test = compare(guided, unguided)
    if test is None or not test.hurts:
        return Decision(model, test, partner)
    falls_back = guide_use == "auto"
    told = f"the T1 does not help: {test.describe()}"
    if strict:
        raise DataError(told, path=path, mend=_MEND)
    done = "it is left out" if falls_back else "it is used all the same"
    warn_user(f"{told}; {done}", path=path, mend=_MEND, stacklevel=3)
    return Decision(partner if falls_back else model, test, partner)


def best_for_stack(
    model: Model, inputs: Inputs, guide_use: GuideUse, *, strict: bool
) -> Model:
    """A model, or its partner without guide where the T1 of a stack hurts.

    Args:
        model: The model asked for.
        inputs: The stack and its T1.
        guide_use: As in `decide`.
        strict: As in `decide`.

    Raises:
        DataError: If the T1 hurts and `strict` is true.
    """
    y, t1 = inputs.normalised()
    if t1 is None:
        return model
    plan = inputs.plan(stages=model.stages, stage_blur=model.stage_blur)
    y = inputs.to_trained(y)
    compare = functools.partial(compare_on_slices, y, t1, plan)
    return decide(model, compare, guide_use=guide_use, strict=strict).model


def record(model: LearningModel) -> dict[str, Any]:
    """A model's entry in the provenance of a result."""
    return {
        "name": model.name,
        "weights_sha256": model.weights,
        "precision": model.dtype,
    }
