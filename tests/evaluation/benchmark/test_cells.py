from __future__ import annotations

from pathlib import Path

import pytest

from guided_sr.evaluation.benchmark import (
    METHODS,
    BenchmarkConfig,
    Cell,
    cells_of,
    read_config,
)

CELL = Cell("proposed", 4.0, 3, "l1", 0.0, 0.0, 0, 0)
DATA = {"anna": ("a", "b")}


def changed(config, **sections):
    update = {
        name: getattr(config, name).model_copy(update=values)
        for name, values in sections.items()
    }
    return config.model_copy(update=update)


def test_there_is_a_cell_for_every_entry_of_every_table():
    cells = cells_of(BenchmarkConfig(), folds=2)
    assert len(cells) == len(set(cells))
    main = [c for c in cells if not c.shift_mm and c.loss != "l2"]
    for method in (name for name, how in METHODS.items() if not how.started):
        for scale in (2.0, 4.0):
            found = [c for c in main if (c.method, c.scale) == (method, scale)]
            assert {c.fold for c in found} == {0, 1}
    proposed = [c for c in cells if c.method == "proposed" and c.scale == 4.0]
    assert {c.stages for c in proposed} == {1, 2, 3}
    assert {c.loss for c in proposed} == {"l1", "l2"}
    assert {c.shift_mm for c in proposed} == {0.0, 1.0, 2.0, 3.0}


def test_unsupervised_methods_have_the_most_stages_and_supervised_ones_one():
    for cell in cells_of(BenchmarkConfig(), folds=1):
        kind = cell.how.kind
        if kind in ("classical", "supervised"):
            assert cell.stages == 1
        elif cell.method != "proposed":
            assert cell.stages == 3


def test_classical_methods_have_one_seed():
    config = changed(BenchmarkConfig(), cells={"seeds": [0, 1, 2]})
    cells = cells_of(config, folds=1)
    assert {c.seed for c in cells if c.method == "nlm_t1"} == {0}
    assert {c.seed for c in cells if c.method == "zssr"} == {0, 1, 2}


def test_jitter_trains_once_for_all_shifts():
    config = changed(BenchmarkConfig(), cells={"jitters_mm": [2.0]})
    cells = [c for c in cells_of(config, folds=1) if c.jitter_mm]
    assert {c.shift_mm for c in cells} == {0.0, 1.0, 2.0, 3.0}
    assert len({c.training() for c in cells}) == 1
    moved = [c for c in cells_of(config, 1) if c.shift_mm and not c.jitter_mm]
    assert all(c.training() == c for c in moved)


def test_a_refinement_starts_from_the_external_training():
    refined = Cell("refined", 4.0, 3, "l1", 0.0, 0.0, 0, 0)
    assert refined.training() == CELL
    assert refined.steps(BenchmarkConfig()) == 1200


def test_the_key_tells_apart_what_differs():
    config = BenchmarkConfig()
    key = CELL.key(config, DATA)
    assert key == CELL.key(BenchmarkConfig(), dict(DATA))
    assert key != CELL.key(config, {"anna": ("a", "c")})
    assert key != CELL.key(changed(config, budget={"steps": 7}), DATA)
    assert key != CELL.key(changed(config, data={"extra_weight": 0.5}), DATA)
    options = config.model_copy(update={"options": {"proposed": {"blocks": 1}}})
    assert key != CELL.key(options, DATA)


@pytest.mark.parametrize(
    "sections",
    [
        {"budget": {"refinement_steps": 9}},
        {"cells": {"internal_slices": 1}},
        {"cells": {"methods": ["proposed"]}},
    ],
)
def test_the_key_is_blind_to_what_does_not_matter(sections):
    config = BenchmarkConfig()
    assert CELL.key(config, DATA) == CELL.key(changed(config, **sections), DATA)


def test_the_budget_of_a_network_is_nothing_to_a_classical_method():
    config = BenchmarkConfig()
    cell = Cell("nlm_t1", 4.0, 1, "l1", 0.0, 0.0, 0, 0)
    other = changed(config, budget={"steps": 7})
    assert cell.key(config, DATA) == cell.key(other, DATA)
    assert cell.steps(config) == cell.trainings(config, 1) == 0


def test_folds_can_be_chosen():
    config = changed(BenchmarkConfig(), cells={"only_folds": [1, 7]})
    assert {cell.fold for cell in cells_of(config, folds=3)} == {1}


def test_the_demo_is_one_fold_at_two_times():
    import guided_sr.evaluation.benchmark as room

    config = read_config(Path(room.__file__).with_name("demo.toml"))
    cells = cells_of(config, folds=2)
    assert {cell.fold for cell in cells} == {0}
    assert {cell.scale for cell in cells} == {2.0}
    assert max(cell.stages for cell in cells) == 2
    assert {cell.method for cell in cells} == set(config.methods)


def test_methods_that_begin_with_pretrained_weights_need_a_start(started):
    assert not any(c.how.started for c in cells_of(BenchmarkConfig(), folds=1))
    cells = [c for c in cells_of(started, folds=1) if c.how.started]
    assert {c.method for c in cells} == {"pretrained", "pretrained_refined"}
    refined = next(c for c in cells if c.method == "pretrained_refined")
    assert refined.training().method == "pretrained"


def test_the_key_tells_one_start_from_another_and_only_where_it_matters(started):
    cell = Cell("pretrained", 4.0, 3, "l1", 0.0, 0.0, 0, 0)
    before = cell.key(started, DATA)
    assert CELL.key(started, DATA) == CELL.key(BenchmarkConfig(), DATA)
    (Path(started.start) / "config.json").write_text("{}", encoding="utf-8")
    assert cell.key(started, DATA) != before


@pytest.fixture
def started(tmp_path):
    (tmp_path / "config.json").write_text('{"format": 1}', encoding="utf-8")
    return BenchmarkConfig(start=str(tmp_path))
