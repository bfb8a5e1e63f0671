from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from guided_sr.cli.main import main

ROOT = Path(__file__).parents[2]
SMALL = """
[cells]
methods = ["cubic", "guided_filter", "proposed", "srcnn"]
scales = [2]
stages = [2]
losses = ["l1"]
shifts_mm = [0]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bench.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture
def two(pair: Any, tmp_path: Path) -> Path:
    """A folder with two subjects."""
    folder = tmp_path / "subjects"
    for name in ("a", "b"):
        place = folder / name
        place.mkdir(parents=True)
        shutil.copy(pair.truth, place / "t2.nii.gz")
        shutil.copy(pair.t1, place / "t1.nii.gz")
    return folder


def command(file: Path, data: Path, out: Path, *more: str) -> list[str]:
    return ["benchmark", str(file), "--data", str(data), "-o", str(out), *more]


def test_a_dry_run_prints_the_cells_and_loads_no_framework(
    file: Path, two: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = command(file, two, out, "--dry-run")
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from guided_sr.cli.main import main\n"
            f"code = main({arguments})\n"
            "print(code, [m for m in ('keras', 'tensorflow') if m in sys.modules],"
            " file=sys.stderr)",
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert run.stderr.splitlines()[-1] == "0 []"
    assert run.stdout.splitlines() == [
        f"{cell}, fold {fold}, seed 0"
        for cell in (
            "cubic 2x",
            "guided_filter 2x",
            "proposed 2x, r=2, l1",
            "srcnn 2x, r=1, l1",
        )
        for fold in (0, 1)
    ]
    assert not out.exists()


def test_methods_choose_among_the_cells(
    file: Path,
    two: Path,
    tmp_path: Path,
    no_framework: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = command(file, two, tmp_path / "out", "--methods", "cubic, srcnn")
    assert main([*arguments, "--dry-run", "-q"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    methods = {line.split()[0] for line in captured.out.splitlines()}
    assert methods == {"cubic", "srcnn"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[cells]\nscale = [2]", ["cells.scale", "bench.toml"]),
        ("[budget]\nsteps = 0", ["budget.steps"]),
        ('[cells]\nmethods = ["unet"]', ["unknown method unet", "cubic"]),
        ('[cells]\nlosses = ["l3"]', ["cells.losses"]),
        ("[options.unet]\nfilters = 1", ["unet"]),
        ("scales = [", ["not TOML"]),
    ],
)
def test_a_wrong_file_is_65_and_its_fault_is_named(
    text: str,
    words: list[str],
    file: Path,
    two: Path,
    tmp_path: Path,
    no_framework: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file.write_text(text, encoding="utf-8")
    assert main(command(file, two, tmp_path / "out")) == 65
    shown = capsys.readouterr().err
    assert shown.startswith("ERROR [E-DATA] ")
    assert all(word in shown for word in words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["{file}"],
        ["--data", "{two}"],
        ["--demo", "{file}"],
        ["--demo", "--data", "{two}"],
        ["{file}", "--data", "{two}", "--methods", "unet"],
        ["{file}", "--data", "{two}", "--methods", ","],
        ["{file}", "--data", "{two}/a"],
    ],
)
def test_what_is_asked_wrongly_is_64(
    given: list[str],
    file: Path,
    two: Path,
    tmp_path: Path,
    no_framework: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    arguments = [text.format(file=file, two=two) for text in given]
    assert main(["benchmark", *arguments, "-o", str(out)]) == 64
    shown = capsys.readouterr().err
    assert shown.startswith("ERROR [E-USAGE] ")
    assert "Mend: " in shown
    assert not out.exists()


def test_a_method_that_is_not_there_is_told_with_those_that_are(
    file: Path,
    two: Path,
    tmp_path: Path,
    no_framework: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = command(file, two, tmp_path / "out", "--methods", "zssr,cubic")
    assert main(arguments) == 64
    assert "no method zssr" in (shown := capsys.readouterr().err)
    assert "cubic, guided_filter, proposed, srcnn" in shown


@pytest.mark.parametrize(("missing", "code"), [("file", 66), ("data", 66), ("out", 73)])
def test_paths_that_cannot_be_used_are_told_by_the_exit_code(
    missing: str, code: int, file: Path, two: Path, tmp_path: Path, no_framework: None
) -> None:
    places = {"file": file, "data": two, "out": tmp_path / "out"}
    places[missing] = file if missing == "out" else tmp_path / "nowhere"
    assert main(command(**places)) == code


def test_the_file_of_the_documentation_is_accepted(
    file: Path, two: Path, tmp_path: Path, no_framework: None
) -> None:
    page = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    text = page.split("```toml\n", 1)[1].split("```", 1)[0]
    file.write_text(text, encoding="utf-8")
    assert main(command(file, two, tmp_path / "out", "--dry-run", "-q")) == 0
