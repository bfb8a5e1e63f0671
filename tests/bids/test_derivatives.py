from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guided_sr.bids.cohort import plan_cohort
from guided_sr.bids.derivatives import (
    prepare_data_set,
    resolution_label,
    result_path,
    sidecar_keys,
)
from guided_sr.errors import CannotCreateError, GuidedSRWarning, UsageError

NAMES = [f"sub-01/ses-a/anat/sub-01_ses-a_run-2_{k}.nii.gz" for k in ("T1w", "T2w")]


def test_labels_of_resolutions_are_alphanumeric() -> None:
    assert resolution_label((4.0, 4.0, 1.0)) == "4x4x1"
    assert resolution_label((1, 1, 2.5)) == "1x1x2p5"


def test_a_result_keeps_every_entity_of_the_t2(bids: Any, tmp_path: Path) -> None:
    (subject,) = plan_cohort(bids(*NAMES))
    path = result_path(tmp_path / "out", subject.pairs[0], (4, 4, 1))
    assert path.relative_to(tmp_path / "out").as_posix() == (
        "sub-01/ses-a/anat/"
        "sub-01_ses-a_run-2_space-orig_res-4x4x1_desc-guidedsr_T2w.nii.gz"
    )


@pytest.mark.parametrize("thinner", [True, False])
def test_a_sidecar_has_the_required_keys_and_none_that_is_false_now(
    bids: Any, thinner: bool
) -> None:
    top = bids(*NAMES)
    content = {"EchoTime": 0.1, "SliceThickness": 5, "ReconMatrixPE": 128}
    (top / "T2w.json").write_text(json.dumps(content), "utf-8")
    (subject,) = plan_cohort(top)
    keys = sidecar_keys(
        subject.pairs[0], top, scale=(1, 1, 5), voxel=(1, 1, 1), thinner=thinner
    )
    assert keys["Sources"] == [f"bids:raw:{NAMES[1]}", f"bids:raw:{NAMES[0]}"]
    assert keys["SkullStripped"] is False
    assert keys["SpatialReference"] == keys["Sources"][0]
    assert "1 x 1 x 1 mm" in keys["Resolution"]
    assert keys["EchoTime"] == 0.1
    assert "ReconMatrixPE" not in keys
    held = "SourceSliceThickness" if thinner else "SliceThickness"
    assert [key for key in keys if "Thickness" in key] == [held]


def test_the_data_set_describes_itself(bids: Any) -> None:
    top = bids(*NAMES)
    out = top / "derivatives" / "guided-sr"
    for _ in range(2):  # the second run finds its own
        prepare_data_set(out, top, {"Name": "made up", "License": "CC0"})
    about = json.loads((out / "dataset_description.json").read_text("utf-8"))
    assert about["DatasetType"] == "derivative"
    assert about["GeneratedBy"][0]["Name"] == "guided-sr"
    assert about["DatasetLinks"] == {"raw": "../.."}
    assert about["License"] == "CC0"
    assert "logs/" in (out / ".bidsignore").read_text("utf-8").splitlines()


def test_a_data_set_of_another_tool_is_left_alone(bids: Any, tmp_path: Path) -> None:
    top = bids(*NAMES)
    other = tmp_path / "other"
    other.mkdir()
    (other / "dataset_description.json").write_text('{"Name": "x"}', "utf-8")
    with pytest.raises(CannotCreateError, match="has not made"):
        prepare_data_set(other, top, {})
    with pytest.raises(UsageError, match="raw data set itself"):
        prepare_data_set(top, top, {})
    with pytest.warns(GuidedSRWarning, match="named after"):
        prepare_data_set(top / "derivatives" / "mine", top, {})
