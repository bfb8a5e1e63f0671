from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from guided_sr.inference.guide import Guide, prepare_guide
from guided_sr.volumes import choose_target, read_volume


def _image(data: np.ndarray, affine: np.ndarray) -> nib.Nifti1Image:
    image = nib.Nifti1Image(data.astype(np.float32), affine)
    image.header.set_xyzt_units("mm")
    return image


@pytest.fixture(scope="module")
def misplaced() -> tuple[nib.Nifti1Image, nib.Nifti1Image]:
    """A T2 of 3 x 3 x 3 mm, and a T1 of its shape that lies 6 mm too far right."""
    rng = np.random.default_rng(0)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (24, 28, 20)), indexing="ij")
    ball = np.exp(-3 * (x**2 + y**2 + z**2)) + 0.4 * (x**2 + 2 * (y - 0.2) ** 2 < 0.2)
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    away = affine.copy()
    away[0, 3] = 6.0
    noise = 0.01 * rng.random(ball.shape)
    return _image(2.0 - ball + noise, affine), _image(ball + noise, away)


def _prepared(t2: nib.Nifti1Image, t1: nib.Nifti1Image, **options: str) -> Guide:
    volume = read_volume(t2)
    grid = choose_target(volume.affine, volume.data.shape, scale=1.5, axes="in-plane")
    return prepare_guide(
        t1, volume, grid, grid.target_affine, grid.target_shape, **options
    )


@pytest.mark.filterwarnings("ignore:guidance limited")
def test_a_misplaced_guide_is_registered(
    misplaced: tuple[nib.Nifti1Image, nib.Nifti1Image],
) -> None:
    t2, t1 = misplaced
    lying = _prepared(t2, t1)
    assert lying.registration.to_dict() == {"mode": "none", "applied": False}
    placed = _prepared(t2, t1, register="auto")
    assert placed.registration.applied
    wanted = _prepared(t2, _image(t1.get_fdata(), t2.affine))
    inside = np.s_[4:-4, 4:-4, 4:-4]
    off = [np.abs(g.data - wanted.data)[inside].mean() for g in (lying, placed)]
    assert off[1] < 0.2 * off[0]
