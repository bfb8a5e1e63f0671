"""What each map shows, and what it cannot. Text alone: no framework is loaded."""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """How a map is to be read.

    Attributes:
        shows: What its values are.
        cannot: What must not be read from it.
    """

    shows: str
    cannot: str


MEANINGS = {
    "ablation": Meaning(
        "Change of the result when the T1 is replaced: by its own blurred form"
        " (blurred), by its mean (mean), by the T1 of another slice (other_slice)."
        " Exact, in units of the T2.",
        "It cannot tell right detail from wrong: detail that the T1 brought may be"
        " anatomy that the T2 lacks. Mean and other_slice are images that the network"
        " was never trained on.",
    ),
    "gradient": Meaning(
        "T1 gradient x (T1 - blurred T1) for the mean of the region: which T1 pixels"
        " push it up or down, in units of the T2.",
        "It cannot show more than the first order: its sum differs from the exact"
        " change, which stands beside it, as far as the network is not linear.",
    ),
    "share": Meaning(
        "T1 share = sum|g_T1 dT1| / (sum|g_T1 dT1| + sum|g_T2 dT2|), d the detail"
        " finer than the blur, for a region: of the whole cascade, and of each stage's"
        " network alone.",
        "It cannot be read as a share of the intensity or of the truth: it weighs"
        " influence, not quality, depends on the blur, and is near 0 for a large"
        " region, in whose mean detail cancels. Compare it between regions of one size,"
        " stages and models of one scale.",
    ),
    "field": Meaning(
        "Effective receptive field: mean |gradient| of single result pixels by the T1"
        " and the T2 around them, in pixels of the result.",
        "It cannot show what a pixel far away would do if it changed much, and averages"
        " over pixels that may differ.",
    ),
    "saliency": Meaning(
        "|Gradient| of the region's mean by both inputs of the last stage's network.",
        "It cannot show where the T1 has any detail: it is nearly as large where the T1"
        " is flat as where it has edges.",
    ),
    "smoothgrad": Meaning(
        "Saliency averaged over inputs with noise of a tenth of their range.",
        "It cannot show where the T1 has any detail either; the noise is no image that"
        " the network was trained on.",
    ),
    "gradcam": Meaning(
        "Grad-CAM at the last map of the guidance branch, last stage: features of the"
        " T1 weighted by their mean gradient.",
        "It cannot show detail that lowers the result (negative values are cut off):"
        " what is left may be background, the region empty. Its scale cannot be"
        " compared between regions.",
    ),
}
"""By the names of ``guided-sr explain --maps``."""

OWN = ("ablation", "gradient", "share", "field")
"""Maps of the package's own code, on every backend; the others need tf-keras-vis."""
