"""Guided super-resolution of MRI: a sharp T2 from a coarse one and the T1.

The public names are loaded on first use (PEP 562), so that ``import guided_sr`` costs
milliseconds and loads neither NumPy nor a deep learning framework. Type checkers and
editors read the same names from ``__init__.pyi``.

Reference:
    Iwamoto et al., "Unsupervised MRI Super Resolution Using Deep External Learning
    and Guided Residual Dense Network with Multimodal Image Priors", IEEE Transactions
    on Emerging Topics in Computational Intelligence 7(2), 2023.
"""

from __future__ import annotations

import os
from importlib import import_module

from guided_sr._version import __version__

# TensorFlow asks for it as it loads. Where the CPU has neither AVX-512 nor AMX it would
# leave oneDNN's convolutions alone, which take two thirds of the time of its own.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

_HOME_OF = {
    "CascadePlan": "guided_sr.physics.cascade_plan",
    "DegradationCallback": "guided_sr.training.callbacks",
    "GRDBlock": "guided_sr.layers.grd_block",
    "GRDN": "guided_sr.networks.grdn",
    "GuidanceBranch": "guided_sr.layers.guidance_branch",
    "GuidedSRError": "guided_sr.errors",
    "GuidedSRModel": "guided_sr.model",
    "IBPCallback": "guided_sr.training.callbacks",
    "PlateauSchedule": "guided_sr.training.schedule",
    "Result": "guided_sr.inference.result",
    "SliceImages": "guided_sr.training.slice_images",
    "SliceProfile": "guided_sr.physics.slice_profile",
    "back_project": "guided_sr.physics.back_projection",
    "degrade": "guided_sr.physics.degrade",
    "head_phantom": "guided_sr.datasets.phantom",
    "psnr": "guided_sr.metrics",
    "register_backbone": "guided_sr.networks.registry",
    "ssim": "guided_sr.metrics",
    "upsample": "guided_sr.physics.degrade",
    "write_report": "guided_sr.report.html",
}

__all__ = [
    "GRDN",
    "CascadePlan",
    "DegradationCallback",
    "GRDBlock",
    "GuidanceBranch",
    "GuidedSRError",
    "GuidedSRModel",
    "IBPCallback",
    "PlateauSchedule",
    "Result",
    "SliceImages",
    "SliceProfile",
    "__version__",
    "back_project",
    "degrade",
    "head_phantom",
    "psnr",
    "register_backbone",
    "ssim",
    "upsample",
    "write_report",
]


def __getattr__(name: str) -> object:
    """Load a public name from its module the first time it is asked for."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted(__all__)
