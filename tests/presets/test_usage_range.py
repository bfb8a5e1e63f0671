from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

from guided_sr.errors import DataError, GuidedSRWarning, WeightsError
from guided_sr.presets import list_presets, locate_preset, read_metadata
from guided_sr.presets.usage_range import UsageRange, check_range, usage_range

RANGE = {"t2_mm": [1.6, 2.5], "t1_mm": [0.7, 1.25], "factors": [1.8, 2.2]}
T2 = Path("t2.nii.gz")


@pytest.fixture
def known():
    return usage_range({"range": RANGE})


def test_a_range_goes_through_json(known):
    text = json.dumps(known.model_dump(mode="json"))
    assert UsageRange.model_validate(json.loads(text)) == known


def test_metadata_without_a_range_refuse_nothing():
    assert usage_range({}) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_range(None, {"t2_mm": (9.0,)}, paths={}, strict=True)


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"t2": [1, 2]}, "range.t2"),
        ({"t2_mm": [1]}, "range.t2_mm"),
        ({"t2_mm": [3, 2]}, "no range"),
        ({"factors": [0, 2]}, "no range"),
        ([1, 2], "range"),
    ],
)
def test_a_wrong_range_is_refused_by_its_fault(wrong, place):
    with pytest.raises(WeightsError, match=place) as refusal:
        usage_range({"range": wrong}, path=Path("metadata.json"))
    assert "metadata.json" in str(refusal.value)


def test_what_lies_inside_passes_without_a_word(known):
    inside = {"t2_mm": (1.6, 2.5), "t1_mm": (1.0, 1.0), "factors": (2.0, 1.98)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_range(known, inside, paths={}, strict=True)


def test_what_is_not_known_is_not_held_against_an_image(known):
    assert known.faults({"factors": (2.0,)}) == {}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("t2_mm", (2.0, 3.0), r"voxels of 2 x 3 mm along .*; the model is for 1\.6 to"),
        ("t1_mm", (0.5, 0.5), "0.5 mm along the enlarged axes; .* 0.7 to 1.25"),
        ("factors", (3.0, 3.0), "the factor is 3; the model is for 1.8 to 2.2"),
    ],
)
def test_what_lies_outside_is_told_with_the_range(known, name, value, words):
    with pytest.warns(GuidedSRWarning, match=words):
        check_range(known, {name: value}, paths={})
    with pytest.raises(DataError, match=words) as refusal:
        check_range(known, {name: value}, paths={name: T2}, strict=True)
    assert refusal.value.exit_code == 65
    assert str(T2) in str(refusal.value)


def test_the_model_is_named_where_it_has_a_name(known):
    words = r"the model is for 1\.8 to 2\.2 \(mine\)\. Mend: "
    with pytest.raises(DataError, match=words):
        check_range(known, {"factors": (3.0,)}, paths={}, model="mine", strict=True)


@pytest.mark.parametrize("name", list_presets())
def test_every_packaged_preset_tells_its_range(name):
    known = usage_range(read_metadata(locate_preset(name)))
    assert known is not None
    assert set(known.intervals()) >= {"t2_mm", "factors"}
