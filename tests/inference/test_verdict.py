from __future__ import annotations

import pytest

from guided_sr.inference.verdict import FAIL, LOOK, PASS, judge

GOOD = {
    "consistency_before": 0.02,
    "consistency_after": 0.004,
    "guide_overlap": 1.0,
    "field_of_view_mm": 1e-7,
    "finite": True,
}


def test_a_result_in_which_nothing_stands_out_passes():
    registration = {"mode": "auto", "misfit": {"mm": 0.3}}
    assert judge(GOOD, registration=registration) == (PASS, [])
    assert judge({}) == (PASS, [])


def test_a_trifle_lost_by_a_regularised_back_projection_passes():
    trifle = {"consistency_before": 0.00245, "consistency_after": 0.00258}
    assert judge({**GOOD, **trifle}) == (PASS, [])


@pytest.mark.parametrize(
    ("figure", "says"),
    [
        ({"consistency_before": 0.06, "consistency_after": 0.05}, "unexplained"),
        ({"consistency_before": 0.01, "consistency_after": 0.02}, "slice profile"),
        ({"guide_overlap": 0.7}, "covers 70 %"),
    ],
)
def test_a_doubtful_figure_asks_for_a_look(figure, says):
    verdict, (reason,) = judge({**GOOD, **figure})
    assert verdict == LOOK
    assert says in reason


@pytest.mark.parametrize(
    ("registration", "says"),
    [
        ({"mode": "auto", "applied": False}, "not registered"),
        (
            {
                "mode": "file",
                "mutual_information": {"headers": 0.5, "placement": 0.4},
            },
            "fits worse",
        ),
    ],
)
def test_a_doubtful_registration_asks_for_a_look(registration, says):
    verdict, (reason,) = judge(GOOD, registration=registration)
    assert verdict == LOOK
    assert says in reason


@pytest.mark.parametrize(
    ("figure", "says"),
    [
        ({"finite": False}, "NaN"),
        ({"consistency_after": 0.2}, "contradicts"),
        ({"consistency_after": float("nan")}, "nan"),
        ({"field_of_view_mm": 0.5}, "0.5 mm off"),
    ],
)
def test_what_must_not_be_used_fails_whatever_else_there_is(figure, says):
    verdict, reasons = judge({**GOOD, **figure}, warnings=["noticed."])
    assert verdict == FAIL
    assert any(says in one for one in reasons)
    assert reasons[-1] == "noticed."


def test_every_warning_is_a_reason_once():
    assert judge(GOOD, warnings=["one.", "one."]) == (LOOK, ["one."])
