"""The model without guide that stands beside a guided one."""

from __future__ import annotations

from collections.abc import Mapping

from guided_sr.presets.entries import describe_preset, list_presets
from guided_sr.presets.schema import PresetConfig

UNGUIDED = "_noguide"
_VARIANTS = ("_light", "_robust")

__all__ = ["is_known", "unguided_name", "unguided_partner"]


def unguided_name(name: str) -> str:
    """What the partner without guide of a preset is called, whether there is one.

    Args:
        name: Of the guided preset. Its lighter and robust forms have the same partner.
    """
    for variant in _VARIANTS:
        name = name.removesuffix(variant)
    return f"{name}{UNGUIDED}"


def unguided_partner(name: str | None, config: PresetConfig) -> str | None:
    """The known preset that does without a T1 what a model does with one.

    A model of the user's own has the one that its configuration names, as a fine-tuned
    one does; else none, even if its folder is called like a preset.

    Args:
        name: Name of the model, as that of its folder.
        config: Its configuration.
    """
    if not config.guided:
        return None
    partner = config.unguided
    if partner is None and name is not None and is_known(name, config.weights):
        partner = unguided_name(name)
    return partner if partner in list_presets() else None


def is_known(name: str | None, weights: Mapping[str, str]) -> bool:
    """Whether a model is the known preset that it is called like.

    Args:
        name: Name of the model.
        weights: The sha256 of each of its weights files, by file name.
    """
    if name is None or name not in list_presets():
        return False
    known = describe_preset(name).get("files", {})
    ours = {
        file: entry["sha256"]
        for file, entry in known.items()
        if file.endswith(".weights.h5")
    }
    return ours == dict(weights)
