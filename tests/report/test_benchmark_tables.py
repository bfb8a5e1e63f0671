from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guided_sr.errors import CannotCreateError, DataError
from guided_sr.evaluation import paper
from guided_sr.evaluation.benchmark import METHODS
from guided_sr.evaluation.measured import Measurements, summarise
from guided_sr.evaluation.pairing import interval, paired
from guided_sr.report.benchmark_tables import render_page, render_tables, write_tables
from guided_sr.report.table import MISSING, Table, number, seconds

SUBJECTS = ("patient07", "patient19", "patient26")
INTERNAL = ("zssr", "model_2")
GAINS = {
    "cubic": 0.0,
    "guided_filter": 1.0,
    "guided_filter_20": 1.5,
    "guided_back_projection": 1.7,
    "nlm_t1": 0.8,
    "srcnn": 1.9,
    "dcsrn": 2.1,
    "mdcsrn_gan": 2.0,
    "recnn": 5.0,
    "proposed_supervised": 6.0,
    "zssr": 1.0,
    "model_1": 2.5,
    "model_2": 3.0,
    "proposed": 4.75,
    "refined": 5.0,
}
STARTED = {"pretrained": 5.1, "pretrained_refined": 5.3}
PROJECTED = 0.5


def line(method: str, **changes: Any) -> dict[str, Any]:
    """A line of the benchmark: PSNR is 25 or 30, a slope over the slices, a gain."""
    told: dict[str, Any] = {"scale": 4, "fold": 0, "seed": 0, "slices": 60, "offset": 0}
    told |= {"stages": 3, "loss": "l1", "shift_mm": 0.0, "jitter_mm": 0.0} | changes
    count = 5 if method in INTERNAL else told.pop("slices")
    subject = SUBJECTS[told["fold"]]
    base = {2: 30.0, 4: 25.0}[told["scale"]] + told["fold"]
    gain = {**GAINS, **STARTED}[method] + told.pop("offset") + 0.1 * told["seed"]
    places = [6, 18, 30, 42, 54] if count == 5 else range(count)
    trained = METHODS[method].kind != "classical"
    told.pop("slices", None)
    return {
        "format": 1,
        "key": json.dumps([method, *told.values()]),
        "method": method,
        **told,
        "config": {},
        "train": ["long_1"],
        "test": [subject],
        "parameters": 456000 if trained else None,
        "steps": 1800 if trained else None,
        "train_seconds": 143.2 if trained else None,
        "predict_seconds": 0.05,
        "hardware": "2 cores, x86_64",
        "versions": {"guided-sr": "0.1", "keras": "3.15.1"},
        "scores": [
            {
                "subject": subject,
                "slice": 60 + k,
                "centre": k == 30 or count == 1,
                "psnr": base + 0.01 * k + gain + PROJECTED,
                "ssim": 0.9 + gain / 100,
                "psnr_without": base + 0.01 * k + gain,
                "ssim_without": 0.89 + gain / 100,
            }
            for k in places
        ],
    }


def all_lines() -> Iterator[dict[str, Any]]:
    """Every cell of a full benchmark of three folds."""
    for fold in range(3):
        for scale in (2, 4):
            for method in GAINS:
                yield line(method, fold=fold, scale=scale)
        for seed in (1, 2):
            yield line("proposed", fold=fold, seed=seed)
        for stages, offset in ((1, -2.0), (2, -0.2)):
            yield line("proposed", fold=fold, stages=stages, offset=offset)
        for seed in range(3):
            lower = -0.1 - 0.02 * fold - 0.01 * seed
            yield line("proposed", fold=fold, seed=seed, loss="l2", offset=lower)
        for jitter, kept in ((0.0, 1.0), (1.0, 0.5)):
            for shift, offset in ((1.0, -1.4), (2.0, -2.0), (3.0, -2.1)):
                yield line(
                    "proposed",
                    fold=fold,
                    shift_mm=shift,
                    jitter_mm=jitter,
                    offset=kept * offset,
                )
        yield line("proposed", fold=fold, jitter_mm=1.0, offset=-0.3)


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    return list(all_lines())


@pytest.fixture(scope="module")
def tables(lines: list[dict[str, Any]]) -> dict[str, Table]:
    return render_tables(lines)


def rows(table: Table, **values: Any) -> list[dict[str, Any]]:
    found = [
        dict(row)
        for row in table.rows
        if all(row[key] == value for key, value in values.items())
    ]
    assert found
    return found


def one(table: Table, **values: Any) -> dict[str, Any]:
    (row,) = rows(table, **values)
    return row


def verdicts(table: Table, text: str) -> list[str | None]:
    return [row["verdict"] for row in table.rows if text in row["ordering"]]


def test_the_papers_gains_are_those_of_its_own_tables() -> None:
    proposed = paper.paper_figure("proposed", 4)
    assert proposed == (34.39, 0.957)
    assert proposed is not None
    assert proposed.gain(4) == pytest.approx(34.39 - 29.62)
    assert paper.paper_figure("cubic", 2) == paper.BICUBIC[2]
    assert paper.paper_figure("refined", 4) is None
    assert paper.CASCADE[3] == paper.LOSS["l1"] == paper.SHIFT[0.0] == proposed


def test_every_method_stands_twice_at_every_scale(tables: dict[str, Table]) -> None:
    for name, count in (("table_1", 6), ("table_2", 10)):
        for scale in (2, 4):
            both = rows(tables[name], scale=scale)
            assert len(both) == 2 * count
            assert [row["back_projection"] for row in both[:2]] == ["one", "without"]


def test_gains_are_over_bare_cubic_on_the_same_slices(
    tables: dict[str, Table],
) -> None:
    proposed = rows(tables["table_2"], method="proposed", scale=2)
    assert proposed[0]["central_gain"] == pytest.approx(4.75 + PROJECTED)
    assert proposed[1]["central_gain"] == pytest.approx(4.75)
    # Five slices, none of which an average over sixty would have to agree with.
    zssr = rows(tables["table_2"], method="zssr", scale=2)[1]
    assert zssr["slices_a_subject"] == 5
    assert zssr["central_gain"] == pytest.approx(1.0)
    cubic = rows(tables["table_2"], method="cubic", scale=2)[1]
    assert cubic["central_gain"] == 0.0
    assert cubic["common_slices"] == 15


def test_means_are_over_folds_and_deviations_over_slices() -> None:
    few = [line("proposed", slices=1), line("proposed", fold=1)]
    found = summarise(Measurements.read(few), "psnr_without")
    assert found.mean == pytest.approx((29.75 + 30.75 + 0.295) / 2)
    assert found.slices == 61
    assert found.subjects == 2


def test_the_papers_figures_stand_in_the_row_they_belong_to(
    tables: dict[str, Table],
) -> None:
    cubic = rows(tables["table_1"], method="cubic", scale=4)
    assert [row["paper_psnr"] for row in cubic] == [None, 29.62]
    srcnn = rows(tables["table_1"], method="srcnn", scale=4)
    assert [row["paper_psnr"] for row in srcnn] == [31.58, None]
    assert srcnn[0]["paper_gain"] == pytest.approx(1.96)


def test_tables_three_to_five_show_what_varies(tables: dict[str, Table]) -> None:
    for stages, gain in ((1, 2.75), (2, 4.55), (3, 4.85)):
        row = one(tables["table_3"], stages=stages, back_projection="without")
        assert row["central_gain"] == pytest.approx(gain)
    shifted = rows(tables["table_5"], back_projection="without")
    assert [row["shift_mm"] for row in shifted] == [*map(float, [0, 1, 2, 3] * 2), None]
    assert [row["jitter_mm"] for row in shifted] == [0.0] * 4 + [1.0] * 4 + [None]
    assert shifted[-1]["method"] == "zssr"
    assert shifted[5]["central_gain"] == pytest.approx(4.75 - 0.7)


def test_the_losses_are_paired_by_fold_and_seed(tables: dict[str, Table]) -> None:
    row = one(tables["table_4"], loss="l1", back_projection="one")
    assert row["runs"] == 9
    assert row["l1_minus_l2"] == pytest.approx(0.13)
    assert row["smallest_fold"] == pytest.approx(0.11)
    assert row["low"] < 0.13 < row["high"]
    assert "+0.13 dB" in tables["table_4"].markdown()


def test_only_equal_folds_and_seeds_are_compared() -> None:
    first = Measurements.read(
        [line("proposed", seed=0), line("proposed", fold=1, seed=1)]
    )
    second = Measurements.read([line("zssr", seed=1), line("zssr", fold=1, seed=1)])
    found = paired(first, second)
    assert found is not None
    assert list(found.runs) == [(1, 1)]
    assert len(found.slices) == 5
    assert paired(first, Measurements.read([line("zssr", seed=3)])) is None


def test_a_method_without_weights_stands_for_every_seed() -> None:
    first = Measurements.read([line("proposed", seed=seed) for seed in range(3)])
    found = paired(first, Measurements.read([line("guided_filter")]))
    assert found is not None
    assert list(found.runs) == [(0, 0), (0, 1), (0, 2)]
    assert found.mean == pytest.approx(3.85)
    assert found.fold_means == [pytest.approx(3.85)]


def test_the_interval_of_a_mean_is_students() -> None:
    low, high = interval([1.0, 2.0, 3.0]) or (0.0, 0.0)
    assert (low, high) == pytest.approx((-0.484, 4.484), abs=1e-3)
    assert interval([1.0]) is None


def test_the_orderings_of_a_benchmark_like_the_papers_hold(
    tables: dict[str, Table],
) -> None:
    told = [row["verdict"] for row in tables["orderings"].rows]
    assert len(told) == 26
    assert set(told) == {"holds"}
    centre = [row["centre_difference"] for row in tables["orderings"].rows]
    assert None not in centre


@pytest.mark.parametrize(
    ("method", "offset", "broken"),
    [
        ("model_2", -2.5, "guide, internal"),
        ("model_1", 2.5, "guide, external"),
        ("proposed", -0.5, "both"),
        ("proposed", -1.4, "better of one and 20"),
        ("proposed_supervised", -1.3, "supervised"),
    ],
)
def test_an_ordering_that_is_broken_is_told(
    method: str, offset: float, broken: str
) -> None:
    lines = [line(name, offset=offset * (name == method)) for name in GAINS]
    table = render_tables(lines)["orderings"]
    assert "does not hold" in verdicts(table, broken)
    assert "**does not hold**" in table.markdown()


def test_supervised_too_far_above_is_told() -> None:
    lines = [line("proposed"), line("proposed_supervised", offset=0.5)]
    table = render_tables(lines)["orderings"]
    assert verdicts(table, "supervised: ") == ["holds", "does not hold"]


def test_refinement_shows_its_worst_slice_and_its_time() -> None:
    refined = line("refined")
    refined["scores"][7]["psnr"] -= 1.0
    table = render_tables([line("proposed"), refined])["refinement"]
    (row,) = table.rows
    assert row["worst_slice"] == pytest.approx(-0.75)
    assert row["best_slice"] == pytest.approx(0.25)
    assert row["better_share"] == pytest.approx(59 / 60)
    assert row["train_seconds"] == pytest.approx(143.2)


def test_pretrained_rows_stand_where_they_were_run() -> None:
    tables = render_tables([line(name) for name in (*GAINS, *STARTED)])
    for name in STARTED:
        assert len(rows(tables["table_2"], method=name)) == 2
    first, second = tables["refinement"].rows
    assert (first["method"], second["method"]) == ("proposed", "pretrained")
    assert second["gain"] == pytest.approx(0.2)
    found = verdicts(tables["orderings"], "both: Proposed, from paintings")
    assert found == ["holds", "holds"]
    without = render_tables([line(name) for name in GAINS])
    assert not {row["method"] for row in without["table_2"].rows} & set(STARTED)


def test_nothing_measured_shows_dashes() -> None:
    tables = render_tables([])
    assert {row["central_psnr"] for row in tables["table_2"].rows} == {None}
    assert {row["verdict"] for row in tables["orderings"].rows} == {None}
    page = render_page([])
    assert f"Hardware: {MISSING}" in page
    assert "nan" not in page
    assert "None" not in page


@pytest.mark.parametrize("method", [*GAINS])
def test_any_line_alone_can_be_rendered(method: str) -> None:
    page = render_page([line(method, scale=2, stages=2, loss="l2", shift_mm=1.0)])
    assert "nan" not in page
    assert "None" not in page


def test_a_demo_at_one_scale_fills_all_five_tables() -> None:
    lines = [line(name, scale=2, stages=2) for name in GAINS]
    lines += [line("proposed", scale=2, stages=1, offset=-1.0)]
    tables = render_tables(lines)
    assert {row["scale"] for table in tables.values() for row in table.rows} == {2}
    counts = {row["stages"]: row["central_psnr"] for row in tables["table_3"].rows}
    assert [r for r, value in counts.items() if value is not None] == [1, 2]
    assert "Not run at 4×" in tables["table_1"].markdown()
    assert "those of 4×" in tables["table_3"].caption


def test_a_slice_without_a_figure_is_left_out() -> None:
    broken = line("proposed")
    broken["scores"][0]["psnr"] = None
    (row,) = rows(
        render_tables([line("cubic"), broken])["table_3"],
        stages=3,
        back_projection="one",
    )
    assert row["central_gain"] == pytest.approx(4.75 + PROJECTED)


def test_of_two_lines_of_a_cell_the_last_counts() -> None:
    lines = [line("cubic"), line("proposed"), line("proposed", offset=1.0)]
    row = rows(render_tables(lines)["table_2"], method="proposed")[1]
    assert row["central_gain"] == pytest.approx(5.75)
    assert "2, 1 older ones left out" in render_page(lines)


@pytest.mark.parametrize(
    "wrong", [{"format": 2}, {"method": "magic"}, {"scale": None}, {"scores": [{}]}]
)
def test_what_is_no_line_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="a line of the benchmark"):
        render_tables([line("zssr") | wrong])


def test_shifts_of_ones_own_are_ordered_and_jitter_adds_no_empty_rows() -> None:
    lines = [line("cubic"), line("proposed"), line("proposed", jitter_mm=2.0)]
    lines += [line("proposed", shift_mm=2.0, offset=-1.0)]
    tables = render_tables(lines)
    told = [(row["shift_mm"], row["jitter_mm"]) for row in tables["table_5"].rows[::2]]
    assert told == [(0, 0), (1, 0), (2, 0), (3, 0), (0, 2), (None, None)]
    text = "guide out of place: 0 mm over 2 mm"
    assert verdicts(tables["orderings"], text) == ["holds"]


def test_the_page_tells_the_conditions_and_the_number_of_slices(
    lines: list[dict[str, Any]],
) -> None:
    page = render_page(lines)
    for text in (
        "Hardware: 2 cores, x86_64",
        "guided-sr 0.1, keras 3.15.1",
        "training steps: 1800",
        "Seeds: 0, 1, 2",
        "3 (patient07, patient19, patient26)",
        "under 0.3 dB",
        "2D mDCSRN-GAN (b4u4)",
        "60 central slices",
        "(5 slices)",
        "143 s a slice",
    ):
        assert text in page.replace("2.4 min", "143 s")


def test_runs_on_different_hardware_are_told_apart() -> None:
    fast = {**line("proposed"), "hardware": "a card", "steps": 20000}
    page = render_page([line("zssr"), fast])
    assert "2 cores, x86_64: ZSSR; a card: Proposed (unsupervised)" in page
    assert "1800: ZSSR; 20000: Proposed (unsupervised)" in page


def test_files_are_written_whole_and_replaced(
    lines: list[dict[str, Any]], tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    files = write_tables(lines, folder)
    names = {f"table_{k}.csv" for k in range(1, 6)} | {"tables.md"}
    assert names <= {path.name for path in folder.iterdir()}
    assert {path.name for path in folder.iterdir()} == {f.name for f in files.values()}
    with files["table_5"].open(encoding="utf-8", newline="") as stream:
        read = list(csv.DictReader(stream))
    assert len(read) == 18
    assert float(read[0]["central_gain"]) == pytest.approx(5.35)
    assert read[-1]["shift_mm"] == ""
    before = files["page"].read_bytes()
    write_tables(lines[:1], folder)
    assert files["page"].read_bytes() != before
    write_tables(lines, folder)
    assert files["page"].read_bytes() == before


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(CannotCreateError):
        write_tables([], tmp_path / "taken")


def test_numbers_and_times_are_short() -> None:
    assert number(-0.5, sign=True) == "−0.50"
    assert number(None) == MISSING
    shown = [seconds(value) for value in (0.0052, 0.068, 3.21, 143.2, 5400.0, None)]
    assert shown == ["5.2 ms", "68 ms", "3.2 s", "2.4 min", "1.5 h", MISSING]
