"""Mutual information of a T1 and a T2, and the rigid placement that maximises it.

SimpleITK does the arithmetic on arrays that `read_volume` has checked: it reads no
file, and it sees orthonormal grids of about 3 mm whatever the headers hold. Its
coordinates are LPS, the package's are RAS; the change is made in this module alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from guided_sr.errors import GeometryError
from guided_sr.volumes.geometry import bring_to_grid, voxel_sizes
from guided_sr.volumes.intensity import fit_intensity

if TYPE_CHECKING:
    from guided_sr.volumes.nifti import Volume

__all__ = [
    "FEWEST",
    "LPS",
    "MutualInformation",
    "closest_rotation",
    "linear_matrix",
    "working_shape",
]

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Takes RAS mm to LPS mm, and back."""

FEWEST = 4
"""The fewest voxels of `working_shape` along an axis that can be registered."""

_WORKING_MM = 3.0
_BINS = 32
_STEPS = 100  # at each level
_FOREGROUND = 0.1  # of the normalised T2
_POINTS = 5000
# Level by level: whole-head shape first, then what 3 mm voxels show.
_SHRINK, _BLUR_MM = (3, 2, 1), (4.0, 2.0, 0.0)


class MutualInformation:
    """The similarity of a pair as a function of where the T1 is placed.

    A placement is a matrix of shape ``(4, 4)`` that takes RAS mm of the T1's header
    to RAS mm of the T2's.

    Args:
        t1: The T1.
        t2: The T2, whose samples are compared.

    Attributes:
        points: Sample of the T2's foreground, shape ``(n, 3)``, RAS mm.
        centre: Mean of the points, shape ``(3,)``.
    """

    def __init__(self, t1: Volume, t2: Volume) -> None:
        self._fixed, values, affine = _working(t2, "T2")
        self._moving = _working(t1, "T1")[0]
        self._shape = values.shape
        index = np.argwhere(values > _FOREGROUND)
        index = index[:: max(1, len(index) // _POINTS)]
        self.points = index @ affine[:3, :3].T + affine[:3, 3]
        self.centre = self.points.mean(axis=0)

    def of(self, placement: np.ndarray) -> float:
        """Mattes mutual information (nats) at a placement; 0 without overlap."""
        import SimpleITK as sitk  # noqa: N813 - its usual name

        method = self._method(sitk)
        method.SetInitialTransform(self._transform(placement, sitk))
        with _one_thread(sitk):
            try:
                return -float(method.MetricEvaluate(self._fixed, self._moving))
            except RuntimeError:  # no sample inside the T1
                return 0.0

    def maximise(self, start: np.ndarray, *, levels: int = 3) -> np.ndarray:
        """The rigid placement uphill of a start.

        Args:
            start: Rigid placement to begin from.
            levels: How many of the three levels of resolution are used, counted from
                the finest.

        Returns:
            The placement. The same images and start give the same bits.

        Raises:
            GeometryError: If the search left the images or did not come to rest.
        """
        import SimpleITK as sitk  # noqa: N813 - its usual name

        transform = self._transform(start, sitk)
        method = self._method(sitk)
        method.SetInitialTransform(transform, inPlace=True)
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=2.0,
            minStep=1e-3,
            numberOfIterations=_STEPS,
            relaxationFactor=0.5,
            gradientMagnitudeTolerance=1e-8,
        )
        method.SetOptimizerScalesFromPhysicalShift()
        most = min(self._shape) // FEWEST
        method.SetShrinkFactorsPerLevel([min(n, most) for n in _SHRINK[-levels:]])
        method.SetSmoothingSigmasPerLevel(_BLUR_MM[-levels:])
        method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
        with _one_thread(sitk):
            try:
                method.Execute(self._fixed, self._moving)
            except RuntimeError as error:
                raise GeometryError("the search left the images") from error
        if method.GetOptimizerIteration() >= _STEPS:
            raise GeometryError(f"the search did not come to rest in {_STEPS} steps")
        return np.linalg.inv(LPS @ linear_matrix(transform) @ LPS)

    def displacements(self, placement: np.ndarray) -> np.ndarray:
        """How far a placement moves the T1 at each of the points, ``(n, 3)`` mm."""
        back = np.linalg.inv(placement)
        return self.points - (self.points @ back[:3, :3].T + back[:3, 3])

    def _method(self, sitk: Any) -> Any:
        method = sitk.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(_BINS)
        method.SetMetricSamplingStrategy(method.NONE)  # every voxel: no chance in it
        method.SetInterpolator(sitk.sitkLinear)
        return method

    def _transform(self, placement: np.ndarray, sitk: Any) -> Any:
        """ITK's transform: from points of the T2 to points of the T1, about the head.

        Rigid placements become Euler transforms, which `maximise` can steer; others,
        of which only the similarity is asked, become affine ones.
        """
        matrix = LPS @ np.linalg.inv(placement) @ LPS
        centre = (LPS[:3, :3] @ self.centre).tolist()
        turn = matrix[:3, :3]
        rigid = np.abs(turn @ turn.T - np.eye(3)).max() < 1e-9
        transform = sitk.Euler3DTransform() if rigid else sitk.AffineTransform(3)
        transform.SetCenter(centre)
        if rigid:
            transform.SetMatrix(turn.ravel().tolist(), 1e-6)
        else:
            transform.SetMatrix(turn.ravel().tolist())
        transform.SetTranslation((matrix[:3, 3] + turn @ centre - centre).tolist())
        return transform


def linear_matrix(transform: Any) -> np.ndarray:
    """The matrix of a linear SimpleITK transform, shape ``(4, 4)``, LPS mm."""
    ends = [transform.TransformPoint(p) for p in np.eye(4, 3, -1).tolist()]
    start, corners = np.array(ends[0]), np.array(ends[1:])
    matrix = np.eye(4)
    matrix[:3, :3] = (corners - start).T
    matrix[:3, 3] = start
    return matrix


def closest_rotation(affine: np.ndarray) -> tuple[np.ndarray, float]:
    """The orthonormal axes closest to those of an affine.

    Args:
        affine: Voxel to mm, shape ``(4, 4)``.

    Returns:
        Axes of shape ``(3, 3)``, of the affine's own handedness, and the largest angle
        in degrees between an axis and its replacement: 0 without shear.
    """
    axes = np.asarray(affine, np.float64)[:3, :3] / voxel_sizes(affine)
    left, _, right = np.linalg.svd(axes)
    closest = left @ right
    apart = np.linalg.norm(axes - closest, axis=0).max() / 2.0
    return closest, float(np.degrees(2.0 * np.arcsin(min(1.0, apart))))


def working_shape(volume: Volume) -> tuple[int, int, int]:
    """Sizes of the grid, no finer than 3 mm, on which a volume is compared."""
    sizes = voxel_sizes(volume.affine)
    extent = sizes * volume.data.shape
    steps = np.ceil(extent / np.maximum(sizes, _WORKING_MM) - 1e-6)
    i, j, k = (max(1, int(n)) for n in steps)
    return i, j, k


def _working(volume: Volume, name: str) -> tuple[Any, np.ndarray, np.ndarray]:
    """An image on its orthonormal working grid: for ITK, as array, and the affine."""
    shape = working_shape(volume)
    step = np.maximum(voxel_sizes(volume.affine), _WORKING_MM)
    axes, _ = closest_rotation(volume.affine)
    middle = volume.affine @ [*((np.array(volume.data.shape) - 1) / 2), 1.0]
    affine = np.eye(4)
    affine[:3, :3] = axes * step
    affine[:3, 3] = middle[:3] - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    values = bring_to_grid(volume, affine, shape)
    scale = fit_intensity(values, name=name, path=volume.path)
    values = np.clip(scale.forward(values), 0.0, 1.0)
    return _itk_image(values, affine), values, affine


def _itk_image(values: np.ndarray, affine: np.ndarray) -> Any:
    import SimpleITK as sitk  # noqa: N813 - its usual name

    image = sitk.GetImageFromArray(np.ascontiguousarray(values.T, np.float32))
    sizes = voxel_sizes(affine)
    lps = LPS @ affine
    image.SetSpacing(sizes.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / sizes).ravel().tolist())
    return image


@contextmanager
def _one_thread(sitk: Any) -> Iterator[None]:
    """Sums in one order, so that results repeat to the bit; no chatter of ITK's."""
    filters = sitk.ProcessObject
    threads = filters.GetGlobalDefaultNumberOfThreads()
    talks = filters.GetGlobalWarningDisplay()
    filters.SetGlobalDefaultNumberOfThreads(1)
    filters.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        filters.SetGlobalDefaultNumberOfThreads(threads)
        filters.SetGlobalWarningDisplay(talks)
