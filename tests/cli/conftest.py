from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guided_sr.evaluation.grids import lower_resolution
from guided_sr.volumes import Volume, write_volume


@dataclass(frozen=True)
class CoarsePair:
    folder: Path
    t2: Path
    t1: Path
    truth: Path

    def arguments(self, model: Path, *more: str) -> list[str]:
        """The command that super-resolves this pair."""
        files = ["-i", str(self.t2), "-g", str(self.t1)]
        return ["run", *files, "--model", str(model), *more]


@pytest.fixture(scope="session")
def model_dir(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model, 2x in two stages. Tests must not change it."""
    return trained.save_preset(tmp_path_factory.mktemp("models") / "tiny_x2")


@pytest.fixture
def pair(small_head: Any, tmp_path: Path) -> CoarsePair:
    """A coarse T2 (24 x 24 x 3), its T1 and its truth (48 x 48 x 3) as files."""
    folder = tmp_path / "scans of one person"
    sharp = Volume(np.moveaxis(small_head.t2, 0, -1), small_head.affine)
    made = lower_resolution(sharp, 2)
    files = CoarsePair(folder, *(folder / f"{n}.nii.gz" for n in ("t2", "t1", "hr")))
    write_volume(files.t2, made.data, made.affine)
    write_volume(files.t1, np.moveaxis(small_head.t1, 0, -1), small_head.affine)
    write_volume(files.truth, sharp.data, sharp.affine)
    return files


@pytest.fixture
def tall_pair(tmp_path: Path) -> CoarsePair:
    """As `pair`, but of twelve slices and without truth: enough to fine-tune on."""
    from guided_sr.datasets.phantom import head_phantom

    head = head_phantom((48, 48), 12, seed=1, voxel_mm=4.0)
    folder = tmp_path / "scans of another person"
    files = CoarsePair(folder, *(folder / f"{n}.nii.gz" for n in ("t2", "t1", "hr")))
    made = lower_resolution(Volume(np.moveaxis(head.t2, 0, -1), head.affine), 2)
    write_volume(files.t2, made.data, made.affine)
    write_volume(files.t1, np.moveaxis(head.t1, 0, -1), head.affine)
    return files


@pytest.fixture
def no_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever loads the framework fails: what is refused is refused before."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the framework was loaded")

    monkeypatch.setattr("guided_sr.cli.framework.load_framework", refuse)


@pytest.fixture
def listing():
    """All files below a folder with their contents, to see that nothing changed."""

    def read(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return read
