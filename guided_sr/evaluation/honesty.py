"""How much a result copies from the T1, and how much it loses of what the T2 shows.

Both are measured on pairs of runs that differ in nothing but discs put into one of the
images, so that only what the discs cause is left in the difference of the results:

* *Leak*: discs in the T1 alone. The difference of the two results is projected onto
  each disc and divided by the disc's contrast, all in the working range of the networks
  (`guided_sr.volumes.IntensityScale`). 0 is a result that does not see them, 1 one that
  copies them. A projection overlooks rings; *strength*, the root-mean-square of the
  difference over the disc widened by one coarse pixel, divided by that of the disc
  itself, does not.
* *Survival*: discs in the sharp T2 alone, which is then degraded. *Sum* is the
  contrast summed over the disc widened by one coarse pixel, *mean* the mean contrast
  inside the disc, both divided by the same figure of the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from guided_sr.datasets.label_maps import Labels
from guided_sr.datasets.painted_heads import PaintedHead
from guided_sr.datasets.phantom import head_phantom
from guided_sr.datasets.protocols import PROTOCOLS
from guided_sr.evaluation.inserts import Disc, Stack, place_discs, with_discs
from guided_sr.evaluation.predictors import Predict
from guided_sr.physics.degrade import crop_to_multiple, degrade
from guided_sr.volumes import fit_intensity

SeenIn = Literal["t1", "t2"]

SCENE_PROTOCOLS = ("3 T", "1.5 T, skull", "enhanced T1", "7 T")
"""Protocols of the painted scenes, one a label map in turn."""

_PHANTOM = (180, 216)


@dataclass(frozen=True, eq=False)
class Scene:
    """A sharp pair that structures are put into.

    Attributes:
        name: What it is.
        t2: Sharp T2 of shape ``(n, height, width)``.
        t1: T1 of the same shape.
    """

    name: str
    t2: Stack
    t1: Stack


@dataclass(frozen=True)
class Finding:
    """What became of one disc in one method's result, as shares of what it was.

    Attributes:
        method: The method.
        scene: Name of the scene.
        seen_in: The image that the disc was put into.
        disc: The disc.
        figures: ``leak`` and ``strength`` of a disc in the T1, ``sum`` and ``mean`` of
            one in the T2.
    """

    method: str
    scene: str
    seen_in: SeenIn
    disc: Disc
    figures: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Example:
    """One slice to look at, in the working range.

    Attributes:
        t1: T1 with the discs.
        t2: Sharp T2 with the discs that it alone has.
        t1_discs: The discs of the T1.
        t2_discs: The discs of the T2.
        leaks: What the discs of the T1 change, one image a method.
        survivals: What the discs of the T2 change, one image a method.
    """

    t1: NDArray
    t2: NDArray
    t1_discs: NDArray
    t2_discs: NDArray
    leaks: Mapping[str, NDArray]
    survivals: Mapping[str, NDArray]


@dataclass(eq=False)
class Honesty:
    """All findings, and a slice to look at."""

    findings: list[Finding] = field(default_factory=list)
    example: Example | None = None


def phantom_scenes(*, slices: int = 3) -> list[Scene]:
    """Drawn heads, with and without skull; no file is needed.

    Args:
        slices: Slices of each.
    """
    scenes = []
    for seed, skull in ((11, False), (12, True)):
        head = head_phantom(_PHANTOM, slices, seed=seed, skull=skull, noise=0.0)
        name = f"phantom{', skull' if skull else ''}"
        scenes.append(Scene(name, head.t2, head.t1))
    return scenes


def painted_scenes(
    maps: Mapping[str, Labels], *, scale: tuple[float, float], planes: int = 3
) -> list[Scene]:
    """Heads painted from label maps, each by another protocol.

    Args:
        maps: Label maps by name.
        scale: Factors of rows and columns. Where rows alone are enlarged, the planes
            are coronal and their rows run from foot to head; else they are axial.
        planes: Planes of each.
    """
    plane: Any = "coronal" if scale[1] == 1.0 else "axial"
    scenes = []
    for k, (name, labels) in enumerate(maps.items()):
        protocol = SCENE_PROTOCOLS[k % len(SCENE_PROTOCOLS)]
        head = PaintedHead(labels, seed=k, plane=plane, planes=planes)
        t2, t1 = (head.scan(w, PROTOCOLS[protocol]) for w in ("t2", "t1"))
        scenes.append(Scene(f"{name}, {protocol}", t2, t1))
    return scenes


def measure_honesty(
    methods: Mapping[str, Predict],
    scenes: Iterable[Scene],
    *,
    scale: tuple[float, float],
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Honesty:
    """Put discs into the T1, then into the T2, and look for them in the results.

    Args:
        methods: What is measured, by name; all see the same discs.
        scenes: Sharp pairs. Cropped to a multiple of the scale.
        scale: Factors of rows and columns.
        seed: Draws the places of the discs.
        progress: Called with the scenes done and their number.
    """
    known = list(scenes)
    out = Honesty()
    for number, scene in enumerate(known):
        rng = np.random.default_rng([seed, number])
        t2, t1 = (crop_to_multiple(image, scale) for image in (scene.t2, scene.t1))
        units = fit_intensity(t2, name="T2"), fit_intensity(t1, name="T1")
        sharp, guide = units[0].forward(t2), units[1].forward(t1)
        span = units[0].high - units[0].low
        in_t1 = place_discs(guide, sharp, scale=scale, rng=rng)
        in_t2 = place_discs(sharp, guide, scale=scale, rng=rng)
        guide_with, sharp_with = with_discs(guide, in_t1), with_discs(sharp, in_t2)
        low = degrade(t2, scale)
        low_with = degrade(units[0].inverse(sharp_with), scale)
        leaks, survivals = {}, {}
        for name, predict in methods.items():
            base = predict(low, t1)
            leaks[name] = (predict(low, units[1].inverse(guide_with)) - base) / span
            survivals[name] = (predict(low_with, t1) - base) / span
            for disc in in_t1:
                figures = leak(leaks[name][disc.index], disc, scale=scale)
                out.findings.append(Finding(name, scene.name, "t1", disc, figures))
            for disc in in_t2:
                figures = survival(survivals[name][disc.index], disc, scale=scale)
                out.findings.append(Finding(name, scene.name, "t2", disc, figures))
        if out.example is None:
            k = len(t2) // 2
            out.example = Example(
                guide_with[k],
                sharp_with[k],
                (guide_with - guide)[k],
                (sharp_with - sharp)[k],
                {name: image[k] for name, image in leaks.items()},
                {name: image[k] for name, image in survivals.items()},
            )
        if progress is not None:
            progress(number + 1, len(known))
    return out


def leak(
    difference: NDArray, disc: Disc, *, scale: tuple[float, float]
) -> dict[str, float]:
    """How much of a disc in the T1 a result shows.

    Args:
        difference: Result with the disc, less that without, ``(height, width)``.
        disc: The disc.
        scale: Factors of rows and columns, by which it is widened for ``strength``.

    Returns:
        ``leak`` (signed) and ``strength``, as shares of the disc's contrast.
    """
    window, shares = disc.weights(difference.shape, wider=scale)
    inner, weights = disc.weights(difference.shape)
    energy = float(np.sum(weights**2))
    projection = float(np.sum(difference[inner] * weights)) / energy
    total = float(np.sum(difference[window][shares > 0.5] ** 2))
    return {
        "leak": projection / disc.contrast,
        "strength": float(np.sqrt(total / energy)) / abs(disc.contrast),
    }


def survival(
    difference: NDArray, disc: Disc, *, scale: tuple[float, float]
) -> dict[str, float]:
    """How much of a disc in the T2 a result keeps.

    Args:
        difference: Result with the disc, less that without, ``(height, width)``.
        disc: The disc.
        scale: Factors of rows and columns: a coarse pixel, by which it is widened.

    Returns:
        ``sum`` and ``mean`` as shares of the truth's.
    """
    window, shares = disc.weights(difference.shape, wider=scale)
    inner, weights = disc.weights(difference.shape)
    whole = float(np.sum(weights))
    inside = weights > 0.5
    return {
        "sum": float(np.sum(difference[window][shares > 0.5]))
        / (disc.contrast * whole),
        "mean": float(np.mean(difference[inner][inside]))
        / (disc.contrast * float(np.mean(weights[inside]))),
    }


def honesty_rows(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Means over the discs of a size and contrast, of a size, and of all.

    Args:
        findings: From `measure_honesty`.

    Returns:
        Rows of plain values. ``diameter`` and ``contrast`` are None where all are
        meant; contrasts then weigh alike, however many discs there were of each.
        ``leak`` is the mean of magnitudes. Figures named ``_worst`` are those that one
        disc in twenty exceeds, or falls short of.
    """
    rows = []
    methods = dict.fromkeys(one.method for one in findings)
    for seen_in in ("t1", "t2"):
        for method in methods:
            mine = [f for f in findings if f.seen_in == seen_in and f.method == method]
            sizes: list[float | None] = [None, *sorted({f.disc.diameter for f in mine})]
            for size in sizes:
                part = [f for f in mine if size in (None, f.disc.diameter)]
                contrasts = sorted({f.disc.contrast for f in part})
                each = [[f for f in part if f.disc.contrast == c] for c in contrasts]
                head = {"seen_in": seen_in, "method": method, "diameter": size}
                rows.append({**head, "contrast": None, **_summary(each)})
                if size is not None:
                    rows += [
                        {**head, "contrast": c, **_summary([group])}
                        for c, group in zip(contrasts, each, strict=True)
                    ]
    return rows


def _summary(groups: Sequence[Sequence[Finding]]) -> dict[str, Any]:
    """Figures of groups that weigh alike."""
    count = sum(len(group) for group in groups)
    out: dict[str, Any] = {"count": count}
    for key in groups[0][0].figures if count else ():
        values = [np.array([f.figures[key] for f in group]) for group in groups]
        if key == "leak":
            values = [np.abs(each) for each in values]
        out[key] = float(np.mean([each.mean() for each in values]))
        worst = 95.0 if key in ("leak", "strength") else 5.0
        out[f"{key}_worst"] = float(np.percentile(np.concatenate(values), worst))
    return out
