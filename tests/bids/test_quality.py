from __future__ import annotations

import json
from pathlib import Path

import pytest

from guided_sr.bids.quality import flag_outliers, write_group_table
from guided_sr.errors import MissingInputError


def result(out: Path, label: str, **qc: float | str | None) -> None:
    folder = out / f"sub-{label}" / "ses-a" / "anat"
    folder.mkdir(parents=True)
    stem = f"sub-{label}_ses-a_space-orig_res-4x4x1_desc-guidedsr_T2w"
    (folder / f"{stem}.nii.gz").touch()
    block = {"qc": qc, "warnings": [], "seconds": 1.0, "model": {"name": "m"}}
    (folder / f"{stem}.json").write_text(json.dumps({"GuidedSR": block}), "utf-8")


def test_what_is_far_from_the_median_stands_out() -> None:
    flags = flag_outliers({"a": [1.0, 1.1, 0.9, 1.0, 1.05, 9.0], "b": [None] * 6})
    assert flags == [[], [], [], [], [], ["a"]]


def test_equal_values_do_not_stand_out_and_few_ones_never_do() -> None:
    assert flag_outliers({"a": [1.0] * 7}) == [[]] * 7
    assert flag_outliers({"a": [1.0, 1.0, 1.0, 50.0]}) == [[]] * 4


def test_the_table_has_a_line_a_result(tmp_path: Path) -> None:
    for label, after in zip(
        "abcdef", (0.010, 0.011, 0.012, 0.010, 0.011, 0.3), strict=True
    ):
        result(
            tmp_path,
            label,
            consistency_after=after,
            guide_overlap=None,
            verdict="PASS" if after < 0.03 else "FAIL",
        )
    table, flagged = write_group_table(tmp_path)
    header, *lines = table.read_text("utf-8").splitlines()
    rows = [
        dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines
    ]
    assert [row["subject"] for row in rows] == [f"sub-{one}" for one in "abcdef"]
    assert {row["session"] for row in rows} == {"a"}
    assert {row["guide_overlap"] for row in rows} == {"n/a"}
    assert [row["outlier"] for row in rows] == ["n/a"] * 5 + ["consistency_after"]
    assert [row["verdict"] for row in rows] == ["PASS"] * 5 + ["FAIL"]
    assert flagged == 1
    told = json.loads((tmp_path / "group_T2w.json").read_text("utf-8"))
    assert "median" in told["outlier"]["Description"]


def test_without_results_there_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="participant"):
        write_group_table(tmp_path)
