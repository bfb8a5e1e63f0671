from __future__ import annotations

import numpy as np
import pytest

from guided_sr.datasets.phantom import head_phantom
from guided_sr.evaluation.honesty import (
    Finding,
    Honesty,
    Scene,
    honesty_rows,
    leak,
    measure_honesty,
    survival,
)
from guided_sr.evaluation.inserts import Disc
from guided_sr.evaluation.predictors import Stack, cubic, predictor
from guided_sr.physics.degrade import degrade
from guided_sr.volumes import fit_intensity

SCALE = (2.0, 2.0)


@pytest.fixture(scope="module")
def scene() -> Scene:
    head = head_phantom((96, 108), 2, seed=3, voxel_mm=2.0, noise=0.0, skull=False)
    return Scene("phantom", head.t2, head.t1)


@pytest.fixture(scope="module")
def found(scene: Scene) -> Honesty:
    """Cubic interpolation, and one that copies the T1."""
    t2, t1 = fit_intensity(scene.t2), fit_intensity(scene.t1)

    def copying(low: Stack, guide: Stack) -> Stack:
        """The T1's own contrast on top of the interpolated T2."""
        return cubic(low, guide) + t1.forward(guide) * (t2.high - t2.low)

    methods = {"cubic": cubic, "copying": copying}
    return measure_honesty(methods, [scene], scale=SCALE)


def _figures(found: Honesty, method: str, seen_in: str, figure: str) -> np.ndarray:
    return np.array(
        [
            f.figures[figure]
            for f in found.findings
            if f.method == method and f.seen_in == seen_in
        ]
    )


def test_a_method_that_copies_the_t1_leaks_all_of_it(found: Honesty) -> None:
    np.testing.assert_allclose(_figures(found, "copying", "t1", "leak"), 1.0, rtol=1e-3)
    strength = _figures(found, "copying", "t1", "strength")
    np.testing.assert_allclose(strength, 1.0, rtol=1e-3)


def test_cubic_interpolation_leaks_nothing_and_blurs_lesions(found: Honesty) -> None:
    assert (_figures(found, "cubic", "t1", "leak") == 0.0).all()
    assert (_figures(found, "cubic", "t1", "strength") == 0.0).all()
    kept = _figures(found, "cubic", "t2", "sum")
    np.testing.assert_allclose(kept, 1.0, atol=0.12)
    means = {
        size: np.mean(
            [
                f.figures["mean"]
                for f in found.findings
                if (f.method, f.seen_in, f.disc.diameter) == ("cubic", "t2", size)
            ]
        )
        for size in (3.0, 10.0)
    }
    assert means[3.0] < 0.6 < 0.75 < means[10.0] < 1.0


@pytest.mark.parametrize("diameter", [3.0, 5.0, 8.0, 10.0])
@pytest.mark.parametrize("contrast", [-0.3, 0.15])
def test_the_truth_keeps_all_of_a_lesion(diameter: float, contrast: float) -> None:
    disc = Disc(0, 31.3, 28.6, diameter, contrast)
    truth = np.zeros((64, 64))
    window, shares = disc.weights((64, 64))
    truth[window] += contrast * shares
    kept = survival(truth, disc, scale=SCALE)
    assert kept == pytest.approx({"sum": 1.0, "mean": 1.0})
    shown = leak(truth, disc, scale=SCALE)
    assert shown == pytest.approx({"leak": 1.0, "strength": 1.0})
    assert leak(-truth, disc, scale=SCALE)["leak"] == pytest.approx(-1.0)


def test_a_ring_escapes_the_projection_but_not_the_strength() -> None:
    disc = Disc(0, 32.0, 32.0, 8.0, 0.3)
    window, wide = disc.weights((64, 64), wider=SCALE)
    inner, shares = disc.weights((64, 64))
    ring = np.zeros((64, 64))
    ring[window] = wide > 0.5
    ring[inner][shares > 0.0] = 0.0
    figures = leak(0.1 * ring, disc, scale=SCALE)
    assert figures["leak"] == 0.0
    assert figures["strength"] > 0.2


def test_every_method_sees_the_same_discs(found: Honesty) -> None:
    per_method = {
        method: [(f.seen_in, f.disc) for f in found.findings if f.method == method]
        for method in ("cubic", "copying")
    }
    assert per_method["cubic"] == per_method["copying"]
    assert {seen_in for seen_in, _ in per_method["cubic"]} == {"t1", "t2"}


def test_a_seed_finds_the_same_and_the_example_is_of_it(
    scene: Scene, found: Honesty
) -> None:
    again = measure_honesty({"cubic": cubic}, [scene], scale=SCALE)
    assert again.findings == [f for f in found.findings if f.method == "cubic"]
    other = measure_honesty({"cubic": cubic}, [scene], scale=SCALE, seed=1)
    assert again.findings != other.findings
    assert found.example is not None
    assert found.example.t1.shape == scene.t1.shape[1:]
    assert set(found.example.leaks) == {"cubic", "copying"}


def test_contrasts_weigh_alike_whatever_their_number() -> None:
    def finding(contrast: float, value: float) -> Finding:
        disc = Disc(0, 9.0, 9.0, 3.0, contrast)
        return Finding("m", "s", "t1", disc, {"leak": value, "strength": value})

    findings = [finding(0.3, -0.2)] * 9 + [finding(0.6, 0.4)]
    rows = honesty_rows(findings)
    whole = next(row for row in rows if row["diameter"] is None)
    assert whole["count"] == 10
    assert whole["leak"] == pytest.approx(0.3)  # of magnitudes: half 0.2, half 0.4
    single = {row["contrast"]: row["leak"] for row in rows if row["contrast"]}
    assert single == pytest.approx({0.3: 0.2, 0.6: 0.4})


def test_a_model_without_guide_leaks_nothing(scene: Scene, small_head, tiny) -> None:
    from guided_sr import GuidedSRModel

    model = GuidedSRModel(guided=False, precision="float32", **tiny)
    model.fit_external(
        [degrade(small_head.t2, 2)],
        scale=2,
        stages=1,
        max_steps=1,
        batch_size=2,
        patch_size=16,
        verbose=0,
    )
    found = measure_honesty({"m": predictor(model)}, [scene], scale=SCALE)
    leaks = _figures(found, "m", "t1", "leak")
    assert len(leaks) > 0
    assert (leaks == 0.0).all()
