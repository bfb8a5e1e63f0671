"""How much noise a T2 holds, and how firmly a result is to explain it then.

Exact back-projection forces a result to explain the T2 down to its noise, which
comes back amplified. How firm it should be depends on the noise ``sigma`` of the T2,
and ``sigma`` is read from what the first stage alone, without any back-projection,
leaves unexplained of some slices.

That residual holds the errors of the estimate as well, a wrong guide's above all. They
lie where the estimate has edges; noise is everywhere. So the residual is high-passed
(Immerkaer, Computer Vision and Image Understanding, 1996) and its variance, by the
median of absolute values, taken twice: ``q^2`` over the quarter of the foreground where
the estimate varies least, ``t^2`` over the quarter where it varies most. A share
``LEAK`` of the errors ``e`` at edges reaches the quiet quarter too,

    q^2 = s^2 + LEAK^2 e^2,    t^2 = s^2 + e^2,

and ``s`` is what is left of the noise where the network has taken some of it for
signal. How much it takes, each network is asked: what its estimate explains of the
slices, which is free of noise, goes through it with known noise of deviation ``n``, and
``k`` is left of that; so ``sigma = s n / k``. ``n`` is ``s``, but `ASKED` at least:
less would drown in the errors that a wrong guide leaves, which are still there. All are
in the range of the networks, in which the 0.5 and 99.5 percentiles of the T2 are 0 and
1.

The regularisation is ``(sigma / ERROR)^POWER``, at least the default. With an estimate
off by white errors ``tau``, the posterior mean would take ``(sigma / tau)^2``; a cube
fits the best values better. The constants were chosen on one scan of open_ms and
painted heads, at factors 2, 4 and 4 along the slice axis (docs, Results, Noise in the
T2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, convolve

from guided_sr.errors import warn_user
from guided_sr.inference.cascade import Slices, Stack, Window, Work, run_cascade
from guided_sr.physics.back_projection import DEFAULT_EPSILON, BackProjection
from guided_sr.physics.cascade_plan import CascadePlan

LEAK = 0.35
"""Share of the errors at edges that is found in the quiet quarter."""
ERROR = 0.018
"""Noise at which the regularisation is 1."""
POWER = 3.0
"""How fast it grows with the noise."""
ASKED = 0.01
"""Known noise with which a network is asked what it leaves of noise, at least."""
TOLD = 0.015
"""Noise above which the user is told."""

SLICES = 8
_FOREGROUND = 0.1
_QUARTER = 0.25
_LEAST = 64  # pixels of the foreground, below which nothing is said of the noise
_LAPLACIAN = np.array([[[1, -2, 1], [-2, 4, -2], [1, -2, 1]]], np.float32) / 6.0
_MEDIAN_OF_NORMAL = 0.6745
_MOST = 3.0  # times what is left, the noise is at most
_NOTHING = BackProjection(None)


@dataclass(frozen=True)
class Noise:
    """The noise of a T2.

    Attributes:
        sigma: Its deviation, as a share of the T2's intensity range.
    """

    sigma: float

    @property
    def epsilon(self) -> float:
        """Regularisation of exact back-projection that goes with it."""
        return max(DEFAULT_EPSILON, (self.sigma / ERROR) ** POWER)


def settled(
    how: BackProjection,
    networks: Sequence[keras.Model],
    t2: Stack,
    t1: Slices | None,
    *,
    plan: CascadePlan,
) -> tuple[BackProjection, Noise | None]:
    """A back-projection with a number in the place of ``"auto"``.

    The user is told of noise above `TOLD`.

    Args:
        how: The back-projection.
        networks: One network a stage.
        t2: Observed slices of shape ``(n, h, w)``, normalised.
        t1: Guide slices of shape ``(n, H, W)`` on the target grid, normalised, or
            `None` for networks without guide.
        plan: The cascade plan.

    Returns:
        The same back-projection with its number, and the noise it was taken from;
        `None` where the number was given.
    """
    if not how.automatic:
        return how, None
    noise = measure_noise(networks, t2, t1, plan=plan)
    if noise.sigma > TOLD:
        warn_user(
            f"the T2 holds about {100 * noise.sigma:.0f} % noise; the result is not"
            " forced to reproduce it",
        )
    return how.fixed(noise.epsilon), noise


def measure_noise(
    networks: Sequence[keras.Model],
    t2: Stack,
    t1: Slices | None,
    *,
    plan: CascadePlan,
) -> Noise:
    """Measure the noise of a stack, on `SLICES` of its slices.

    They go through the first network in batches of the size that the cascade uses, so
    that nothing is compiled for them alone.

    Args:
        networks: As in `settled`.
        t2: As there.
        t1: As there.
        plan: As there.
    """
    chosen = _spread(t2, Work().slices(plan.target_shape))
    y = t2[chosen]
    guide = None
    if t1 is not None:
        guide = np.concatenate([t1[k : k + 1] for k in chosen])
    operator, window = plan.observation(1), Window.of(t2)

    def left_of(seen: Stack) -> tuple[float, Stack]:
        """What the network leaves of the noise of slices, and what it explains."""
        x = run_cascade(
            networks[:1],
            seen,
            guide,
            plan=plan,
            back_projection=_NOTHING,
            window=window,
        )
        rows, columns = np.gradient(x, axis=(1, 2))
        explained = operator(x).astype(np.float32)
        activity = operator(np.asarray(rows**2 + columns**2))
        return noise_left(seen, seen - explained, activity), explained

    left, explained = left_of(y)
    if not left:
        return noise_of(left, 1.0)  # whatever it takes of noise, there is none
    known = max(left, ASKED)
    noise = known * np.random.default_rng(0).standard_normal(y.shape, np.float32)
    share = left_of((explained + noise).astype(np.float32))[0] / known
    return noise_of(left, share)


def noise_left(
    t2: NDArray[np.floating],
    residual: NDArray[np.floating],
    activity: NDArray[np.floating],
) -> float:
    """Tell noise that an estimate leaves unexplained from the errors of the estimate.

    Args:
        t2: Observed slices of shape ``(n, h, w)``, normalised.
        residual: What an estimate leaves unexplained of them.
        activity: Where the estimate varies: its squared gradient, on the same grid.

    Returns:
        Its deviation; 0 where there is too little foreground to say.
    """
    inside = binary_erosion(t2 > _FOREGROUND, np.ones((1, 3, 3)))
    rough = convolve(residual, _LAPLACIAN)[inside]
    rough = rough[np.argsort(activity[inside], kind="stable")]
    count = int(_QUARTER * rough.size)
    if rough.size < _LEAST:
        return 0.0
    quiet, edges = _variance(rough[:count]), _variance(rough[-count:])
    return float(np.sqrt(max(0.0, quiet - LEAK**2 * edges) / (1.0 - LEAK**2)))


def noise_of(left: float, share: float) -> Noise:
    """The noise of a T2 from what a network leaves of it.

    Args:
        left: Deviation of what it leaves of the T2's noise.
        share: What it leaves of known noise, as a share of that.
    """
    return Noise(left / max(share, 1.0 / _MOST))


def _variance(x: NDArray[np.floating]) -> float:
    """Robust: by the median of the absolute values."""
    return float(np.median(np.abs(x)) / _MEDIAN_OF_NORMAL) ** 2


def _spread(t2: Stack, batch: int) -> list[int]:
    """Slices that hold much, spread over the stack, and whole batches of them."""
    filled = np.mean(t2 > _FOREGROUND, axis=(1, 2))
    (there,) = np.nonzero(filled >= 0.5 * filled.max())
    count = min(len(there), SLICES)
    if count > batch:
        count -= count % batch
    places = np.linspace(0, len(there) - 1, count)
    return [int(k) for k in there[np.round(places).astype(int)]]
