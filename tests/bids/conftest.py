from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def bids(tmp_path: Path) -> Callable[..., Path]:
    """A data set of empty files: ``bids("sub-01/anat/sub-01_T2w.nii.gz", ...)``."""

    def make(*names: str) -> Path:
        top = tmp_path / "raw"
        top.mkdir(exist_ok=True)
        about = {"Name": "made up", "BIDSVersion": "1.10.0", "License": "CC0"}
        (top / "dataset_description.json").write_text(json.dumps(about), "utf-8")
        for name in names:
            path = top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return top

    return make
