"""Discs put into one of two images: structures that the other image lacks.

A disc is anti-aliased and lies between pixels; its contrast is added to what is there,
in the working range of the networks (`guided_sr.volumes.IntensityScale`), where 1 is
the span from the 0.5 to the 99.5 percentile. Discs stay within the tissue and within
that range, so that the intensity scale is the same with and without them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Stack = NDArray[np.float32]

DIAMETERS = (3.0, 5.0, 8.0, 10.0)
"""Diameters of the discs in target pixels."""

CONTRASTS = (-0.6, -0.3, -0.15, 0.15, 0.3, 0.6)
"""Contrasts of the discs; what has no place in an image is left out there."""

TISSUE = 0.05
"""What is brighter than this in either image is tissue, and no air or bone."""

_RANGE = (0.0, 1.05)
_GAP = 14.0  # pixels between discs, each widened by one coarse pixel
_TRIES = 12


@dataclass(frozen=True)
class Disc:
    """A disc in one slice.

    Attributes:
        index: The slice.
        row: Of its centre, in pixels.
        column: Of its centre.
        diameter: In pixels.
        contrast: What it adds, in the working range.
    """

    index: int
    row: float
    column: float
    diameter: float
    contrast: float

    def weights(
        self, shape: tuple[int, int], *, wider: tuple[float, float] = (0.0, 0.0)
    ) -> tuple[tuple[slice, slice], NDArray[np.float64]]:
        """Share of every pixel that the disc covers, where that may be any.

        Args:
            shape: Rows and columns of the image.
            wider: Pixels to add to its radius along rows and columns.

        Returns:
            A window of the image, and the shares in it, 0 to 1.
        """
        radii = [self.diameter / 2.0 + more for more in wider]
        window, distances = [], []
        for centre, radius, size in zip(
            (self.row, self.column), radii, shape, strict=True
        ):
            low = max(0, int(np.floor(centre - radius)))
            high = min(size, int(np.ceil(centre + radius)) + 1)
            window.append(slice(low, high))
            distances.append((np.arange(low, high) - centre) / radius)
        distance = np.hypot(distances[0][:, None], distances[1][None, :])
        mean_radius = float(np.sqrt(radii[0] * radii[1]))
        shares = np.clip((1.0 - distance) * mean_radius + 0.5, 0.0, 1.0)
        return (window[0], window[1]), shares


def place_discs(
    image: Stack,
    other: Stack,
    *,
    scale: tuple[float, float],
    rng: np.random.Generator,
    diameters: Sequence[float] = DIAMETERS,
    contrasts: Sequence[float] = CONTRASTS,
) -> list[Disc]:
    """Find places for discs, every size and contrast about equally often.

    Args:
        image: What they are put into, in the working range, ``(n, height, width)``.
        other: The image that will lack them, of the same shape.
        scale: Factors of rows and columns, which set the distance of two discs.
        rng: Draws the places.
        diameters: Sizes to place, in pixels.
        contrasts: Contrasts to place.

    Returns:
        The discs, no two of which come near each other.
    """
    shape = (image.shape[1], image.shape[2])
    tissue = (image > TISSUE) | (other > TISSUE)
    pitch = [max(diameters) + 2.0 * s + _GAP for s in scale]
    kinds = [(d, c) for d in diameters for c in contrasts]
    seen: Counter[tuple[float, float]] = Counter()
    found = []
    for index in range(len(image)):
        shift = rng.uniform(0.0, 1.0, 2)
        for i in range(int(shape[0] // pitch[0])):
            for j in range(int(shape[1] // pitch[1])):
                corner = ((i + shift[0]) * pitch[0], (j + shift[1]) * pitch[1])
                slack = _GAP / 2.0
                centres = np.array(corner) + rng.uniform(-slack, slack, (_TRIES, 2)) / 2
                order = rng.permutation(len(kinds))
                for k in sorted(order, key=lambda k: seen[kinds[k]]):
                    disc = _fitting(image, tissue, index, centres, kinds[k])
                    if disc is not None:
                        found.append(disc)
                        seen[kinds[k]] += 1
                        break
    return found


def _fitting(
    image: Stack,
    tissue: NDArray[np.bool_],
    index: int,
    centres: NDArray[np.float64],
    kind: tuple[float, float],
) -> Disc | None:
    """A disc of a kind at the first centre where it fits, if there is one."""
    low, high = _RANGE
    for row, column in centres:
        disc = Disc(index, float(row), float(column), *kind)
        margin = disc.diameter / 2.0 + 2.0
        if not (
            margin <= row < image.shape[1] - margin
            and margin <= column < image.shape[2] - margin
        ):
            continue
        window, shares = disc.weights((image.shape[1], image.shape[2]))
        covered = shares > 0.0
        values = image[index][window][covered] + disc.contrast
        if tissue[index][window][covered].all() and (
            low <= values.min() and values.max() <= high
        ):
            return disc
    return None


def with_discs(image: Stack, discs: Sequence[Disc]) -> Stack:
    """The image with all discs added, in its own units: give it the working range."""
    out = image.copy()
    shape = (image.shape[1], image.shape[2])
    for disc in discs:
        window, shares = disc.weights(shape)
        out[disc.index][window] += (disc.contrast * shares).astype(np.float32)
    return out
