from __future__ import annotations

import dataclasses

from guided_sr.inference.guide_test import GuideTest
from guided_sr.inference.worth import limit_text, worth_text
from guided_sr.report.facts import quality_rows

SAID = "+0.88 ± 0.31 dB with the T1 (± sd over 12 held-out slices)"


def test_the_worth_of_a_t1_is_told_in_the_same_words_everywhere():
    test = GuideTest(0.88, 0.31, 12)
    assert worth_text(test.gain_db, test.spread_db, test.slices) == SAID
    assert test.describe() == f"{SAID}; the limit is +0.3 dB"
    known = dataclasses.asdict(test)
    assert limit_text(**known) == test.describe()
    qc = {f"guide_{key}": known[key] for key in ("gain_db", "spread_db", "slices")}
    ((name, told, _),) = quality_rows(qc)
    assert (name, told) == ("gain by the T1", SAID)


def test_a_gain_of_an_earlier_version_stands_without_spread():
    ((_, told, _),) = quality_rows({"guide_gain_db": -0.5})
    assert told == "-0.50 dB"
