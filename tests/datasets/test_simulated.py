from __future__ import annotations

import numpy as np

from guided_sr.datasets.simulated import inverted


def test_bright_becomes_dark_and_air_stays_air() -> None:
    stack = np.zeros((1, 8, 8), np.float32)
    stack[:, 2:6, 2:6] = np.linspace(0.1, 1.0, 16, dtype=np.float32).reshape(4, 4)
    turned = inverted(stack)
    inside = stack > 0.0
    assert np.all(turned[~inside] == 0.0)
    assert turned[inside].min() > 0.0
    assert np.all(np.diff(turned[inside]) < 0.0)


def test_nothing_but_air_stays_as_it_is() -> None:
    air = np.zeros((2, 4, 4), np.float32)
    np.testing.assert_array_equal(inverted(air), air)
