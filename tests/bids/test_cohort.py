from __future__ import annotations

import json
from typing import Any

import pytest

from guided_sr.bids.cohort import plan_cohort
from guided_sr.errors import MissingInputError, UsageError


def names(*parts: str) -> list[str]:
    """Images under a subject's, or a session's, folder anat."""
    return [f"sub-{part.split('_')[0][4:]}/anat/{part}.nii.gz" for part in parts]


def test_each_session_goes_with_its_own_t1_or_the_only_one(bids: Any) -> None:
    top = bids(
        *(
            f"sub-01/ses-{s}/anat/sub-01_ses-{s}_{kind}.nii.gz"
            for s, kind in [("a", "T2w"), ("b", "T2w"), ("a", "T1w")]
        )
    )
    (subject,) = plan_cohort(top)
    assert [(p.session, p.t1 and p.t1.session) for p in subject.pairs] == [
        ("a", "a"),
        ("b", "a"),
    ]
    (later,) = plan_cohort(top, sessions=["ses-b"])
    assert [p.session for p in later.pairs] == ["b"]
    with pytest.raises(MissingInputError) as caught:
        plan_cohort(top, sessions=["c"])
    assert caught.value.exit_code == 18


def test_a_subject_without_t1_is_a_problem_of_its_own(bids: Any) -> None:
    top = bids(*names("sub-01_T2w", "sub-02_T2w", "sub-02_T1w"))
    first, second = plan_cohort(top)
    assert not first.pairs
    ((_, error),) = first.problems
    assert error.exit_code == 66
    assert "sub-01 has no T1w" in str(error)
    assert len(second.pairs) == 1
    assert not second.problems
    assert plan_cohort(top, guided=False)[0].pairs[0].t1 is None


def test_of_several_images_none_is_picked_and_the_filter_given_decides(
    bids: Any,
) -> None:
    top = bids(*names("sub-01_acq-a_T2w", "sub-01_T2w", "sub-01_T1w"))
    ((_, error),) = plan_cohort(top)[0].problems
    text = str(error)
    assert error.exit_code == 66
    assert "sub-01_acq-a_T2w.nii.gz" in text
    assert "sub-01_T2w.nii.gz" in text
    ready = json.loads(text.split("holds ")[1].split(", given")[0])
    (subject,) = plan_cohort(top, filters=ready)
    assert len(subject.pairs) == 1
    assert not subject.problems


def test_one_image_in_two_forms_is_decided_by_extension(bids: Any) -> None:
    top = bids(*names("sub-01_T2w", "sub-01_T1w"), "sub-01/anat/sub-01_T2w.nii")
    ((_, error),) = plan_cohort(top)[0].problems
    assert '{"t2w": {"extension": ' in str(error)


def test_two_results_of_one_name_are_refused_in_the_plan(bids: Any) -> None:
    top = bids(*names("sub-a_T2w", "sub-a_T1w", "sub-A_T2w", "sub-A_T1w"))
    with pytest.raises(UsageError, match="one name"):
        plan_cohort(top)
