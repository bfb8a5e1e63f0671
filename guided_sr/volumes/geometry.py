"""Grids in millimetres: who covers what, and one image on another's grid.

Convention: a voxel is a box with its value at the centre; voxel index ``x`` lies at
``affine @ (x, 1)`` mm, and the field of view reaches from ``-0.5`` to ``n - 0.5`` on
each axis. Changing the resolution keeps those edges. (Ready-made helpers that align
voxel centres instead shift thick-slice images by millimetres.)
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from guided_sr.errors import GeometryError, warn_user

if TYPE_CHECKING:
    from guided_sr.volumes.nifti import Volume

__all__ = [
    "bring_to_grid",
    "corner_gap",
    "corners",
    "overlap_fraction",
    "require_overlap",
    "slice_axis",
    "target_affine",
    "voxel_sizes",
]

_SAME_GRID = 1e-4
_ISOTROPIC = 1.01
_FWHM_TO_SIGMA = 2.3548
_SAMPLES = 64
_LITTLE_OVERLAP = 0.8


def target_affine(
    affine: np.ndarray, shape: Sequence[int], target_shape: Sequence[int]
) -> np.ndarray:
    """The affine of a finer or coarser grid over the same field of view.

    ``A' = A M`` with ``M = diag(1/s)`` and the translation ``(1/s - 1)/2``, ``s`` the
    real ratio of the sizes of each axis.

    Args:
        affine: Voxel to mm, shape ``(4, 4)``.
        shape: ``(i, j, k)`` of the grid that `affine` belongs to.
        target_shape: ``(i, j, k)`` of the new grid.

    Returns:
        Affine of shape ``(4, 4)``, float64. The outer corners of both grids agree
        to 1e-6 mm.

    Raises:
        GeometryError: If a size is below 1.
    """
    old = _sizes(shape)
    step = old / _sizes(target_shape)
    move = np.diag([*step, 1.0])
    move[:3, 3] = (step - 1.0) / 2.0
    return np.asarray(affine, np.float64) @ move


def corners(affine: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The eight outer corners of a field of view.

    Args:
        affine: Voxel to mm, shape ``(4, 4)``.
        shape: ``(i, j, k)``.

    Returns:
        Points of shape ``(8, 3)`` in mm, the first index varying slowest.
    """
    sides = [(-0.5, float(n) - 0.5) for n in shape]
    points = np.array(list(itertools.product(*sides)))
    matrix = np.asarray(affine, np.float64)
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def corner_gap(
    affine: np.ndarray,
    shape: Sequence[int],
    other_affine: np.ndarray,
    other_shape: Sequence[int],
) -> float:
    """Largest distance in mm of an outer corner of one field of view from another's."""
    gap = corners(affine, shape) - corners(other_affine, other_shape)
    return float(np.linalg.norm(gap, axis=1).max())


def voxel_sizes(affine: np.ndarray) -> np.ndarray:
    """Voxel size of each axis in mm, shape ``(3,)``, from the affine alone."""
    return np.linalg.norm(np.asarray(affine, np.float64)[:3, :3], axis=0)


def slice_axis(affine: np.ndarray) -> int:
    """The axis across the slices.

    Args:
        affine: Voxel to mm, shape ``(4, 4)``.

    Returns:
        The axis whose voxel size differs from the other two; of an isotropic grid
        (within 1 %) the axis nearest to superior-inferior.
    """
    sizes = voxel_sizes(affine)
    order = np.argsort(sizes, kind="stable")
    small, middle, large = sizes[order]
    if large <= small * _ISOTROPIC:
        upward = np.abs(np.asarray(affine, np.float64)[2, :3]) / sizes
        return int(np.argmax(upward))
    return int(order[2] if large / middle >= middle / small else order[0])


def overlap_fraction(
    moving_affine: np.ndarray,
    moving_shape: Sequence[int],
    affine: np.ndarray,
    shape: Sequence[int],
) -> float:
    """The share of a field of view that another one covers.

    Args:
        moving_affine: Voxel to mm of the covering grid.
        moving_shape: Its ``(i, j, k)``.
        affine: Voxel to mm of the grid to be covered.
        shape: Its ``(i, j, k)``.

    Returns:
        Between 0 and 1, from 64 sample points an axis.
    """
    matrix, offset = _between(moving_affine, affine)
    axes = [(np.arange(_SAMPLES) + 0.5) * (n / _SAMPLES) - 0.5 for n in _sizes(shape)]
    inside = sum(
        int(
            _inside(matrix, offset, (axes[0][i : i + 1], *axes[1:]), moving_shape).sum()
        )
        for i in range(_SAMPLES)
    )
    return inside / _SAMPLES**3


def require_overlap(t1: Volume, t2: Volume) -> float:
    """Refuse a pair that does not overlap; warn when the T1 covers too little.

    Args:
        t1: The guide.
        t2: The image to be super-resolved.

    Returns:
        The share of the T2's field of view that the T1 covers, between 0 and 1.

    Raises:
        GeometryError: If it is 0.
    """
    share = overlap_fraction(t1.affine, t1.data.shape, t2.affine, t2.data.shape)
    paths = [one.path for one in (t1, t2) if one.path is not None]
    if share == 0.0:
        raise GeometryError(
            "the T1 and the T2 do not overlap (0 %)",
            path=paths,
            mend="check that both are from the same session, and look at them "
            "together in a viewer",
        )
    if share < _LITTLE_OVERLAP:
        warn_user(
            f"the T1 covers {100 * share:.0f} % of the T2; elsewhere there is no guide",
            path=paths,
        )
    return share


def bring_to_grid(
    moving: Volume, affine: np.ndarray, shape: Sequence[int]
) -> np.ndarray:
    """Resample a volume onto another grid by the affines.

    Where the moving voxels are finer than the target's, they are first blurred by a
    Gaussian whose full width at half maximum makes up the difference in quadrature;
    then cubic spline interpolation. Outside the moving field of view the result is 0;
    in the outer half voxel the edge value holds.

    Args:
        moving: The volume to bring, e.g. the T1.
        affine: Voxel to mm of the target grid, shape ``(4, 4)``.
        shape: ``(i, j, k)`` of the target grid.

    Returns:
        Array of that shape, float32. On the same grid (affines within 1e-4) the
        moving data themselves.
    """
    wanted = tuple(int(n) for n in _sizes(shape))
    gap = np.abs(np.asarray(affine, np.float64) - moving.affine).max()
    if wanted == moving.data.shape and gap <= _SAME_GRID:
        return moving.data
    matrix, offset = _between(moving.affine, affine)
    data = np.asarray(moving.data, np.float32)
    for axis, extent in enumerate(np.linalg.norm(matrix, axis=1)):
        if extent > 1.0 and data.shape[axis] > 1:
            data = _blur(data, axis, np.sqrt(extent**2 - 1.0) / _FWHM_TO_SIGMA)
    # "nearest" makes the values sane up to the edge; what lies outside becomes 0.
    result = ndimage.affine_transform(
        data,
        matrix,
        offset=offset,
        output_shape=wanted,
        output=np.float32,
        order=3,
        mode="nearest",
    )
    ranges = [np.arange(n, dtype=np.float64) for n in wanted]
    for i in range(wanted[0]):
        plane = (ranges[0][i : i + 1], *ranges[1:])
        result[i : i + 1] *= _inside(matrix, offset, plane, data.shape)
    return result


def _sizes(shape: Sequence[int]) -> np.ndarray:
    sizes = np.asarray(shape, np.float64)
    if sizes.shape != (3,) or not (sizes >= 1).all():
        raise GeometryError(
            f"a grid has three sizes of at least 1, this one has {tuple(shape)}",
            mend="give (i, j, k)",
        )
    return sizes


def _between(moving: np.ndarray, fixed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matrix (3, 3) and offset (3,) from fixed voxel indices to moving ones."""
    step = np.linalg.solve(
        np.asarray(moving, np.float64), np.asarray(fixed, np.float64)
    )
    return step[:3, :3], step[:3, 3]


def _inside(
    matrix: np.ndarray,
    offset: np.ndarray,
    axes: Sequence[np.ndarray],
    shape: Sequence[int],
) -> np.ndarray:
    """Which points of a lattice of voxel indices lie in a field of view."""
    grid = np.meshgrid(*axes, indexing="ij", sparse=True)
    inside = np.ones(tuple(len(axis) for axis in axes), bool)
    for row, start, n in zip(matrix, offset, shape, strict=True):
        x = row[0] * grid[0] + row[1] * grid[1] + row[2] * grid[2] + start
        inside &= (x >= -0.5 - 1e-6) & (x <= n - 0.5 + 1e-6)
    return inside


def _blur(data: np.ndarray, axis: int, sigma: float) -> np.ndarray:
    """Blur one axis; a narrow Gaussian sampled at whole voxels loses its variance."""
    if sigma < 0.6:
        weights = np.array([sigma**2 / 2, 1 - sigma**2, sigma**2 / 2])
        return ndimage.correlate1d(data, weights, axis=axis, mode="nearest")
    return ndimage.gaussian_filter1d(data, sigma, axis=axis, mode="nearest")
