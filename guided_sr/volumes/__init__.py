"""Images as files, grids in millimetres, intensities, and stacks of slices."""

from guided_sr.volumes.geometry import (
    bring_to_grid,
    corner_gap,
    corners,
    overlap_fraction,
    require_overlap,
    slice_axis,
    target_affine,
    voxel_sizes,
)
from guided_sr.volumes.intensity import IntensityScale, Normalised, fit_intensity
from guided_sr.volumes.nifti import Volume, read_volume, sha256_of
from guided_sr.volumes.orientation import Orientation
from guided_sr.volumes.peek import read_grid
from guided_sr.volumes.registration import REGISTER, Registration, place_guide
from guided_sr.volumes.saving import make_image, write_volume
from guided_sr.volumes.target import TargetGrid, choose_target
from guided_sr.volumes.views import from_slices, to_slices
from guided_sr.volumes.writing import refuse_same_file

__all__ = [
    "REGISTER",
    "IntensityScale",
    "Normalised",
    "Orientation",
    "Registration",
    "TargetGrid",
    "Volume",
    "bring_to_grid",
    "choose_target",
    "corner_gap",
    "corners",
    "fit_intensity",
    "from_slices",
    "make_image",
    "overlap_fraction",
    "place_guide",
    "read_grid",
    "read_volume",
    "refuse_same_file",
    "require_overlap",
    "sha256_of",
    "slice_axis",
    "target_affine",
    "to_slices",
    "voxel_sizes",
    "write_volume",
]
