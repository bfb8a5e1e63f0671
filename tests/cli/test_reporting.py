from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guided_sr.cli.main import main


def test_a_report_that_fails_costs_nothing_and_is_made_by_the_next_run(
    pair: Any,
    model_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = pair.folder / "sr.nii.gz"
    command = pair.arguments(model_dir, "-o", str(out), "--report")

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no colours left")

    with monkeypatch.context() as patch:
        patch.setattr("guided_sr.report.html.render_report", broken)
        assert main(command) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{out}\n"
    assert "WARNING the image is complete and kept, but its report" in captured.err
    assert "no colours left" in captured.err
    report = out.with_name("sr.html")
    made = out.read_bytes()
    assert not report.exists()

    monkeypatch.setattr("guided_sr.cli.framework.load_framework", None)
    assert main(command) == 0
    assert f"report: {report}" in capsys.readouterr().err
    assert "Cubic interpolation and result" in report.read_text("utf-8")
    assert out.read_bytes() == made


def test_run_writes_a_report_and_never_replaces_a_foreign_page(
    pair: Any, model_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page = pair.folder / "sr.nii.gz", pair.folder / "sr.html"
    command = pair.arguments(model_dir, "-o", str(out), "--report")
    page.write_text("mine", "utf-8")
    assert main(command) == 73
    assert page.read_text("utf-8") == "mine"
    page.unlink()
    capsys.readouterr()
    assert main(command) == 0
    assert f"report: {page}" in capsys.readouterr().err
    text = page.read_text("utf-8")
    assert "guided-sr run -i" in text
    assert "Edges of the T1" in text
    assert "They are left out" not in text
