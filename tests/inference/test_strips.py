from __future__ import annotations

import itertools

import numpy as np
import pytest

from guided_sr.inference.strips import strips


@pytest.mark.parametrize("at_least", [1, 2])
def test_strips_keep_each_row_once_and_see_far_enough(at_least):
    for height, rows, overlap in itertools.product(
        (2, 7, 40, 41), (1, 3, 20, 100), (0, 2, 16)
    ):
        cuts = strips(height, rows=rows, overlap=overlap, at_least=at_least)
        kept = [np.arange(height)[cut.seen][cut.kept] for cut in cuts]
        np.testing.assert_array_equal(np.concatenate(kept), np.arange(height))
        assert len({len(range(*cut.seen.indices(height))) for cut in cuts}) == 1
        for cut, own in zip(cuts, kept, strict=True):
            assert 0 < len(own) <= rows
            assert cut.seen.start <= max(0, own[0] - overlap)
            assert cut.seen.stop >= min(height, own[-1] + 1 + overlap)


def test_what_fits_is_one_strip_of_all_rows():
    (only,) = strips(40, rows=40, overlap=16)
    assert (only.seen, only.kept) == (slice(0, 40), slice(0, 40))


def test_two_strips_overlap_on_one_side_only():
    first, last = strips(40, rows=40, overlap=4, at_least=2)
    assert (first.seen, first.kept) == (slice(0, 24), slice(0, 20))
    assert (last.seen, last.kept) == (slice(16, 40), slice(4, 24))
