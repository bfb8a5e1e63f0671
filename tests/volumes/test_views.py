from __future__ import annotations

import numpy as np
import pytest

from guided_sr.errors import UsageError
from guided_sr.volumes.views import from_slices, to_slices


@pytest.mark.parametrize(
    ("axis", "shape"), [(0, (2, 3, 4)), (1, (3, 2, 4)), (2, (4, 2, 3))]
)
def test_slices_come_first_and_the_plane_keeps_its_order(axis, shape):
    volume = np.arange(24.0).reshape(2, 3, 4)
    stack = to_slices(volume, axis)
    assert stack.shape == shape
    np.testing.assert_array_equal(stack[1], np.take(volume, 1, axis))
    np.testing.assert_array_equal(from_slices(stack, axis), volume)


@pytest.mark.parametrize("convert", [to_slices, from_slices])
@pytest.mark.parametrize(("shape", "axis"), [((2, 3, 4), 3), ((2, 3), 0)])
def test_what_is_no_volume_is_refused(convert, shape, axis):
    with pytest.raises(UsageError, match="3-D array"):
        convert(np.zeros(shape), axis)
