from __future__ import annotations

from pathlib import Path

import pytest

from guided_sr.bids.entities import matches, parse_name

NAME = "sub-01_ses-pre_acq-tse_run-02_T2w.nii.gz"


def test_a_name_is_taken_apart_and_put_together_again() -> None:
    name = parse_name(Path("anat") / NAME)
    assert name is not None
    assert name.entities == {"sub": "01", "ses": "pre", "acq": "tse", "run": "02"}
    assert (name.suffix, name.extension) == ("T2w", ".nii.gz")
    assert str(name) == NAME


def test_new_entities_go_where_the_specification_has_them() -> None:
    name = parse_name(Path("sub-01_run-1_chunk-3_T2w.nii"))
    assert name is not None
    longer = name.having(desc="guidedsr", space="orig", res="4x4x1", ses="a")
    assert str(longer) == (
        "sub-01_ses-a_run-1_space-orig_chunk-3_res-4x4x1_desc-guidedsr_T2w.nii"
    )


@pytest.mark.parametrize(
    "text", ["T2w.nii.gz", "sub-01_foo-1_T2w.nii", "sub-01_sub-02_T2w.nii", "a.nii"]
)
def test_other_names_are_none(text: str) -> None:
    assert parse_name(Path(text)) is None


@pytest.mark.parametrize(
    ("wanted", "passes"),
    [
        ({}, True),
        ({"acquisition": "tse"}, True),
        ({"run": 2}, True),
        ({"run": ["1", "2"]}, True),
        ({"run": "3"}, False),
        ({"reconstruction": None}, True),
        ({"acquisition": None}, False),
        ({"suffix": "T2w", "datatype": "anat", "extension": ".nii.gz"}, True),
    ],
)
def test_a_filter_compares_labels(wanted: dict, passes: bool) -> None:
    name = parse_name(Path(NAME))
    assert name is not None
    assert matches(name, wanted) is passes
