"""Presets: what they are, where they lie, how they come, whether they are whole."""

from guided_sr.presets.entries import describe_preset, is_packaged, list_presets
from guided_sr.presets.fetch import cache_home, cached_folder, fetch_preset
from guided_sr.presets.hub import hub_preset, is_on_hub
from guided_sr.presets.scales import (
    model_text,
    rows_only,
    scale_text,
    served_factors,
    served_text,
)
from guided_sr.presets.schema import PresetConfig
from guided_sr.presets.store import (
    absence,
    find_preset,
    locate_preset,
    preset_state,
    read_config,
    read_metadata,
    verify_preset,
)

__all__ = [
    "PresetConfig",
    "absence",
    "cache_home",
    "cached_folder",
    "describe_preset",
    "fetch_preset",
    "find_preset",
    "hub_preset",
    "is_on_hub",
    "is_packaged",
    "list_presets",
    "locate_preset",
    "model_text",
    "preset_state",
    "read_config",
    "read_metadata",
    "rows_only",
    "scale_text",
    "served_factors",
    "served_text",
    "verify_preset",
]
