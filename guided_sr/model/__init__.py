"""`GuidedSRModel`, the façade of the package."""

from guided_sr.model.super_resolution import GuidedSRModel

__all__ = ["GuidedSRModel"]
