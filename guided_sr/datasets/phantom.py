"""A procedural T1/T2 head: axial slices with folds, nuclei, lesions, no download.

The anatomy is a set of 3-D implicit shapes in a reference head (mm; x to the right, y
to the front, z up), evaluated slice by slice, so neighbouring slices belong together.
Cortical folds are the zero sheets of random plane waves in a radially stretched space:
a sulcus follows the sheet, grey matter keeps a constant distance from it. Every shape
is drawn on a grid of about 0.35 mm and averaged over the voxel (partial volume).

Cerebellum, brain stem, eyes and face are left out: levels far below the ventricles
show cerebrum instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.interpolate import make_interp_spline

from guided_sr.datasets import signal
from guided_sr.datasets.signal import Label, RandomWaves
from guided_sr.errors import UsageError

_FIELD_OF_VIEW = (180.0, 216.0)  # of the reference head in mm: x (rows), y (columns)
_HEAD = (76.0, 91.0, 96.0)  # half axes in mm
_FINE_MM = 0.36  # largest sub-voxel
_EXPONENT = 2.25  # of the superellipsoid; 2 is an ellipsoid

# Capsules (start, end, start radius, end radius) of the right half, mirrored.
_VENTRICLE = (
    ((10.5, 36, 1), (6.5, 24, 6), 3.0, 5.0),
    ((6.5, 24, 6), (8.5, 4, 18), 5.0, 4.6),
    ((8.5, 4, 18), (14, -18, 18), 4.6, 4.8),
    ((14, -18, 18), (23, -35, 7), 4.8, 6.2),
    ((23, -35, 7), (25, -54, 3), 6.2, 2.0),
    ((23, -35, 7), (33, -22, -12), 6.0, 2.6),
    ((33, -22, -12), (30, 2, -20), 2.6, 1.8),
)
_CAUDATE = (
    ((13.5, 24, 1), (15, 14, 8), 6.2, 5.5),
    ((15, 14, 8), (18.5, -4, 20), 5.5, 3.4),
    ((18.5, -4, 20), (25, -26, 18), 3.4, 2.0),
)
_CHOROID = (((22, -31, 9), (24.5, -40, 6), 2.8, 2.2),)
# Sylvian fissure and insula in the plane z = 0: a stem and a bar.
_SYLVIAN = (
    ((66, 14, 0), (41, 9, 0), 0.0, 0.0),
    ((37, 26, 0), (41, 8, 0), 0.0, 0.0),
    ((41, 8, 0), (40, -16, 0), 0.0, 0.0),
)
# Ellipsoids (centre, half axes, turn about z in degrees).
_PUTAMEN = ((26.5, 5, 1), (5.2, 15.5, 11.0), 12.0)
_PALLIDUM = ((19.5, 1, -1), (4.2, 9.5, 7.0), 24.0)
_THALAMUS = ((11.0, -14, 5), (8.6, 14.0, 9.5), 22.0)
_THIRD_VENTRICLE = ((0.0, -9, -2), (2.0, 13.0, 11.0), 0.0)
_CALLOSUM = ((0.0, -2, 4), (30.0, 45.0, 24.0), 0.0)  # the midline fissure ends here
_CORE = ((0.0, -4, 5), (29.0, 40.0, 23.0), 0.0)  # no sulcus enters here

# Depth of the primary and secondary sulci in mm: mean, deviation, least, most.
_SULCAL_DEPTH = ((19.0, 7.0, 7.0, 29.0), (6.5, 5.0, -4.0, 14.0))


@dataclass(frozen=True)
class Phantom:
    """Co-registered T1 and T2 slices of one synthetic head.

    Attributes:
        t1: float32 ``(n, H, W)``, arbitrary units, 0 to about 1000.
        t2: float32 ``(n, H, W)``, arbitrary units, 0 to about 1000.
        labels: uint8 ``(n, H, W)``, values of :class:`guided_sr.datasets.signal.Label`.
        lesion_mask: bool ``(n, H, W)``, voxels that are mostly lesion.
        voxel_mm: edge of the isotropic voxel in mm.
        affine: float64 ``(4, 4)``; takes (row, column, slice) to RAS+ mm, so the
            volume it describes is ``(H, W, n)``: ``np.moveaxis(t2, 0, -1)``.
    """

    t1: np.ndarray
    t2: np.ndarray
    labels: np.ndarray
    lesion_mask: np.ndarray
    voxel_mm: float
    affine: np.ndarray


class _Grid:
    """In-plane sampling: voxels, sub-voxels, and a 1 mm grid for smooth fields."""

    def __init__(self, shape: tuple[int, int]) -> None:
        h, w = self.shape = shape
        self.voxel = max(_FIELD_OF_VIEW[0] / h, _FIELD_OF_VIEW[1] / w)
        self.factor = max(2, int(np.ceil(self.voxel / _FINE_MM)))
        self.voxels = (_centres(h, self.voxel), _centres(w, self.voxel))
        fine = [_centres(n * self.factor, self.voxel / self.factor) for n in shape]
        a, b = (max(8, round(n * self.voxel)) for n in shape)
        voxel = self.voxel
        self.coarse = (_centres(a, h * voxel / a), _centres(b, w * voxel / b))
        self._up = [_spline_matrix(self.coarse[k], fine[k]) for k in (0, 1)]

    def refine(self, field: np.ndarray) -> np.ndarray:
        """A field of the 1 mm grid on the sub-voxels, by cubic spline."""
        rows = self._up[0] @ field.astype(np.float32)
        return np.ascontiguousarray((self._up[1] @ np.ascontiguousarray(rows.T)).T)

    def average(self, field: np.ndarray) -> np.ndarray:
        """Sub-voxels ``(H * f, W * f)`` to voxels ``(H, W)``: the box average."""
        h, w = self.shape
        return field.reshape(h, self.factor, w, self.factor).mean((1, 3))


def _centres(count: int, step: float) -> np.ndarray:
    return (np.arange(count) - 0.5 * (count - 1)) * step


def _spline_matrix(knots: np.ndarray, points: np.ndarray) -> sparse.csr_array:
    """Cubic spline interpolation as a sparse matrix; what decays is dropped."""
    dense = make_interp_spline(knots, np.eye(len(knots)))(points)
    dense[np.abs(dense) < 2e-4] = 0.0
    return sparse.csr_array((dense / dense.sum(1, keepdims=True)).astype(np.float32))


def _capsules(p: np.ndarray, parts: tuple, grow: float = 0.0) -> np.ndarray:
    """Signed distance (mm, negative inside) of points ``(3, ...)`` to capsules."""
    best = np.full(p.shape[1:], np.inf)
    for start, end, r0, r1 in parts:
        a, axis = np.array(start, float), np.subtract(end, start).astype(float)
        offset = p - a[:, None, None]
        t = np.clip(np.tensordot(axis, offset, 1) / (axis @ axis), 0.0, 1.0)
        gap = np.linalg.norm(offset - axis[:, None, None] * t, axis=0)
        best = np.minimum(best, gap - (r0 + (r1 - r0) * t))
    return best - grow


def _ellipsoid(p: np.ndarray, shape: tuple, grow: float = 0.0) -> np.ndarray:
    """Approximate signed distance (mm, negative inside) to a turned ellipsoid."""
    centre, axes, degrees = shape
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    x, y, z = (p[i] - centre[i] for i in range(3))
    u = np.stack([c * x + s * y, c * y - s * x, z])
    half = np.reshape(axes, (3, 1, 1)) + grow
    k0 = np.sqrt(np.sum((u / half) ** 2, axis=0)) + 1e-6
    return k0 * (k0 - 1.0) / (np.sqrt(np.sum((u / half**2) ** 2, axis=0)) + 1e-6)


class _Head:
    """The anatomy of one seed, in reference mm."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.level = float(rng.uniform(1.0, 13.0))  # z of the middle slice
        self.size = np.array(_HEAD) * (1.0 + rng.uniform(-0.02, 0.02, 3))
        self.egg = rng.uniform(0.02, 0.09)
        self.grow_ventricle = rng.uniform(-1.2, 1.6)
        self.sulcus_mm = rng.uniform(0.30, 0.50)
        self.ribbon_mm = rng.uniform(2.2, 2.6)
        self.warp = [RandomWaves(rng, 80.0, 200.0, 24) for _ in range(3)]
        self.bend = [RandomWaves(rng, 22.0, 45.0, 24) for _ in range(3)]
        self.folds = [RandomWaves(rng, 22.0, 31.0), RandomWaves(rng, 16.0, 24.0)]
        for fold in self.folds:  # steep sheets: axial slices cut them across
            fold.vectors[:, 2] *= 0.6
        self.depths = [RandomWaves(rng, 22.0, 60.0, 24) for _ in range(2)]
        self.layers = [RandomWaves(rng, 30.0, 90.0, 24) for _ in range(4)]
        self.tubes = [RandomWaves(rng, 24.0, 44.0, 32) for _ in range(4)]
        self.ripple = RandomWaves(rng, 5.0, 12.0, 48)

    def points(self, grid: _Grid, z: float) -> np.ndarray:
        """Warped coordinates ``(3, h, w)`` of the plane ``z`` on the 1 mm grid."""
        x, y = grid.coarse
        flat = np.meshgrid(x, y, z, indexing="ij")
        sway = np.stack([w.on_grid(x, y, z) for w in self.warp])
        return np.stack(flat)[..., 0] + 1.5 * sway

    def depth(self, p: np.ndarray) -> np.ndarray:
        """Depth below the scalp in mm (negative outside the head)."""
        u = np.abs(p) / self.size[:, None, None]
        u[0] /= 1.0 - self.egg * p[1] / self.size[1]
        rho = np.sum(u**_EXPONENT, axis=0) ** (1.0 / _EXPONENT) + 1e-6
        slope = (u / rho) ** (_EXPONENT - 1.0) / self.size[:, None, None]
        return (1.0 - rho) / np.sqrt(np.sum(slope**2, axis=0))

    def _fold_fields(self, grid: _Grid, z: float) -> list[np.ndarray]:
        p = self.points(grid, z)
        brain = self.size[:, None, None] - 13.0
        rho = np.sqrt(np.sum((p / brain) ** 2, axis=0))
        q = p / np.maximum(rho, 0.3) ** 0.8
        q = q + 3.0 * np.stack([b.on_grid(*grid.coarse, z) for b in self.bend])
        return [fold.at(*q) for fold in self.folds]

    def sulci(self, grid: _Grid, z: float, p: np.ndarray, depth: np.ndarray) -> list:
        """Distances (mm, to second order) to the sulcal sheets, on the sub-voxels."""
        step = 0.5
        here, above = self._fold_fields(grid, z), self._fold_fields(grid, z + step)
        spacing = [c[1] - c[0] for c in grid.coarse]
        core = -_ellipsoid(p, _CORE)
        found = []
        for k, fold in enumerate(self.folds):
            rows, columns = np.gradient(here[k], *spacing)
            slope = np.sqrt(rows**2 + columns**2 + ((above[k] - here[k]) / step) ** 2)
            noise = self.depths[k].on_grid(*grid.coarse, z)
            mean, spread, least, most = _SULCAL_DEPTH[k]
            deepest = np.clip(mean + spread * noise, least, most)
            beyond = grid.refine(np.maximum(depth - deepest, core))
            value, slope = grid.refine(here[k]), grid.refine(slope)
            root = np.sqrt(slope**2 + 0.8 * fold.curvature * np.abs(value))
            sheet = 2.0 * np.abs(value) / (slope + root + 1e-6)
            found.append(np.hypot(sheet, np.maximum(beyond, 0.0)))
        return found

    def tube(self, grid: _Grid, z: float, which: int) -> np.ndarray:
        """Distance (mm) to curved tubes: where two random sheets cross."""
        gaps = []
        for wave in self.tubes[2 * which : 2 * which + 2]:
            value = wave.on_grid(*grid.coarse, z)
            slope = np.hypot(*np.gradient(value)) + 0.3 * np.sqrt(wave.curvature)
            gaps.append(grid.refine(value) / grid.refine(slope))
        return np.hypot(*gaps)

    def labels(self, grid: _Grid, z: float, skull: bool) -> np.ndarray:
        """uint8 labels of the plane ``z`` on the sub-voxels."""
        p = self.points(grid, z)
        mirrored = np.stack([np.abs(p[0]), p[1], p[2]])
        x, y = grid.coarse
        layer = [w.on_grid(x, y, z) for w in self.layers]
        temple = np.exp(-(((p[1] - 30) / 20) ** 2) - ((p[2] + 8) / 26) ** 2)
        muscle = 5.0 * temple * np.clip((mirrored[0] - 30) / 15, 0, 1)
        skin = self.depth(p)
        scalp = 4.6 + 0.7 * layer[0]
        bone = scalp + muscle + 6.2 + 0.9 * layer[1]
        pial = skin - bone - np.maximum(1.3 + 0.6 * layer[2], 0.5)
        refine, up = grid.refine, grid.refine(self.ripple.on_grid(x, y, z))
        d = refine(pial)

        # Cortex: distance to the nearest cerebrospinal fluid.
        callosum = -_ellipsoid(p, _CALLOSUM)
        middle = p[0] + 0.8 * layer[3]
        medial = np.hypot(middle, np.maximum(callosum, 0.0))
        primary, secondary = self.sulci(grid, z, p, np.minimum(pial, 1.5 * medial))
        sulcus = np.minimum(primary, secondary)
        midline = np.abs(refine(middle))
        fissure = np.hypot(midline, np.maximum(refine(callosum), 0.0)) - 0.6
        bent = [2.6 * b.on_grid(x, y, z) for b in self.bend[:2]]
        forward = p[1] + bent[1] - 0.5 * (p[2] - 2)
        tilted = np.stack([mirrored[0] + bent[0], forward, 0 * p[2]])
        sylvian = np.hypot(_capsules(tilted, _SYLVIAN), np.maximum(p[2] - 14, 0))
        sulcus = np.minimum(sulcus, refine(sylvian) - 0.5)
        fluid = np.minimum(sulcus, fissure)
        rounding = np.maximum(2.0 - np.abs(d - fluid), 0.0) ** 2 / 8.0
        gap = np.minimum(d, fluid) - rounding  # smooth: gyral crowns are round
        width = self.sulcus_mm + 0.15 * refine(layer[3])
        width = np.maximum(width + 0.5 * np.exp(-np.maximum(d, 0.0) / 3.0), 0.15)
        ribbon = width + self.ribbon_mm + 0.3 * refine(layer[2]) + 0.25 * up
        out = np.full(d.shape, Label.WHITE_MATTER, np.uint8)
        out[gap < ribbon] = Label.GREY_MATTER

        # Deep grey matter and ventricles, from the outside in.
        putamen = refine(_ellipsoid(mirrored, _PUTAMEN)) + 0.4 * up
        claustrum = (np.abs(putamen - 3.0) < 0.6) & (refine(mirrored[0]) > 27)
        out[claustrum & (d > 12) & (gap > ribbon + 0.8)] = Label.PUTAMEN
        out[putamen < 0] = Label.PUTAMEN
        out[refine(_ellipsoid(mirrored, _PALLIDUM)) + 0.3 * up < 0] = Label.PALLIDUM
        grow = self.grow_ventricle
        ventricle = refine(_capsules(mirrored, _VENTRICLE, grow)) + 0.25 * up
        out[refine(_ellipsoid(mirrored, _THALAMUS)) + 0.3 * up < 0] = Label.THALAMUS
        out[(ventricle < 0) & (midline > 0.9)] = Label.VENTRICLE  # but the septum
        out[refine(_capsules(mirrored, _CAUDATE)) + 0.3 * up < 0] = Label.CAUDATE
        out[refine(_ellipsoid(p, _THIRD_VENTRICLE, 0.4 * grow)) < 0] = Label.VENTRICLE
        choroid = refine(_capsules(mirrored, _CHOROID)) + 0.8 * up
        out[(choroid < 0) & (ventricle < -0.6)] = Label.CHOROID
        spaces = (self.tube(grid, z, 0) < 0.5) & (out == Label.WHITE_MATTER)
        out[spaces & (gap > ribbon)] = Label.CSF

        # Fluid, vessels and falx outside the cortex.
        out[gap < width] = Label.CSF
        out[(self.tube(grid, z, 1) < 0.8) & (gap < width + 1.2)] = Label.VESSEL
        out[(midline < 0.45) & (fissure < 0.1) & (d > -3)] = Label.DURA
        sinus = (np.hypot(midline, d + 1.0) < 3.0) & (refine(p[1]) < -40)
        out[sinus] = Label.VESSEL

        # Coverings.
        inner = refine(bone - skin)  # above 0: in the skull or outside it
        if not skull:
            out[inner > 0] = Label.BACKGROUND
            return out
        outer, surface = refine(scalp + muscle - skin), refine(skin)
        out[(inner > -0.6) & (inner <= 0)] = Label.DURA
        out[inner > 0] = Label.BONE
        out[(inner > 1.6) & (outer < -1.7) & (up < 1.6)] = Label.MARROW
        out[outer > 0] = Label.MUSCLE
        out[refine(scalp - skin) > 0] = Label.FAT
        out[surface < 1.4] = Label.MUSCLE
        out[surface < 0.0] = Label.BACKGROUND
        return out


def _lesion_shapes(rng: np.random.Generator, head: _Head) -> list:
    """Ellipsoids ``(centre, half axes, turn)`` near the ventricles and elsewhere."""
    shapes = []
    for number in range(rng.integers(90, 160)):
        z = head.level + rng.uniform(-40.0, 40.0)
        side = rng.choice((-1.0, 1.0))
        if number % 3:  # beside the lateral ventricle, pointing away from it
            y = rng.uniform(-50.0, 40.0)
            x = np.interp(y, (-50, -35, -15, 5, 35), (30, 32, 27, 22, 18))
            x, y = x + rng.normal(2.0, 4.0), y + rng.normal(0.0, 3.0)
            axes = rng.uniform((2.0, 1.3, 1.5), (5.5, 3.2, 4.0))
        else:  # in the white matter anywhere
            angle, radius = rng.uniform(0.0, np.pi), rng.uniform(0.45, 0.85)
            x, y = radius * 62 * np.sin(angle), radius * 76 * np.cos(angle)
            axes = rng.uniform((1.2, 1.2, 1.2), (3.5, 3.0, 3.0))
        shapes.append(((side * x, y, z), tuple(axes), rng.normal(0.0, 25.0)))
    return shapes


def _lesion_weight(
    grid: _Grid, head: _Head, z: float, shapes: list, labels: np.ndarray
) -> np.ndarray:
    """Share of lesion, 0 to 1, of every sub-voxel; white matter only."""
    p = head.points(grid, z)
    distance = np.full(p.shape[1:], 50.0)
    for shape in (s for s in shapes if abs(s[0][2] - z) < s[1][2] + 4.0):
        distance = np.minimum(distance, _ellipsoid(p, shape))
    ragged = distance + 0.7 * head.ripple.on_grid(*grid.coarse, z)
    weight = np.clip(0.5 - grid.refine(np.minimum(ragged, 4.0)) / 1.4, 0.0, 1.0)
    return np.where(labels == Label.WHITE_MATTER, weight, 0.0).astype(np.float32)


def _majority(grid: _Grid, labels: np.ndarray) -> np.ndarray:
    """The label that fills most of every voxel."""
    present = np.unique(labels)
    shares = np.stack([grid.average((labels == k).astype(np.float32)) for k in present])
    return present[np.argmax(shares, axis=0)]


def head_phantom(
    shape: tuple[int, int] = (180, 216),
    n_slices: int = 1,
    *,
    seed: int = 0,
    voxel_mm: float = 1.0,
    noise: float = 0.01,
    bias: float = 0.2,
    lesions: bool = True,
    skull: bool = True,
) -> Phantom:
    """Axial T1 and T2 slices of a synthetic head, the same for the same arguments.

    The head is fitted to the field of view (it fills about 85 % of the axis that
    limits it), so a small ``shape`` shows the same anatomy in coarser voxels; with
    the default shape and 1 mm voxels it has its natural size. Voxels are isotropic:
    slices are one voxel apart around a level that the seed draws near the lateral
    ventricles. ``noise``, ``bias`` and ``lesions`` leave the anatomy alone, and
    ``lesions`` leaves the T1 image alone to the last bit.

    Args:
        shape: rows (left to right) and columns (back to front), each at least 16.
        n_slices: number of slices, from below upwards.
        seed: non-negative integer that draws anatomy, lesions, texture and noise.
        voxel_mm: edge of the voxel in mm; it sets the affine, see above.
        noise: standard deviation of the complex noise as a share of the noise-free
            white matter signal of the same image (Rician; 0.01 is an SNR of 100).
        bias: peak-to-peak range of the smooth multiplicative shading, drawn for T1
            and T2 independently: 0.2 shades between 0.9 and 1.1.
        lesions: whether to add plaques, bright in T2 and absent from T1.
        skull: whether to show skull and scalp; otherwise they are zero before noise.

    Returns:
        The slices, their labels, the lesion mask and the affine.

    Raises:
        UsageError: a size, the voxel, the noise, the bias or the seed is out
            of range.
    """
    sized = len(shape) == 2 and min(shape) >= 16 and n_slices >= 1
    if not (sized and voxel_mm > 0 and noise >= 0 and 0 <= bias < 2 and seed >= 0):
        raise UsageError(
            f"no phantom for shape={shape}, n_slices={n_slices}, seed={seed}, "
            f"voxel_mm={voxel_mm}, noise={noise}, bias={bias}",
            mend="use 16 x 16 voxels or more, n_slices >= 1, seed >= 0, voxel_mm > 0, "
            "noise >= 0 and 0 <= bias < 2",
        )
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3)]
    head_rng, lesion_rng, scanner_rng = streams
    grid, head = _Grid(shape), _Head(head_rng)
    levels = head.level + _centres(n_slices, grid.voxel)
    plaques = _lesion_shapes(lesion_rng, head) if lesions else []
    scanner = signal.Scanner(scanner_rng, noise=noise, bias=bias)

    images = np.empty((2, n_slices, *shape), np.float32)
    classes = np.empty((n_slices, *shape), np.uint8)
    mask = np.zeros((n_slices, *shape), bool)
    for k, z in enumerate(levels):
        fine = head.labels(grid, z, skull)
        share = grid.average(_lesion_weight(grid, head, z, plaques, fine))
        classes[k], mask[k] = _majority(grid, fine), share > 0.5
        images[:, k] = scanner.paint(fine, grid.average, share, *grid.voxels, z)
    images = scanner.add_noise(images)

    affine = np.diag([voxel_mm, voxel_mm, voxel_mm, 1.0])
    origin = [-0.5 * (n - 1) for n in shape] + [levels[0] / grid.voxel]
    affine[:3, 3] = voxel_mm * np.array(origin)
    return Phantom(images[0], images[1], classes, mask, float(voxel_mm), affine)
