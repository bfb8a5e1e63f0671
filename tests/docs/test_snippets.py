"""What the README and the guides show is run, or at least understood."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guided_sr import degrade, head_phantom
from guided_sr.cli.main import build_parser, main
from guided_sr.networks import registry
from guided_sr.presets import list_presets
from guided_sr.volumes import write_volume

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs/how_to").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "docs/get_started.md", *GUIDES]
BLOCK = re.compile(r"(?ms)^```(python|console)\n(.*?)^```")

# Pages whose Python runs from top to bottom, on a drawn pair. That of choose_a_method
# is left out: its seven trainings take a minute even of one step, and have tests.
PYTHON = (
    "README",
    "get_started",
    "add_a_backbone",
    "explain",
    "fine_tune",
    "super_resolve_a_pair",
    "train_from_scratch",
)
LEFT_OUT = (
    '("s1_T2.nii.gz", "s1_T1.nii.gz"), ...]',  # a list for the reader to fill
    "model.fit_external(pairs, scale=4, stages=3)",  # as train_from_scratch, larger
)
# Pages whose commands run from top to bottom.
CONSOLE = ("super_resolve_a_pair", "train_from_scratch")
FILES = {"cp", "mkdir"}


def named(names: tuple[str, ...]) -> list[Path]:
    return [page for page in PAGES if page.stem in names]


def blocks(page: Path, kind: str) -> list[str]:
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [text for one, text in found if one == kind]


def commands(page: Path) -> list[str]:
    lines = "".join(blocks(page, "console")).replace("\\\n", "")
    shown = re.findall(r"(?m)^\$ (.+)$", lines)
    return [part.strip() for line in shown for part in line.split("&&")]


def ours(command: str) -> list[str] | None:
    """The arguments of a command of this package."""
    program, *rest = shlex.split(command.removesuffix("&"), comments=True)
    prefix = {"guided-sr": [], "guided-sr-bids": ["bids"]}.get(program)
    return None if prefix is None else prefix + rest


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair as `guided-sr demo` leaves it, smaller."""
    folder = tmp_path_factory.mktemp("drawn")
    head = head_phantom((160, 192), 2, seed=1)
    low = np.moveaxis(degrade(head.t2, 4), 0, -1)
    affine = head.affine @ np.diag([4.0, 4.0, 1.0, 1.0])
    affine[:3, 3] += head.affine[:3, :2] @ (1.5, 1.5)
    write_volume(folder / "t2_lr.nii.gz", low, affine)
    write_volume(folder / "t1.nii.gz", np.moveaxis(head.t1, 0, -1), head.affine)
    return folder


@pytest.fixture
def workplace(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with T2.nii.gz and T1.nii.gz, where trainings end after one step."""
    from guided_sr.model import fitting

    whole = fitting.training_options

    def short(*arguments: Any) -> Any:
        few = {"max_steps": 1, "steps_per_epoch": 1, "batch_size": 2, "patch_size": 16}
        return dataclasses.replace(whole(*arguments), **few)

    monkeypatch.setattr(fitting, "training_options", short)
    monkeypatch.chdir(tmp_path)
    shutil.copy(drawn / "t2_lr.nii.gz", "T2.nii.gz")
    shutil.copy(drawn / "t1.nii.gz", "T1.nii.gz")
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_is_understood(page: Path) -> None:
    for command in commands(page):
        arguments = ours(command)
        if arguments is not None and "..." not in arguments:
            assert build_parser().parse_args(arguments), command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_import_finds_its_name(page: Path) -> None:
    for text in blocks(page, "python"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module:
                if node.module.partition(".")[0] != "guided_sr":
                    continue
                module = importlib.import_module(node.module)
                for alias in node.names:
                    assert hasattr(module, alias.name), (node.module, alias.name)


@pytest.mark.slow
@pytest.mark.skipif(not list_presets(), reason="no preset has been packaged")
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("page", named(PYTHON), ids=lambda page: page.stem)
def test_python_runs(
    page: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A backbone that a page registers is gone with the test.
    monkeypatch.setattr(registry, "_BUILDERS", dict(registry._BUILDERS))
    head = head_phantom((96, 112), n_slices=2, voxel_mm=2.0)
    names: dict[str, Any] = {"pairs": [(degrade(head.t2, 4), head.t1)]}
    for number, text in enumerate(blocks(page, "python"), 1):
        if not any(part in text for part in LEFT_OUT):
            exec(compile(text, f"{page.stem}, block {number}", "exec"), names)


@pytest.mark.slow
@pytest.mark.skipif(not list_presets(), reason="no preset has been packaged")
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("page", named(CONSOLE), ids=lambda page: page.stem)
def test_commands_run(page: Path, workplace: Path, drawn: Path) -> None:
    for command in commands(page):
        arguments = ours(command)
        if arguments is None:
            assert shlex.split(command)[0] in FILES, command
            subprocess.run(command, shell=True, check=True)
        elif arguments[0] == "demo":  # has tests of its own
            shutil.copytree(drawn, arguments[arguments.index("-o") + 1])
        else:
            assert main(arguments) == 0, command
