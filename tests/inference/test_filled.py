from __future__ import annotations

import numpy as np

from guided_sr.inference.filled import spread_slices


def test_full_slices_are_chosen_all_over_a_stack():
    y = np.zeros((40, 4, 4), np.float32)
    y[5:36] = 1.0
    y[36, 0, 0] = 1.0
    chosen = spread_slices(y, 4)
    assert chosen == [5, 15, 25, 35]
    assert spread_slices(y[:7], 4) == [5, 6]
    assert spread_slices(np.zeros((3, 4, 4), np.float32), 4) == []
