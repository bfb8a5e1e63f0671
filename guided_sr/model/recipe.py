"""Follow a recipe: from its file to a trained model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from guided_sr.errors import UsageError
from guided_sr.model import fitting
from guided_sr.model.super_resolution import GuidedSRModel
from guided_sr.training.options import TrainingOptions
from guided_sr.training.painted import shared_out
from guided_sr.training.recipes import Recipe
from guided_sr.training.subjects import Subject, subjects_of, supervised_subjects_of

Histories = list[keras.callbacks.History]


def recipe_model(recipe: Recipe, *, precision: str = "auto") -> GuidedSRModel:
    """An untrained model of a recipe.

    Args:
        recipe: From `read_recipe`.
        precision: As in `GuidedSRModel`.
    """
    return GuidedSRModel(
        recipe.backbone,
        guided=recipe.guided,
        back_projection=recipe.projection,
        precision=precision,
        **recipe.options,
    )


def recipe_subjects(
    recipe: Recipe,
    data: str | os.PathLike[str],
    *,
    leave_out: Sequence[str] = (),
) -> list[Subject]:
    """Everything that a recipe learns from, weighted.

    Args:
        recipe: From `read_recipe`.
        data: Folder that the recipe's files lie below.
        leave_out: Names of subjects to leave out, for a test.

    Raises:
        GuidedSRError: If a file cannot be used; it is named.
    """
    pairs, weights = recipe.training_data(data, leave_out=leave_out)
    real: list[Subject] = []
    if pairs:
        real = subjects_of(
            pairs,
            scale=recipe.factors,
            scale_range=recipe.scale_range,
            stages=recipe.stages,
            stage_blur="consistent",
            guided=recipe.guided,
            weights=weights,
            sharp_masks=recipe.sharp_masks,
        )
    sharp, weights = recipe.sharp_pairs(data, leave_out=leave_out)
    if sharp:
        real += supervised_subjects_of(
            sharp,
            scale=recipe.factors,
            stages=recipe.stages,
            stage_blur="consistent",
            guided=recipe.guided,
            weights=weights,
        )
    return [*real, *painted_subjects(recipe, data, beside=real)]


def painted_subjects(
    recipe: Recipe, data: str | os.PathLike[str], *, beside: Sequence[Subject]
) -> list[Subject]:
    """The painted subjects of a recipe, weighted against the others.

    Args:
        recipe: From `read_recipe`.
        data: Folder that the label maps lie below.
        beside: All other subjects.

    Raises:
        GuidedSRError: If a map cannot be used; it is named.
    """
    if recipe.painted is None:
        return []
    painted = recipe.painted.painter(recipe.factors).subjects(
        recipe.painted.files(Path(data)),
        stages=recipe.stages,
        stage_blur="consistent",
        guided=recipe.guided,
    )
    return shared_out(painted, beside, recipe.painted.share)


def fit_recipe(
    model: GuidedSRModel,
    recipe: Recipe,
    subjects: Sequence[Subject],
    *,
    starts: Sequence[str | os.PathLike[str]] = (),
    **how: Any,
) -> Histories:
    """Train a model as a recipe says.

    Args:
        model: From `recipe_model`.
        recipe: The same recipe.
        subjects: From `recipe_subjects`.
        starts: Folders searched first for the model that the recipe starts from.
        **how: ``callbacks``, ``checkpoint_dir`` and ``verbose`` of `fit_external`.

    Returns:
        One Keras `History` a stage.

    Raises:
        UsageError: If an option is wrong or the start has another network.
        UnknownPresetError: If there is no preset to start from.
        DataError: If slices are too small or the loss diverges.
    """
    options: TrainingOptions = fitting.training_options(recipe.training, {})
    start = None
    if recipe.init is not None:
        start = _start(model, recipe, recipe.init, starts)
    histories = model._fit(list(subjects), options, start, shared=recipe.shared, **how)
    model.scale, model.scale_range = recipe.factors, recipe.scale_range
    return histories


def _start(
    model: GuidedSRModel,
    recipe: Recipe,
    name: str,
    starts: Sequence[str | os.PathLike[str]],
) -> fitting.Start:
    folders = (Path(place) / name for place in starts)
    found = next((folder for folder in folders if folder.is_dir()), name)
    known = type(model).from_preset(found, precision="float32")
    if known.stages != 1:
        raise UsageError(
            f"the preset {name} has {known.stages} networks, a recipe starts from one",
            mend="name one that a recipe with shared = true has made",
        )
    start = fitting.Start(
        known.networks * recipe.stages, recipe.factors, model.back_projection
    )
    start.check(model.build, None, None, model.back_projection)
    return start
