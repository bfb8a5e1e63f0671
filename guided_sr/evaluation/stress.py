"""Gain over cubic interpolation where the images are unlike those of training.

Heads are painted from label maps by a generator that training never uses
(`guided_sr.datasets.painted_heads`), under every named protocol, and under conditions
that make a guide worse than nothing: noise, a shift, another person's T1, a slice
profile other than the one assumed. Every method sees the same slices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guided_sr.datasets.label_maps import Labels
from guided_sr.datasets.painted_heads import PaintedHead, Plane
from guided_sr.datasets.protocols import PROTOCOLS, Protocol
from guided_sr.datasets.signal import add_rician_noise
from guided_sr.evaluation.predictors import Predict
from guided_sr.metrics import psnr
from guided_sr.physics.degrade import crop_to_multiple
from guided_sr.physics.operators import Profile
from guided_sr.physics.slice_profile import plane_observation

Stack = NDArray[np.float32]
Line = dict[str, Any]

NOISE = 0.02
"""Deviation of the noise of both images, as a share of their 99.5 percentile."""

_AIR = 0.02  # of the same; noise is taken away there where the skull is


@dataclass(frozen=True)
class Condition:
    """What images a method is given.

    Attributes:
        protocol: Name in `PROTOCOLS`.
        noise: As `NOISE`.
        shift_mm: The T1 is moved by this much along each axis, with random signs.
        other: Whether the T1 is another person's.
        profile: True profile of the coarse pixels on the enlarged axes.
    """

    protocol: str
    noise: float = NOISE
    shift_mm: float = 0.0
    other: bool = False
    profile: Profile = "gaussian"


CONDITIONS: dict[str, Condition] = {
    **{name: Condition(name) for name in PROTOCOLS},
    "noise 5 %": Condition("3 T", noise=0.05),
    "box profile": Condition("3 T", profile="box"),
    "T1 shifted by 1 mm": Condition("3 T", shift_mm=1.0),
    "T1 shifted by 3 mm": Condition("3 T", shift_mm=3.0),
    "T1 of another person": Condition("3 T", other=True),
}
"""Every condition by name; those from the noise on vary the standard protocol."""


@dataclass(frozen=True, eq=False)
class StressPair:
    """One head under one condition.

    Attributes:
        low: Coarse, noisy T2 of shape ``(n, h, w)``.
        t1: Noisy T1 of shape ``(n, H, W)``.
        truth: Sharp T2 without noise, of the shape of the T1.
    """

    low: Stack
    t1: Stack
    truth: Stack


class StressSet:
    """Pairs of some heads under any condition.

    Args:
        maps: Label maps by name, two or more.
        scale: Factors of rows and columns.
        plane: Orientation of the planes. Rows of coronal and sagittal planes run from
            foot to head, so that ``scale=(s, 1)`` makes thick axial slices.
        planes: Planes of each head.
        seed: Draws heads and noise.
    """

    def __init__(
        self,
        maps: Mapping[str, Labels],
        *,
        scale: tuple[float, float],
        plane: Plane = "axial",
        planes: int = 4,
        seed: int = 0,
    ) -> None:
        self.scale, self.seed = scale, seed
        self.names = list(maps)
        self._heads, self._others = [], []
        for k, name in enumerate(self.names):
            head = PaintedHead(maps[name], seed=seed + k, plane=plane, planes=planes)
            self._heads.append(head)
        for k in range(len(self.names)):
            other = (k + 1) % len(self.names)
            self._others.append(
                PaintedHead(
                    maps[self.names[other]],
                    seed=seed + other,
                    plane=plane,
                    planes=planes,
                    shape=self._heads[k].shape,
                )
            )

    def pair(self, k: int, condition: Condition) -> StressPair:
        """Head number ``k`` under a condition."""
        protocol = PROTOCOLS[condition.protocol]
        rng = np.random.default_rng([self.seed, k])
        signs = rng.choice([-1.0, 1.0], 3) * condition.shift_mm
        shift = (float(signs[0]), float(signs[1]), float(signs[2]))
        head = self._heads[k]
        seen = self._others[k] if condition.other else head
        t2 = crop_to_multiple(head.scan("t2", protocol), self.scale)
        t1 = crop_to_multiple(seen.scan("t1", protocol, shift_mm=shift), self.scale)
        shape = (t2.shape[1], t2.shape[2])
        low = plane_observation(shape, self.scale, profile=condition.profile)(t2)
        return StressPair(
            _noisy(low, condition.noise, protocol, rng),
            _noisy(t1, condition.noise, protocol, rng),
            t2.astype(np.float32),
        )


def stress_lines(
    methods: Mapping[str, Predict],
    stress: StressSet,
    *,
    conditions: Mapping[str, Condition] = CONDITIONS,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Line]:
    """Measure methods under every condition, head by head.

    Args:
        methods: What is measured, by name, cubic interpolation among them.
        stress: The pairs.
        conditions: Which of them.
        progress: Called with the lines done and their number.

    Yields:
        One line of plain values for each condition and head: the condition, the head,
        and under ``psnr`` the figures of each method, one a slice, in dB.
    """
    done, total = 0, len(conditions) * len(stress.names)
    for name, condition in conditions.items():
        for k, head in enumerate(stress.names):
            pair = stress.pair(k, condition)
            line: Line = {
                "condition": name,
                "head": head,
                "scale": list(stress.scale),
                "seed": stress.seed,
                **asdict(condition),
                "psnr": {
                    method: [
                        psnr(x, z)
                        for x, z in zip(
                            pair.truth, predict(pair.low, pair.t1), strict=True
                        )
                    ]
                    for method, predict in methods.items()
                },
            }
            yield line
            done += 1
            if progress is not None:
                progress(done, total)


def stress_rows(
    lines: Sequence[Line], *, baseline: str = "cubic"
) -> list[dict[str, Any]]:
    """Gain over the baseline for each condition, paired slice by slice.

    Args:
        lines: From `stress_lines`.
        baseline: Method that gains are counted from.

    Returns:
        Rows of plain values, one a condition, and a last one with their mean:
        ``baseline`` in dB, and for each other method its ``gain`` and the deviation
        of the gain over the heads' slices.
    """
    rows: list[dict[str, Any]] = []
    for name in dict.fromkeys(line["condition"] for line in lines):
        mine = [line["psnr"] for line in lines if line["condition"] == name]
        base = np.concatenate([one[baseline] for one in mine])
        row: dict[str, Any] = {
            "condition": name,
            "slices": len(base),
            baseline: float(base.mean()),
        }
        for method in mine[0]:
            if method != baseline:
                gains = np.concatenate([one[method] for one in mine]) - base
                row[f"{method} gain"] = float(gains.mean())
                row[f"{method} sd"] = (
                    float(gains.std(ddof=1)) if len(gains) > 1 else None
                )
        rows.append(row)
    mean: dict[str, Any] = {"condition": "mean of all"}
    mean["slices"] = sum(row["slices"] for row in rows)
    for key in rows[0]:
        if key == baseline or key.endswith(" gain"):
            mean[key] = float(np.mean([row[key] for row in rows]))
    return [*rows, mean]


def _noisy(
    image: NDArray, noise: float, protocol: Protocol, rng: np.random.Generator
) -> Stack:
    """Rician noise; where the skull was stripped off, after it, the air is 0."""
    clean = np.maximum(image, 0.0)
    bright = float(np.percentile(clean[clean > 0], 99.5))
    noisy = add_rician_noise(clean, noise * bright, rng)
    if protocol.stripped:
        noisy = np.where(clean > _AIR * bright, noisy, 0.0)
    return noisy.astype(np.float32)
