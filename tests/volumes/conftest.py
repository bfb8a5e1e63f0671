from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from guided_sr.volumes import Volume

T1_OF = (0.0, 150.0, 400.0, 700.0, 250.0)  # air, fluid, grey, white, scalp
T2_OF = (0.0, 900.0, 520.0, 350.0, 180.0)


class Head:
    """A head of three tissues in 2 mm voxels, and what the tests do to it."""

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        shape = (64, 76, 48)
        field = ndimage.gaussian_filter(rng.standard_normal(shape), 3.0)
        axes = [np.linspace(-1.0, 1.0, n) for n in shape]
        x, y, z = np.meshgrid(*axes, indexing="ij")
        radius = np.sqrt((x / 0.85) ** 2 + (y / 0.85) ** 2 + (z / 0.95) ** 2)
        tissue = 1 + np.digitize(field / field.std(), [-0.5, 0.5])
        tissue = np.where(radius > 0.92, 4, tissue)
        tissue[radius > 1.0] = 0
        self.affine = np.diag([2.0, 2.0, 2.0, 1.0])
        self.affine[:3, 3] = (-60.0, -80.0, -40.0)
        images = []
        for values in (T1_OF, T2_OF):
            sharp = ndimage.gaussian_filter(np.array(values)[tissue], 0.5)
            noisy = sharp + rng.normal(0.0, 5.0, shape)
            images.append(noisy.astype(np.float32))
        self.t1, self.t2 = (Volume(data, self.affine) for data in images)
        index = np.argwhere(radius < 0.95)[::50]
        self.points = index * 2.0 + self.affine[:3, 3]

    def motion(
        self, degrees: float, shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    ) -> np.ndarray:
        """A turn about the head's centre and an oblique axis, then a shift in mm."""
        axis = np.array([0.3, 0.2, 0.93])
        turn = Rotation.from_rotvec(np.radians(degrees) * axis / np.linalg.norm(axis))
        matrix = np.eye(4)
        matrix[:3, :3] = turn.as_matrix()
        centre = self.points.mean(axis=0)
        matrix[:3, 3] = centre - matrix[:3, :3] @ centre + shift
        return matrix

    def moved_t1(self, motion: np.ndarray) -> Volume:
        return Volume(self.t1.data, motion @ self.affine)

    def thick_t2(self, axis: int) -> Volume:
        """Slices of 4 mm: the mean of every two."""
        pairs = np.moveaxis(self.t2.data, axis, 0)
        data = np.moveaxis((pairs[::2] + pairs[1::2]) / 2, 0, axis)
        affine = self.affine.copy()
        affine[:3, 3] += affine[:3, axis] / 2
        affine[:3, axis] *= 2
        return Volume(np.ascontiguousarray(data), affine)

    def off(self, t1: Volume) -> float:
        """How far a T1 lies from its true place: root mean square, in mm."""
        away = t1.affine @ np.linalg.inv(self.affine)
        moved = self.points @ away[:3, :3].T + away[:3, 3] - self.points
        return float(np.sqrt((moved**2).sum(axis=1).mean()))


@pytest.fixture(scope="session")
def head() -> Head:
    return Head()
