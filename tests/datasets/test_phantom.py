from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from guided_sr.datasets import Phantom, head_phantom, signal
from guided_sr.datasets.signal import TISSUES, Label
from guided_sr.errors import UsageError

SMALL = (90, 108)


@pytest.fixture(scope="module")
def head() -> Phantom:
    return head_phantom(SMALL, 3, seed=1, voxel_mm=2.0)


@pytest.fixture(scope="module")
def clean() -> Phantom:
    return head_phantom(seed=0, noise=0.0, bias=0.0)


def _mean_inside(image: np.ndarray, labels: np.ndarray, label: Label) -> float:
    inside = np.stack([ndimage.binary_erosion(plane == label) for plane in labels])
    return float(image[inside].mean())


def test_arrays_have_the_promised_shapes_and_types(head: Phantom) -> None:
    for image in (head.t1, head.t2):
        assert image.shape == (3, *SMALL)
        assert image.dtype == np.float32
        assert np.isfinite(image).all()
        assert image.min() >= 0.0
        assert 500.0 < image.max() < 1500.0
    assert head.labels.shape == head.lesion_mask.shape == (3, *SMALL)
    assert head.labels.dtype == np.uint8
    assert head.lesion_mask.dtype == bool
    assert head.voxel_mm == 2.0


def test_the_same_seed_gives_the_same_head(head: Phantom) -> None:
    again = head_phantom(SMALL, 3, seed=1, voxel_mm=2.0)
    for name in ("t1", "t2", "labels", "lesion_mask", "affine"):
        np.testing.assert_array_equal(getattr(head, name), getattr(again, name))


def test_another_seed_gives_another_anatomy(head: Phantom) -> None:
    other = head_phantom(SMALL, 3, seed=2, voxel_mm=2.0)
    inside = (head.labels > 0) & (other.labels > 0)
    assert np.mean(head.labels[inside] != other.labels[inside]) > 0.3


@pytest.mark.parametrize("option", [{"noise": 0.05}, {"bias": 0.0}, {"lesions": False}])
def test_options_of_the_image_leave_the_anatomy_alone(
    head: Phantom, option: dict
) -> None:
    other = head_phantom(SMALL, 3, seed=1, voxel_mm=2.0, **option)
    np.testing.assert_array_equal(head.labels, other.labels)
    assert not np.array_equal(head.t2, other.t2)


def test_only_t2_shows_lesions() -> None:
    with_lesions = head_phantom(seed=3)
    without = head_phantom(seed=3, lesions=False)
    mask = with_lesions.lesion_mask
    assert mask.sum() > 20
    assert not without.lesion_mask.any()
    np.testing.assert_array_equal(with_lesions.t1, without.t1)
    assert (with_lesions.t2[mask] > 1.3 * without.t2[mask]).mean() > 0.95


def test_contrasts_order_the_tissues_as_a_radiologist_expects(clean: Phantom) -> None:
    t1, t2 = (
        [
            _mean_inside(image, clean.labels, label)
            for label in (Label.WHITE_MATTER, Label.THALAMUS, Label.VENTRICLE)
        ]
        for image in (clean.t1, clean.t2)
    )
    assert t1[0] > t1[1] > t1[2]
    assert t2[0] < t2[1] < t2[2]


def test_signals_match_the_equations_worked_by_hand() -> None:
    white = TISSUES[Label.WHITE_MATTER]
    by_hand = 0.70 * (1 - np.exp(-2500 / 1084)) * np.exp(-80 / 69)
    assert signal.spin_echo(white) == pytest.approx(by_hand)
    inversion = 1 - 2 * np.exp(-1150 / 1084) + np.exp(-2300 / 1084)
    expected = 0.70 * np.sin(np.pi / 20) * inversion * np.exp(-3 / (0.7 * 69))
    assert signal.inversion_gradient_echo(white) == pytest.approx(expected)


def test_every_label_has_a_tissue() -> None:
    assert set(TISSUES) == set(Label)
    assert len(signal.t1_signals()) == len(signal.t2_signals()) == len(Label)


def test_edges_of_t1_and_t2_coincide(clean: Phantom) -> None:
    brain = (clean.labels[0] > 0) & (clean.labels[0] < Label.DURA)
    brain = ndimage.binary_erosion(brain, iterations=4) & ~clean.lesion_mask[0]
    edges = [
        ndimage.gaussian_gradient_magnitude(image[0].astype(float), 0.7)
        for image in (clean.t1, clean.t2)
    ]
    aligned = np.corrcoef(edges[0][brain], edges[1][brain])[0, 1]
    shifted = np.corrcoef(edges[0][brain], np.roll(edges[1], 3, axis=1)[brain])[0, 1]
    assert aligned > 0.75
    assert aligned > shifted + 0.4


def test_detail_is_lost_by_a_coarser_grid_as_in_a_real_head() -> None:
    image = head_phantom(seed=0, skull=False).t2[0].astype(float)
    blurred = ndimage.gaussian_filter(image, 2.0 / np.sqrt(8.0 * np.log(2.0)))
    coarse = blurred.reshape(90, 2, 108, 2).mean((1, 3))
    axes = np.meshgrid(*((np.arange(n) - 0.5) / 2 for n in image.shape), indexing="ij")
    cubic = ndimage.map_coordinates(coarse, axes, order=3, mode="nearest")
    error = np.mean((image - cubic) ** 2)
    assert 25.0 < 10.0 * np.log10(image.max() ** 2 / error) < 31.0


def test_neighbouring_slices_are_alike_and_far_ones_are_not() -> None:
    head = head_phantom(SMALL, 12, seed=4, noise=0.0)
    reference = head.t2[0].ravel()
    near, far = (np.corrcoef(reference, head.t2[k].ravel())[0, 1] for k in (1, 11))
    assert near > 0.9
    assert near > far + 0.05
    assert np.abs(head.t2[0] - head.t2[1]).max() > 0.0


def test_more_slices_keep_the_middle_of_the_stack() -> None:
    three = head_phantom(SMALL, 3, seed=6)
    one = head_phantom(SMALL, 1, seed=6)
    np.testing.assert_array_equal(three.labels[1], one.labels[0])


def test_noise_is_relative_to_white_matter() -> None:
    noisy = head_phantom(seed=2, noise=0.05, bias=0.0)
    quiet = head_phantom(seed=2, noise=0.0, bias=0.0)
    white = ndimage.binary_erosion(noisy.labels[0] == Label.WHITE_MATTER)
    for image, truth, table in (
        (noisy.t1, quiet.t1, signal.t1_signals()),
        (noisy.t2, quiet.t2, signal.t2_signals()),
    ):
        spread = (image - truth)[0][white].std()
        assert spread == pytest.approx(0.05 * table[Label.WHITE_MATTER], rel=0.1)
        assert quiet.t1[0, 0, 0] == 0.0
        assert image[0, :8, :8].mean() > 0.0


def test_shading_is_smooth_within_range_and_drawn_for_each_image() -> None:
    shaded = head_phantom(seed=5, noise=0.0, bias=0.4)
    flat = head_phantom(seed=5, noise=0.0, bias=0.0)
    inside = flat.labels > 0
    t1, t2 = (
        (a[inside] / np.maximum(b[inside], 1e-3))
        for a, b in ((shaded.t1, flat.t1), (shaded.t2, flat.t2))
    )
    for factor in (t1, t2):
        assert factor.min() > 0.79
        assert factor.max() < 1.21
        assert np.ptp(factor) > 0.03
    assert np.abs(t1 - t2).max() > 0.02


def test_without_skull_only_the_brain_is_left() -> None:
    bare = head_phantom(SMALL, seed=1, skull=False, noise=0.0)
    full = head_phantom(SMALL, seed=1, noise=0.0)
    assert bare.labels.max() < Label.BONE
    assert full.labels.max() >= Label.BONE
    brain = np.isin(full.labels, (Label.WHITE_MATTER, Label.THALAMUS))
    np.testing.assert_array_equal(bare.labels[brain], full.labels[brain])
    assert bare.t1[bare.labels == 0].mean() < 0.2 * bare.t1[bare.labels > 0].mean()


@pytest.mark.parametrize("shape", [(64, 64), (96, 96), (33, 47), (180, 216)])
def test_the_head_fills_the_field_of_view(shape: tuple[int, int]) -> None:
    labels = head_phantom(shape, seed=7, noise=0.0).labels[0]
    extents = [np.ptp(np.flatnonzero((labels > 0).any(1 - k))) + 1 for k in (0, 1)]
    filled = max(e / n for e, n in zip(extents, shape, strict=True))
    assert 0.78 < filled < 0.92


def test_the_affine_has_the_voxel_size_and_the_middle_of_the_plane() -> None:
    head = head_phantom((96, 96), 3, seed=1, voxel_mm=2.0)
    assert head.affine.shape == (4, 4)
    np.testing.assert_allclose(np.diag(head.affine), [2.0, 2.0, 2.0, 1.0])
    middle = head.affine @ [47.5, 47.5, 1.0, 1.0]
    np.testing.assert_allclose(middle[:2], 0.0, atol=1e-12)
    alone = head_phantom((96, 96), 1, seed=1, voxel_mm=2.0)
    assert alone.affine[2, 3] == pytest.approx(middle[2])


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((8, 64), {}),
        ((64, 64), {"n_slices": 0}),
        ((64, 64), {"voxel_mm": 0.0}),
        ((64, 64), {"noise": -0.1}),
        ((64, 64), {"bias": 2.0}),
        ((64, 64), {"seed": -1}),
    ],
)
def test_impossible_requests_are_refused(shape: tuple[int, int], options: dict) -> None:
    with pytest.raises(UsageError):
        head_phantom(shape, **options)
