"""Heads painted from label maps as a scanner would show them, for measuring.

What `guided_sr.datasets.contrast` paints is for training: any contrast at all. This
module shares nothing with its drawing, so that a network is measured on images of
another make: signals come from the equations of `guided_sr.datasets.signal` under a
named protocol, texture and shading are sums of plane waves, vessels run along crossing
sheets, and every voxel of 1 mm is the mean of eight sub-voxels (partial volume).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from guided_sr.datasets.label_maps import OUTSIDE_BRAIN, Labels
from guided_sr.datasets.protocols import Protocol
from guided_sr.datasets.signal import PSF_SIGMA, Label, RandomWaves, bias_field
from guided_sr.errors import UsageError

Image = NDArray[np.float32]
Plane = Literal["axial", "coronal", "sagittal"]

PLANES: dict[Plane, tuple[int, int, int]] = {
    "axial": (2, 0, 1),
    "coronal": (1, 2, 0),
    "sagittal": (0, 2, 1),
}
"""Axes of a volume ``(x, y, z)`` across the planes, along rows, and along columns."""

LESION, ENHANCING = len(Label), len(Label) + 1
"""Values of fine labels beyond those of `Label`."""

_SIGNAL_LABELS = {
    Label.WHITE_MATTER: (2, 7, 16, 25, 85, 512, 530),
    Label.GREY_MATTER: (3, 8, 17, 18),
    Label.VENTRICLE: (4, 5, 14, 15, 72, 506),
    Label.CSF: (24,),
    Label.THALAMUS: (10, 28, 136, 163),
    Label.CAUDATE: (11, 26),
    Label.PUTAMEN: (12,),
    Label.PALLIDUM: (13,),
    Label.VESSEL: (30, 502, 514),
    Label.CHOROID: (509,),  # mucosa: bright in T2, and it takes up contrast agent
    Label.MUSCLE: (507, 508, 511),
    Label.BONE: (515,),
    Label.MARROW: (516,),
}
_FAT_MM = 9.0  # soft tissue as near to the air as this, skin apart, is fat
_SPAN = {"axial": (0.42, 0.8), "coronal": (0.3, 0.7), "sagittal": (0.3, 0.7)}
_MARGIN_MM, _MULTIPLE = 14, 12
_TILT_DEGREES = (5.0, 5.0, 9.0)
_ROUNDING = 0.5  # voxels: what is left of the map's steps
_TEXTURE_MM = ((2.5, 6.0), (9.0, 30.0))
_SHADING_MM, _SHADING = (150.0, 380.0), 0.3
_VESSEL_MM = 0.9
_LESIONS_A_PLANE = 5
_SIDE = (-0.25, 0.25)  # sub-voxels of a voxel


def signal_labels(labels: Labels) -> NDArray[np.uint8]:
    """A label map in the labels of `guided_sr.datasets.signal`.

    Args:
        labels: As `read_label_map` gives it, voxels of 1 mm.

    Returns:
        Of the same shape. The outermost voxels of the brain's fluid are dura; soft
        tissue under the skin is fat.
    """
    table = np.zeros(max(int(labels.max()) + 1, OUTSIDE_BRAIN), np.uint8)
    for label, values in _SIGNAL_LABELS.items():
        for value in values:
            if value < len(table):
                table[value] = label
    found = table[labels]
    depth = ndimage.distance_transform_edt(labels > 0)
    found[(labels == 507) & (depth < _FAT_MM)] = Label.FAT
    outside = ndimage.binary_dilation(labels >= OUTSIDE_BRAIN)
    found[outside & (labels == 24)] = Label.DURA
    return found


class PaintedHead:
    """Planes through one head, which any protocol can be applied to.

    Args:
        labels: Label map ``(x, y, z)`` as `read_label_map` gives it, 1 mm voxels.
        seed: Draws how the head lies, vessels, lesions, texture and shading.
        plane: Orientation of the planes.
        planes: Number of them, spread evenly over the middle of the brain.
        shape: Rows and columns in mm, by default what the brain needs, rounded up to
            a multiple of 12.

    Attributes:
        shape: Rows and columns of a plane, in voxels of 1 mm.

    Raises:
        UsageError: If the orientation is unknown or the map holds no brain.
    """

    def __init__(
        self,
        labels: Labels,
        *,
        seed: int,
        plane: Plane = "axial",
        planes: int = 4,
        shape: tuple[int, int] | None = None,
    ) -> None:
        if plane not in PLANES or planes < 1:
            raise UsageError(
                f"no {planes} planes of orientation {plane!r}",
                mend=f"give one or more of {', '.join(PLANES)}",
            )
        inside = np.argwhere((labels > 0) & (labels < OUTSIDE_BRAIN))
        if not len(inside):
            raise UsageError("the label map holds no brain", mend="give another")
        axes = PLANES[plane]
        low, high = inside.min(axis=0)[list(axes)], inside.max(axis=0)[list(axes)]
        self._map = np.ascontiguousarray(np.transpose(signal_labels(labels), axes))
        self._brain = np.transpose(labels < OUTSIDE_BRAIN, axes) & (self._map > 0)
        self._centre = (low + high) / 2.0
        needed = -(-(high - low + 1 + 2 * _MARGIN_MM) // _MULTIPLE) * _MULTIPLE
        self.shape = shape or (int(needed[1]), int(needed[2]))
        first, last = (s - 0.5 for s in _SPAN[plane])
        steps = np.linspace(first, last, planes) if planes > 1 else np.zeros(1)
        self._levels = steps * (high[0] - low[0])
        rng = np.random.default_rng(seed)
        self._matrix = _turn(rng, axes)
        self._offset = rng.uniform(-0.5, 0.5, 3)
        self._vessels = [RandomWaves(rng, 22.0, 40.0, 24) for _ in range(2)]
        self._lesions = self._draw_lesions(rng)
        self._textures = [
            [RandomWaves(rng, *band, 48) for band in _TEXTURE_MM] for _ in range(3)
        ]
        self._shadings = [RandomWaves(rng, *_SHADING_MM, 5) for _ in range(2)]
        self._fine: dict[tuple[float, float, float], tuple] = {}

    def scan(
        self,
        weighting: Literal["t1", "t2"],
        protocol: Protocol,
        *,
        shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> Image:
        """The planes as a protocol shows them, without noise.

        Args:
            weighting: ``"t1"`` for the guide, ``"t2"`` for the target.
            protocol: Field strength and sequences.
            shift_mm: Where the planes lie instead: across, along rows and columns.

        Returns:
            Stack ``(planes, rows, columns)``; white matter has the value 1.
        """
        fine, brain = self._fine_labels(shift_mm)
        signals, ripples = _tables(protocol, guide=weighting == "t1")
        which = 0 if weighting == "t1" else 1
        shared, own = self._textures[2], self._textures[which]
        sign = -0.6 if which == 0 else 0.6
        stack = []
        for k, level in enumerate(self._levels):
            z = float(level + shift_mm[0])
            x, y = (_axis(n) + s for n, s in zip(self.shape, shift_mm[1:], strict=True))
            labels = fine[k]
            if protocol.stripped:
                labels = np.where(brain[k], labels, Label.BACKGROUND)
            texture = sum(
                sign * a.on_grid(x, y, z) + 0.8 * b.on_grid(x, y, z)
                for a, b in zip(shared, own, strict=True)
            )
            plane = _mean(signals[labels]) + 0.7 * texture * _mean(ripples[labels])
            blurred = ndimage.gaussian_filter(np.maximum(plane, 0.0), PSF_SIGMA)
            shading = bias_field(self._shadings[which], x, y, z, _SHADING)
            stack.append((blurred * shading).astype(np.float32))
        return np.stack(stack)

    def _draw_lesions(self, rng: np.random.Generator) -> list[tuple]:
        """Centre, half axes and kind of the lesions near every plane."""
        found = []
        half = np.array(self.shape) / 2.0 - _MARGIN_MM
        for level in self._levels:
            for _ in range(4 * _LESIONS_A_PLANE):  # one in four is in white matter
                where = rng.uniform(-half, half)
                centre = np.array([level + rng.uniform(-2.0, 2.0), *where])
                axes = rng.uniform(1.2, 5.0) * rng.uniform(0.6, 1.2, 3)
                found.append((centre, axes, rng.choice([LESION, ENHANCING])))
        return found

    def _fine_labels(self, shift: tuple[float, float, float]) -> tuple:
        """Labels of sub-voxels ``(planes, 2, 2 h, 2 w)``, and where the brain is."""
        if shift in self._fine:
            return self._fine[shift]
        rows, columns = (
            _sub(n) + s for n, s in zip(self.shape, shift[1:], strict=True)
        )
        across = (self._levels[:, None] + np.array(_SIDE)).ravel() + shift[0]
        points = np.meshgrid(across, rows, columns, indexing="ij")
        stacked = np.stack(points).astype(np.float32)
        turned = np.tensordot(self._matrix.astype(np.float32), stacked, 1)
        turned += (self._centre + self._offset).reshape(3, 1, 1, 1).astype(np.float32)
        best = np.full(turned.shape[1:], -1.0, np.float32)
        labels = np.zeros(turned.shape[1:], np.uint8)
        for label in np.unique(self._map):
            share = _sampled(self._map == label, turned)
            labels[share > best] = label
            np.maximum(best, share, out=best)
        brain = _sampled(self._brain, turned) > 0.5
        self._add_vessels(labels, across, rows, columns)
        self._add_lesions(labels, stacked)
        kept = (len(self._levels), 2, len(rows), len(columns))
        self._fine[shift] = labels.reshape(kept), brain.reshape(kept)
        return self._fine[shift]

    def _add_vessels(
        self, labels: NDArray[np.uint8], *axes: NDArray[np.float64]
    ) -> None:
        """Tubes where two sheets cross, in fluid, cortex and white matter."""
        across, rows, columns = axes
        a, b = self._vessels
        reach = _VESSEL_MM * np.sqrt(np.array([a.curvature, b.curvature]))
        for k, z in enumerate(across):
            sheets = [w.on_grid(rows, columns, float(z)) for w in (a, b)]
            tube = np.hypot(sheets[0] / reach[0], sheets[1] / reach[1]) < 1.0
            within = np.isin(
                labels[k], (Label.CSF, Label.GREY_MATTER, Label.WHITE_MATTER)
            )
            labels[k][tube & within] = Label.VESSEL

    def _add_lesions(self, labels: NDArray[np.uint8], points: Image) -> None:
        for centre, axes, kind in self._lesions:
            near = np.flatnonzero(np.abs(points[0, :, 0, 0] - centre[0]) < axes[0])
            if not len(near):
                continue
            part = slice(int(near[0]), int(near[-1]) + 1)
            offset = (points[:, part] - centre.reshape(3, 1, 1, 1)) / axes.reshape(
                3, 1, 1, 1
            )
            inside = np.sum(offset**2, axis=0) < 1.0
            labels[part][inside & (labels[part] == Label.WHITE_MATTER)] = kind


def _turn(rng: np.random.Generator, axes: tuple[int, int, int]) -> NDArray[np.float64]:
    """A small rotation about x, y and z, in the order of the view's axes."""
    turn = np.eye(3)
    for k, most in enumerate(_TILT_DEGREES):
        angle = np.deg2rad(rng.uniform(-most, most))
        i, j = (n for n in range(3) if n != k)
        one = np.eye(3)
        one[i, i] = one[j, j] = np.cos(angle)
        one[i, j], one[j, i] = -np.sin(angle), np.sin(angle)
        turn = turn @ one
    return turn[np.ix_(axes, axes)]


def _axis(count: int) -> NDArray[np.float64]:
    return np.arange(count, dtype=np.float64) - 0.5 * (count - 1)


def _sub(count: int) -> NDArray[np.float64]:
    """Centres of the two sub-voxels of every voxel, in mm."""
    return (_axis(count)[:, None] + np.array(_SIDE)).ravel()


def _sampled(mask: NDArray[np.bool_], points: Image) -> Image:
    """Share of a structure at points, its steps rounded."""
    soft = ndimage.gaussian_filter(mask.astype(np.float32), _ROUNDING)
    return ndimage.map_coordinates(soft, points, order=1, output=np.float32)


def _mean(fine: Image) -> Image:
    """Sub-voxels ``(2, 2 h, 2 w)`` to voxels ``(h, w)``: partial volume."""
    _, h, w = fine.shape
    return fine.reshape(2, h // 2, 2, w // 2, 2).mean((0, 2, 4))


def _tables(protocol: Protocol, *, guide: bool) -> tuple[Image, Image]:
    """Signal of every fine label relative to white matter, and its texture."""
    sequence = protocol.t1 if guide else protocol.t2
    tissues = protocol.guide_tissues() if guide else protocol.target_tissues()
    known = [*(tissues[label] for label in Label), *protocol.lesions(guide=guide)]
    signals = np.array([sequence(tissue) for tissue in known], np.float32)
    signals /= signals[Label.WHITE_MATTER]
    return signals, signals * np.array([tissue.texture for tissue in known], np.float32)
