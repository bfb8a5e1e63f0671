from __future__ import annotations

import json

import numpy as np
import pytest

from guided_sr.errors import UsageError
from guided_sr.inference.map_meanings import MAPS, chosen_maps, map_passes
from guided_sr.inference.maps import Pose
from guided_sr.inference.recall import recall_result


@pytest.fixture(scope="module")
def random_guided(random_model):
    return random_model((2.0, 2.0))


def predict(model, pair, maps, **how):
    t2, t1 = pair
    return model.predict_cascade(t2, t1, register="none", maps=maps, **how)


def test_maps_are_asked_for_by_name_or_all_together():
    assert chosen_maps(["guide_influence", "consistency"]) == (
        "consistency",
        "guide_influence",
    )
    assert chosen_maps("all") == tuple(MAPS)
    with pytest.raises(UsageError, match="'doubt'"):
        chosen_maps(["doubt"])
    assert map_passes(chosen_maps("all")) == 4


def test_every_map_says_what_it_cannot_see():
    assert all("cannot" in meaning.cannot for meaning in MAPS.values())


@pytest.mark.parametrize("pose", [Pose((0, 1), (0,)), Pose(None, (1, 2))])
def test_a_pose_is_undone(pose, rng):
    data = rng.random((3, 4, 5), dtype=np.float32)
    there = pose.apply(data)
    assert not np.array_equal(there, data)
    np.testing.assert_array_equal(pose.undo(there), data)


def test_turning_changes_nothing_where_the_network_has_no_preference(
    printing, sharp_pair
):
    """A network that is the same in all directions is never in doubt."""
    result = predict(printing, sharp_pair, ["uncertainty"])
    doubt = result.maps["uncertainty"]
    assert doubt.data.shape == result.data.shape
    assert doubt.data.max() < 1e-4 * result.data.max()


def test_random_networks_are_in_doubt_and_without_maps_the_result_is_the_same(
    random_guided, sharp_pair
):
    result = predict(random_guided, sharp_pair, ["uncertainty"])
    assert result.maps["uncertainty"].data.max() > 1e-2 * result.data.max()
    assert result.maps["uncertainty"].data.min() >= 0.0
    plain = predict(random_guided, sharp_pair, ())
    assert list(plain.maps) == ["consistency"]
    np.testing.assert_array_equal(plain.data, result.data)


def test_the_influence_of_the_guide_is_its_detail(printing, sharp_pair):
    result = predict(printing, sharp_pair, ["guide_influence"])
    influence = result.maps["guide_influence"].data
    assert np.abs(influence).max() > 0.05 * result.data.max()
    assert influence.min() < 0.0 < influence.max()


def test_without_a_guide_it_has_no_influence(printing, sharp_pair):
    maps = ["guide_influence"]
    result = predict(printing, sharp_pair, maps, guide_use="never")
    assert not result.maps["guide_influence"].data.any()


def test_thick_slices_have_their_maps_too_and_they_are_read_again(
    random_model, thick, tmp_path
):
    from guided_sr.volumes import write_volume

    for name in ("t2", "t1"):
        write_volume(tmp_path / f"{name}.nii.gz", thick[name].data, thick[name].affine)
    model = random_model((4.0, 1.0), scale_range=(2.0, 6.0))
    paths = [tmp_path / f"{name}.nii.gz" for name in ("t2", "t1")]
    result = predict(model, paths, "all")
    assert set(result.maps) == set(MAPS)
    for name in ("uncertainty", "guide_influence"):
        assert result.maps[name].data.any()
        assert result.maps[name].data.shape == result.data.shape
    saved = result.save(tmp_path / "sr.nii.gz", maps=list(MAPS))
    told = json.loads((tmp_path / "sr.json").read_text())["GuidedSR"]["maps"]
    assert "cannot" in told["uncertainty"]["cannot"]
    again = recall_result(saved, result.plan)
    for name, one in result.maps.items():
        np.testing.assert_allclose(again.maps[name].data, one.data, atol=1e-2)


def test_maps_are_made_of_volumes(random_guided):
    with pytest.raises(UsageError, match="volumes"):
        random_guided.predict_cascade(
            np.ones((8, 8)), np.ones((16, 16)), maps=["uncertainty"]
        )
