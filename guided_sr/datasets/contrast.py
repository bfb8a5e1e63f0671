"""Paint T1-like and T2-like images of random contrast from a label map.

The images teach a network what all scans have in common, the anatomy, and nothing of
how one scanner shows it: tissue means, texture, shading, noise, lesions and
enhancement are drawn anew for each painting, often far from what any scanner gives
(domain randomisation, Billot et al., Medical Image Analysis 2023). No image of a
person is involved, so the truth of a painting may be used in training.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from guided_sr.datasets.label_maps import (
    OUTSIDE_BRAIN,
    Kind,
    Labels,
    box_of,
    crop_to_labels,
    kind_of,
)

Image = NDArray[np.float32]

STRIPPED = 0.6
"""Share of paintings without skull."""

ANY_CONTRAST = 0.25
"""Share of paintings in which every tissue has any brightness at all."""

FLUID_DARK = 0.12
"""Share of paintings whose T2 suppresses fluid, as FLAIR does."""

SPOTS_A_LITRE = 20.0
"""Lesions and enhancements in a litre of brain."""

PLANE_STEP = 2.0
"""Distance of the planes of `paint_planes`, in voxels."""

_SPOT_RADIUS_MM = (0.8, 6.0)
_PLANES = (0.2, 0.2, 0.6)  # sagittal, coronal, axial
_SLAB_MARGIN = 10
_ONE_MASK = 0.8  # share of the masked paintings whose images have one and the same
_MASK_MARGIN = (-1.0, 2.5)  # voxels beyond the brain
_MASK_WOBBLE = 0.8  # voxels, standard deviation at most


@dataclass(frozen=True)
class Painting:
    """A pair painted from one label map, without noise.

    Attributes:
        t1: Guide ``(x, y, z)``, or planes, about 0 to 1, non-negative.
        t2: Target of the same shape.
        stripped: Whether what lies outside the brain was left out.
        masked: Whether a mask did that: beyond it everything is 0.
    """

    t1: Image
    t2: Image
    stripped: bool
    masked: bool


def paint(
    labels: Labels,
    rng: np.random.Generator,
    *,
    spots: float = SPOTS_A_LITRE,
    masked: float = 0.0,
) -> Painting:
    """Paint a pair of a contrast drawn at random.

    Args:
        labels: Label map ``(x, y, z)`` as `read_label_map` gives it, 1 mm voxels.
        rng: What everything is drawn from.
        spots: Lesions and enhancements in a litre of brain.
        masked: Share of the paintings without skull that lose it as scans do, by a mask
            laid over the images, which then are 0 from one voxel to the next. It keeps
            some of what lies around the brain, or cuts into it; one in five has a mask
            of its own for the T2. Of the others only the brain is painted, with edges
            as soft as all.

    Returns:
        The pair, on the grid of the labels (cropped further if stripped); turned,
        stretched and moved a little against them, so that edges fall between voxels.
    """
    stripped = bool(rng.random() < STRIPPED)
    beyond = None
    if stripped and masked > 0.0 and rng.random() < masked:
        labels, beyond = _around_brain(labels, rng)
    elif stripped:
        labels = crop_to_labels(np.where(labels < OUTSIDE_BRAIN, labels, np.int16(0)))
    images = _textured(labels, _draw_means(labels, rng), rng)
    _add_spots(images, labels, rng, spots)
    matrix, offset = _draw_affine(labels.shape, rng)
    spread = rng.uniform(0.35, 0.65)
    painted = []
    for image in images:
        blurred = ndimage.gaussian_filter(np.maximum(image, 0.0), spread)
        turned = ndimage.affine_transform(blurred, matrix, offset, order=1)
        painted.append((turned * _draw_shading(labels.shape, rng)).astype(np.float32))
    if beyond is not None:
        beyond = ndimage.affine_transform(beyond, matrix, offset, order=1, cval=100.0)
        margins = rng.uniform(*_MASK_MARGIN, 2)
        if rng.random() < _ONE_MASK:
            margins[1] = margins[0]
        painted = [
            np.where(beyond < margin, image, np.float32(0.0))
            for image, margin in zip(painted, margins, strict=True)
        ]
    return Painting(painted[0], painted[1], stripped, beyond is not None)


def paint_planes(
    labels: Labels,
    rng: np.random.Generator,
    *,
    planes: int,
    spots: float = SPOTS_A_LITRE,
    masked: float = 0.0,
) -> Painting:
    """Paint some planes of a head: axial, coronal or sagittal, as drawn.

    Args:
        labels: Label map as `read_label_map` gives it.
        rng: What everything is drawn from.
        planes: Number of planes, `PLANE_STEP` voxels apart.
        spots: As in `paint`.
        masked: As in `paint`.

    Returns:
        Images of shape ``(planes, height, width)``.
    """
    axis = int(rng.choice(3, p=_PLANES))
    count = labels.shape[axis]
    step = int(PLANE_STEP)
    thick = min(count, step * planes + 2 * _SLAB_MARGIN)
    low, high = round(0.15 * count), max(round(0.88 * count), thick)
    start = int(rng.integers(min(low, count - thick), min(high, count) - thick + 1))
    slab = np.take(labels, range(start, start + thick), axis=axis)
    painting = paint(slab, rng, spots=spots, masked=masked)
    stacks = []
    for image in (painting.t1, painting.t2):
        stack = np.moveaxis(image, axis, 0)
        middle = max(0, (len(stack) - step * planes) // 2)
        part = stack[middle : middle + step * planes : step]
        stacks.append(np.ascontiguousarray(part))
    return replace(painting, t1=stacks[0], t2=stacks[1])


def _around_brain(labels: Labels, rng: np.random.Generator) -> tuple[Labels, Image]:
    """The brain and what is near it, and the distance of its edge, which wavers.

    Returns:
        Labels, and voxels from the edge, negative within the brain.
    """
    brain = (labels > 0) & (labels < OUTSIDE_BRAIN)
    box = box_of(brain)
    labels, brain = np.ascontiguousarray(labels[box]), brain[box]
    beyond = ndimage.distance_transform_edt(~brain)
    beyond -= ndimage.distance_transform_edt(brain)
    wobble = rng.uniform(0.0, _MASK_WOBBLE) * _draw_field(labels.shape, (3.0, 8.0), rng)
    return labels, (beyond + wobble).astype(np.float32)


def _draw_means(
    labels: Labels, rng: np.random.Generator
) -> dict[int, tuple[float, float]]:
    """Brightness of every label in T1 and T2."""
    present = [int(label) for label in np.unique(labels) if label]
    draw = rng.random()
    if draw < ANY_CONTRAST:
        return {k: (rng.uniform(0.05, 1), rng.uniform(0.05, 1)) for k in present}
    white_1 = rng.uniform(0.75, 1.0)
    grey_1 = white_1 * rng.uniform(0.55, 0.9)
    grey_2 = rng.uniform(0.35, 0.65)
    white_2 = grey_2 * rng.uniform(0.55, 0.95)
    dark = draw > 1.0 - FLUID_DARK
    fluid_2 = rng.uniform(0.05, 0.25) if dark else rng.uniform(0.85, 1.1)
    fixed = {
        Kind.WHITE_MATTER: (white_1, white_2),
        Kind.GREY_MATTER: (grey_1, grey_2),
        Kind.FLUID: (rng.uniform(0.05, 0.3), fluid_2),
    }
    means = {}
    for label in present:
        kind = kind_of(label)
        if kind in fixed:
            pair = fixed[kind]
        elif kind is Kind.DEEP_NUCLEUS:  # between grey and white matter
            share = rng.uniform()
            pair = (
                grey_1 + share * (white_1 - grey_1),
                grey_2 + share * (white_2 - grey_2),
            )
        elif kind is Kind.VESSEL:
            pair = (rng.uniform(0.2, 1.0), rng.uniform(0.0, 0.4))
        else:
            pair = (rng.uniform(0.0, 1.2), rng.uniform(0.0, 1.0))
        shift = rng.uniform(-0.04, 0.04, 2)
        means[label] = (max(pair[0] + shift[0], 0.0), max(pair[1] + shift[1], 0.0))
    return means


def _textured(
    labels: Labels, means: dict[int, tuple[float, float]], rng: np.random.Generator
) -> list[Image]:
    """Means of the labels, and texture that the two images share in part."""
    size = max(means) + 1
    mean, strength = np.zeros((2, size), np.float32), np.zeros((2, size), np.float32)
    for label, pair in means.items():
        mean[:, label] = pair
        strength[:, label] = rng.uniform(0.0, 0.06), rng.uniform(0.0, 0.08)
    shared = _draw_field(labels.shape, (0.7, 1.2, 3.0), rng)
    share, sign = rng.uniform(0.3, 1.0), rng.choice([-1.0, 1.0])
    images = []
    for k, part in enumerate((sign * share, share)):
        own = _draw_field(labels.shape, (0.7, 1.8), rng)
        texture = part * shared + (1.0 - share) * own
        images.append(mean[k][labels] + strength[k][labels] * texture)
    return images


def _draw_field(
    shape: tuple[int, ...], scales: tuple[float, ...], rng: np.random.Generator
) -> Image:
    """Smooth random field of unit variance, a sum of one a scale (in voxels)."""
    total = np.zeros(shape, np.float32)
    for scale in scales:
        noise = rng.standard_normal(shape, dtype=np.float32)
        field = ndimage.gaussian_filter(noise, scale)
        total += field / field.std()
    return total / np.float32(np.sqrt(len(scales)))


def _add_spots(
    images: list[Image], labels: Labels, rng: np.random.Generator, a_litre: float
) -> None:
    """Lesions that only the T2 shows, enhancement that only the T1 shows, and both."""
    inside = np.argwhere((labels > 0) & (labels < OUTSIDE_BRAIN))
    for _ in range(rng.poisson(a_litre * len(inside) / 1e6)):
        centre = inside[rng.integers(len(inside))]
        radius = np.clip(
            rng.uniform(1.0, 6.0, 3) * rng.uniform(0.4, 1.0), *_SPOT_RADIUS_MM
        )
        box = tuple(
            slice(max(0, int(c - r) - 2), min(n, int(c + r) + 4))
            for c, r, n in zip(centre, radius, labels.shape, strict=True)
        )
        grid = np.meshgrid(*(np.arange(s.start, s.stop) for s in box), indexing="ij")
        distance = np.sqrt(
            sum(
                ((g - c) / r) ** 2 for g, c, r in zip(grid, centre, radius, strict=True)
            )
        )
        share = np.clip((1.0 - distance) * radius.mean() + 0.5, 0.0, 1.0)
        share = (share * (labels[box] > 0)).astype(np.float32)
        where = rng.random()
        if where < 0.7:
            sign = 1.0 if rng.random() < 0.75 else -1.0
            images[1][box] += share * np.float32(sign * rng.uniform(0.1, 0.6))
        if where > 0.5:
            sign = rng.choice([-1.0, 1.0])
            images[0][box] += share * np.float32(sign * rng.uniform(0.1, 0.6))


def _draw_affine(
    shape: tuple[int, ...], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotation (15 degrees about z, 6 about x and y) and zoom about the centre."""
    a, b, c = np.deg2rad(rng.uniform(-1.0, 1.0, 3) * (6.0, 6.0, 15.0))
    about_x = [[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]
    about_y = [[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]]
    about_z = [[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]]
    zoom = np.diag(rng.uniform(0.88, 1.12, 3))
    matrix = np.array(about_z) @ np.array(about_y) @ np.array(about_x) @ zoom
    centre = (np.array(shape) - 1.0) / 2.0
    return matrix, centre - matrix @ centre


def _draw_shading(shape: tuple[int, ...], rng: np.random.Generator) -> Image:
    """Smooth multiplicative shading of the coil."""
    knots = rng.standard_normal((4, 4, 4))
    places = np.meshgrid(*(np.linspace(0, 3, n) for n in shape), indexing="ij")
    field = ndimage.map_coordinates(knots, places, order=3, mode="nearest")
    return np.exp(field * rng.uniform(0.0, 0.15)).astype(np.float32)
