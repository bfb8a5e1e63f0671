"""Packaged presets: where they lie, what they are, whether they are whole."""

from guided_sr.presets.scales import (
    rows_only,
    scale_text,
    served_factors,
    served_text,
)
from guided_sr.presets.schema import PresetConfig
from guided_sr.presets.store import (
    describe_preset,
    list_presets,
    locate_preset,
    read_config,
    read_metadata,
    verify_preset,
)

__all__ = [
    "PresetConfig",
    "describe_preset",
    "list_presets",
    "locate_preset",
    "read_config",
    "read_metadata",
    "rows_only",
    "scale_text",
    "served_factors",
    "served_text",
    "verify_preset",
]
