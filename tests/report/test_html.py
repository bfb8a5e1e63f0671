from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import guided_sr
from guided_sr._about import CITATION
from guided_sr.errors import CannotCreateError
from guided_sr.inference.recall import recall_result, recall_t1
from guided_sr.inference.result import Result
from guided_sr.report.facts import quality_rows
from guided_sr.report.html import render_report
from guided_sr.volumes import Volume


class Page(HTMLParser):
    """Identifiers, addresses and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "data", "action", "xlink:href"):
                self.addresses.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_has_every_part(result: Result) -> None:
    page = Page(render_report(result))
    parts = ["verdict", "plan", "swap", "edges", "maps", "map-consistency"]
    assert page.ids == [*parts, "histogram", "quality", "provenance", "citation"]
    for text in (
        result.sidecar()["IntendedUse"],
        CITATION,
        "24 x 28 x 8 voxels of 1 x 1 x 4 mm",
        "8x24 → 16x24 → 32x24",
        "guided-sr run -i t2.nii.gz",
        result.provenance["inputs"]["t1"]["sha256"],
        "unexplained in the result",
    ):
        assert text in page.text


def test_noise_and_epsilon_are_explained() -> None:
    rows = quality_rows({"noise": 0.015, "epsilon": 0.317})
    assert [value for _, value, _ in rows] == ["0.015", "0.317"]
    assert all(note for _, _, note in rows)


def test_the_page_asks_nothing_of_a_network_and_runs_no_script(result: Result) -> None:
    text = render_report(result)
    page = Page(text)
    assert page.addresses
    assert all(one.startswith("data:image/png;base64,") for one in page.addresses)
    assert "script" not in page.tags
    assert "default-src 'none'" in text
    assert not re.search(r"https?://", text)
    assert "url(" not in text


def test_names_and_warnings_cannot_become_markup(result: Result) -> None:
    page = Page(render_report(result))
    assert "b" not in page.tags
    assert "a warning with <b>brackets</b>" in page.text


def test_what_was_noticed_stands_there_once(result: Result) -> None:
    (noticed,) = result.warnings
    told = Page(render_report(result)).text
    shown, _, everything = told.partition("Everything that is known")
    assert shown.count(noticed) == 1
    assert noticed in everything
    unjudged = Page(render_report(dataclasses.replace(result, qc={})))
    assert unjudged.ids[0] == "warnings"
    assert noticed in unjudged.text


def test_a_verdict_and_further_maps_are_shown_where_there_are_some(
    result: Result,
) -> None:
    spread = Volume(np.abs(result.data), result.affine)
    known = dataclasses.replace(
        result,
        qc={**result.qc, "verdict": "LOOK", "reasons": ["the T1 is coarse"]},
        maps={**result.maps, "uncertainty": spread, "guide_influence": spread},
    )
    page = Page(render_report(known))
    assert page.ids[0] == "verdict"
    assert "map-uncertainty" in page.ids
    assert "map-guide_influence" in page.ids
    assert "LOOK" in page.text
    assert "the T1 is coarse" in page.text


def test_the_page_does_without_t1_and_maps(result: Result) -> None:
    inputs = {"t2": result.provenance["inputs"]["t2"]}
    known = {**result.provenance, "inputs": inputs, "registration": None}
    bare = dataclasses.replace(result, provenance=known, qc={}, maps={}, warnings=())
    page = Page(render_report(bare))
    assert "maps" not in page.ids
    assert "made without a T1" in page.text


def test_a_t1_that_is_gone_leaves_its_edges_out_with_the_reason(
    result: Result,
) -> None:
    t1 = {"path": "gone.nii.gz", "sha256": "0"}
    inputs = {**result.provenance["inputs"], "t1": t1}
    known = {**result.provenance, "inputs": inputs}
    text = Page(render_report(dataclasses.replace(result, provenance=known))).text
    assert "They are left out" in text
    assert "gone.nii.gz" in text


def test_a_registration_that_was_applied_is_applied_again(result: Result) -> None:
    shift = np.eye(4)
    shift[0, 3] = 5.0
    found = {"applied": True, "t1_to_t2_ras_mm": shift.tolist()}
    known = {**result.provenance, "registration": found}
    plain, moved = recall_t1(result.provenance), recall_t1(known)
    assert plain is not None
    assert moved is not None
    np.testing.assert_allclose(moved.affine, shift @ plain.affine)


def test_a_saved_result_comes_back_with_its_maps(
    saved_result: Path, result: Result
) -> None:
    again = recall_result(saved_result, result.plan)
    np.testing.assert_array_equal(again.data, result.data)
    residual, expected = again.maps["consistency"], result.maps["consistency"]
    np.testing.assert_allclose(residual.data, expected.data, atol=1e-2)
    assert again.qc == result.qc
    assert again.warnings == result.warnings
    assert render_report(again).count("<svg") == render_report(result).count("<svg")


def test_an_existing_report_is_kept_unless_forced(
    result: Result, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "report.html"
    assert guided_sr.write_report(result, path) == path
    with pytest.raises(CannotCreateError, match="exists"):
        guided_sr.write_report(result, path)
    guided_sr.write_report(result, path, force=True)
    assert [one.name for one in path.parent.iterdir()] == ["report.html"]
