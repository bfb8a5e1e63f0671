"""A scene for each fault: a pair of images, a model, and the program in a process."""

from __future__ import annotations

import contextlib
import ctypes
import gzip
import hashlib
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from guided_sr.errors import GuidedSRError, GuidedSRWarning
from guided_sr.volumes import read_volume, write_volume

ROOT = Path(__file__).parents[2]
INJECT = Path(__file__).with_name("injected.py")
ROWS = 92


@dataclass(frozen=True)
class Ran:
    """What a process left behind."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line on standard error."""
        return self.err.splitlines()[-1] if self.err else ""

    @property
    def warnings(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("WARNING ")]


@dataclass
class Line:
    """A line of the table."""

    expected: str
    got: list[str] = field(default_factory=list)
    words: set[str] = field(default_factory=set)

    @property
    def word(self) -> str:
        return next(word for word in ("NO", "later", "yes") if word in self.words)


class Scene:
    """A T2, a T1, a model of scale 2, and an empty folder for results.

    Every process that it starts is noted for the table of faults.
    """

    def __init__(self, pair: Any, model: Path, trained: Any, got: list[str]) -> None:
        self.folder: Path = pair.folder
        self.t2: Path = pair.t2
        self.t1: Path = pair.t1
        self.model = model
        self.trained = trained
        self.out = self.folder / "out" / "sr.nii.gz"
        self.out.parent.mkdir()
        self.got = got

    def command(self, *more: str | Path, name: str = "run") -> list[str]:
        """The arguments of `name` on this pair; `more` wins over them."""
        if name == "degrade":
            given = {"-i": self.t2, "-o": self.out, "--scale": "2"}
        else:
            given = {"-i": self.t2, "-g": self.t1, "-o": self.out}
            given["--model"] = self.model
        text = [str(one) for one in more]
        kept = [
            str(part)
            for option, value in given.items()
            if option not in text
            for part in (option, value)
        ]
        return [name, *kept, *text]

    def program(
        self,
        arguments: Sequence[str | Path],
        *,
        inject: str | None = None,
        environment: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
        cwd: Path | None = None,
    ) -> Ran:
        """Run the program in a process of its own.

        Args:
            arguments: Of the command line.
            inject: Name of a fault in `injected.py`.
            environment: All of it; the present one by default.
            before: Called in the process before the program.
            cwd: Where it runs.
        """
        start = ["-m", "guided_sr"] if inject is None else [str(INJECT), inject]
        done = subprocess.run(
            [sys.executable, *start, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env=process_environment() if environment is None else environment,
            preexec_fn=before,
            cwd=cwd,
            timeout=240,
        )
        self.got.append(_shown(done.returncode, done.stderr))
        return Ran(done.returncode, done.stdout, done.stderr)

    def refused(
        self,
        code: int,
        tag: str,
        *words: str,
        arguments: Sequence[str | Path] | None = None,
        path: str | Path | None = None,
        api: bool = True,
        **how: Any,
    ) -> Ran:
        """Assert that the program refuses and that nothing has changed.

        Args:
            code: Exit code.
            tag: The error's code, as ``"E-DATA"``.
            *words: What the line must contain.
            arguments: Of the command line; those of `command` by default.
            path: What the line must name; the T2 by default.
            api: Whether the model, asked in Python, must refuse alike.
            **how: As `program`.
        """
        before = contents(self.folder)
        ran = self.program(self.command() if arguments is None else arguments, **how)
        assert (ran.code, ran.last[:60]) == (code, ran.last[:60]), ran.err
        assert ran.last.startswith(f"ERROR [{tag}] "), ran.err
        for word in (*words, str(self.t2 if path is None else path), "Mend: "):
            assert word in ran.last
        assert ran.last.count("Mend: ") == 1, ran.last
        assert "Traceback" not in ran.err
        assert ran.out == ""
        assert contents(self.folder) == before
        if api:
            self.refused_in_python(code, *words)
        return ran

    def refused_in_python(self, code: int, *words: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(GuidedSRError) as caught:
                self.trained.predict_cascade(str(self.t2), str(self.t1))
        assert caught.value.exit_code == code
        for word in words:
            assert word in str(caught.value)

    def planned(self, *more: str | Path, **how: Any) -> Ran:
        """Assert that the plan is made: everything was read and nothing refused."""
        before = contents(self.folder)
        ran = self.program(self.command("--dry-run", *more), **how)
        assert ran.code == 0, ran.err
        assert contents(self.folder) == before
        return ran

    def warned(self, *words: str, more: Sequence[str] = (), **how: Any) -> Ran:
        """Assert that the plan is made with one warning that holds the words."""
        ran = self.planned(*more, **how)
        told = [one for one in ran.warnings if all(word in one for word in words)]
        assert len(told) == 1, ran.err
        return ran

    def change(
        self,
        which: str,
        alter: Callable[[np.ndarray], np.ndarray] | None = None,
        affine: np.ndarray | None = None,
    ) -> None:
        """Replace the voxels, or the affine, of the ``"t2"`` or the ``"t1"``."""
        path = getattr(self, which)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GuidedSRWarning)
            volume = read_volume(path)
            data = volume.data if alter is None else alter(volume.data.copy())
            matrix = volume.affine if affine is None else affine
            write_volume(path, data, matrix, force=True)

    def save(self, which: str, data: np.ndarray, **fields: Any) -> None:
        """Save voxels of any type as the ``"t2"`` or the ``"t1"``, by nibabel."""
        path = getattr(self, which)
        affine = nib.load(path).affine
        image = nib.Nifti1Image(data, affine, dtype=data.dtype)
        image.set_qform(affine, code=1)
        image.set_sform(affine, code=1)
        nib.save(image, path)
        if fields:
            self.header(which, **fields)

    def header(self, which: str, **fields: Any) -> None:
        """Set fields of the NIfTI header of the ``"t2"`` or the ``"t1"``."""
        path = getattr(self, which)
        content = bytearray(gzip.decompress(path.read_bytes()))
        header = nib.Nifti1Header(bytes(content[:348]), check=False)
        for name, value in fields.items():
            header[name] = value
        content[:348] = header.binaryblock
        path.write_bytes(gzip.compress(bytes(content), mtime=0))

    def raw(self, which: str) -> bytearray:
        """The decompressed bytes of an image."""
        return bytearray(gzip.decompress(getattr(self, which).read_bytes()))


def contents(folder: Path) -> dict[str, str]:
    """Names of everything below a folder, and the sha256 of each file."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"link to {os.readlink(path)}"
        elif path.is_file():
            with contextlib.suppress(PermissionError):
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder"
    return found


def process_environment(**more: str) -> dict[str, str]:
    """The environment of a process that shall find this package."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(one for one in paths if one)
    return {**os.environ, "PYTHONPATH": path, **more}


def without_privilege() -> None:
    """Make the process bound by permissions, also where root runs the tests.

    The capabilities to pass over permissions are dropped rather than the user id: the
    interpreter may lie where only root may read.
    """
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (1, 2, 3):  # DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER
            libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def _shown(code: int, err: str) -> str:
    last = err.splitlines()[-1] if err else ""
    tag = f" {last[7:].split(']')[0]}" if last.startswith("ERROR [") else ""
    warned = " with a warning" if code == 0 and "WARNING " in err else ""
    return f"{code}{tag}{warned}"


@pytest.fixture
def got(request: pytest.FixtureRequest) -> list[str]:
    """What was got, for the table."""
    noted: list[str] = []
    request.node.user_properties.append(("got", noted))
    return noted


@pytest.fixture
def scene(pair: Any, model_dir: Path, trained: Any, got: list[str]) -> Scene:
    return Scene(pair, model_dir, trained, got)


@pytest.fixture
def bound() -> Callable[[], None]:
    """What makes a process bound by permissions."""
    return without_privilege


@pytest.fixture
def environment() -> Callable[..., dict[str, str]]:
    return process_environment


@pytest.fixture
def snapshot() -> Callable[[Path], dict[str, str]]:
    return contents


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marks = [mark.args for mark in item.iter_markers("fault")]
        if marks:
            item.user_properties.append(("faults", marks))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print row, fault, expected, got, pass."""
    if not config.getoption("--fault-table"):
        return
    rows: dict[int, dict[str, Line]] = {}
    for outcome, word in (("passed", "yes"), ("failed", "NO"), ("skipped", "later")):
        for report in terminalreporter.stats.get(outcome, []):
            noted = dict(report.user_properties)
            found = noted.get("got", [])
            if outcome == "skipped":
                found = [report.longrepr[2].removeprefix("Skipped: ")]
            for row, what, expected in noted.get("faults", []):
                line = rows.setdefault(row, {}).setdefault(what, Line(expected))
                line.got += [one for one in found if one not in line.got]
                line.words.add(word)
    write = terminalreporter.write_line
    terminalreporter.section("faults")
    write(f"{'row':>3}  {'fault':<44}  {'expected':<30}  {'got':<34}  pass")
    words = []
    for row in range(1, ROWS + 1):
        lines = rows.get(row, {"": Line("", ["not run"], {"NO"})})
        for what, line in lines.items():
            found = ", ".join(line.got) or "-"
            write(
                f"{row:>3}  {what:<44}  {line.expected:<30}  {found:<34}  {line.word}"
            )
        told = {line.word for line in lines.values()}
        words.append(next(word for word in ("NO", "later", "yes") if word in told))
    write(
        f"{words.count('yes')} of {ROWS} rows pass, {words.count('later')} come later,"
        f" {words.count('NO')} fail"
    )
