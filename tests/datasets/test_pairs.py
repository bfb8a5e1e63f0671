from __future__ import annotations

from pathlib import Path

import pytest

from guided_sr.datasets.pairs import find_pairs, pairs_from_folders, pairs_from_table
from guided_sr.errors import (
    DataError,
    GuidedSRWarning,
    MissingInputError,
    UsageError,
)


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("t2", "t1"),
    [
        ("t2.nii.gz", "t1.nii.gz"),
        ("T2_axial.nii", "T1-mprage.NII.GZ"),
        ("sub-01_T2w.nii.gz", "sub-01_ce-gd_T1w.nii.gz"),
        ("t1_person_T2w.nii.gz", "t2_person_T1w.nii.gz"),
    ],
)
def test_a_folder_with_one_t2_and_one_t1_is_a_pair(
    t2: str, t1: str, tmp_path: Path
) -> None:
    touch(tmp_path / "p1" / t2, tmp_path / "p1" / t1, tmp_path / "p1" / "flair.nii")
    (found,) = pairs_from_folders(tmp_path)
    assert (found.t2.name, found.t1 and found.t1.name) == (t2, t1)


def test_folders_at_any_depth_are_found_in_order_each_once(tmp_path: Path) -> None:
    for place in ("b/anat", "a", "c/ses-1/anat"):
        touch(tmp_path / place / "t2.nii", tmp_path / place / "t1.nii")
    (tmp_path / "c" / "loop").symlink_to(tmp_path)
    found = [str(p.t2.parent.relative_to(tmp_path)) for p in find_pairs(tmp_path)]
    assert found == ["a", "b/anat", "c/ses-1/anat"]


def test_results_of_the_package_are_no_training_data(tmp_path: Path) -> None:
    touch(tmp_path / "t2.nii.gz", tmp_path / "t1.nii.gz")
    touch(tmp_path / "t2_desc-guidedsr_T2w.nii.gz")
    assert len(pairs_from_folders(tmp_path)) == 1


def test_several_candidates_are_listed(tmp_path: Path) -> None:
    touch(tmp_path / "t2a.nii", tmp_path / "t2b.nii", tmp_path / "t1.nii")
    with pytest.raises(UsageError, match=r"t2a\.nii, t2b\.nii"):
        pairs_from_folders(tmp_path)


def test_a_folder_without_t1_is_left_out_with_a_warning(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "t2.nii", tmp_path / "b" / "t2.nii", tmp_path / "b/t1.nii")
    with pytest.warns(GuidedSRWarning, match="without T1 is left out"):
        assert len(pairs_from_folders(tmp_path)) == 1


def test_without_guide_a_t2_is_enough(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "t2.nii")
    (found,) = pairs_from_folders(tmp_path, guided=False)
    assert found.t1 is None


@pytest.mark.filterwarnings("ignore::guided_sr.errors.GuidedSRWarning")
@pytest.mark.parametrize("made", [[], ["flair.nii"], ["t2.nii"]])
def test_no_pair_at_all_is_a_missing_input(made: list[str], tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in made))
    with pytest.raises(MissingInputError, match="no folder holds"):
        pairs_from_folders(tmp_path)


@pytest.mark.parametrize("separator", ["\t", ",", ";"])
def test_a_table_gives_paths_relative_to_itself(separator: str, tmp_path: Path) -> None:
    rows = [["id", "T1", "t2"], ["1", "a/t1.nii", "a/t2.nii"], ["2", "/b1", "/b2"], []]
    table = tmp_path / "pairs.tsv"
    lines = "\r\n".join(separator.join(row) for row in rows)
    table.write_text("\ufeff" + lines, "utf-8")
    first, second = find_pairs(table)
    assert (first.t2, first.t1) == (tmp_path / "a/t2.nii", tmp_path / "a/t1.nii")
    assert (second.t2, second.t1) == (Path("/b2"), Path("/b1"))


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", DataError, "no column t2 nor t1"),
        ("t2,flair\na,b\n", DataError, "no column t1"),
        ("t2,t1\na\n", DataError, "line 2 .* has no t1"),
        ("t2,t1\n", MissingInputError, "holds no pair"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(
    text: str, error: type[Exception], message: str, tmp_path: Path
) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text(text, "utf-8")
    with pytest.raises(error, match=message):
        pairs_from_table(table)


def test_a_table_that_is_not_text_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "pairs.xlsx"
    table.write_bytes(b"PK\x03\x04\xff\xfe\x80")
    with pytest.raises(DataError, match="not text"):
        pairs_from_table(table)
