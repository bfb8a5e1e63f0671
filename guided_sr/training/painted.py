"""Training subjects painted from label maps: every level of them is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from guided_sr.datasets.contrast import PLANE_STEP, SPOTS_A_LITRE, paint_planes
from guided_sr.datasets.label_maps import Labels, read_label_map
from guided_sr.physics.cascade_plan import StageBlur
from guided_sr.physics.degrade import crop_to_multiple
from guided_sr.physics.operators import Profile
from guided_sr.physics.slice_profile import SliceProfile, plane_observation
from guided_sr.training.subjects import Stack, Subject, subject_with_truth

Factors = tuple[float, float]

_AIR = 0.02  # of the bright end


@dataclass(frozen=True)
class Painter:
    """What is painted, apart from the maps.

    Attributes:
        scales: Factors of rows and columns; one is drawn for each painting.
        row_range: Least and largest factor of the rows alone, drawn for a painting in
            place of those of `scales`; `None` for never.
        row_share: Share of the paintings to which `row_range` applies.
        paintings: Paintings a map.
        planes: Planes a painting.
        noise: Largest standard deviation of the noise in the observed T2, as a share
            of its bright end (99.5th percentile); drawn from 0 up. The T1 has up to
            one and a half times as much.
        quiet: Share of the paintings whose air is 0, without noise, as where a skull
            was stripped off; those that a mask has cut out are such, too. Their darkest
            tissue is what 0 is after normalisation, and the air lies below.
        profiles: Shapes of the coarse pixels; one is drawn for each painting. What was
            seen through another than the nominal one is brought to that, as a scan
            is whose profile is known.
        spots: Lesions and enhancements a litre of brain, as in `paint`.
        masked: Share of the paintings without skull that a mask has cut out, as in
            `paint`.
        seed: Seed of all that is drawn.
    """

    scales: Sequence[Factors]
    row_range: tuple[float, float] | None = None
    row_share: float = 1.0
    paintings: int = 2
    planes: int = 16
    noise: float = 0.02
    quiet: float = 0.0
    profiles: Sequence[Profile] = ("gaussian",)
    spots: float = SPOTS_A_LITRE
    masked: float = 0.0
    seed: int = 0

    def subjects(
        self,
        maps: Sequence[Path],
        *,
        stages: int,
        stage_blur: StageBlur,
        guided: bool,
    ) -> list[Subject]:
        """Paint every map.

        Args:
            maps: Files of label maps.
            stages: Number of stages.
            stage_blur: As in `CascadePlan.create`.
            guided: Whether there is a guide.

        Raises:
            GuidedSRError: If a map cannot be used; it is named.
        """
        subjects = []
        for number, path in enumerate(maps):
            labels = read_label_map(path)
            subjects += [
                self.painting(
                    labels,
                    (number, k),
                    stages=stages,
                    stage_blur=stage_blur,
                    guided=guided,
                )
                for k in range(self.paintings)
            ]
        return subjects

    def painting(
        self,
        labels: Labels,
        key: tuple[int, int],
        *,
        stages: int,
        stage_blur: StageBlur,
        guided: bool,
    ) -> Subject:
        """One painting, which depends on nothing but the seed and its key.

        Args:
            labels: A label map.
            key: Number of the map, and of the painting of this map.
            stages: Number of stages.
            stage_blur: As in `CascadePlan.create`.
            guided: Whether there is a guide.
        """
        rng = np.random.default_rng([self.seed, *key])
        planes = paint_planes(
            labels, rng, planes=self.planes, spots=self.spots, masked=self.masked
        )
        factors = self._draw_factors(rng)
        high, guide = (crop_to_multiple(x, factors) for x in (planes.t2, planes.t1))
        profile = self._draw_profile(rng)
        shape = (high.shape[1], high.shape[2])
        low = plane_observation(shape, factors, profile=profile.shape)(high)
        quiet = np.random.default_rng([self.seed, *key, 1]).random()
        air = _AIR if quiet < self.quiet or planes.masked else 0.0
        subject = subject_with_truth(
            high.astype(np.float32),
            _noisy(guide, 1.5 * self.noise, rng, air) if guided else None,
            _brought(_noisy(low, self.noise, rng, air), profile, shape),
            stages=stages,
            stage_blur=stage_blur,
        )
        return replace(subject, spacing_mm=(PLANE_STEP, 1.0, 1.0))

    def _draw_factors(self, rng: np.random.Generator) -> Factors:
        if self.row_range is not None and rng.random() < self.row_share:
            return float(rng.uniform(*self.row_range)), 1.0
        return self.scales[int(rng.integers(len(self.scales)))]

    def _draw_profile(self, rng: np.random.Generator) -> SliceProfile:
        if len(self.profiles) == 1:
            return SliceProfile(self.profiles[0])
        return SliceProfile(self.profiles[int(rng.integers(len(self.profiles)))])


def _brought(low: Stack, profile: SliceProfile, shape: tuple[int, int]) -> Stack:
    """Rows and columns of the nominal profile."""
    for axis, fine in enumerate(shape, 1):
        low = profile.brought(low, axis, fine)
    return np.maximum(low, 0.0)


def _noisy(
    stack: np.ndarray, most: float, rng: np.random.Generator, air: float
) -> Stack:
    """With noise, but where the image is darker than a share of its bright end."""
    bright = np.percentile(stack[stack > 0.02], 99.5) if (stack > 0.02).any() else 1.0
    noise = rng.standard_normal(stack.shape) * (bright * rng.uniform(0.0, most))
    noisy = np.maximum(stack + noise, 0.0)
    if air > 0.0:
        noisy = np.where(stack > air * bright, noisy, 0.0)
    return noisy.astype(np.float32)


def shared_out(
    painted: Sequence[Subject], real: Sequence[Subject], share: float
) -> list[Subject]:
    """Painted subjects, weighted so that they are a share of all slices drawn.

    Args:
        painted: Painted subjects.
        real: All others, with their weights; if there are none, `share` is idle.
        share: Between 0 and 1.
    """
    drawn = sum(len(s.t2) * s.weight for s in real)
    if not drawn:
        return list(painted)
    weight = share / (1.0 - share) * drawn / sum(len(s.t2) for s in painted)
    return [replace(subject, weight=weight) for subject in painted]
