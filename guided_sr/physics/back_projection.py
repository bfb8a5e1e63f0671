"""Back-projection: make an estimate explain the observed image (eq. 6).

``"ibp"`` is the paper's iteration ``X <- X + g A^T (Y - A X)``, ``A`` the operator
from the level of ``X`` to the observation and ``g`` the product of the size
ratios, which keeps the brightness that the plain adjoint would divide by ``g``.
``"exact"`` is the closed form ``X + A^T (A A^T + eps I)^-1 (Y - A X)``, the limit of
the gradient iteration for ``eps = 0``, by the eigen-decompositions of
``A_h A_h^T`` and ``A_w A_w^T``. Both work on images and on volumes, whose third axis
has a matrix of its own.

The closed form is the posterior mean of ``X`` where the image holds white noise of
deviation ``sigma`` and the estimate is off by ``tau``: ``eps = sigma^2 / tau^2``.
``epsilon="auto"`` leaves it to the image (`guided_sr.inference.noise`). Where some
pixels are off by more than others, ``V tau^2``, it is ``X + V A^T (A V A^T + eps I)^-1
(Y - A X)``, which has no closed form.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from guided_sr.errors import UsageError
from guided_sr.physics.operators import (
    SeparableOperator,
    apply_matrices,
    transposed,
)

Method = Literal["ibp", "exact"] | None
Epsilon = float | Literal["auto"]
DEFAULT_EPSILON = 1e-3
_STEPS = 8  # of conjugate gradients; more change the third digit of a gain in dB


@dataclass(frozen=True)
class BackProjection:
    """How an estimate is made consistent with the observation.

    Attributes:
        method: ``"ibp"`` (the paper's), ``"exact"`` or `None` for none.
        iterations: Iterations of ``"ibp"``; one in the paper.
        epsilon: Regularisation of ``"exact"``; 0 would fit noise too. ``"auto"`` takes
            it from the noise of each T2, and is 1e-3 wherever nobody has looked for
            noise: in training, and in a projection by itself.
    """

    method: Method = "ibp"
    iterations: int = 1
    epsilon: Epsilon = DEFAULT_EPSILON

    def __post_init__(self) -> None:
        """Refuse what is not defined.

        Raises:
            UsageError: If the method is unknown, or a number is out of range.
        """
        known = (*get_args(get_args(Method)[0]), None)
        if self.method not in known:
            raise UsageError(
                f"back-projection {self.method!r} is unknown",
                mend="choose 'ibp', 'exact' or None",
            )
        if self.iterations < 1 or not self._is_epsilon():
            raise UsageError(
                "back-projection needs iterations >= 1 and epsilon >= 0 or 'auto'",
                mend="leave both at their defaults",
            )

    @classmethod
    def of(cls, choice: BackProjection | str | None) -> BackProjection:
        """A choice by its name, or as it is.

        Raises:
            UsageError: If the name is unknown.
        """
        if isinstance(choice, BackProjection):
            return choice
        return cls(choice)  # type: ignore[arg-type]

    @property
    def automatic(self) -> bool:
        """Whether the regularisation is to be taken from the noise of the image."""
        return self.method == "exact" and self.epsilon == "auto"

    @property
    def number(self) -> float:
        """The regularisation as a number; that of ``"auto"`` is the default."""
        return DEFAULT_EPSILON if self.epsilon == "auto" else self.epsilon

    def fixed(self, epsilon: float = DEFAULT_EPSILON) -> BackProjection:
        """The same with a number in the place of ``"auto"``; one that is there stays.

        Args:
            epsilon: The number.
        """
        return replace(self, epsilon=epsilon) if self.epsilon == "auto" else self

    def _is_epsilon(self) -> bool:
        if isinstance(self.epsilon, str):
            return self.epsilon == "auto"
        return self.epsilon >= 0.0


@dataclass(frozen=True)
class ExactInverse:
    """Eigen-decompositions that give ``(A A^T + eps I)^-1`` for a separable ``A``.

    Attributes:
        vectors: Eigenvectors of ``A_h A_h^T``, ``A_w A_w^T`` and so on, each of shape
            ``(n, n)``; `None` for an axis that is left as it is.
        denominator: ``lambda_h lambda_w^T + eps``, shape ``(h, w)``; 1 pixel along an
            axis that is left as it is.
    """

    vectors: tuple[NDArray[np.float64] | None, ...]
    denominator: NDArray[np.float64]
    epsilon: float

    def __call__(self, residual: NDArray[np.floating]) -> NDArray[np.floating]:
        """Apply it to a residual of shape ``(..., h, w)``."""
        inner = apply_matrices(residual, transposed(self.vectors))
        inner = inner / self.denominator.astype(residual.dtype)
        return apply_matrices(inner, self.vectors)


@functools.lru_cache(maxsize=32)
def exact_inverse(operator: SeparableOperator, epsilon: float) -> ExactInverse:
    """Decompose an observation operator once.

    Args:
        operator: Operator from the estimate to the observation.
        epsilon: Regularisation added to every eigenvalue.
    """
    product = np.ones(())
    vectors: list[NDArray[np.float64] | None] = []
    for line in operator.lines:
        values, basis = np.ones(1), None
        if not line.is_identity:
            values, basis = np.linalg.eigh(line.matrix @ line.matrix.T)
        product = product[..., None] * np.clip(values, 0, None)
        vectors.append(basis)
    epsilon = max(epsilon, 1e-12)
    return ExactInverse(tuple(vectors), product + epsilon, epsilon)


def back_project(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    operator: SeparableOperator,
    *,
    method: Method = "ibp",
    iterations: int = 1,
    epsilon: Epsilon = DEFAULT_EPSILON,
    variance: NDArray[np.floating] | None = None,
) -> NDArray[np.floating]:
    """Correct an estimate by what it fails to explain of the observation.

    Args:
        x: Estimate of shape ``(..., height, width)``, or a volume where the operator
            has three axes.
        y: Observation of shape ``(..., h, w)``, or the same of a volume.
        operator: From the grid of ``x`` to that of ``y``:
            ``CascadePlan.observation(level)``.
        method: ``"ibp"`` (Iwamoto et al., eq. 6), ``"exact"`` or `None`.
        iterations: Iterations of ``"ibp"``.
        epsilon: Regularisation of ``"exact"``; ``"auto"`` is 1e-3 here.
        variance: How far each pixel of ``x`` may be off, against the others, of the
            shape of ``x``; a pixel of 0 stays as it is. Of ``"exact"`` alone, which
            takes all pixels alike by default. Solved by eight steps of conjugate
            gradients, which is near for an estimate that explains most already.

    Returns:
        The corrected estimate, of the shape of ``x``.

    Raises:
        UsageError: If the method is unknown, a number is out of range, or the
            variance is of another shape, negative or not for the method.
    """
    how = BackProjection(method, iterations, epsilon)
    if variance is not None:
        _refuse_variance(variance, x.shape, how)
    if how.method is None:
        return x
    if how.method == "ibp":
        for _ in range(how.iterations):
            x = x + operator.gain * operator.adjoint(y - operator(x))
        return x
    inverse = exact_inverse(operator, how.number)
    if variance is None:
        return x + operator.adjoint(inverse(y - operator(x)))
    explained = _weighted_inverse(inverse, operator, variance, y - operator(x))
    return x + variance * operator.adjoint(explained)


def _refuse_variance(
    variance: NDArray[np.floating], shape: tuple[int, ...], how: BackProjection
) -> None:
    if how.method != "exact":
        raise UsageError(
            f"the back-projection {how.method!r} takes no variance",
            mend='give method="exact", or no variance',
        )
    if variance.shape != shape or not np.all(variance >= 0.0):
        raise UsageError(
            f"the variance has shape {variance.shape}, or is negative somewhere",
            mend=f"give one of shape {shape}, 0 where pixels are to stay",
        )


def _weighted_inverse(
    inverse: ExactInverse,
    operator: SeparableOperator,
    variance: NDArray[np.floating],
    residual: NDArray[np.floating],
) -> NDArray[np.floating]:
    """``(A V A^T + eps I)^-1`` of a residual, by conjugate gradients.

    Begun and preconditioned with the inverse for equal variances. Along axes that the
    operator leaves alone each line is a system of its own.
    """
    axes = tuple(
        n - len(operator.lines)
        for n, line in enumerate(operator.lines)
        if not line.is_identity
    )

    def inner(a: NDArray[np.floating], b: NDArray[np.floating]) -> Any:
        return np.sum(a * b, axis=axes, keepdims=True)

    tiny = np.finfo(residual.dtype).tiny
    found = np.zeros_like(residual)
    better = inverse(residual)
    direction, size = better, inner(residual, better)
    for _ in range(_STEPS):
        seen = operator(variance * operator.adjoint(direction))
        seen = seen + residual.dtype.type(inverse.epsilon) * direction
        step = size / np.maximum(inner(direction, seen), tiny)
        found = found + step * direction
        residual = residual - step * seen
        better = inverse(residual)
        last, size = size, inner(residual, better)
        direction = better + size / np.maximum(last, tiny) * direction
    return found
