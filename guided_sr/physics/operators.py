"""Separable blur-and-sample operators, one dense matrix an axis.

The contract of this module, on which every number of the package stands:

* A pixel is a square and its value sits at its centre. Index ``x`` on a grid of
  ``n`` pixels is ``(x + 1/2) * m / n - 1/2`` on a grid of ``m`` pixels with the
  same field of view, so resampling never moves the edges of the image.
* ``A[m, i] = integral of g(x_m - u) * k(u - i) du``: the image is continued by
  cubic convolution ``k`` (a = -0.5), blurred by the Gaussian ``g`` (truncated at
  four standard deviations) and read at the centres ``x_m`` of the target grid. A
  slice may be a box in place of the Gaussian. The integral is evaluated by a fine
  quadrature. Sampling the Gaussian at whole pixels instead would lose its variance
  below about 0.6 pixels.
* Indices are clamped at the edges and every row sums to one.

Matrices are float64 and built once; `A.T` is the exact adjoint.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
"""Full width at half maximum of a Gaussian, in standard deviations."""

Profile = Literal["gaussian", "box"]

_TRUNCATE = 4.0
_BOX = math.sqrt(3.0)  # half the width of a box, in standard deviations
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
def _cached_matrix(
    n_from: int, n_to: int, sigma: float, profile: Profile
) -> NDArray[np.float64]:
    if sigma > 0.0:
        reach = (_TRUNCATE if profile == "gaussian" else _BOX) * sigma
        count = max(_MIN_POINTS, math.ceil(2.0 * reach * _POINTS_PER_PIXEL))
        step = 2.0 * reach / count
        offsets = (np.arange(count) + 0.5) * step - reach
        weights = np.ones(count)
        if profile == "gaussian":
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


def sampling_matrix(
    n_from: int, n_to: int, sigma: float = 0.0, profile: Profile = "gaussian"
) -> NDArray[np.float64]:
    """Matrix that blurs a line of pixels and samples it on another grid.

    With ``sigma=0`` this is cubic-convolution interpolation, the up-sampler
    ``U`` of the network input and the cubic baseline of the whole package.

    Args:
        n_from: Pixels of the source line.
        n_to: Pixels of the target line, over the same field of view.
        sigma: Standard deviation of the blur in *source* pixels.
        profile: Shape of the blur, ``"gaussian"`` or ``"box"``.

    Returns:
        Read-only float64 matrix of shape ``(n_to, n_from)``; rows sum to one.
        The identity when the sizes agree and there is no blur.

    Raises:
        ValueError: If a size is below one, ``sigma`` is negative or not finite, or
            the profile is unknown.
    """
    if n_from < 1 or n_to < 1:
        raise ValueError(f"sizes must be at least 1, got {n_from} and {n_to}")
    if not (math.isfinite(sigma) and sigma >= 0.0):
        raise ValueError(f"sigma must be finite and not negative, got {sigma}")
    if profile not in get_args(Profile):
        raise ValueError(f"profile must be one of {get_args(Profile)}, got {profile!r}")
    return _cached_matrix(int(n_from), int(n_to), round(float(sigma), 12), profile)


class LineOperator(NamedTuple):
    """Blur and sampling along one axis.

    Attributes:
        n_from: Pixels of the source line.
        n_to: Pixels of the target line.
        sigma: Standard deviation of the blur in source pixels.
        profile: Shape of the blur.
    """

    n_from: int
    n_to: int
    sigma: float = 0.0
    profile: Profile = "gaussian"

    @property
    def is_identity(self) -> bool:
        """Whether it leaves its axis as it is."""
        return self.n_from == self.n_to and self.sigma == 0.0

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The operator as a matrix of shape ``(n_to, n_from)``."""
        return sampling_matrix(*self)


@dataclass(frozen=True, init=False)
class SeparableOperator:
    """Blur and sampling axis by axis: ``A_h X A_w^T`` of an image, and so on.

    Args:
        *lines: Operator of each axis: rows and columns of an image, or the three
            axes of a volume.

    Attributes:
        lines: As given.
    """

    lines: tuple[LineOperator, ...]

    def __init__(self, *lines: LineOperator) -> None:
        object.__setattr__(self, "lines", lines)

    @property
    def rows(self) -> LineOperator:
        """Operator of the last axis but one."""
        return self.lines[-2]

    @property
    def columns(self) -> LineOperator:
        """Operator of the last axis."""
        return self.lines[-1]

    @property
    def matrices(self) -> tuple[NDArray[np.float64], ...]:
        """One matrix an axis, float64: ``(A_h, A_w)`` of an image."""
        return tuple(line.matrix for line in self.lines)

    @property
    def applied(self) -> tuple[NDArray[np.float64] | None, ...]:
        """As `matrices`; `None` for an axis that is left as it is."""
        return tuple(None if a.is_identity else a.matrix for a in self.lines)

    @property
    def gain(self) -> float:
        """Product of the size ratios, source to target: ``g`` of eq. 6."""
        return math.prod(line.n_from / line.n_to for line in self.lines)

    def __call__(self, x: NDArray[np.floating]) -> NDArray[np.floating]:
        """Apply to the last axes of ``x``, in its own precision."""
        return apply_matrices(x, self.applied)

    def adjoint(self, y: NDArray[np.floating]) -> NDArray[np.floating]:
        """Apply the exact adjoint to the last axes of ``y``."""
        return apply_matrices(y, transposed(self.applied))

    @classmethod
    def interpolation(
        cls, shape: tuple[int, ...], target_shape: tuple[int, ...]
    ) -> SeparableOperator:
        """Cubic convolution from one grid to another, without blur."""
        return cls(*(LineOperator(*n) for n in zip(shape, target_shape, strict=True)))


def apply_matrices(
    x: NDArray[np.floating], matrices: Sequence[NDArray[np.float64] | None]
) -> NDArray[np.floating]:
    """Multiply each of the last axes of an array by a matrix.

    Args:
        x: Array of at least as many axes as there are matrices.
        matrices: One an axis, the last for the last axis; `None` leaves an axis.

    Returns:
        Array in the precision of ``x`` (float64 where that is neither float32 nor
        float64).
    """
    dtype = x.dtype if x.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    out = x.astype(dtype, copy=False)
    for axis, matrix in enumerate(matrices, -len(matrices)):
        if matrix is None:
            continue
        a = matrix.astype(dtype)
        if axis == -1:
            out = np.matmul(out, a.T)
        else:
            lines = out.reshape(*out.shape[: axis + 1], -1)
            product = np.matmul(a, lines)
            out = product.reshape(*product.shape[:-1], *out.shape[axis + 1 :])
    return out


def transposed(
    matrices: Sequence[NDArray[np.float64] | None],
) -> tuple[NDArray[np.float64] | None, ...]:
    """Each matrix transposed."""
    return tuple(None if a is None else a.T for a in matrices)
