"""Synthetic data: a procedural T1/T2 head, and painting contrasts from labels."""

from __future__ import annotations

from guided_sr.datasets.phantom import Phantom, head_phantom

__all__ = ["Phantom", "head_phantom"]
