"""A refusal that says when T1 and T2 look swapped."""

from __future__ import annotations

import argparse
import contextlib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from guided_sr.cli.options import of_guide, reading
from guided_sr.volumes import read_grid, voxel_sizes
from guided_sr.volumes.target import NothingToEnlargeError, triple_text

_COARSER = 1.01  # than the T2


@contextlib.contextmanager
def swap_told(
    affine: np.ndarray, files: Mapping[str, Path], args: argparse.Namespace
) -> Iterator[None]:
    """Where nothing of the T2 is to be enlarged, say if the T1 is the coarser one."""
    try:
        yield
    except NothingToEnlargeError as error:
        if "t1" not in files:
            raise
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            t1_affine, _ = read_grid(files["t1"], name="T1", **of_guide(reading(args)))
        sizes = voxel_sizes(t1_affine)
        if sizes.max() <= voxel_sizes(affine).max() * _COARSER:
            raise
        raise NothingToEnlargeError(
            f"{error.what}; the T1 is the coarser one, with {triple_text(sizes)} mm: T1"
            " and T2 look swapped",
            path=[files["t2"], files["t1"]],
            mend="give the coarse T2 with -i and the sharp T1 with -g",
        ) from error
