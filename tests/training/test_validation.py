"""Fine-tuning: held-out slices decide which weights a stage keeps."""

from __future__ import annotations

import copy
import json

import keras
import numpy as np
import pytest

from guided_sr import GuidedSRModel, degrade, head_phantom, psnr
from guided_sr.errors import DataError, GuidedSRWarning, UsageError, WeightsError
from guided_sr.model.fitting import learnt_with
from guided_sr.model.guide_use import partner_of
from guided_sr.training.subjects import subjects_of
from guided_sr.training.validation import Coarser, Decision, KeepBest, decisions

SHORT = {
    "max_steps": 9,
    "steps_per_epoch": 3,
    "batch_size": 4,
    "patch_size": 16,
    "verbose": 0,
}


class Killed(BaseException):
    """What a kill looks like from inside."""


class KillAt(keras.callbacks.Callback):
    """Raise at the beginning of an epoch, counted over all stages."""

    def __init__(self, epoch):
        super().__init__()
        self.left = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.left -= 1
        if self.left < 0:
            raise Killed


class Weights(keras.callbacks.Callback):
    """The weights at each epoch's end."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(self.model.get_weights())


@pytest.fixture(scope="module")
def pair():
    """Twelve coarse slices of 24 x 24 and their guide."""
    head = head_phantom((48, 48), 12, seed=3, voxel_mm=4.0)
    return degrade(head.t2, 2), head.t1


@pytest.fixture
def model(tiny):
    return GuidedSRModel(precision="float32", **tiny)


@pytest.fixture
def figures(monkeypatch):
    """Let the held-out figure be a function of the steps taken."""

    def script(by_step):
        def measure(self):
            return by_step[int(self.network.optimizer.iterations)]

        monkeypatch.setattr(KeepBest, "measure", measure)

    return script


def assert_same(network, weights):
    for x, y in zip(network.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(x, y)


def assert_same_networks(model, other):
    assert model.stages == other.stages
    for a, b in zip(model.networks, other.networks, strict=True):
        assert_same(a, b.get_weights())


@pytest.mark.backend
def test_fine_tuning_is_never_worse_on_the_held_out_slices(model, trained, pair):
    histories = model.fit_external([pair], init=trained, **SHORT)
    assert model.scale == trained.scale
    assert model.stages == len(histories) == 2
    for history, decision in zip(histories, decisions(histories), strict=True):
        seen = history.history["held_out_psnr"]
        assert len(seen) == decision.epochs == 3
        assert len(set(history.history["held_out_psnr_before"])) == 1
        assert decision.kept == max(decision.before, *seen)


def test_the_partner_of_the_start_is_kept_by_the_model_and_where_it_is_saved(
    pair, tmp_path
):
    model = GuidedSRModel.from_preset("grdn_t2_x2_light", precision="float32")
    once = {**SHORT, "max_steps": 1}
    model.fit_external([pair], init=model, **once)
    assert partner_of(model).name == "grdn_t2_x2_noguide"
    model.save_preset(tmp_path / "tuned")
    again = GuidedSRModel.from_preset(tmp_path / "tuned", precision="float32")
    assert partner_of(again).weights == partner_of(model).weights
    again.unguided.name = "of_my_own"
    again.save_preset(tmp_path / "mine")
    assert GuidedSRModel.from_preset(tmp_path / "mine").unguided is None


def test_what_learns_from_nothing_has_no_partner(pair, tiny):
    model = GuidedSRModel(precision="float32", **tiny)
    model.unguided = "grdn_t2_x2_noguide"
    model.fit_external([pair], scale=2, stages=1, **{**SHORT, "max_steps": 1})
    assert partner_of(model) is None


def test_what_a_preset_has_learnt_with_is_gone_on_with(trained, pair, tmp_path):
    recipe = {"loss": "l2", "guide_noise": 0.06, "augmentation": {"rescale_from": 0.8}}
    recipe["lower_starts"] = 1
    start = tmp_path / "start"
    named = {"recipe": {"training": {**recipe, "max_steps": 500, "seed": 7}}}
    followed = copy.copy(trained)
    followed.learnt = {}
    followed.save_preset(start, metadata=named)
    model = GuidedSRModel.from_preset(start, precision="float32")
    once = {**SHORT, "max_steps": 1}
    model.fit_external([pair], init=model, guide_jitter_mm=0.5, **once)
    model.save_preset(tmp_path / "tuned")
    again = GuidedSRModel.from_preset(tmp_path / "tuned", precision="float32")
    again.fit_external([pair], init=again, loss="l1", **once)
    for one, loss in ((model, "l2"), (again, "l1")):
        known = one.learnt["learnt_with"]
        assert known["augmentation"]["rescale_from"] == 0.8
        assert known["augmentation"]["flip"] is True
        del known["augmentation"]
        wanted = {"loss": loss, "guide_noise": 0.06, "guide_jitter_mm": 0.5}
        wanted["lower_starts"] = 1
        assert known == wanted


@pytest.mark.parametrize(
    "metadata",
    [
        {"recipe": "see the wiki"},
        {"recipe": {"training": {"loss": "huber"}}},
        {"learnt_with": ["l1"]},
        {"learnt_with": {"augmentation": "strong"}},
        {"learnt_with": {"guide_noise": "much"}},
    ],
)
def test_notes_of_another_meaning_say_nothing_of_a_training(metadata):
    assert learnt_with(metadata) == {}


def test_a_stage_is_judged_by_what_the_whole_cascade_makes_of_observed_slices(
    trained, pair
):
    (subject,) = subjects_of(
        [pair], scale=(2.0, 2.0), stages=2, guided=True, stage_blur="consistent"
    )
    one = Coarser.of(subject)
    assert one.t2.shape == (12, 12, 12)
    assert one.truth.shape == one.t1.shape == (12, 24, 24)
    networks = [trained.build() for _ in range(2)]
    for network, known in zip(networks, trained.networks, strict=True):
        network.set_weights(known.get_weights())
    how = {"back_projection": trained.back_projection}
    judges = [
        KeepBest(networks, trained.build(), [one], stage=stage, **how)
        for stage in (1, 2)
    ]
    before = [judge.measure() for judge in judges]
    restored = trained.predict_cascade(one.t2, one.t1, guide_use=None)
    wanted = [psnr(x, z) for x, z in zip(one.truth, restored, strict=True)]
    assert before[0] == before[1] == pytest.approx(np.mean(wanted), abs=0.5)
    spoilt = [10.0 * w for w in networks[1].get_weights()]
    networks[1].set_weights(spoilt)
    assert judges[0].measure() == judges[1].measure() < before[0] - 1.0


@pytest.mark.parametrize("factor", [3, 6])
def test_small_slices_are_made_coarser_to_four_pixels_at_least(factor):
    head = head_phantom((16 * factor, 24), 2, seed=3, voxel_mm=4.0)
    low = degrade(head.t2, (factor, 1))
    (subject,) = subjects_of(
        [(low, head.t1)],
        scale=(float(factor), 1.0),
        stages=3,
        guided=True,
        stage_blur="consistent",
    )
    assert Coarser.of(subject).t2.shape[1:] == (max(4, 16 // factor), 24)


def test_the_range_of_the_start_is_kept_by_the_model_and_where_it_is_saved(
    model, trained, pair, tmp_path
):
    usage = {"t2_mm": [1.6, 2.5], "t1_mm": [0.7, 1.25], "factors": [3.0, 4.0]}
    start = tmp_path / "start"
    known = {"range": usage, "licence": "none"}
    copy.copy(trained).save_preset(start, metadata=known)
    once = {**SHORT, "max_steps": 1}
    model.fit_external([pair], init=start, **once)
    assert model.metadata == {"range": usage}
    model.fit_external([pair], init=model, **once)
    model.save_preset(tmp_path / "tuned")
    tuned = GuidedSRModel.from_preset(tmp_path / "tuned")
    assert tuned.metadata["range"] == usage
    assert "licence" not in tuned.metadata
    with pytest.warns(GuidedSRWarning, match="factor is 2; the model is for 3 to 4"):
        tuned.predict_cascade(*pair)
    with pytest.raises(DataError, match="factor is 2; the model is for 3 to 4"):
        tuned.predict_cascade(*pair, strict=True)
    tuned.save_preset(tmp_path / "other", metadata={"range": {"factors": [1.5, 2.5]}})
    assert tuned.metadata["range"] == {"factors": [1.5, 2.5]}


def test_steps_that_spoil_the_network_leave_the_old_weights(
    model, trained, pair, capsys
):
    spoilt = {**SHORT, "learning_rate": 0.5, "verbose": 2}
    histories = model.fit_external([pair], init=trained, **spoilt)
    assert_same_networks(model, trained)
    for decision in decisions(histories):
        assert decision.epoch == 0
        assert decision.last < decision.kept == decision.before
    lines = capsys.readouterr().out.splitlines()[-2:]
    assert lines[1].startswith("stage 2 of 2: held-out slices ")
    assert lines[1].endswith("the old weights are kept")


def test_the_best_weights_are_kept_not_the_last(model, trained, pair, figures):
    figures({0: 10.0, 3: 12.0, 6: 13.0, 9: 11.0})
    watch = Weights()
    histories = model.fit_external([pair], init=trained, callbacks=[watch], **SHORT)
    assert_same(model.networks[0], watch.seen[1])
    assert_same(model.networks[1], watch.seen[4])
    wanted = Decision(epoch=2, epochs=3, before=10.0, kept=13.0, last=11.0)
    assert decisions(histories) == [wanted, wanted]


def test_a_figure_that_is_no_number_is_never_the_best(model, trained, pair, figures):
    figures({0: 10.0, 3: float("nan"), 6: 10.0, 9: float("nan")})
    model.fit_external([pair], init=trained, **SHORT)
    assert_same_networks(model, trained)


@pytest.mark.parametrize("epoch", [2, 5])
def test_a_killed_fine_tuning_goes_on_exactly(
    model, trained, pair, tiny, tmp_path, figures, epoch
):
    """Killed after the best weights were seen, in both stages."""
    figures({0: 10.0, 3: 12.0, 6: 11.0, 9: 11.5})
    whole = GuidedSRModel(precision="float32", **tiny)
    wanted = whole.fit_external([pair], init=trained, **SHORT)
    first = GuidedSRModel(precision="float32", **tiny)
    with pytest.raises(Killed):
        first.fit_external(
            [pair],
            init=trained,
            checkpoint_dir=tmp_path,
            callbacks=[KillAt(epoch)],
            **SHORT,
        )
    histories = model.fit_external(
        [pair], init=trained, checkpoint_dir=tmp_path, **SHORT
    )
    assert_same_networks(model, whole)
    assert decisions(histories) == decisions(wanted)
    left = sorted(p.name for p in tmp_path.glob("*.h5"))
    assert left == ["stage_1.weights.h5", "stage_2.weights.h5"]


def killed(trained, pair, tiny, folder):
    """A fine-tuning killed after two epochs, both of them better."""
    model = GuidedSRModel(precision="float32", **tiny)
    with pytest.raises(Killed):
        model.fit_external(
            [pair],
            init=trained,
            checkpoint_dir=folder,
            callbacks=[KillAt(2)],
            **SHORT,
        )
    state = json.loads((folder / "stage_1.state.json").read_text())
    return state["callbacks"]["KeepBest"]


def test_the_best_weights_lie_in_two_files_in_turn(
    model, trained, pair, tiny, tmp_path, figures
):
    figures({0: 10.0, 3: 12.0, 6: 13.0, 9: 11.0})
    state = killed(trained, pair, tiny, tmp_path)
    assert (state["before"], state["figure"], state["epoch"]) == (10.0, 13.0, 2)
    other = tmp_path / f"stage_1.best{1 - state['slot']}.weights.h5"
    other.write_bytes(other.read_bytes()[:500])  # as cut by a kill
    histories = model.fit_external(
        [pair], init=trained, checkpoint_dir=tmp_path, **SHORT
    )
    assert decisions(histories)[0].epoch == 2


def test_best_weights_that_cannot_be_read_are_refused_by_name(
    model, trained, pair, tiny, tmp_path, figures
):
    figures({0: 10.0, 3: 12.0, 6: 13.0, 9: 11.0})
    state = killed(trained, pair, tiny, tmp_path)
    best = tmp_path / f"stage_1.best{state['slot']}.weights.h5"
    best.write_bytes(best.read_bytes()[:500])
    with pytest.raises(WeightsError, match="cannot be read") as refusal:
        model.fit_external([pair], init=trained, checkpoint_dir=tmp_path, **SHORT)
    assert best.name in str(refusal.value)


def test_other_held_out_slices_are_another_training(
    model, trained, pair, tiny, tmp_path, figures
):
    figures({0: 10.0, 3: 12.0, 6: 13.0, 9: 11.0})
    killed(trained, pair, tiny, tmp_path)
    with pytest.raises(UsageError, match="held_out"):
        model.fit_external(
            [pair], init=trained, validation=0, checkpoint_dir=tmp_path, **SHORT
        )


def test_pairs_can_be_given_to_decide(model, trained, pair, figures):
    figures({0: 10.0, 3: 9.0})
    other = pair[0][:3] * 2.0, pair[1][:3]
    short = {**SHORT, "max_steps": 3}
    histories = model.fit_external([pair], init=trained, validation=[other], **short)
    assert [d.epoch for d in decisions(histories)] == [0, 0]


def test_a_scan_that_is_given_twice_is_warned_of(model, trained, pair):
    short = {**SHORT, "max_steps": 3}
    with pytest.warns(GuidedSRWarning, match="12 of the 12 slices held out are also"):
        model.fit_external([pair, pair], init=trained, **short)


def test_with_nothing_held_out_the_last_weights_are_kept(model, trained, pair):
    watch = Weights()
    short = {**SHORT, "max_steps": 3}
    histories = model.fit_external(
        [pair], init=trained, validation=0, callbacks=[watch], **short
    )
    assert decisions(histories) == []
    assert_same(model.networks[0], watch.seen[0])


def test_the_decisions_stand_in_the_metadata(model, trained, pair, tmp_path, figures):
    figures({0: 10.0, 3: 9.0})
    model.fit_external([pair], init=trained, **{**SHORT, "max_steps": 3})
    folder = model.save_preset(tmp_path / "tuned", metadata={"site": "A"})
    metadata = json.loads((folder / "metadata.json").read_text())
    assert metadata["site"] == "A"
    old = {"weights": "old", "epoch": 0, "epochs": 1}
    figure = {"before": 10.0, "kept": 10.0, "last": 9.0}
    assert metadata["held_out"] == [{**old, **figure}] * 2


@pytest.mark.parametrize(
    ("slices", "rows", "message"),
    [(9, 48, "7 slices to learn from; .*at least 8"), (12, 24, "at least 16")],
)
def test_scarce_fine_tuning_data_are_refused_with_the_minimum(
    model, trained, pair, slices, rows, message
):
    t2, t1 = pair
    low, guide = t2[:slices, : rows // 2], t1[:slices, :rows]
    with pytest.raises(DataError, match=message):
        model.fit_external([(low, guide)], init=trained, **SHORT)


def test_validation_without_old_weights_is_refused(model, pair):
    with pytest.raises(UsageError, match="no old ones"):
        model.fit_external([pair], 2, 1, validation=0.2, **SHORT)


def test_another_back_projection_than_that_of_the_start_is_warned_of(
    tiny, trained, pair
):
    model = GuidedSRModel(precision="float32", back_projection="exact", **tiny)
    with pytest.warns(GuidedSRWarning, match=r"'ibp', this one .* 'exact'"):
        model.fit_external([pair], init=trained, **{**SHORT, "max_steps": 1})
