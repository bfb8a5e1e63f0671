"""Separable blur-and-sample operators, one dense matrix an axis.

The contract of this module, on which every number of the package stands:

* A pixel is a square and its value sits at its centre. Index ``x`` on a grid of
  ``n`` pixels is ``(x + 1/2) * m / n - 1/2`` on a grid of ``m`` pixels with the
  same field of view, so resampling never moves the edges of the image.
* ``A[m, i] = integral of g(x_m - u) * k(u - i) du``: the image is continued by
  cubic convolution ``k`` (a = -0.5), blurred by the Gaussian ``g`` (truncated at
  four standard deviations) and read at the centres ``x_m`` of the target grid.
  The integral is evaluated by a fine quadrature. Sampling the Gaussian at whole
  pixels instead would lose its variance below about 0.6 pixels.
* Indices are clamped at the edges and every row sums to one.

Matrices are float64 and built once; `A.T` is the exact adjoint.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
"""Full width at half maximum of a Gaussian, in standard deviations."""

_TRUNCATE = 4.0
_POINTS_PER_PIXEL = 16
_MIN_POINTS = 128


def cubic_kernel(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cubic-convolution kernel with a = -0.5 (Keys, 1981).

    Args:
        x: Distances in pixels, of any shape.

    Returns:
        Weights of the same shape, zero beyond two pixels.
    """
    d = np.abs(x)
    near = (1.5 * d - 2.5) * d * d + 1.0
    far = ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    return np.where(d <= 1.0, near, np.where(d < 2.0, far, 0.0))


@functools.lru_cache(maxsize=512)
def _cached_matrix(n_from: int, n_to: int, sigma: float) -> NDArray[np.float64]:
    if sigma > 0.0:
        count = max(_MIN_POINTS, math.ceil(2.0 * _TRUNCATE * sigma * _POINTS_PER_PIXEL))
        step = 2.0 * _TRUNCATE * sigma / count
        offsets = (np.arange(count) + 0.5) * step - _TRUNCATE * sigma
        weights = np.exp(-0.5 * (offsets / sigma) ** 2)
        weights /= weights.sum()
    else:
        offsets, weights = np.zeros(1), np.ones(1)
    centres = (np.arange(n_to) + 0.5) * n_from / n_to - 0.5
    points = centres[:, None] + offsets[None, :]
    first = np.floor(points).astype(np.int64) - 1
    matrix = np.zeros((n_to, n_from))
    rows = np.broadcast_to(np.arange(n_to)[:, None], points.shape)
    for tap in range(4):
        index = first + tap
        contribution = cubic_kernel(points - index) * weights[None, :]
        np.add.at(matrix, (rows, np.clip(index, 0, n_from - 1)), contribution)
    matrix /= matrix.sum(axis=1, keepdims=True)
    matrix.setflags(write=False)
    return matrix


def sampling_matrix(n_from: int, n_to: int, sigma: float = 0.0) -> NDArray[np.float64]:
    """Matrix that blurs a line of pixels and samples it on another grid.

    With ``sigma=0`` this is cubic-convolution interpolation, the up-sampler
    ``U`` of the network input and the cubic baseline of the whole package.

    Args:
        n_from: Pixels of the source line.
        n_to: Pixels of the target line, over the same field of view.
        sigma: Standard deviation of the Gaussian blur in *source* pixels.

    Returns:
        Read-only float64 matrix of shape ``(n_to, n_from)``; rows sum to one.
        The identity when the sizes agree and there is no blur.

    Raises:
        ValueError: If a size is below one or ``sigma`` is negative or not finite.
    """
    if n_from < 1 or n_to < 1:
        raise ValueError(f"sizes must be at least 1, got {n_from} and {n_to}")
    if not (math.isfinite(sigma) and sigma >= 0.0):
        raise ValueError(f"sigma must be finite and not negative, got {sigma}")
    return _cached_matrix(int(n_from), int(n_to), round(float(sigma), 12))


class LineOperator(NamedTuple):
    """Blur and sampling along one axis.

    Attributes:
        n_from: Pixels of the source line.
        n_to: Pixels of the target line.
        sigma: Standard deviation of the blur in source pixels.
    """

    n_from: int
    n_to: int
    sigma: float = 0.0

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The operator as a matrix of shape ``(n_to, n_from)``."""
        return sampling_matrix(*self)


@dataclass(frozen=True)
class SeparableOperator:
    """Blur and sampling of an image: ``A_h X A_w^T``.

    Attributes:
        rows: Operator of the row axis.
        columns: Operator of the column axis.
    """

    rows: LineOperator
    columns: LineOperator

    @property
    def matrices(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """``(A_h, A_w)``, float64."""
        return self.rows.matrix, self.columns.matrix

    @property
    def gain(self) -> float:
        """Product of the size ratios, source to target: ``g`` of eq. 6."""
        (h, h_to, _), (w, w_to, _) = self.rows, self.columns
        return (h / h_to) * (w / w_to)

    def __call__(self, x: NDArray[np.floating]) -> NDArray[np.floating]:
        """Apply to the last two axes of ``x``, in its own precision."""
        return _apply(x, *self.matrices)

    def adjoint(self, y: NDArray[np.floating]) -> NDArray[np.floating]:
        """Apply the exact adjoint to the last two axes of ``y``."""
        a_h, a_w = self.matrices
        return _apply(y, a_h.T, a_w.T)

    @classmethod
    def interpolation(
        cls, shape: tuple[int, int], target_shape: tuple[int, int]
    ) -> SeparableOperator:
        """Cubic convolution from one grid to another, without blur."""
        rows, columns = zip(shape, target_shape, strict=True)
        return cls(LineOperator(*rows), LineOperator(*columns))


def _apply(
    x: NDArray[np.floating], a_h: NDArray[np.float64], a_w: NDArray[np.float64]
) -> NDArray[np.floating]:
    dtype = x.dtype if x.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    rows = np.matmul(a_h.astype(dtype), x.astype(dtype, copy=False))
    return np.matmul(rows, a_w.T.astype(dtype))
