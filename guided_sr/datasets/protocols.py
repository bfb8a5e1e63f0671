"""Protocols of T1 and T2 imaging at three field strengths, with and without contrast.

A protocol is a field strength and two signal equations of `guided_sr.datasets.signal`,
so that an image painted by it is one that a scanner could give. The tables there are
for 3 T; here stands what changes with the field:

* T1 of white matter, cortex, putamen and caudate at 1.5, 3 and 7 T: Wright et al.,
  MAGMA 21:121-130 (2008).
* T2 of white matter and cortex (mean of frontal and occipital) at 1.5, 3 and 7 T: Cox
  and Gowland, Magn. Reson. Med. 64:1440-1445 (2010).
* Muscle and blood at 1.5 and 3 T: Stanisz et al., Magn. Reson. Med. 54:507-512 (2005);
  fat at 1.5 and 3 T: de Bazelaire et al., Radiology 230:652-659 (2004).
* Relaxivity of gadopentetate in plasma: Rohrer et al., Invest. Radiol. 40:715-724
  (2005).

Only the *ratio* to 3 T of each source is used, so that the tissues of all fields belong
together. What no source covers changes as the putamen does (T1) and the cortex (T2);
fluid does not change. Concentrations of contrast agent are chosen to look right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from guided_sr.datasets.signal import (
    LESION,
    TISSUES,
    Label,
    Tissue,
    inversion_gradient_echo,
    inversion_spin_echo,
    spin_echo,
)
from guided_sr.errors import UsageError

Sequence = Callable[[Tissue], float]

FIELDS = (1.5, 3.0, 7.0)
"""Field strengths in tesla that tissues are known at."""

_T1_MS = {  # at 1.5, 3 and 7 T
    Label.WHITE_MATTER: (646.0, 838.0, 1126.0),
    Label.GREY_MATTER: (1197.0, 1607.0, 1939.0),
    Label.PUTAMEN: (1084.0, 1332.0, 1644.0),
    Label.CAUDATE: (1109.0, 1395.0, 1684.0),
}
_T2_MS = {
    Label.WHITE_MATTER: (80.0, 71.0, 47.0),
    Label.GREY_MATTER: (83.5, 72.0, 46.5),
}
_LOW_FIELD = {  # T1 and T2 at 1.5 T as a share of those at 3 T
    Label.MUSCLE: (1008.0 / 1412.0, 44.0 / 50.0),
    Label.VESSEL: (1441.0 / 1932.0, 290.0 / 275.0),
    Label.FAT: (343.0 / 382.0, 58.0 / 68.0),
}
_UNCHANGED = (Label.BACKGROUND, Label.CSF, Label.VENTRICLE)
_RELAXIVITY = {1.5: 4.1, 3.0: 3.7, 7.0: 3.7}  # per mM and s; 7 T as 3 T
_AGENT_MM = {Label.VESSEL: 1.2, Label.DURA: 0.9, Label.CHOROID: 0.9, Label.MUSCLE: 0.15}
_LESION_AGENT_MM = 0.5
_BRIGHT_FAT = 0.9  # its density without fat suppression


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a pair of images is taken.

    Attributes:
        t1: Signal equation of the guide.
        t2: Signal equation of the target.
        field: Field strength in tesla, one of `FIELDS`.
        enhanced: Whether contrast agent was given before the guide was taken.
        fat: Whether fat is as bright as without fat suppression, in both.
        stripped: Whether skull and scalp have been taken away.
    """

    t1: Sequence
    t2: Sequence
    field: float = 3.0
    enhanced: bool = False
    fat: bool = False
    stripped: bool = True

    def guide_tissues(self) -> dict[Label, Tissue]:
        """Tissues that the guide sees; lesions apart, see `lesions`."""
        found = self.target_tissues()
        if self.enhanced:
            for label, concentration in _AGENT_MM.items():
                found[label] = with_agent(found[label], concentration, field=self.field)
        return found

    def target_tissues(self) -> dict[Label, Tissue]:
        """Tissues that the target sees; it is taken before the agent is given."""
        found = tissues_at(self.field)
        if self.fat:
            found[Label.FAT] = replace(found[Label.FAT], density=_BRIGHT_FAT)
        return found

    def lesions(self, *, guide: bool) -> tuple[Tissue, Tissue]:
        """A lesion that takes up no agent, and one that does where there is any.

        Args:
            guide: Whether the guide sees them, or the target.
        """
        plain = _at_field(Label.GREY_MATTER, LESION, self.field)
        if not (guide and self.enhanced):
            return plain, plain
        return plain, with_agent(plain, _LESION_AGENT_MM, field=self.field)


def tissues_at(field: float) -> dict[Label, Tissue]:
    """Properties of every label at a field strength.

    Args:
        field: In tesla, one of `FIELDS`.

    Raises:
        UsageError: If the field is another.
    """
    if field not in FIELDS:
        raise UsageError(
            f"tissues are not known at {field:g} T",
            mend=f"choose one of {', '.join(f'{known:g}' for known in FIELDS)}",
        )
    return {label: _at_field(label, one, field) for label, one in TISSUES.items()}


def _at_field(label: Label, tissue: Tissue, field: float) -> Tissue:
    """A tissue of 3 T at another field, changed as the label changes."""
    if field == 3.0 or label in _UNCHANGED:
        return tissue
    if field == 1.5 and label in _LOW_FIELD:
        of_t1, of_t2 = _LOW_FIELD[label]
    else:
        k = FIELDS.index(field)
        t1_ms = _T1_MS.get(label, _T1_MS[Label.PUTAMEN])
        t2_ms = _T2_MS.get(label, _T2_MS[Label.GREY_MATTER])
        of_t1, of_t2 = t1_ms[k] / t1_ms[1], t2_ms[k] / t2_ms[1]
    return replace(tissue, t1_ms=tissue.t1_ms * of_t1, t2_ms=tissue.t2_ms * of_t2)


def with_agent(tissue: Tissue, millimolar: float, *, field: float) -> Tissue:
    """A tissue that has taken up contrast agent: ``1/T1 + r1 c``.

    Args:
        tissue: Without it.
        millimolar: Concentration ``c``.
        field: Field strength in tesla, which the relaxivity ``r1`` depends on.
    """
    rate = 1.0 / tissue.t1_ms + _RELAXIVITY[field] * millimolar / 1000.0
    return replace(tissue, t1_ms=1.0 / rate)


_T2 = partial(spin_echo, tr_ms=4500.0, te_ms=95.0)
_MPRAGE_15 = partial(
    inversion_gradient_echo, inversion_ms=1000.0, cycle_ms=1900.0, flip_degrees=15.0
)
_MPRAGE_7 = partial(
    inversion_gradient_echo, inversion_ms=1500.0, cycle_ms=3200.0, te_ms=2.5
)
_T1_SPIN_ECHO = partial(spin_echo, tr_ms=500.0, te_ms=12.0)
_FLAIR_3 = partial(inversion_spin_echo, inversion_ms=2500.0, tr_ms=9000.0, te_ms=110.0)
_PROTON_DENSITY = partial(spin_echo, tr_ms=4500.0, te_ms=15.0)

PROTOCOLS: dict[str, Protocol] = {
    "3 T": Protocol(t1=inversion_gradient_echo, t2=_T2),
    "3 T, skull": Protocol(t1=inversion_gradient_echo, t2=_T2, stripped=False),
    "1.5 T": Protocol(t1=_MPRAGE_15, t2=_T2, field=1.5),
    "1.5 T, skull": Protocol(t1=_MPRAGE_15, t2=_T2, field=1.5, stripped=False),
    "7 T": Protocol(t1=_MPRAGE_7, t2=partial(_T2, te_ms=60.0), field=7.0),
    "enhanced T1": Protocol(t1=inversion_gradient_echo, t2=_T2, enhanced=True),
    "enhanced T1 spin echo, skull": Protocol(
        t1=_T1_SPIN_ECHO, t2=_T2, field=1.5, enhanced=True, stripped=False
    ),
    "T1 spin echo, bright fat": Protocol(
        t1=_T1_SPIN_ECHO, t2=_T2, field=1.5, fat=True, stripped=False
    ),
    "FLAIR as target": Protocol(t1=inversion_gradient_echo, t2=_FLAIR_3),
    "PD as target": Protocol(t1=inversion_gradient_echo, t2=_PROTON_DENSITY),
}
"""Named protocols, the standard one first."""
