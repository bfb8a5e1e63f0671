from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from guided_sr.datasets.contrast import PLANE_STEP
from guided_sr.physics.degrade import degrade
from guided_sr.physics.slice_profile import SliceProfile, plane_observation
from guided_sr.training.painted import Painter, shared_out
from guided_sr.training.subjects import Subject


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two label maps of nested balls."""
    folder = tmp_path_factory.mktemp("maps")
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, 72),) * 3, indexing="ij")
    paths = []
    for k, stretch in enumerate((1.0, 1.2)):
        radius = np.sqrt((stretch * x) ** 2 + y**2 + z**2)
        labels = np.zeros(radius.shape, np.int16)
        for limit, label in ((0.95, 511), (0.85, 24), (0.75, 3), (0.6, 2), (0.2, 4)):
            labels[radius < limit] = label
        paths.append(folder / f"map_{k}.nii.gz")
        nib.save(nib.Nifti1Image(labels, np.eye(4)), paths[-1])
    return paths


def _subjects(painter: Painter, maps: list[Path], **options: object) -> list[Subject]:
    learning = {"stages": 2, "stage_blur": "consistent", "guided": True, **options}
    return painter.subjects(maps, **learning)  # type: ignore[arg-type]


def test_every_map_is_painted_as_often_as_asked_for(maps: list[Path]) -> None:
    subjects = _subjects(Painter([(2.0, 2.0)], paintings=2, planes=3), maps)
    assert len(subjects) == 4
    for subject in subjects:
        assert len(subject.t2) <= 3
        assert subject.plan.scale == (2.0, 2.0)
        assert subject.truth is not None
        assert subject.t1 is not None
        assert subject.truth.shape == subject.t1.shape


def test_what_is_observed_is_the_degraded_truth_and_noise(maps: list[Path]) -> None:
    (subject,) = _subjects(
        Painter([(2.0, 2.0)], paintings=1, planes=3, noise=0.0), maps[:1]
    )
    assert subject.truth is not None
    np.testing.assert_allclose(subject.t2, degrade(subject.truth, 2), atol=2e-5)


def test_pixels_of_another_shape_are_brought_to_the_nominal_one(
    maps: list[Path],
) -> None:
    """Not quite as the nominal ones would be, and that is what is to be learnt."""
    painter = Painter(
        [(4.0, 1.0)], paintings=6, planes=2, noise=0.0, profiles=("gaussian", "box")
    )
    found = set()
    for subject in _subjects(painter, maps[:1]):
        truth = subject.truth
        assert truth is not None
        shape = (truth.shape[1], truth.shape[2])
        inside = subject.t2 > 0.05  # where nothing was clipped
        errors = {}
        for profile in painter.profiles:
            low = plane_observation(shape, (4.0, 1.0), profile=profile)(truth)
            brought = SliceProfile(profile).brought(low, 1, shape[0])
            errors[profile] = np.abs(brought - subject.t2)[inside].mean()
        nearest = min(errors, key=errors.__getitem__)
        assert errors[nearest] < 1e-3
        found.add(nearest)
        untold = plane_observation(shape, (4.0, 1.0), profile="box")(truth)
        assert np.abs(untold - subject.t2)[inside].mean() > 2 * errors["gaussian"]
    assert found == {"gaussian", "box"}


def test_a_guide_that_jitters_knows_how_far_planes_are_apart(maps: list[Path]) -> None:
    (subject,) = _subjects(Painter([(2.0, 2.0)], paintings=1, planes=2), maps[:1])
    assert subject.spacing_mm == (PLANE_STEP, 1.0, 1.0)


def test_row_factors_are_drawn_from_their_range(maps: list[Path]) -> None:
    painter = Painter([(2.0, 2.0)], row_range=(2.0, 4.0), paintings=3, planes=2)
    factors = [subject.plan.scale for subject in _subjects(painter, maps)]
    assert all(1.9 < rows < 4.1 and columns == 1.0 for rows, columns in factors)
    assert len(set(factors)) > 1


def test_paintings_are_the_same_for_a_seed_and_need_no_guide(maps: list[Path]) -> None:
    painter = Painter([(2.0, 2.0)], paintings=1, planes=2, seed=5)
    first, again = (_subjects(painter, maps[:1])[0] for _ in range(2))
    np.testing.assert_array_equal(first.t2, again.t2)
    (alone,) = _subjects(painter, maps[:1], guided=False)
    assert alone.t1 is None


def test_truth_is_known_at_every_level(maps: list[Path]) -> None:
    (subject,) = _subjects(Painter([(2.0, 2.0)], paintings=1, planes=2), maps[:1])
    assert subject.known(0) is subject.t2
    assert subject.known(1).shape[1:] == subject.plan.level_shape(1)
    np.testing.assert_allclose(subject.known(2), subject.truth, atol=1e-5)


def test_painted_slices_are_drawn_as_often_as_their_share_says(
    maps: list[Path],
) -> None:
    painted = _subjects(Painter([(2.0, 2.0)], paintings=1, planes=2), maps)
    real = [painted[0]] * 3
    weighted = shared_out(painted, real, 0.25)
    drawn = sum(len(s.t2) * s.weight for s in weighted)
    assert drawn == pytest.approx(sum(len(s.t2) for s in real) / 3)
    assert shared_out(painted, [], 0.25) == painted


def test_air_can_be_without_noise(maps: list[Path]) -> None:
    """As where a skull was stripped off: what is 0 stays 0, in both images."""

    def zeros(quiet: float) -> list[float]:
        painter = Painter([(2.0, 2.0)], paintings=4, planes=2, quiet=quiet)
        found = _subjects(painter, maps[:1])
        air = [(s.truth <= 0.0)[:, ::2, ::2] for s in found if s.truth is not None]
        return [
            float((s.t2 == s.t2.min())[a].mean())
            for s, a in zip(found, air, strict=True)
        ]

    noisy, quiet = zeros(0.0), zeros(1.0)
    assert min(quiet) > max(noisy) + 0.1
    both = zeros(0.5)
    assert set(both) <= {*noisy, *quiet}
    assert set(both) & set(noisy)
    assert set(both) & set(quiet)


def test_nothing_is_seen_beyond_a_mask(maps: list[Path]) -> None:
    """Noise ends where the scan was cut out, though other air may be noisy."""
    painter = Painter([(2.0, 2.0)], paintings=6, planes=2, noise=0.05, masked=1.0)
    shares = []
    for subject in _subjects(painter, maps[:1]):
        assert subject.t1 is not None
        values, counts = np.unique(subject.t1, return_counts=True)
        assert len(values) > 1
        shares.append(counts[0] / counts.sum())  # air: 0, which is the least there is
    assert max(shares) > 0.3
