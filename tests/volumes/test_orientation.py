from __future__ import annotations

import itertools

import numpy as np
import pytest
from nibabel.orientations import aff2axcodes

from guided_sr.volumes import Orientation, corners

ALL = [
    (axes, signs)
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


@pytest.mark.parametrize(("axes", "signs"), ALL)
def test_every_orientation_becomes_ras_and_comes_back(axes, signs, rng):
    turn = np.array([[0.97, -0.2, 0.1], [0.21, 0.97, -0.1], [-0.08, 0.12, 0.99]])
    affine = np.eye(4)
    affine[:3, axes] = turn * np.array([0.5, 0.7, 4.0]) * signs
    affine[:3, 3] = -12.0, 30.0, 5.0
    data = rng.random((5, 6, 7))
    orientation = Orientation.of(affine)
    turned = orientation.apply(data)
    matrix = orientation.affine(affine, data.shape)
    assert aff2axcodes(matrix) == ("R", "A", "S")
    assert turned.shape == orientation.shape(data.shape)
    np.testing.assert_array_equal(orientation.undo(turned), data)
    index = np.array([1, 2, 3, 1])
    place = matrix @ index
    back = np.rint(np.linalg.solve(affine, place)).astype(int)
    assert turned[1, 2, 3] == data[tuple(back[:3])]
    ours = {tuple(p) for p in corners(matrix, turned.shape).round(6)}
    assert ours == {tuple(p) for p in corners(affine, data.shape).round(6)}
