from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from guided_sr.errors import GuidedSRWarning, UsageError
from guided_sr.evaluation.benchmark import BenchmarkConfig, find_subjects
from guided_sr.evaluation.benchmark.lines import append_line, read_lines
from guided_sr.evaluation.benchmark.runner import Benchmark, spread
from guided_sr.metrics import psnr
from guided_sr.model import GuidedSRModel
from guided_sr.physics.back_projection import back_project
from guided_sr.physics.cascade_plan import CascadePlan
from guided_sr.physics.degrade import upsample


class Silent:
    def __init__(self):
        self.begun, self.ended, self.counts = [], [], []

    def begin(self, cell, number, count):
        self.begun.append(cell)

    def steps(self, done, left):
        self.counts.append((done, left))

    def end(self, line):
        self.ended.append(line)


PRETRAINED = ["pretrained", "pretrained_refined"]


def bench(heads, small, out, methods=None, watcher=None):
    subjects = find_subjects(heads, BenchmarkConfig.model_validate(small))
    return Benchmark(subjects, out, watcher=watcher or Silent(), methods=methods)


@pytest.fixture(scope="module")
def run(heads, tmp_path_factory):
    """Cubic, external, refined and internal cells, run once."""
    out = tmp_path_factory.mktemp("bench")
    tiny = {"blocks": 1, "convolutions": 2, "filters": 8, "growth": 8}
    start = GuidedSRModel("grdn", **tiny)
    start.networks = [start.build()]
    start.scale, start.scale_range = (1.6, 1.6), (1.25, 1.85)
    start.save_preset(out / "start")
    small = {
        "start": str(out / "start"),
        "data": {"test": ["anna", "berta"], "extra_training": ["extra_*"]},
        "budget": {
            "steps": 4,
            "refinement_steps": 4,
            "batch_size": 2,
            "patch_size": 16,
        },
        "cells": {
            "methods": ["cubic", "proposed", "refined", "srcnn", *PRETRAINED],
            "scales": [2],
            "stages": [1, 2],
            "losses": ["l1"],
            "shifts_mm": [0, 4],
            "jitters_mm": [4],
            "slices": 2,
            "internal_slices": 1,
        },
        "options": {"proposed": tiny, "pretrained": tiny},
    }
    watcher = Silent()
    one = bench(heads, small, out, watcher=watcher)
    return one, one.run(), watcher, small


def test_every_cell_has_one_line(run):
    one, lines, watcher, _ = run
    assert len(lines) == len(one.cells) == len(watcher.ended)
    assert len({line["key"] for line in lines}) == len(lines)
    assert len(list(read_lines(one.file))) == len(lines)


def test_cubic_is_measured_before_and_after_one_back_projection(run):
    one, lines, _, _ = run
    (line,) = (x for x in lines if x["method"] == "cubic" and x["fold"] == 0)
    pair = one.subjects.pair("anna", 2.0, 0.0)
    assert [score["slice"] for score in line["scores"]] == [1, 2]
    assert [score["centre"] for score in line["scores"]] == [False, True]
    low, truth = pair.low[2], pair.high[2]
    operator = CascadePlan.create((24, 24), scale=2, stages=1).observation()
    image = upsample(low, (48, 48))
    score = line["scores"][1]
    assert score["psnr_without"] == pytest.approx(psnr(truth, image), abs=1e-3)
    projected = back_project(image, low, operator)
    assert score["psnr"] == pytest.approx(psnr(truth, projected), abs=1e-3)
    assert line["train_seconds"] is None


def test_a_line_tells_what_was_trained_and_on_whom(run):
    _, lines, _, small = run
    for line in lines:
        assert set(line["test"]).isdisjoint(line["train"])
        if line["method"] == "proposed":
            assert line["steps"] == small["budget"]["steps"]
            assert line["train"][-1] == "extra_carl"
            assert line["train_seconds"] > 0
        if line["method"] in ("proposed", "refined"):
            assert line["parameters"] > 0
        assert line["hardware"]


def test_trainings_with_jitter_are_shared_by_the_shifts(run):
    _, lines, _, _ = run
    jittered = [x for x in lines if x["jitter_mm"] and x["fold"] == 0]
    assert {x["shift_mm"] for x in jittered} == {0.0, 4.0}
    assert len({x["train_seconds"] for x in jittered}) == 1


def test_a_refinement_learns_from_the_whole_scan(run):
    one, lines, _, _ = run
    (line,) = (x for x in lines if x["method"] == "refined" and x["fold"] == 0)
    assert [score["slice"] for score in line["scores"]] == [1, 2]
    folders = sorted(p.name for p in (one.out / "models").glob("refined_*/*"))
    assert folders == ["anna_scan", "berta_scan"]


def test_every_stage_begins_with_the_weights_of_the_start(run, monkeypatch):
    one, _, _, _ = run
    begun = []

    def fit(self, subjects, options, start, **how):
        begun.extend(network.get_weights() for network in start.networks)
        raise KeyboardInterrupt

    monkeypatch.setattr(GuidedSRModel, "_fit", fit)
    cell = next(c for c in one.cells if c.method == "pretrained")
    with pytest.raises(KeyboardInterrupt):
        one.learner.shared(replace(cell, seed=7))
    start = GuidedSRModel.from_preset(one.config.start).networks[0].get_weights()
    assert len(begun) == cell.stages == 2
    for weights in begun:
        for mine, theirs in zip(weights, start, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_start_that_does_not_fit_stops_the_run_at_once(run, heads, tmp_path):
    _, _, _, small = run
    cells = {**small["cells"], "stages": [1]}  # a step of 2 where 1.85 is the most
    watcher = Silent()
    with pytest.raises(UsageError, match="start from was trained for"):
        bench(heads, {**small, "cells": cells}, tmp_path, watcher=watcher).run()
    assert watcher.begun == []


def test_what_is_there_is_not_run_again(run, heads):
    one, lines, _, small = run
    watcher = Silent()
    again = bench(heads, small, one.out, watcher=watcher).run()
    assert watcher.begun == []
    assert again == lines


def test_a_lost_line_is_written_again_without_training(run, heads, tmp_path):
    one, lines, _, small = run
    kept = one.file.read_text().splitlines()
    lost = next(k for k, x in enumerate(kept) if json.loads(x)["method"] == "proposed")
    one.file.write_text("\n".join(kept[:lost] + kept[lost + 1 :]) + "\n")
    watcher = Silent()
    again = bench(heads, small, one.out, watcher=watcher).run()
    assert len(watcher.begun) == 1
    assert watcher.counts == []
    (line,) = watcher.ended
    assert line["scores"] == json.loads(kept[lost])["scores"]
    assert [x["key"] for x in again] == [x["key"] for x in lines]


def test_another_configuration_is_run_beside_it(run, heads):
    one, _, _, small = run
    other = {**small, "budget": {**small["budget"], "steps": 2}}
    due = bench(heads, other, one.out, methods=["srcnn"])
    keys = {line["key"] for line in read_lines(one.file)}
    assert not keys & {due.learner.key(cell) for cell in due.cells}


def test_a_line_cut_by_a_kill_is_left_out_and_closed(tmp_path):
    file = tmp_path / "cells.jsonl"
    append_line(file, {"format": 1, "key": "a"})
    with file.open("a") as stream:
        stream.write('{"format": 1, "ke')
    append_line(file, {"format": 1, "key": "b"})
    with pytest.warns(GuidedSRWarning, match="line 2 is cut short"):
        assert [line["key"] for line in read_lines(file)] == ["a", "b"]


def test_lines_of_another_format_are_run_again(tmp_path):
    file = tmp_path / "cells.jsonl"
    append_line(file, {"format": 0, "key": "a"})
    assert list(read_lines(file)) == []


def test_the_few_slices_hold_the_centre():
    assert spread(182, 60, 5) == [67, 79, 91, 103, 115]
    assert spread(182, 60, 1) == [91]
    assert 4 in spread(8, 60, 4)
    for few in range(1, 8):
        assert np.diff(spread(20, 10, few)).min(initial=1) >= 1


def test_a_wrong_option_of_a_network_stops_the_run_at_once(heads, small, tmp_path):
    small["options"]["proposed"] = {"blokcs": 1}
    watcher = Silent()
    with pytest.raises(UsageError, match="no option 'blokcs'"):
        bench(heads, small, tmp_path / "out", watcher=watcher).run()
    assert watcher.begun == []
