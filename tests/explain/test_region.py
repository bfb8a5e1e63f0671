from __future__ import annotations

import numpy as np
import pytest

from guided_sr.errors import UsageError
from guided_sr.explain.region import Region


def test_a_region_reads_what_it_writes():
    region = Region.parse("4:12, 20:30")
    assert region == Region((4, 12), (20, 30))
    assert Region.parse(str(region)) == region


@pytest.mark.parametrize("text", ["", "4:12", "a:b,c:d", "12:4,0:3", "3:3,0:3"])
def test_what_is_no_region_is_refused(text):
    with pytest.raises(UsageError, match="region"):
        Region.parse(text)


def test_a_region_outside_the_slice_is_refused():
    Region((0, 48), (0, 40)).require_inside((48, 40))
    with pytest.raises(UsageError, match="leaves"):
        Region((0, 48), (0, 41)).require_inside((48, 40))


def test_a_coarser_level_has_every_pixel_that_the_region_touches():
    region = Region((4, 12), (21, 30))
    assert region.at((48, 48), (48, 48)) == (slice(4, 12), slice(21, 30))
    assert region.at((24, 24), (48, 48)) == (slice(2, 6), slice(10, 15))


@pytest.mark.parametrize("place", [(0, 0), (20, 31), (47, 39)])
def test_the_strongest_region_holds_the_peak_and_stays_inside(place):
    strength = np.zeros((48, 40))
    strength[place] = 1.0
    region = Region.strongest(strength, size=8)
    region.require_inside((48, 40))
    window = region.at((48, 40), (48, 40))
    assert strength[window].shape == (8, 8)
    assert strength[window].sum() == 1.0
