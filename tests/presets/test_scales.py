from __future__ import annotations

import pytest

from guided_sr.errors import UsageError
from guided_sr.presets import rows_only, scale_text, served_factors, served_text

SLICES = ((4.0, 1.0), (2.0, 6.0))


@pytest.mark.parametrize(
    ("asked", "factors"),
    [
        (None, (4.0, 1.0)),
        (4, (4.0, 1.0)),
        (2.5, (2.5, 1.0)),
        ((6.0, 1.0), (6.0, 1.0)),
        ((6.001, 1.0), (6.001, 1.0)),
        (7, None),
        (1.5, None),
        ((4.0, 2.0), None),
    ],
)
def test_a_range_serves_every_factor_of_the_rows_inside(asked, factors):
    assert served_factors(asked, *SLICES) == factors


def test_without_a_range_there_is_one_factor():
    assert served_factors(4.0, (4.0, 4.0), None) == (4.0, 4.0)
    assert served_factors((4, 4), (4.0, 4.0), None) == (4.0, 4.0)
    assert served_factors(2.0, (4.0, 4.0), None) is None
    assert served_factors((4, 1), (4.0, 4.0), None) is None
    assert served_factors(4.0, (3.999, 1.0), None) == (3.999, 1.0)


def test_what_is_no_scale_is_refused():
    with pytest.raises(UsageError, match="not a factor"):
        served_factors(0.5, *SLICES)


def test_scales_in_words():
    assert scale_text((4.0, 4.0)) == "4"
    assert scale_text((4.0, 1.0)) == "4x1"
    assert scale_text(None) == "?"
    assert served_text((4.0, 4.0), None) == "4"
    assert served_text(*SLICES) == "2 to 6 along the slice axis"
    assert served_text((4.0, 1.0), None) == "4 along the slice axis"
    assert served_text((4.0, 4.0), (2.0, 6.0)) == "2 to 6"
    assert rows_only((4.0, 1.0))
    assert not rows_only((4.0, 4.0))
