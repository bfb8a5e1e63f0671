"""What the paper prints: Iwamoto et al., Tables I to V, and what it calls its methods.

Averages over 20 centre slices of the NAMIC data, which have been withdrawn. Figures of
other data compare with these by their gain over bicubic and by their order, never by
their value.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = [
    "BICUBIC",
    "CASCADE",
    "DETAIL_SCALE",
    "LOSS",
    "NAMES",
    "SHIFT",
    "SUPERVISED",
    "UNSUPERVISED",
    "PaperFigure",
    "method_name",
    "paper_figure",
]


class PaperFigure(NamedTuple):
    """Averages over the paper's 20 test slices.

    Attributes:
        psnr: In dB.
        ssim: Structural similarity.
    """

    psnr: float
    ssim: float

    def gain(self, scale: float) -> float:
        """PSNR above the paper's bicubic interpolation at that scale, in dB."""
        return self.psnr - BICUBIC[scale].psnr


NAMES: Mapping[str, str] = MappingProxyType(
    {
        "cubic": "Bicubic interpolation",
        "guided_filter": "Guided filter",
        "guided_filter_20": "Guided filter, then 20 back-projections",
        "guided_back_projection": "Guided filter and back-projection in turn, 20 times",
        "nlm_t1": "Non-local means with T1",
        "srcnn": "SRCNN",
        "dcsrn": "2D DCSRN",
        "mdcsrn_gan": "2D mDCSRN-GAN (b4u4)",
        "recnn": "2D Pham et al. (10L-ReCNN)",
        "proposed_supervised": "Proposed (supervised)",
        "zssr": "ZSSR",
        "model_1": "Model 1 (external, no guide)",
        "model_2": "Model 2 (internal + guide)",
        "proposed": "Proposed (unsupervised)",
        "refined": "Proposed + internal refinement",
        "pretrained": "Proposed, from paintings",
        "pretrained_refined": "Proposed, from paintings, + internal refinement",
    }
)
"""By the method of the benchmark; ours, in its manner, where the paper has no name.

The paper calls Models 1 and 2 "2" and "3" in its Figure 4; these are the tables' names.
"""

BICUBIC: Mapping[float, PaperFigure] = MappingProxyType(
    {2: PaperFigure(34.55, 0.961), 4: PaperFigure(29.62, 0.872)}
)
"""Table I, by scale."""

SUPERVISED: Mapping[str, Mapping[float, PaperFigure]] = MappingProxyType(
    {
        "srcnn": {2: PaperFigure(38.15, 0.981), 4: PaperFigure(31.58, 0.918)},
        "dcsrn": {2: PaperFigure(38.66, 0.984), 4: PaperFigure(31.73, 0.922)},
        "mdcsrn_gan": {2: PaperFigure(38.55, 0.983), 4: PaperFigure(31.69, 0.921)},
        "recnn": {2: PaperFigure(40.93, 0.989), 4: PaperFigure(35.31, 0.964)},
        "proposed_supervised": {
            2: PaperFigure(41.48, 0.990),
            4: PaperFigure(36.04, 0.969),
        },
    }
)
"""Table I: trained on external high-resolution images; by method and scale."""

UNSUPERVISED: Mapping[str, Mapping[float, PaperFigure]] = MappingProxyType(
    {
        "zssr": {2: PaperFigure(37.97, 0.982), 4: PaperFigure(30.71, 0.908)},
        "model_1": {2: PaperFigure(38.94, 0.984), 4: PaperFigure(32.10, 0.928)},
        "model_2": {2: PaperFigure(39.13, 0.985), 4: PaperFigure(32.60, 0.943)},
        "proposed": {2: PaperFigure(39.90, 0.987), 4: PaperFigure(34.39, 0.957)},
    }
)
"""Table II: trained on low-resolution images, in three stages; by method and scale."""

DETAIL_SCALE = 4
"""The scale of Tables III to V."""

CASCADE: Mapping[int, PaperFigure] = MappingProxyType(
    {
        1: PaperFigure(32.11, 0.936),
        2: PaperFigure(34.14, 0.955),
        3: PaperFigure(34.39, 0.957),
    }
)
"""Table III: the proposed method by the number of stages."""

LOSS: Mapping[str, PaperFigure] = MappingProxyType(
    {"l1": PaperFigure(34.39, 0.957), "l2": PaperFigure(34.29, 0.956)}
)
"""Table IV: the proposed method by its loss."""

SHIFT: Mapping[float, PaperFigure] = MappingProxyType(
    {
        0.0: PaperFigure(34.39, 0.957),
        1.0: PaperFigure(32.96, 0.941),
        2.0: PaperFigure(32.42, 0.933),
        3.0: PaperFigure(32.29, 0.931),
    }
)
"""Table V: the proposed method by the T1's shift in mm, in training and in testing."""


def method_name(method: str) -> str:
    """The paper's name of a method; an unknown one keeps its own."""
    return NAMES.get(method, method)


def paper_figure(method: str, scale: float) -> PaperFigure | None:
    """What Tables I and II print for a method at a scale, or None.

    Args:
        method: Its name in a line of the benchmark; ``"cubic"`` is bicubic.
        scale: The factor.
    """
    tables = {"cubic": BICUBIC, **SUPERVISED, **UNSUPERVISED}
    return tables[method].get(scale) if method in tables else None
