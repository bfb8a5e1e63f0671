from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from guided_sr import GRDN
from guided_sr.errors import UsageError, WeightsError
from guided_sr.training.checkpoint import (
    Checkpoint,
    TrainingFolder,
    digest_of_arrays,
)
from guided_sr.training.schedule import PlateauSchedule
from guided_sr.volumes.writing import replace_json

OPTIONS = {"options": {"loss": "l1"}, "data": "abc"}


@pytest.fixture
def folder(tmp_path):
    return TrainingFolder(tmp_path / "run", OPTIONS)


@pytest.fixture
def network(tiny, images):
    """A compiled network after one step, so that Adam has a state."""
    return stepped(compiled(tiny), images)


def compiled(tiny):
    network = GRDN(**tiny)
    network.compile(optimizer=keras.optimizers.Adam(1e-2), loss="mae")
    network.optimizer.build(network.trainable_variables)
    return network


def stepped(network, images):
    x = images(16, 16)
    network.train_on_batch({"t2": x, "t1": x}, 1 - x)
    return network


def state_of(network):
    numbers = [*network.weights, *network.optimizer.variables]
    return [keras.ops.convert_to_numpy(x) for x in numbers]


def assert_same(a, b):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


def test_the_same_options_open_the_folder_again(folder):
    TrainingFolder(folder.folder, OPTIONS)


def test_other_options_are_refused_by_name(folder):
    other = {"options": {"loss": "l2"}, "data": "abc", "plan": [1]}
    with pytest.raises(
        UsageError, match=r"\(options.loss: l1, now l2; plan"
    ) as refusal:
        TrainingFolder(folder.folder, other)
    assert str(folder.folder) in str(refusal.value)


def test_tuples_and_lists_are_the_same_option(tmp_path):
    TrainingFolder(tmp_path, {"steps": (1, 2)})
    TrainingFolder(tmp_path, {"steps": [1, 2]})


def test_json_is_replaced_whole(tmp_path):
    path = tmp_path / "state.json"
    replace_json(path, {"a": 1})
    replace_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]


def test_the_digest_sees_every_byte():
    x = np.zeros(4, np.float32)
    assert digest_of_arrays([x, None]) == digest_of_arrays([x.copy(), None])
    assert digest_of_arrays([x, None]) != digest_of_arrays([x])
    assert digest_of_arrays([x]) != digest_of_arrays([x + 1e-7])


@pytest.mark.backend
def test_weights_optimizer_and_schedule_come_back(folder, network, tiny):
    schedule = PlateauSchedule()
    schedule.best, schedule.waited = 0.5, 3
    checkpoint = Checkpoint(folder, 1, [schedule])
    checkpoint.set_model(network)
    checkpoint.on_epoch_end(4)
    fresh, other = PlateauSchedule(), compiled(tiny)
    assert Checkpoint(folder, 1, [fresh]).resume(other) == (5, False)
    assert (fresh.best, fresh.waited) == (0.5, 3)
    assert_same(state_of(network), state_of(other))


def test_slots_are_written_in_turn(folder, network, images):
    checkpoint = Checkpoint(folder, 1, [])
    checkpoint.set_model(network)
    used = []
    for epoch in range(3):
        checkpoint.on_epoch_end(epoch)
        used.append(json.loads(folder.state_file(1).read_text())["slot"])
        assert folder.slot(1, used[-1]).is_file()
    assert used in ([0, 1, 0], [1, 0, 1])


def test_a_slot_cut_while_it_was_written_does_no_harm(folder, network, tiny, images):
    checkpoint = Checkpoint(folder, 1, [])
    checkpoint.set_model(network)
    checkpoint.on_epoch_end(0)
    wanted = state_of(network)
    stepped(network, images)
    other_slot = 1 - json.loads(folder.state_file(1).read_text())["slot"]
    network.save_weights(folder.slot(1, other_slot))
    path = folder.slot(1, other_slot)
    path.write_bytes(path.read_bytes()[:2000])
    resumed = compiled(tiny)
    assert Checkpoint(folder, 1, []).resume(resumed) == (1, False)
    assert_same(state_of(resumed), wanted)


def test_a_cut_slot_that_the_state_names_is_refused(folder, network, tiny):
    checkpoint = Checkpoint(folder, 1, [])
    checkpoint.set_model(network)
    checkpoint.on_epoch_end(0)
    slot = folder.slot(1, json.loads(folder.state_file(1).read_text())["slot"])
    slot.write_bytes(slot.read_bytes()[:2000])
    with pytest.raises(WeightsError, match="cannot be read") as refusal:
        Checkpoint(folder, 1, []).resume(compiled(tiny))
    assert slot.name in str(refusal.value)


def test_nothing_saved_is_a_start_from_nothing(folder, tiny):
    assert Checkpoint(folder, 1, []).resume(compiled(tiny)) == (0, False)


def test_a_training_that_had_stopped_says_so(folder, network, tiny):
    network.stop_training = True
    checkpoint = Checkpoint(folder, 1, [])
    checkpoint.set_model(network)
    checkpoint.on_epoch_end(7)
    assert Checkpoint(folder, 1, []).resume(compiled(tiny)) == (8, True)


def test_a_finished_stage_leaves_its_weights_alone(folder, network):
    checkpoint = Checkpoint(folder, 1, [])
    checkpoint.set_model(network)
    checkpoint.on_epoch_end(0)
    checkpoint.on_epoch_end(1)
    folder.finish(1, network)
    left = sorted(p.name for p in folder.folder.iterdir())
    assert left == ["run.json", "stage_1.weights.h5"]
