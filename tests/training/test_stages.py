from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from guided_sr import (
    DegradationCallback,
    GuidedSRModel,
    IBPCallback,
    degrade,
)
from guided_sr.errors import DataError, UsageError
from guided_sr.training import stages
from guided_sr.training.augmentation import UNSUPERVISED
from guided_sr.training.options import TrainingOptions
from guided_sr.training.stages import CascadeTrainer
from guided_sr.training.subjects import subjects_of

SHORT = {
    "stages": 2,
    "max_steps": 12,
    "steps_per_epoch": 3,
    "batch_size": 4,
    "patch_size": 16,
    "verbose": 0,
}


class Killed(BaseException):
    """What a kill looks like from inside."""


class KillAt(keras.callbacks.Callback):
    """Raise at the beginning of an epoch, or inside it, counted over all stages."""

    def __init__(self, epoch, *, inside=False):
        super().__init__()
        self.left = epoch
        self.inside = inside

    def on_epoch_begin(self, epoch, logs=None):
        self.left -= 1
        if self.left < 0 and not self.inside:
            raise Killed

    def on_train_batch_end(self, batch, logs=None):
        if self.left < 0 and self.inside:
            raise Killed


@pytest.fixture
def pairs(small_head):
    return [(degrade(small_head.t2, 2), small_head.t1)]


@pytest.fixture
def model(tiny):
    return GuidedSRModel(precision="float32", **tiny)


def assert_same_networks(model, other):
    assert model.stages == other.stages
    for a, b in zip(model.networks, other.networks, strict=True):
        for x, y in zip(a.get_weights(), b.get_weights(), strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.fixture(scope="module")
def uninterrupted(small_head):
    """Four epochs of three steps in each of two stages, in one go."""
    model = GuidedSRModel(
        precision="float32", blocks=1, convolutions=2, filters=8, growth=8
    )
    pairs = [(degrade(small_head.t2, 2), small_head.t1)]
    histories = model.fit_external(pairs, scale=2, **SHORT)
    return model, histories


def test_there_is_one_history_a_stage(uninterrupted):
    model, histories = uninterrupted
    assert model.stages == len(histories) == 2
    for history in histories:
        assert len(history.history["loss"]) == 4
        assert np.isfinite(history.history["loss"]).all()


def levels_learnt_from(monkeypatch, learn):
    """The slices of every stage of a training."""
    seen = []

    class Watched(stages.PatchDataset):
        def __init__(self, levels, **how):
            seen.append(levels)
            super().__init__(levels, **how)

    monkeypatch.setattr(stages, "PatchDataset", Watched)
    learn()
    return seen


def test_later_stages_learn_from_cascades_that_begin_lower(monkeypatch, pairs, model):
    def learn():
        how = {**SHORT, "stages": 3, "max_steps": 3, "lower_starts": 2}
        model.fit_external(pairs, scale=2, weights=[0.6], **how)

    first, second, third = levels_learnt_from(monkeypatch, learn)
    assert len(first) == 1
    assert first[0].weight == pytest.approx(0.6)
    (subject,) = subjects_of(
        pairs, scale=(2.0, 2.0), stages=3, guided=True, stage_blur="consistent"
    )
    reached = [first[0].target, second[0].target, third[0].target]
    for stage, levels in ((2, second), (3, third)):
        own, *lower = levels
        assert own.source is None
        assert [level.weight for level in levels] == pytest.approx([0.2] * 3)
        for down, level in enumerate(lower, 1):
            known = reached[stage - down]
            one = subject.begun_lower(known, level=stage - down, stage=stage)
            np.testing.assert_allclose(level.target, known, atol=1e-5)
            made = one.t2
            for k, network in enumerate(model.networks[: stage - 1], 1):
                made = one.next_level(
                    network, made, stage=k, back_projection=model.back_projection
                )
            np.testing.assert_allclose(level.source, made, atol=1e-4)


def test_where_the_truth_is_known_no_cascade_begins_lower(
    monkeypatch, small_head, model
):
    def learn():
        pair = (small_head.t2, small_head.t1)
        how = {**SHORT, "lower_starts": 2}
        model.fit_supervised([pair], scale=2, **how)

    for levels in levels_learnt_from(monkeypatch, learn):
        assert len(levels) == 1


@pytest.mark.parametrize("wrong", [0.5, 2.0, -1, True, "2", float("nan")])
def test_lower_starts_are_a_whole_number(wrong):
    with pytest.raises(UsageError, match="is no number of stages"):
        TrainingOptions(lower_starts=wrong)


def test_a_killed_training_with_lower_starts_goes_on_exactly(pairs, tiny, tmp_path):
    how = {**SHORT, "scale": 2, "lower_starts": 2}
    whole = GuidedSRModel(precision="float32", **tiny)
    whole.fit_external(pairs, **how)
    killed = GuidedSRModel(precision="float32", **tiny)
    with pytest.raises(Killed):
        killed.fit_external(
            pairs, checkpoint_dir=tmp_path, callbacks=[KillAt(6)], **how
        )
    killed.fit_external(pairs, checkpoint_dir=tmp_path, **how)
    assert_same_networks(killed, whole)


def test_the_same_seed_gives_the_same_weights(uninterrupted, pairs, model):
    model.fit_external(pairs, scale=2, **SHORT)
    assert_same_networks(model, uninterrupted[0])


@pytest.mark.parametrize(
    ("epoch", "inside"), [(2, False), (3, True), (4, False), (6, True)]
)
def test_a_killed_training_goes_on_exactly(
    uninterrupted, pairs, tiny, tmp_path, epoch, inside
):
    """Killed in stage 1, between the stages and in stage 2."""
    first = GuidedSRModel(precision="float32", **tiny)
    with pytest.raises(Killed):
        first.fit_external(
            pairs,
            scale=2,
            checkpoint_dir=tmp_path,
            callbacks=[KillAt(epoch, inside=inside)],
            **SHORT,
        )
    resumed = GuidedSRModel(precision="float32", **tiny)
    histories = resumed.fit_external(pairs, scale=2, checkpoint_dir=tmp_path, **SHORT)
    assert_same_networks(resumed, uninterrupted[0])
    assert [len(h.history["loss"]) for h in histories] == [4, 4]
    for history, whole in zip(histories, uninterrupted[1], strict=True):
        np.testing.assert_allclose(
            history.history["loss"], whole.history["loss"], rtol=1e-6
        )
        assert (np.diff(history.history["seconds"]) > 0).all()
    losses = [
        line.split(",")[0]
        for line in (tmp_path / "stage_2.csv").read_text().splitlines()[1:]
    ]
    assert losses == ["0", "1", "2", "3"]


def test_a_slot_cut_by_the_kill_does_no_harm(uninterrupted, pairs, tiny, tmp_path):
    first = GuidedSRModel(precision="float32", **tiny)
    with pytest.raises(Killed):
        first.fit_external(
            pairs, scale=2, checkpoint_dir=tmp_path, callbacks=[KillAt(2)], **SHORT
        )
    state = json.loads((tmp_path / "stage_1.state.json").read_text())
    slot = tmp_path / f"stage_1.slot{1 - state['slot']}.weights.h5"
    slot.write_bytes(slot.read_bytes()[: slot.stat().st_size // 2])
    resumed = GuidedSRModel(precision="float32", **tiny)
    resumed.fit_external(pairs, scale=2, checkpoint_dir=tmp_path, **SHORT)
    assert_same_networks(resumed, uninterrupted[0])


def test_a_finished_training_is_taken_from_its_folder(
    uninterrupted, pairs, tiny, tmp_path
):
    for _ in range(2):
        model = GuidedSRModel(precision="float32", **tiny)
        histories = model.fit_external(pairs, scale=2, checkpoint_dir=tmp_path, **SHORT)
        assert_same_networks(model, uninterrupted[0])
    for history, whole in zip(histories, uninterrupted[1], strict=True):
        assert history.epoch == whole.epoch
        np.testing.assert_allclose(history.history["loss"], whole.history["loss"])


@pytest.fixture(scope="module")
def begun(small_head, tmp_path_factory):
    """The folder of a training killed at its beginning."""
    folder = tmp_path_factory.mktemp("begun")
    model = GuidedSRModel(
        precision="float32", blocks=1, convolutions=2, filters=8, growth=8
    )
    pairs = [(degrade(small_head.t2, 2), small_head.t1)]
    with pytest.raises(Killed):
        model.fit_external(
            pairs, scale=2, checkpoint_dir=folder, callbacks=[KillAt(0)], **SHORT
        )
    return folder


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"loss": "l2"}, "options"),
        ({"seed": 1}, "options"),
        ({"stages": 1}, "plan"),
        ({"pairs": 2.0}, "data"),
        ({"filters": 4}, "network"),
        ({"back_projection": "exact"}, "back_projection"),
    ],
)
def test_other_options_on_a_resume_are_refused_by_name(
    begun, pairs, tiny, change, named
):
    t2, t1 = pairs[0]
    changed = [(t2 + np.square(t2) / 999 if "pairs" in change else t2, t1)]
    network = {**tiny, **{k: v for k, v in change.items() if k == "filters"}}
    model = GuidedSRModel(
        precision="float32",
        back_projection=change.get("back_projection", "ibp"),
        **network,
    )
    training = {k: v for k, v in change.items() if k in ("loss", "seed", "stages")}
    with pytest.raises(UsageError, match="made with other options") as refusal:
        model.fit_external(
            changed, scale=2, checkpoint_dir=begun, **{**SHORT, **training}
        )
    assert named in str(refusal.value)


@pytest.mark.backend
def test_one_step_of_training_on_every_backend(pairs, model, tmp_path):
    """Patches, compiled step, callbacks, checkpoint, next level and prediction."""
    before = model.build().count_params()
    watch = IBPCallback(pairs, slices=1)
    histories = model.fit_external(
        pairs,
        scale=2,
        checkpoint_dir=tmp_path,
        callbacks=[watch, DegradationCallback()],
        **{**SHORT, "max_steps": 1},
    )
    for history in histories:
        assert len(history.history["loss"]) == 1
        assert np.isfinite(history.history["val_psnr_ibp"]).all()
    assert [n.count_params() for n in model.networks] == [before, before]
    assert (tmp_path / "stage_2.weights.h5").is_file()
    t2, t1 = pairs[0]
    out = model.predict_cascade(t2[:1], t1[:1])
    assert out.shape == (1, 48, 48)
    assert np.isfinite(out).all()


@pytest.mark.backend
def test_a_resume_on_every_backend_is_exact(pairs, tiny, tmp_path):
    short = {**SHORT, "stages": 1, "max_steps": 4, "steps_per_epoch": 2}
    whole, first, resumed = (
        GuidedSRModel(precision="float32", **tiny) for _ in range(3)
    )
    whole.fit_external(pairs, scale=2, **short)
    with pytest.raises(Killed):
        first.fit_external(
            pairs, scale=2, checkpoint_dir=tmp_path, callbacks=[KillAt(1)], **short
        )
    resumed.fit_external(pairs, scale=2, checkpoint_dir=tmp_path, **short)
    for a, b in zip(
        whole.networks[0].get_weights(), resumed.networks[0].get_weights(), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_watched_slices_are_logged_in_every_stage(pairs, model, tmp_path):
    histories = model.fit_external(
        pairs,
        scale=2,
        callbacks=[IBPCallback(pairs, slices=2), DegradationCallback(seed=1)],
        checkpoint_dir=tmp_path,
        **{**SHORT, "max_steps": 6},
    )
    for history in histories:
        assert set(history.history) == {
            "seconds",
            "loss",
            "blur",
            "val_psnr",
            "val_psnr_ibp",
            "val_ssim",
            "val_ssim_ibp",
            "val_consistency",
            "val_consistency_ibp",
        }
        wanted = [DegradationCallback(seed=1).factor(epoch) for epoch in (0, 1)]
        assert history.history["blur"] == wanted
    assert "val_psnr_ibp" in (tmp_path / "stage_1.csv").read_text().splitlines()[0]


def test_a_loss_that_diverges_stops_the_training(pairs, model, tmp_path):
    with pytest.raises(DataError, match=r"became (nan|inf)"):
        model.fit_external(
            pairs, scale=2, checkpoint_dir=tmp_path, learning_rate=1e18, **SHORT
        )
    assert model.stages == 0


@pytest.mark.parametrize(
    "options",
    [{"schedule": "cosine"}, {"loss": "l2"}, {"warm_start": False}],
    ids=str,
)
def test_every_option_trains(pairs, model, options):
    model.fit_external(pairs, scale=2, **{**SHORT, "max_steps": 2, **options})
    assert model.stages == 2


def test_a_stage_starts_from_the_weights_of_the_one_before(pairs, tiny):
    apart = {}
    for warm in (True, False):
        model = GuidedSRModel(precision="float32", **tiny)
        short = {**SHORT, "max_steps": 1, "learning_rate": 1e-9, "warm_start": warm}
        model.fit_external(pairs, scale=2, **short)
        a, b = (n.get_weights()[0] for n in model.networks)
        apart[warm] = np.abs(a - b).max()
    assert apart[True] < 1e-6 < 1e-2 < apart[False]


def test_the_cosine_falls_over_the_whole_budget(pairs, model):
    histories = model.fit_external(
        pairs,
        scale=2,
        callbacks=[rates := Rates()],
        **{**SHORT, "stages": 1, "schedule": "cosine"},
    )
    assert len(histories[0].history["loss"]) == 4
    assert rates.seen[0] == pytest.approx(1e-3)
    assert rates.seen[-1] == pytest.approx(1e-5, rel=1e-3)


class Rates(keras.callbacks.Callback):
    """The learning rate at each epoch's end."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(float(self.model.optimizer.learning_rate))


def test_factors_along_one_axis_keep_rows_and_columns_apart(small_head, tiny):
    model = GuidedSRModel(precision="float32", **tiny)
    pair = degrade(small_head.t2, (2, 1)), small_head.t1
    short = {**SHORT, "stages": 1, "max_steps": 1}
    model.fit_external([pair], scale=(2, 1), **short)
    assert model.predict_cascade(*pair).shape == (3, 48, 48)


def trainer_of(model, pairs, scale):
    from guided_sr.physics.back_projection import BackProjection
    from guided_sr.training.subjects import subjects_of

    subjects = subjects_of(
        pairs, scale=scale, stages=1, guided=True, stage_blur="consistent"
    )
    return CascadeTrainer(
        model.build,
        subjects,
        back_projection=BackProjection(),
        options=TrainingOptions(),
    )


def test_the_augmentation_follows_the_scale(small_head, model):
    wanted = {
        (2.0, 2.0): UNSUPERVISED,
        (2.0, 1.0): UNSUPERVISED.along_one_axis(),
    }
    for scale, augmentation in wanted.items():
        pairs = [(degrade(small_head.t2, scale), small_head.t1)]
        (subject,) = trainer_of(model, pairs, scale).subjects
        level = subject.level_stack(subject.t2, 1)
        assert level.allowed(UNSUPERVISED) == augmentation


def test_slices_too_small_for_a_patch_are_refused_before_training(small_head, model):
    pairs = [(degrade(small_head.t2, 4), small_head.t1)]
    with pytest.raises(DataError, match="only 12 pixels"):
        model.fit_external(pairs, scale=4, **SHORT)


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "l3"},
        {"schedule": "step"},
        {"max_steps": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
    ],
    ids=str,
)
def test_senseless_options_are_refused(options):
    with pytest.raises(UsageError):
        TrainingOptions(**options)


def test_steps_are_shared_out_to_epochs():
    assert TrainingOptions(max_steps=1000).epochs == 10
    assert TrainingOptions(max_steps=150).epochs == 1  # never more than asked for
    short = TrainingOptions(max_steps=30)
    assert (short.epochs, short.steps_in_epoch) == (1, 30)
