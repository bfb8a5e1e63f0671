from __future__ import annotations

import keras
import numpy as np
import pytest

from guided_sr import degrade, head_phantom, upsample
from guided_sr.errors import GuidedSRWarning
from guided_sr.inference import cascade
from guided_sr.inference.cascade import Window, batches, run_cascade
from guided_sr.physics.back_projection import BackProjection, back_project
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.volumes import fit_intensity


@pytest.fixture
def idle():
    """A network that gives its T2 back."""
    t2 = keras.Input((None, None, 1), name="t2")
    return keras.Model({"t2": t2}, keras.layers.Identity()(t2))


def by_hand(t2, plan, how):
    x = t2.astype(float)
    for stage in range(1, plan.stages + 1):
        x = upsample(x, plan.level_shape(stage))
        x = back_project(x, t2.astype(float), plan.observation(stage), **vars(how))
    return x


@pytest.mark.backend
@pytest.mark.parametrize(
    "how",
    [BackProjection(), BackProjection("exact"), BackProjection(None)],
    ids=lambda how: str(how.method),
)
def test_around_an_idle_network_only_the_physics_is_left(idle, how, rng):
    plan = CascadePlan.create((12, 14), scale=2, stages=3)
    t2 = rng.random((3, 12, 14), dtype=np.float32)
    out = run_cascade([idle] * 3, t2, None, plan=plan, back_projection=how)
    assert out.shape == (3, 24, 28)
    assert out.dtype == np.float32
    wanted = by_hand(t2, plan, how)
    assert np.abs(out - wanted).max() <= 2e-4 * np.abs(wanted).max()


def test_the_first_networks_alone_lead_to_their_own_level(idle, rng):
    plan = CascadePlan.create((12, 14), scale=2, stages=3)
    t2, none = rng.random((3, 12, 14), dtype=np.float32), BackProjection(None)
    out = run_cascade([idle], t2, None, plan=plan, back_projection=none)
    assert out.shape == (3, *plan.level_shape(1))
    np.testing.assert_allclose(out, upsample(t2, plan.level_shape(1)), atol=1e-5)


def test_every_stage_gets_the_guide_of_its_level(rng):
    """Networks that give the guide back show what they were given."""
    t2_in, t1_in = (keras.Input((None, None, 1), name=name) for name in ("t2", "t1"))
    network = keras.Model({"t2": t2_in, "t1": t1_in}, keras.layers.Identity()(t1_in))
    t2, t1 = rng.random((1, 12, 12)), rng.random((1, 24, 24))
    t2, t1 = t2.astype(np.float32), t1.astype(np.float32)
    for stages in (1, 2, 3):
        plan = CascadePlan.create((12, 12), scale=2, stages=stages)
        how = BackProjection(None)
        out = run_cascade([network] * stages, t2, t1, plan=plan, back_projection=how)
        np.testing.assert_allclose(out, t1, atol=1e-5)


def test_slices_are_batched_and_progress_is_told(idle, monkeypatch, rng):
    plan = CascadePlan.create((8, 8), scale=2, stages=1)
    t2 = rng.random((7, 8, 8), dtype=np.float32)
    how = BackProjection()
    wanted = run_cascade([idle], t2, None, plan=plan, back_projection=how)
    monkeypatch.setattr(cascade, "PIXELS_A_BATCH", 600)
    told = []
    out = run_cascade(
        [idle],
        t2,
        None,
        plan=plan,
        back_projection=how,
        progress=lambda done, count: told.append((done, count)),
    )
    assert told == [(2, 7), (4, 7), (6, 7), (7, 7)]
    np.testing.assert_allclose(out, wanted, atol=1e-6)


def test_all_batches_of_a_stack_have_one_size(idle, monkeypatch, rng):
    """So that what compiles for a size compiles once."""
    plan = CascadePlan.create((8, 8), scale=2, stages=1)
    t2 = rng.random((11, 8, 8), dtype=np.float32)
    how = BackProjection()
    wanted = run_cascade([idle], t2, None, plan=plan, back_projection=how, share=0.5)
    monkeypatch.setattr(cascade, "PIXELS_A_BATCH", 4 * 16 * 16)
    sizes = []
    super_resolved = cascade._super_resolved

    def watched(runners, part, t1):
        sizes.append(len(part))
        return super_resolved(runners, part, t1)

    monkeypatch.setattr(cascade, "_super_resolved", watched)
    out = run_cascade([idle], t2, None, plan=plan, back_projection=how, share=0.5)
    assert sizes == [4, 4, 4]
    np.testing.assert_allclose(out, wanted, atol=1e-6)


def test_a_batch_holds_at_least_one_slice():
    assert batches(3, (5000, 5000)) == [slice(0, 1), slice(1, 2), slice(2, 3)]
    assert batches(3, (10, 10)) == [slice(0, 3)]


def test_the_window_is_the_bounding_box_of_the_content():
    t2 = np.zeros((2, 40, 80), np.float32)
    t2[0, 10:20, 30:40] = 0.5
    t2[1, 15:30, 35:60] = 0.5
    window = Window.of(t2)
    assert window == Window((10 / 40, 30 / 40), (30 / 80, 60 / 80))
    assert window.at((400, 800)) == (slice(84, 316), slice(284, 616))
    assert window.at((40, 80)) == (slice(0, 40), slice(14, 76))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_without_background_or_content_the_window_is_everything(value):
    assert Window.of(np.full((1, 8, 8), value)) == Window((0.0, 1.0), (0.0, 1.0))


@pytest.fixture(scope="module")
def head():
    """A head without noise in a wide field of view: zero far from it."""
    phantom = head_phantom((96, 112), 1, seed=2, noise=0.0, voxel_mm=2.0)
    around = ((0, 0), (48, 48), (40, 40))
    t2, t1 = (np.pad(x, around) for x in (phantom.t2, phantom.t1))
    low = degrade(t2, 2)
    return fit_intensity(low).forward(low), fit_intensity(t1).forward(t1)


def everywhere(monkeypatch):
    monkeypatch.setattr(Window, "of", lambda t2: Window((0.0, 1.0), (0.0, 1.0)))


@pytest.mark.parametrize("method", ["ibp", "exact", None])
def test_far_background_is_exactly_cubic_and_back_projected(trained, head, method):
    t2, t1 = head
    plan = CascadePlan.create(t2.shape[1:], scale=2, stages=2)
    how = BackProjection(method)
    out = run_cascade(trained.networks, t2, t1, plan=plan, back_projection=how)
    rows, columns = Window.of(t2).at(plan.target_shape)
    assert rows.start > 20
    assert columns.start > 15
    wanted = by_hand(t2, plan, how)
    far = np.ones(plan.target_shape, bool)
    reach = 12  # of the back-projections
    far[rows.start - reach : rows.stop + reach] = False
    far[:, columns.start - reach : columns.stop + reach] |= False
    np.testing.assert_allclose(out[:, far], wanted[:, far], atol=1e-4)
    assert np.abs(out - wanted).max() > 1e-3


def test_the_window_changes_nothing_that_matters(trained, head, monkeypatch):
    t2, t1 = head
    plan = CascadePlan.create(t2.shape[1:], scale=2, stages=2)
    how = BackProjection()
    inside = run_cascade(trained.networks, t2, t1, plan=plan, back_projection=how)
    everywhere(monkeypatch)
    whole = run_cascade(trained.networks, t2, t1, plan=plan, back_projection=how)
    rows, columns = slice(48, 144), slice(40, 152)
    apart = np.abs(inside - whole)
    print(f"window: {apart[:, rows, columns].max():.1e} in the head, {apart.max():.1e}")
    assert apart[:, rows, columns].max() < 2e-3
    assert apart.max() < 0.02


def test_each_batch_has_a_window_of_its_own(idle, monkeypatch):
    """The top of a head is small; where new sizes cost, there is one for all."""
    t2 = np.zeros((3, 40, 40), np.float32)
    for index, half in enumerate((2, 5, 15)):
        t2[index, 20 - half : 20 + half, 20 - half : 20 + half] = 0.5
    plan = CascadePlan.create((40, 40), scale=2, stages=1)
    monkeypatch.setattr(cascade, "PIXELS_A_BATCH", 1)
    seen = []
    network = cascade.StageRunner._network
    monkeypatch.setattr(
        cascade.StageRunner,
        "_network",
        lambda self, inputs: (
            seen.append(tuple(inputs["t2"].shape[1:3])) or network(self, inputs)
        ),
    )
    how = BackProjection(None)
    for each_size, wanted in ((False, [40, 52, 80]), (True, [80, 80, 80])):
        seen.clear()
        monkeypatch.setattr(cascade, "new_sizes_cost", lambda each=each_size: each)
        run_cascade([idle], t2, None, plan=plan, back_projection=how)
        assert seen == [(side, side) for side in wanted]


@pytest.mark.parametrize("pixels", [200, 3000, None])
@pytest.mark.parametrize("in_pairs", [False, True])
def test_strips_of_a_large_slice_join_without_a_seam(
    trained, head, monkeypatch, pixels, in_pairs
):
    t2, t1 = head
    plan = CascadePlan.create(t2.shape[1:], scale=2, stages=2)
    how = BackProjection()
    monkeypatch.setattr(cascade, "single_images_are_slow", lambda: False)
    whole = run_cascade(trained.networks, t2, t1, plan=plan, back_projection=how)
    monkeypatch.setattr(cascade, "single_images_are_slow", lambda: in_pairs)
    monkeypatch.setattr(cascade, "PIXELS_A_BATCH", pixels or cascade.PIXELS_A_BATCH)
    strips = run_cascade(trained.networks, t2, t1, plan=plan, back_projection=how)
    np.testing.assert_allclose(strips, whole, atol=1e-5)


@pytest.mark.parametrize(
    ("slices", "height", "in_pairs", "wanted"),
    [
        (1, 80, True, (2, 44)),  # half, and the four rows beside it
        (1, 80, False, (1, 80)),
        (2, 80, True, (2, 80)),
        (1, 8, True, (1, 8)),  # too low: each half would see all of it
    ],
)
def test_a_slice_by_itself_goes_as_two_where_one_is_slow(
    idle, monkeypatch, slices, height, in_pairs, wanted
):
    monkeypatch.setattr(cascade, "single_images_are_slow", lambda: in_pairs)
    plan = CascadePlan.create((height // 2, 10), scale=2, stages=1)
    runner = cascade.StageRunner(
        idle, plan=plan, stage=1, back_projection=BackProjection(None)
    )
    runner.radius, seen = 4, []
    call = runner.call
    runner.call = lambda x: seen.append(tuple(x["t2"].shape[:2])) or call(x)
    t2 = np.random.default_rng(0).random((slices, height // 2, 10, 1), np.float32)
    out = keras.ops.convert_to_numpy(runner(t2, t2, None))
    assert seen == [wanted]
    np.testing.assert_allclose(
        out[..., 0], upsample(t2[..., 0], (height, 20)), atol=1e-5
    )


def test_a_gpu_takes_more_at_once(monkeypatch):
    shape = (100, 100)
    before = cascade.Work().slices(shape)
    monkeypatch.setattr(cascade, "list_devices", lambda kind: [f"{kind}:0"])
    assert cascade.Work().slices(shape) > 10 * before


def test_a_small_gpu_comes_down_to_what_the_cpu_would(monkeypatch):
    least = cascade.PIXELS_A_BATCH >> cascade.HALVINGS
    monkeypatch.setattr(cascade, "list_devices", lambda kind: [f"{kind}:0"])
    work = cascade.Work()
    while work.pixels > least:
        assert work.less()
        assert work.device is None
    with pytest.warns(GuidedSRWarning, match="too little memory"):
        assert work.less()
    assert work.device == "cpu"
    assert not work.less()


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's."""


@pytest.fixture
def crowded(monkeypatch):
    """A device on which networks get at most so many pixels: ``crowded(500)``."""
    honest, sizes = cascade.compiled_call, []

    def limit(pixels):
        def call_of(network):
            call = honest(network)

            def limited(inputs):
                batch, height, width, _ = inputs["t2"].shape
                sizes.append(batch * height * width)
                if sizes[-1] > pixels:
                    raise ResourceExhaustedError("OOM when allocating tensor")
                return call(inputs)

            return limited

        monkeypatch.setattr(cascade, "compiled_call", call_of)
        return sizes

    return limit


def lifted(trained, head):
    t2, t1 = head
    plan = CascadePlan.create(t2.shape[1:], scale=2, stages=2)
    stacks = (np.concatenate([x] * 3) for x in (t2, t1))
    how = BackProjection("exact")
    return run_cascade(trained.networks, *stacks, plan=plan, back_projection=how)


def test_out_of_memory_takes_less_at_once_and_gives_the_same(
    trained, head, monkeypatch, crowded
):
    wanted = lifted(trained, head)
    monkeypatch.setattr(cascade, "PIXELS_A_BATCH", 100_000)
    sizes = crowded(15_000)
    out = lifted(trained, head)
    assert max(sizes) > 15_000
    assert np.abs(out - wanted).max() < 1e-4


def test_without_another_device_the_error_stays(trained, head, crowded):
    sizes = crowded(10)
    with pytest.raises(ResourceExhaustedError):
        lifted(trained, head)
    assert len(sizes) == 1 + cascade.HALVINGS


def test_after_three_halvings_the_cpu_takes_over(trained, head, monkeypatch, crowded):
    wanted = lifted(trained, head)
    used = []
    scope = cascade.device_scope

    def on(device):
        used.append(device)
        crowded(10**9)
        return scope(device)

    monkeypatch.setattr(cascade, "list_devices", lambda kind: [f"{kind}:0"])
    monkeypatch.setattr(cascade, "device_scope", on)
    monkeypatch.setattr(
        cascade.StageRunner, "call", property(_current, lambda *_: None), raising=False
    )
    crowded(10)
    with pytest.warns(GuidedSRWarning, match="rest is done on the CPU"):
        out = lifted(trained, head)
    assert set(used) == {"cpu"}
    assert np.abs(out - wanted).max() < 1e-4


def _current(runner):
    """The call as it is patched now, not as it was when the runner was made."""
    return cascade.compiled_call(runner.network)
