from __future__ import annotations

import dataclasses

import numpy as np

from guided_sr.datasets.simulated import inverted, simulate_pair
from guided_sr.volumes import Registration, write_volume


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


def test_the_guide_is_placed_before_it_is_brought_to_the_grid(
    small_head, tmp_path, monkeypatch
) -> None:
    away = small_head.affine.copy()
    away[0, 3] += 8.0
    for name, affine in (("t2", small_head.affine), ("t1", small_head.affine)):
        stack = np.moveaxis(getattr(small_head, name), 0, -1).astype(np.float32)
        write_volume(tmp_path / f"{name}.nii.gz", stack, affine)
        write_volume(tmp_path / f"{name}_away.nii.gz", stack, away)
    t2 = tmp_path / "t2.nii.gz"
    right = simulate_pair(t2, tmp_path / "t1.nii.gz", scale=2)
    left = simulate_pair(t2, tmp_path / "t1_away.nii.gz", scale=2)

    def found(t1, t2, *, register):
        return dataclasses.replace(t1, affine=t2.affine), Registration(register, True)

    monkeypatch.setattr("guided_sr.datasets.simulated.place_guide", found)
    placed = simulate_pair(t2, tmp_path / "t1_away.nii.gz", scale=2, register="auto")
    assert np.abs(left.guide - right.guide).max() > 1.0
    np.testing.assert_array_equal(placed.guide, right.guide)
