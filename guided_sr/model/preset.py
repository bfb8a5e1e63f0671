"""A model out of a preset folder, and into one."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import keras

from guided_sr._version import __version__
from guided_sr.errors import UsageError
from guided_sr.networks.preset_files import (
    new_preset_folder,
    write_description,
    write_networks,
)
from guided_sr.networks.weights import half_precision, load_weights
from guided_sr.physics.back_projection import BackProjection
from guided_sr.presets import PresetConfig, locate_preset, read_config, read_metadata
from guided_sr.presets.partners import is_known, unguided_partner
from guided_sr.presets.schema import BackboneConfig, BackProjectionConfig
from guided_sr.presets.store import weights_files
from guided_sr.presets.usage_range import usage_range

if TYPE_CHECKING:
    from guided_sr.model.learning import LearningModel
    from guided_sr.model.super_resolution import GuidedSRModel

Model = TypeVar("Model", bound="LearningModel")


def load(
    kind: type[Model],
    name_or_dir: str | os.PathLike[str],
    *,
    precision: str,
    backbone: keras.Model | None = None,
) -> Model:
    """What `GuidedSRModel.from_preset` does."""
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
    model = kind(
        network,
        guided=config.guided,
        back_projection=BackProjection(**config.back_projection.model_dump()),
        stage_blur=config.stage_blur,
        precision=precision,
        **config.backbone.options,
    )
    for path in files:
        stage = model.build()
        load_weights(stage, path)
        model.networks.append(stage)
    model.scale, model.scale_range = config.scale, config.scale_range
    model.name = folder.name
    model.weights = dict(config.weights)
    model.unguided = unguided_partner(folder.name, config)
    model.metadata = read_metadata(folder)
    usage_range(model.metadata, path=folder / "metadata.json")
    return model


def save(
    model: GuidedSRModel,
    directory: str | os.PathLike[str],
    *,
    scale: tuple[float, float],
    metadata: dict[str, Any] | None,
    half: bool,
    force: bool,
) -> Path:
    """What `GuidedSRModel.save_preset` does."""
    usage_range(metadata or {})
    folder = new_preset_folder(directory, force=force)
    digests = write_networks(model.networks, folder, half=half)
    named = isinstance(model.backbone, str)
    config = PresetConfig(
        guided_sr_version=__version__,
        backbone=BackboneConfig(
            name=str(model.backbone) if named else "custom", options=model.options
        ),
        guided=model.guided,
        scale=scale,
        scale_range=model.scale_range,
        stages=model.stages,
        stage_blur=model.stage_blur,
        back_projection=BackProjectionConfig(**vars(model.back_projection)),
        unguided=_name_of(model.unguided),
        weights=digests,
    )
    details = {
        **{key: model.metadata[key] for key in ("range",) if key in model.metadata},
        **model.learnt,
        **(metadata or {}),
        "keras_version": keras.__version__,
        "parameters": int(model.networks[0].count_params()),
        "weights_dtype": "float16" if half else "float32",
        "probe": _as_loaded(model, half=half).probe(),
    }
    write_description(folder, config, details)
    model.name, model.weights, model.metadata = folder.name, digests, details
    return folder


def _name_of(partner: LearningModel | str | None) -> str | None:
    """A known preset's name; `None` for a model of the user's own."""
    if partner is None or isinstance(partner, str):
        return partner
    return partner.name if is_known(partner.name, partner.weights) else None


def _as_loaded(model: GuidedSRModel, *, half: bool) -> GuidedSRModel:
    """The same model with float32 convolutions and the weights that a file holds."""
    named = isinstance(model.backbone, str)
    if not half and (model.dtype == "float32" or not named):
        return model
    twin = copy.copy(model)
    twin.dtype, twin.networks = "float32" if named else model.dtype, []
    for network in model.networks:
        twin.networks.append(twin.build())
        twin.networks[-1].set_weights(
            half_precision(network) if half else network.get_weights()
        )
    return twin
