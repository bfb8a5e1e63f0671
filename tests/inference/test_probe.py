from __future__ import annotations

import json

import numpy as np

from guided_sr import upsample
from guided_sr.inference.probe import TOLERANCE, probe, probe_error, probe_inputs


def cubic(t2, t1):
    return upsample(t2, t1.shape)


def test_the_input_is_fixed_and_fits_the_scale():
    t2, t1 = probe_inputs((4.0, 1.0))
    assert t2.shape == (24, 28)
    assert t1.shape == (96, 28)
    np.testing.assert_array_equal(t2, probe_inputs((4.0, 1.0))[0])
    assert t2.std() > 10
    assert t1.std() > 10


def test_a_probe_of_the_same_output_has_no_error():
    first, second = probe(cubic, (2.0, 2.0)), probe(cubic, (2.0, 2.0))
    assert len(first["values"]) == 16
    assert probe_error(json.loads(json.dumps(first)), second) == 0.0


def test_a_probe_notices_a_small_change_of_the_output():
    wanted = probe(cubic, (2.0, 2.0))

    def shifted(t2, t1):
        return cubic(np.roll(t2, 1, axis=1), t1)

    def brighter(t2, t1):
        return 1.01 * cubic(t2, t1)

    for other in (shifted, brighter):
        assert probe_error(probe(other, (2.0, 2.0)), wanted) > TOLERANCE


def test_a_probe_of_nothing_is_not_within_the_tolerance():
    wanted = probe(cubic, (2.0, 2.0))
    nothing = probe(lambda t2, t1: np.full(t1.shape, np.nan), (2.0, 2.0))
    assert not probe_error(nothing, wanted) <= TOLERANCE
