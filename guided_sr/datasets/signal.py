"""Tissue relaxation and the signal equations that turn it into T1 and T2 contrast.

Everything that makes a picture out of a label map lives here, so that the procedural
phantom and any other painter of labels agree on what grey matter looks like.

Relaxation times are for 3 T. White matter, grey matter and muscle follow Stanisz et
al., Magn. Reson. Med. 54:507-512 (2005); deep nuclei are placed between the first two
as their myelin and iron suggest (regional spread: Wansapura et al., J. Magn. Reson.
Imaging 9:531-538 (1999)); fat follows de Bazelaire et al., Radiology 230:652-659
(2004), CSF takes the customary 4000 / 2000 ms. Proton densities are relative to water;
that of fat is lowered, as partial fat suppression does. Bone, marrow, choroid plexus,
flowing blood, dura and lesions are chosen to look right, not measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from scipy import ndimage


class Label(IntEnum):
    """Label values of the phantom; a lesion keeps the label of white matter."""

    BACKGROUND = 0
    CSF = 1
    GREY_MATTER = 2
    WHITE_MATTER = 3
    CAUDATE = 4
    PUTAMEN = 5
    PALLIDUM = 6
    THALAMUS = 7
    VENTRICLE = 8
    CHOROID = 9
    VESSEL = 10
    DURA = 11
    BONE = 12
    MARROW = 13
    MUSCLE = 14
    FAT = 15


@dataclass(frozen=True, kw_only=True)
class Tissue:
    """Magnetic properties of one tissue.

    Attributes:
        density: proton density relative to water, 0 to 1.
        t1_ms: longitudinal relaxation time in ms.
        t2_ms: transverse relaxation time in ms (spin echo).
        texture: standard deviation of its natural variation, relative to its signal.
    """

    density: float
    t1_ms: float
    t2_ms: float
    texture: float = 0.0


TISSUES: dict[Label, Tissue] = {
    Label.BACKGROUND: Tissue(density=0.0, t1_ms=1000.0, t2_ms=10.0),
    Label.CSF: Tissue(density=1.0, t1_ms=4000.0, t2_ms=2000.0, texture=0.02),
    Label.GREY_MATTER: Tissue(density=0.82, t1_ms=1820.0, t2_ms=99.0, texture=0.035),
    Label.WHITE_MATTER: Tissue(density=0.70, t1_ms=1084.0, t2_ms=69.0, texture=0.03),
    Label.CAUDATE: Tissue(density=0.81, t1_ms=1560.0, t2_ms=90.0, texture=0.03),
    Label.PUTAMEN: Tissue(density=0.80, t1_ms=1480.0, t2_ms=84.0, texture=0.04),
    Label.PALLIDUM: Tissue(density=0.73, t1_ms=1180.0, t2_ms=60.0, texture=0.04),
    Label.THALAMUS: Tissue(density=0.77, t1_ms=1350.0, t2_ms=82.0, texture=0.04),
    Label.VENTRICLE: Tissue(density=1.0, t1_ms=4000.0, t2_ms=2000.0, texture=0.005),
    Label.CHOROID: Tissue(density=0.90, t1_ms=1700.0, t2_ms=150.0, texture=0.12),
    Label.VESSEL: Tissue(density=0.85, t1_ms=900.0, t2_ms=28.0, texture=0.05),
    Label.DURA: Tissue(density=0.60, t1_ms=1100.0, t2_ms=30.0, texture=0.05),
    Label.BONE: Tissue(density=0.12, t1_ms=900.0, t2_ms=15.0, texture=0.20),
    Label.MARROW: Tissue(density=0.45, t1_ms=500.0, t2_ms=55.0, texture=0.15),
    Label.MUSCLE: Tissue(density=0.75, t1_ms=1412.0, t2_ms=50.0, texture=0.06),
    Label.FAT: Tissue(density=0.55, t1_ms=382.0, t2_ms=68.0, texture=0.08),
}
"""Properties of every label at 3 T; see the module's sources."""

LESION = Tissue(density=0.82, t1_ms=1400.0, t2_ms=150.0, texture=0.03)
"""A demyelinated plaque as the T2 image sees it. The T1 image never uses it."""

T1W_INVERSION_MS, T1W_CYCLE_MS, T1W_TE_MS = 1150.0, 2300.0, 3.0
T1W_FLIP_DEGREES, T1W_T2STAR_RATIO = 9.0, 0.7
T2W_TR_MS, T2W_TE_MS = 2500.0, 80.0

PSF_SIGMA = 0.5
"""Point spread in voxels: Fourier sampling is 1.2 voxels wide at half maximum."""

T1W_GAIN, T2W_GAIN = 14_000.0, 2_000.0
"""Receiver gains: they put the brightest tissue of both images near 1000."""


def inversion_gradient_echo(
    tissue: Tissue,
    *,
    inversion_ms: float = T1W_INVERSION_MS,
    cycle_ms: float = T1W_CYCLE_MS,
    te_ms: float = T1W_TE_MS,
    flip_degrees: float = T1W_FLIP_DEGREES,
) -> float:
    """Signal of an inversion-prepared gradient echo (MPRAGE), the T1 contrast.

    ``density * sin(a) * |1 - 2 exp(-TI / T1) + exp(-TC / T1)| * exp(-TE / T2*)``: full
    inversion, and recovery undisturbed by the small flip angles of the readout
    (Mugler and Brookeman, Magn. Reson. Med. 15:152-157 (1990)). T2* is 0.7 T2.

    Args:
        tissue: what is imaged.
        inversion_ms: time TI from the inversion to the centre of k-space, in ms.
        cycle_ms: time TC between two inversions, in ms.
        te_ms: echo time in ms.
        flip_degrees: flip angle of the readout in degrees.

    Returns:
        The signal relative to fully relaxed water.
    """
    recovered = (
        1.0
        - 2.0 * np.exp(-inversion_ms / tissue.t1_ms)
        + np.exp(-cycle_ms / tissue.t1_ms)
    )
    decay = np.exp(-te_ms / (T1W_T2STAR_RATIO * tissue.t2_ms))
    strength = np.sin(np.deg2rad(flip_degrees)) * abs(recovered)
    return float(tissue.density * strength * decay)


def spin_echo(
    tissue: Tissue, *, tr_ms: float = T2W_TR_MS, te_ms: float = T2W_TE_MS
) -> float:
    """Signal of a spin echo, the T2 contrast.

    ``density * (1 - exp(-TR / T1)) * exp(-TE / T2)``, valid for TE much below TR.

    Args:
        tissue: what is imaged.
        tr_ms: repetition time in ms.
        te_ms: echo time in ms.

    Returns:
        The signal relative to fully relaxed water.
    """
    recovery = 1.0 - np.exp(-tr_ms / tissue.t1_ms)
    return float(tissue.density * recovery * np.exp(-te_ms / tissue.t2_ms))


def inversion_spin_echo(
    tissue: Tissue, *, inversion_ms: float, tr_ms: float, te_ms: float
) -> float:
    """Signal of an inversion-prepared spin echo: FLAIR, where TI nulls the fluid.

    ``density * |1 - 2 exp(-TI / T1) + exp(-TR / T1)| * exp(-TE / T2)``.

    Args:
        tissue: what is imaged.
        inversion_ms: time TI from the inversion to the excitation, in ms.
        tr_ms: repetition time in ms.
        te_ms: echo time in ms.

    Returns:
        The signal relative to fully relaxed water.
    """
    recovered = (
        1.0 - 2.0 * np.exp(-inversion_ms / tissue.t1_ms) + np.exp(-tr_ms / tissue.t1_ms)
    )
    return float(tissue.density * abs(recovered) * np.exp(-te_ms / tissue.t2_ms))


def t1_signals() -> np.ndarray:
    """Signal of every label in the T1 image, indexed by label value.

    Returns:
        float32 array ``(number of labels,)`` in image units (0 to about 1000).
    """
    values = [T1W_GAIN * inversion_gradient_echo(TISSUES[label]) for label in Label]
    return np.asarray(values, dtype=np.float32)


def t2_signals() -> np.ndarray:
    """Signal of every label in the T2 image, indexed by label value.

    Returns:
        float32 array ``(number of labels,)`` in image units (0 to about 1000).
    """
    values = [T2W_GAIN * spin_echo(TISSUES[label]) for label in Label]
    return np.asarray(values, dtype=np.float32)


def lesion_t2_signal() -> float:
    """Signal of a lesion in the T2 image, in the units of :func:`t2_signals`."""
    return T2W_GAIN * spin_echo(LESION)


def add_rician_noise(
    image: np.ndarray, sigma: float, rng: np.random.Generator
) -> np.ndarray:
    """Magnitude of the image with complex Gaussian noise of deviation ``sigma``.

    Args:
        image: non-negative image of any shape.
        sigma: standard deviation of each of the two channels, in image units.
        rng: source of the noise.

    Returns:
        float32 array of the same shape; for ``sigma=0`` the image itself.
    """
    clean = np.asarray(image, dtype=np.float32)
    if sigma == 0.0:
        return clean
    real = clean + np.float32(sigma) * rng.standard_normal(clean.shape, np.float32)
    imaginary = np.float32(sigma) * rng.standard_normal(clean.shape, np.float32)
    return np.hypot(real, imaginary)


class RandomWaves:
    """A smooth random field of zero mean and unit variance: a sum of plane waves.

    Defined everywhere in space, so slices of it belong together, and cheap on a grid
    because a plane wave is a product of its axes.

    Args:
        rng: source of directions, wavelengths and phases.
        shortest: shortest wavelength, in the unit of the coordinates.
        longest: longest wavelength, in the unit of the coordinates.
        count: number of waves.
    """

    def __init__(
        self, rng: np.random.Generator, shortest: float, longest: float, count: int = 40
    ) -> None:
        """Draw the waves."""
        direction = rng.standard_normal((count, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        length = np.exp(rng.uniform(np.log(shortest), np.log(longest), (count, 1)))
        self.vectors = (2.0 * np.pi / length * direction).astype(np.float32)
        self.phases = rng.uniform(0.0, 2.0 * np.pi, count).astype(np.float32)
        self.gain = np.float32(np.sqrt(2.0 / count))
        self.curvature = float(np.mean(np.sum(self.vectors**2, axis=1)))
        self.bound = float(self.gain) * count

    def on_grid(self, x: np.ndarray, y: np.ndarray, z: float) -> np.ndarray:
        """Values ``(len(x), len(y))``, float32, on the plane ``z``."""
        kx, ky, kz = self.vectors.T
        rows = np.exp(1j * (np.outer(x, kx) + (kz * z + self.phases))) * self.gain
        columns = np.exp(1j * np.outer(ky, y))
        product = rows.astype(np.complex64) @ columns.astype(np.complex64)
        return np.ascontiguousarray(product.real)

    def at(self, *coordinates: np.ndarray) -> np.ndarray:
        """Values at scattered points; the three coordinates share one shape."""
        points = np.stack([c.ravel() for c in coordinates], axis=-1)
        angles = points.astype(np.float32) @ self.vectors.T + self.phases
        return (np.cos(angles).sum(axis=1) * self.gain).reshape(coordinates[0].shape)


def bias_field(
    waves: RandomWaves, x: np.ndarray, y: np.ndarray, z: float, strength: float
) -> np.ndarray:
    """Receiver shading of one plane, within ``1 - strength / 2 .. 1 + strength / 2``.

    Args:
        waves: a field of long waves.
        x: coordinates of the rows.
        y: coordinates of the columns.
        z: coordinate of the plane.
        strength: peak-to-peak range of the factor.

    Returns:
        float32 array ``(len(x), len(y))`` to multiply the image with.
    """
    relative = np.clip(1.6 * waves.on_grid(x, y, z) / waves.bound, -1.0, 1.0)
    return (1.0 + 0.5 * strength * relative).astype(np.float32)


class Scanner:
    """Paints label planes as T1 and T2: contrast, texture, shading, point spread.

    Args:
        rng: source of texture, shading and noise.
        noise: deviation of the noise as a share of the white matter signal.
        bias: peak-to-peak range of the shading factor.
    """

    def __init__(self, rng: np.random.Generator, *, noise: float, bias: float) -> None:
        """Draw texture and shading; the noise is drawn when it is added."""
        self.noise, self.bias = noise, bias
        bands = ((3.0, 9.0), (12.0, 50.0))
        self._texture = [RandomWaves(rng, *band, 64) for band in bands]
        self._shading = [RandomWaves(rng, 200.0, 420.0, 6) for _ in range(2)]
        self._tables = np.stack([t1_signals(), t2_signals()])
        strengths = [TISSUES[label].texture for label in Label]
        self._textured = self._tables * np.asarray(strengths, np.float32)
        self._rng = rng

    def paint(
        self,
        labels: np.ndarray,
        average: Callable[[np.ndarray], np.ndarray],
        lesion_share: np.ndarray,
        x: np.ndarray,
        y: np.ndarray,
        z: float,
    ) -> np.ndarray:
        """The noise-free T1 and T2 of one plane.

        Texture moves T1 and T2 together (longer relaxation: darker T1, brighter T2).

        Args:
            labels: labels of the sub-voxels.
            average: takes an image of the sub-voxels to voxels (partial volume).
            lesion_share: share of lesion in every voxel ``(H, W)``, 0 to 1.
            x: coordinates of the rows ``(H,)`` in reference mm.
            y: coordinates of the columns ``(W,)`` in reference mm.
            z: coordinate of the plane in reference mm.

        Returns:
            float32 array ``(2, H, W)``: T1, then T2.
        """
        texture = sum(0.7 * waves.on_grid(x, y, z) for waves in self._texture)
        excess = lesion_t2_signal() - self._tables[1][Label.WHITE_MATTER]
        planes = []
        for c, (sign, lesion) in enumerate(((-0.7, 0.0), (1.0, excess))):
            mean, ripple = average(self._tables[c][labels]), self._textured[c][labels]
            plane = mean + sign * texture * average(ripple) + lesion * lesion_share
            blurred = ndimage.gaussian_filter(np.maximum(plane, 0.0), PSF_SIGMA)
            planes.append(blurred * bias_field(self._shading[c], x, y, z, self.bias))
        return np.stack(planes).astype(np.float32)

    def add_noise(self, images: np.ndarray) -> np.ndarray:
        """Rician noise on the stacks ``(2, n, H, W)``: T1, then T2."""
        sigmas = self.noise * self._tables[:, Label.WHITE_MATTER]
        pairs = zip(images, sigmas, strict=True)
        return np.stack([add_rician_noise(i, float(s), self._rng) for i, s in pairs])
