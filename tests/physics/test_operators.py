from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guided_sr.physics.operators import (
    LineOperator,
    SeparableOperator,
    cubic_kernel,
    sampling_matrix,
)

SIZES = st.integers(1, 40)
SIGMAS = st.one_of(st.just(0.0), st.floats(0.05, 4.0))


@settings(max_examples=60, deadline=None)
@given(n_from=SIZES, n_to=SIZES, sigma=SIGMAS)
def test_rows_sum_to_one(n_from, n_to, sigma):
    matrix = sampling_matrix(n_from, n_to, sigma)
    assert matrix.shape == (n_to, n_from)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.tuples(SIZES, SIZES, SIGMAS),
    columns=st.tuples(SIZES, SIZES, SIGMAS),
    seed=st.integers(0, 999),
)
def test_adjoint_is_the_transpose(rows, columns, seed):
    operator = SeparableOperator(LineOperator(*rows), LineOperator(*columns))
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows[0], columns[0]))
    y = rng.standard_normal((rows[1], columns[1]))
    left, right = np.sum(operator(x) * y), np.sum(x * operator.adjoint(y))
    assert abs(left - right) <= 1e-10 * (np.linalg.norm(x) * np.linalg.norm(y) + 1)


@settings(max_examples=60, deadline=None)
@given(
    ratio=st.floats(0.4, 4.0),
    sigma=st.one_of(st.just(0.0), st.floats(0.05, 2.0)),
)
def test_every_row_keeps_the_centre_and_the_variance_of_the_blur(ratio, sigma):
    """Cubic convolution adds no second moment, so a row's variance is sigma squared."""
    n_from = 60
    n_to = max(1, round(n_from / ratio))
    centres = (np.arange(n_to) + 0.5) * n_from / n_to - 0.5
    inner = (centres > 4 * sigma + 3) & (centres < n_from - 4 * sigma - 4)
    matrix = sampling_matrix(n_from, n_to, sigma)[inner]
    distance = np.arange(n_from)[None, :] - centres[inner, None]
    np.testing.assert_allclose((matrix * distance).sum(axis=1), 0.0, atol=1e-9)
    variance = (matrix * distance**2).sum(axis=1)
    np.testing.assert_allclose(variance, sigma**2, rtol=3e-3, atol=1e-9)


@pytest.mark.parametrize("sigma", [0.2, 0.375, 0.55])
def test_a_small_blur_keeps_its_variance_in_the_impulse_response(sigma):
    n = 41
    impulse = np.zeros(n)
    impulse[n // 2] = 1.0
    response = sampling_matrix(n, n, sigma) @ impulse
    offset = np.arange(n) - n // 2
    assert (response * offset**2).sum() == pytest.approx(sigma**2, rel=2e-3)


@settings(max_examples=40, deadline=None)
@given(n_from=st.integers(24, 50), n_to=st.integers(8, 70), sigma=st.floats(0.0, 1.5))
def test_a_ramp_keeps_its_value_at_each_place_of_the_field_of_view(n_from, n_to, sigma):
    ramp = (np.arange(n_from) + 0.5) / n_from
    wanted = (np.arange(n_to) + 0.5) / n_to
    found = sampling_matrix(n_from, n_to, sigma) @ ramp
    reach = (4 * sigma + 2.5) / n_from
    inner = (wanted > reach) & (wanted < 1 - reach)
    np.testing.assert_allclose(found[inner], wanted[inner], atol=1e-10)


@pytest.mark.parametrize(("n_from", "n_to"), [(64, 16), (60, 38), (20, 32), (32, 64)])
@pytest.mark.parametrize("place", [0.35, 0.5, 0.61])
def test_the_centroid_of_a_blob_stays_in_the_field_of_view(n_from, n_to, place):
    def fractions(n):
        return (np.arange(n) + 0.5) / n

    blob = np.exp(-0.5 * ((fractions(n_from) - place) / 0.07) ** 2)
    out = sampling_matrix(n_from, n_to, 0.5 * n_from / n_to) @ blob
    found = (out * fractions(n_to)).sum() / out.sum()
    before = (blob * fractions(n_from)).sum() / blob.sum()
    assert found == pytest.approx(before, abs=5e-4)


def _keys(d):
    """Keys' kernel with a = -0.5, written out as in his paper."""
    d = abs(d)
    if d < 1:
        return 1.5 * d**3 - 2.5 * d**2 + 1
    if d < 2:
        return -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return 0.0


@pytest.mark.parametrize(("n_from", "n_to"), [(8, 13), (13, 20), (20, 20), (17, 6)])
def test_interpolation_equals_cubic_convolution_evaluated_by_hand(n_from, n_to, rng):
    line = rng.standard_normal(n_from)
    wanted = np.empty(n_to)
    for m in range(n_to):
        x = (m + 0.5) * n_from / n_to - 0.5
        base = math.floor(x)
        wanted[m] = sum(
            _keys(x - i) * line[min(max(i, 0), n_from - 1)]
            for i in range(base - 2, base + 4)
        )
    np.testing.assert_allclose(sampling_matrix(n_from, n_to) @ line, wanted, atol=1e-12)


def test_the_kernel_is_one_at_zero_and_nothing_at_other_whole_pixels():
    np.testing.assert_allclose(cubic_kernel(np.arange(-3.0, 4.0)), np.eye(7)[3])


@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_equal_sizes_without_blur_are_the_identity(n):
    np.testing.assert_array_equal(sampling_matrix(n, n), np.eye(n))


def test_a_matrix_is_shared_and_cannot_be_changed():
    matrix = sampling_matrix(12, 6, 0.8)
    assert sampling_matrix(12, 6, 0.8) is matrix
    assert matrix.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        matrix[0, 0] = 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4, 0.0), "sizes"),
        ((4, 0, 0.0), "sizes"),
        ((4, 4, -1.0), "sigma"),
        ((4, 4, math.nan), "sigma"),
        ((4, 4, math.inf), "sigma"),
    ],
)
def test_senseless_sizes_and_blurs_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        sampling_matrix(*arguments)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_image_keeps_its_precision_and_leading_axes(dtype, rng):
    operator = SeparableOperator(LineOperator(12, 6, 0.6), LineOperator(10, 5, 0.6))
    x = rng.standard_normal((2, 3, 12, 10)).astype(dtype)
    out = operator(x)
    assert out.shape == (2, 3, 6, 5)
    assert out.dtype == dtype
    a_h, a_w = operator.matrices
    np.testing.assert_allclose(out[1, 2], a_h @ x[1, 2] @ a_w.T, atol=1e-5)
    assert operator.gain == 4.0


def test_whole_numbers_are_taken_as_float64():
    operator = SeparableOperator.interpolation((4, 4), (8, 8))
    assert operator(np.ones((4, 4), np.int16)).dtype == np.float64


def test_a_volume_has_a_matrix_for_each_axis(rng):
    operator = SeparableOperator(
        LineOperator(12, 3, 1.7, "box"), LineOperator(10, 10), LineOperator(8, 4, 0.85)
    )
    x, y = rng.random((2, 12, 10, 8)), rng.random((2, 3, 10, 4))
    a, _, c = operator.matrices
    np.testing.assert_allclose(
        operator(x), np.einsum("ai,nijk,ck->najc", a, x, c), atol=1e-12
    )
    assert np.vdot(operator(x), y) == pytest.approx(np.vdot(x, operator.adjoint(y)))
    assert operator.gain == 8


def test_an_unknown_profile_is_refused():
    with pytest.raises(ValueError, match="profile"):
        sampling_matrix(4, 2, 1.0, "sinc")
