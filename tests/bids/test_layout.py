from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guided_sr.bids.layout import (
    find_images,
    find_subjects,
    read_description,
    read_filter,
    sidecar_content,
)
from guided_sr.errors import GuidedSRError, MissingInputError, UsageError

T2 = "sub-01/anat/sub-01_T2w.nii.gz"


def test_labels_are_taken_with_and_without_prefix(bids: Any) -> None:
    top = bids("sub-01/anat/a", "sub-02/anat/a", "derivatives/x/sub-09/anat/a")
    assert find_subjects(top) == ["01", "02"]
    assert find_subjects(top, ["sub-02", "01", "02"]) == ["02", "01"]


def test_a_label_that_is_not_there_is_18_and_those_that_are_are_named(
    bids: Any,
) -> None:
    with pytest.raises(MissingInputError, match=r"no subject 7.*there is 01") as caught:
        find_subjects(bids(T2), ["7"])
    assert caught.value.exit_code == 18


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_without_a_description_it_is_no_data_set(bids: Any, content: str) -> None:
    top = bids(T2)
    path = top / "dataset_description.json"
    path.unlink() if content is None else path.write_text(content, "utf-8")
    with pytest.raises(GuidedSRError) as caught:
        read_description(top)
    assert (caught.value.exit_code, caught.value.code) == (16, "E-BIDS")
    if content is None:
        assert read_description(top, needed=False) == {}


def test_only_images_that_lie_where_their_names_say_are_found(bids: Any) -> None:
    top = bids(
        T2,
        "sub-01/anat/sub-02_T2w.nii.gz",
        "sub-01/anat/sub-01_T2w.json",
        "sub-01/anat/sub-01_FLAIR.nii.gz",
        "sub-01/ses-b/anat/sub-01_ses-b_T1w.nii",
        "sub-01/ses-b/anat/sub-01_ses-c_T1w.nii",
    )
    found = find_images(top, "01")
    assert [one.path.name for one in found["t2w"]] == ["sub-01_T2w.nii.gz"]
    assert [one.path.name for one in found["t1w"]] == ["sub-01_ses-b_T1w.nii"]
    assert find_images(top, "01", sessions=["ses-b"])["t2w"] == []


@pytest.mark.parametrize(
    "text",
    ["[", "[]", '{"bold": {}}', '{"t2w": {"flavour": "a"}}', '{"t2w": "tse"}'],
)
def test_a_filter_that_cannot_be_meant_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "filter.json"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match="filter"):
        read_filter(path)


def test_sidecars_are_inherited_and_the_nearer_one_wins(bids: Any) -> None:
    top = bids(T2)
    for name, content in {
        "T2w.json": {"EchoTime": 1, "FlipAngle": 9},
        "acq-x_T2w.json": {"FlipAngle": 0},
        "sub-01/sub-01_T2w.json": {"EchoTime": 2},
        "sub-01/anat/sub-01_T2w.json": {"RepetitionTime": 3},
        "T1w.json": {"EchoTime": 5},
    }.items():
        (top / name).write_text(json.dumps(content), "utf-8")
    assert sidecar_content(top / T2, top) == {
        "EchoTime": 2,
        "FlipAngle": 9,
        "RepetitionTime": 3,
    }
