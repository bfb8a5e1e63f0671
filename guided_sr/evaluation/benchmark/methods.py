"""The systems of the comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["classical", "supervised", "external", "internal", "refined"]


@dataclass(frozen=True)
class Method:
    """A system of the comparison.

    Attributes:
        kind: How it learns, if it does.
        backbone: Registered network.
        guided: Whether it sees the T1.
        loss: Its own loss, where it has one.
        started: Whether its weights begin as those of the benchmark's ``start``.
        refines: Of a refinement, the method that it goes on from.
    """

    kind: Kind
    backbone: str = "grdn"
    guided: bool = False
    loss: str | None = None
    started: bool = False
    refines: str | None = None


METHODS: dict[str, Method] = {
    "cubic": Method("classical"),
    "guided_filter": Method("classical", guided=True),
    "guided_filter_20": Method("classical", guided=True),
    "guided_back_projection": Method("classical", guided=True),
    "nlm_t1": Method("classical", guided=True),
    "srcnn": Method("supervised", "srcnn"),
    "dcsrn": Method("supervised", "dcsrn"),
    "mdcsrn_gan": Method("supervised", "mdcsrn_gan", loss="l1_wgan"),
    "recnn": Method("supervised", "recnn", guided=True),
    "proposed_supervised": Method("supervised", guided=True),
    "zssr": Method("internal", "zssr"),
    "model_1": Method("external"),
    "model_2": Method("internal", guided=True),
    "proposed": Method("external", guided=True),
    "refined": Method("refined", guided=True, refines="proposed"),
    "pretrained": Method("external", guided=True, started=True),
    "pretrained_refined": Method(
        "refined", guided=True, started=True, refines="pretrained"
    ),
}
"""Every system by name, cubic interpolation first."""
