from __future__ import annotations

import json
import math
from types import SimpleNamespace

import pytest

from guided_sr.training.schedule import CosineSchedule, PlateauSchedule, Stopwatch


def attached(schedule, rate=1e-3):
    model = SimpleNamespace(
        optimizer=SimpleNamespace(learning_rate=rate), stop_training=False
    )
    schedule.set_model(model)
    return model


def test_the_rate_falls_when_the_loss_stands_still():
    schedule = PlateauSchedule(patience=3)
    model = attached(schedule)
    rates = []
    for epoch in range(8):
        schedule.on_epoch_end(epoch, {"loss": 1.0})
        rates.append(model.optimizer.learning_rate)
    assert rates == pytest.approx([1e-3] * 3 + [1e-4] * 3 + [1e-5] * 2)


def test_a_lower_loss_starts_the_count_anew():
    schedule = PlateauSchedule(patience=2)
    model = attached(schedule)
    for epoch, loss in enumerate([1.0, 1.1, 0.9, 0.95, 0.8, 0.85]):
        schedule.on_epoch_end(epoch, {"loss": loss})
    assert model.optimizer.learning_rate == 1e-3


def test_training_stops_below_a_millionth():
    schedule = PlateauSchedule(patience=1)
    model = attached(schedule)
    schedule.on_epoch_end(0, {"loss": 1.0})
    for epoch in range(3):
        schedule.on_epoch_end(epoch + 1, {"loss": 1.0})
        assert not model.stop_training
    assert model.optimizer.learning_rate == pytest.approx(1e-6)
    schedule.on_epoch_end(4, {"loss": 1.0})
    assert model.stop_training


def test_the_papers_patience_is_ten_looks():
    schedule = PlateauSchedule()
    model = attached(schedule)
    for epoch in range(11):
        assert model.optimizer.learning_rate == 1e-3
        schedule.on_epoch_end(epoch, {"loss": 1.0})
    assert model.optimizer.learning_rate == pytest.approx(1e-4)


def test_a_loss_that_is_no_number_counts_as_no_progress():
    schedule = PlateauSchedule(patience=2)
    model = attached(schedule)
    for epoch in range(2):
        schedule.on_epoch_end(epoch, {"loss": math.nan})
    assert model.optimizer.learning_rate == pytest.approx(1e-4)


@pytest.mark.parametrize("cut", range(7))
def test_the_state_goes_through_json_at_any_epoch(cut):
    losses = [1.0, 0.9, 0.95, 0.95, 0.8, 0.9, 0.9, 0.9]
    whole, first, second = (PlateauSchedule(patience=2) for _ in range(3))
    model, begun = attached(whole), attached(first)
    for epoch, loss in enumerate(losses):
        whole.on_epoch_end(epoch, {"loss": loss})
    for epoch in range(cut):
        first.on_epoch_end(epoch, {"loss": losses[epoch]})
    second.restore(json.loads(json.dumps(first.state())))
    resumed = attached(second, begun.optimizer.learning_rate)
    for epoch in range(cut, len(losses)):
        second.on_epoch_end(epoch, {"loss": losses[epoch]})
    assert resumed.optimizer.learning_rate == model.optimizer.learning_rate
    assert second.state() == whole.state()


def test_half_a_cosine_falls_from_all_to_almost_nothing():
    schedule = CosineSchedule(initial=0.01, epochs=5)
    model = attached(schedule)
    rates = []
    for epoch in range(5):
        schedule.on_epoch_begin(epoch)
        rates.append(model.optimizer.learning_rate)
    assert rates[0] == 0.01
    assert rates[2] == pytest.approx(0.01 * (0.01 + 0.99 / 2))
    assert rates[4] == pytest.approx(1e-4)
    assert rates == sorted(rates, reverse=True)


def test_a_cosine_of_one_epoch_is_the_initial_rate():
    schedule = CosineSchedule(initial=0.01, epochs=1)
    model = attached(schedule)
    schedule.on_epoch_begin(0)
    assert model.optimizer.learning_rate == 0.01


def test_another_figure_can_be_watched_with_a_margin():
    schedule = PlateauSchedule(monitor="residual", patience=2, margin=0.1)
    model = attached(schedule)
    for epoch, residual in enumerate([1.0, 0.95, 0.92]):
        schedule.on_epoch_end(epoch, {"loss": 1.0 / (epoch + 1), "residual": residual})
    assert model.optimizer.learning_rate == pytest.approx(1e-4)


def test_the_stopwatch_logs_seconds_and_goes_on_after_a_kill():
    watch, logs = Stopwatch(), {}
    attached(watch)
    watch.restore({"seconds": 100.0})
    watch.on_train_begin()
    watch.on_epoch_end(0, logs)
    assert 100.0 <= logs["seconds"] < 110.0
    assert watch.state()["seconds"] >= logs["seconds"] - 0.01


def test_the_stopwatch_stops_when_the_time_is_over():
    for before, stopped in ((9.0, False), (10.0, True)):
        watch = Stopwatch(limit=9.5)
        model = attached(watch)
        watch.restore({"seconds": before})
        watch.on_train_begin()
        watch.on_epoch_end(0, {})
        assert model.stop_training is stopped
