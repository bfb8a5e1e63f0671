from __future__ import annotations

import numpy as np
import pytest

from guided_sr.datasets.phantom import head_phantom
from guided_sr.volumes import from_slices, write_volume


@pytest.fixture(scope="session")
def heads(tmp_path_factory):
    """Three synthetic subjects of 4 slices, 48 x 48, 4 mm, as NIfTI files."""
    folder = tmp_path_factory.mktemp("heads")
    affine = np.diag([4.0, 4.0, 5.0, 1.0])
    for seed, name in enumerate(("anna", "berta", "extra_carl"), 1):
        head = head_phantom((48, 48), 4, seed=seed, voxel_mm=4.0)
        (folder / name).mkdir()
        for weighting, stack in (("t1", head.t1), ("t2", head.t2)):
            write_volume(
                folder / name / f"{weighting}.nii.gz", from_slices(stack, 2), affine
            )
    return folder


@pytest.fixture
def small():
    """A benchmark that runs in seconds."""
    tiny = {"blocks": 1, "convolutions": 2, "filters": 8, "growth": 8}
    return {
        "data": {"test": ["anna", "berta"], "extra_training": ["extra_*"]},
        "budget": {
            "steps": 4,
            "refinement_steps": 4,
            "batch_size": 2,
            "patch_size": 16,
        },
        "cells": {
            "scales": [2],
            "stages": [1, 2],
            "losses": ["l1"],
            "shifts_mm": [0, 4],
            "slices": 2,
            "internal_slices": 1,
        },
        "options": dict.fromkeys(("proposed", "model_1", "model_2"), tiny),
    }
