from __future__ import annotations

import pytest

from guided_sr.datasets.protocols import FIELDS, PROTOCOLS, tissues_at, with_agent
from guided_sr.datasets.signal import TISSUES, Label
from guided_sr.errors import UsageError

WHITE, GREY, FLUID = Label.WHITE_MATTER, Label.GREY_MATTER, Label.CSF


def test_t1_grows_and_t2_shrinks_with_the_field() -> None:
    for label in (WHITE, GREY, Label.CAUDATE, Label.PUTAMEN, Label.THALAMUS):
        tissues = [tissues_at(field)[label] for field in FIELDS]
        assert [t.t1_ms for t in tissues] == sorted(t.t1_ms for t in tissues)
        assert [t.t2_ms for t in tissues] == sorted(
            (t.t2_ms for t in tissues), reverse=True
        )


def test_three_tesla_are_the_tissues_of_the_phantom() -> None:
    assert tissues_at(3.0) == TISSUES
    with pytest.raises(UsageError, match=r"4 T.*1\.5, 3, 7"):
        tissues_at(4.0)


def test_contrast_agent_shortens_t1_alone() -> None:
    blood = TISSUES[Label.VESSEL]
    enhanced = with_agent(blood, 1.0, field=3.0)
    assert 1.0 / enhanced.t1_ms - 1.0 / blood.t1_ms == pytest.approx(3.7e-3)
    assert (enhanced.t2_ms, enhanced.density) == (blood.t2_ms, blood.density)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_t1_shows_white_matter_brightest_and_fluid_darkest(name: str) -> None:
    protocol = PROTOCOLS[name]
    tissues = protocol.guide_tissues()
    white, grey, fluid = (protocol.t1(tissues[k]) for k in (WHITE, GREY, FLUID))
    assert white > grey > fluid > 0.0


def test_fluid_is_brightest_in_t2_and_darkest_in_flair() -> None:
    for name, protocol in PROTOCOLS.items():
        tissues = protocol.target_tissues()
        white, grey, fluid = (protocol.t2(tissues[k]) for k in (WHITE, GREY, FLUID))
        assert grey > white
        assert (fluid < white) if "FLAIR" in name else (fluid > grey)


def test_the_agent_brightens_vessels_dura_and_some_lesions_of_the_t1_alone() -> None:
    for name in ("enhanced T1", "enhanced T1 spin echo, skull"):
        protocol = PROTOCOLS[name]
        seen, plain = protocol.guide_tissues(), protocol.target_tissues()
        for label in (Label.VESSEL, Label.DURA):
            assert protocol.t1(seen[label]) > 1.2 * protocol.t1(plain[label])
        quiet, taken_up = protocol.lesions(guide=True)
        assert protocol.t1(taken_up) > 1.2 * protocol.t1(quiet)
        quiet, taken_up = protocol.lesions(guide=False)
        assert quiet == taken_up


def test_fat_outshines_white_matter_where_it_is_not_suppressed() -> None:
    protocol = PROTOCOLS["T1 spin echo, bright fat"]
    tissues = protocol.guide_tissues()
    assert protocol.t1(tissues[Label.FAT]) > 2.0 * protocol.t1(tissues[WHITE])
