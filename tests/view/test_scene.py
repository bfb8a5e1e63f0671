from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from guided_sr.errors import DataError, MissingInputError
from guided_sr.view.scene import Scene


@pytest.fixture
def copied(saved_result: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "moved"
    shutil.copytree(saved_result.parent, folder)
    note = folder / "sr.json"
    content = json.loads(note.read_text("utf-8"))
    for entry in content["GuidedSR"]["inputs"].values():
        entry["path"] = f"gone/{Path(entry['path']).name}"
    note.write_text(json.dumps(content), "utf-8")
    return folder / saved_result.name


def test_inputs_that_were_moved_with_the_result_are_found(copied: Path) -> None:
    assert [one.key for one in Scene.of(copied).panels] == ["t2", "result", "t1"]


def test_the_t1_lies_where_its_registration_put_it(copied: Path) -> None:
    note = copied.with_name("sr.json")
    content = json.loads(note.read_text("utf-8"))
    shift = np.eye(4)
    shift[1, 3] = 7.0
    content["GuidedSR"]["registration"] = {
        "applied": True,
        "t1_to_t2_ras_mm": shift.tolist(),
    }
    note.write_text(json.dumps(content), "utf-8")
    shown = nib.Nifti1Image.from_bytes(Scene.of(copied).panels[2].content)
    stored = nib.load(copied.with_name("t1.nii.gz"))
    np.testing.assert_allclose(shown.affine, shift @ stored.affine, atol=1e-4)


def test_another_t1_a_missing_one_and_no_sidecar_are_refused(copied: Path) -> None:
    t1 = copied.with_name("t1.nii.gz")
    t1.unlink()
    with pytest.raises(MissingInputError, match=r"t1\.nii\.gz"):
        Scene.of(copied)
    shutil.copy(copied.with_name("t2.nii.gz"), t1)
    with pytest.raises(DataError, match="not the one that the result was made from"):
        Scene.of(copied)
    copied.with_name("sr.json").unlink()
    with pytest.raises(DataError, match="no sidecar of guided-sr"):
        Scene.of(copied)
