"""What became of each pair of a cohort: outcomes, a table of them, crash files."""

from __future__ import annotations

import platform
import time
import traceback
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guided_sr._version import __version__
from guided_sr.volumes.writing import replace_json, write_file

__all__ = ["Outcome", "RunLog", "table_text"]

DONE, UP_TO_DATE, PLANNED, FAILED = "done", "up-to-date", "planned", "failed"


@dataclass(frozen=True)
class Outcome:
    """What became of one pair.

    Attributes:
        subject: Label, without ``sub-``.
        session: Label, or ``""``.
        status: ``"done"``, ``"up-to-date"``, ``"planned"`` or ``"failed"``.
        result: Path of the result, or ``""``.
        exit_code: 0, or what the failure alone would end a process with.
        error: The one line of the failure.
        trace: Its traceback.
        tag: Its stable identifier.
    """

    subject: str
    session: str = ""
    status: str = DONE
    result: str = ""
    exit_code: int = 0
    error: str = ""
    trace: str = ""
    tag: str = ""

    @classmethod
    def failure(
        cls,
        subject: str,
        session: str,
        error: BaseException,
        exit_code: int,
        tag: str,
    ) -> Outcome:
        """The outcome that an exception stands for."""
        text = "".join(traceback.format_exception(error))
        line = " ".join(str(error).split()) or type(error).__name__
        return cls(subject, session, FAILED, "", exit_code, line, text, tag)

    @property
    def who(self) -> str:
        """``sub-<label>``, with ``_ses-<label>`` where there is one."""
        session = f"_ses-{self.session}" if self.session else ""
        return f"sub-{self.subject}{session}"


class RunLog:
    """The records of one run, in ``logs/<run>/``: written as they come.

    Args:
        out: Top of the derivative data set.
        command: The command line.
        options: Its options, as plain data.
    """

    def __init__(self, out: Path, command: str, options: dict[str, Any]) -> None:
        self.run = f"{time.strftime('%Y%m%d-%H%M%S')}_{uuid.uuid4()}"
        self.folder = out / "logs" / self.run
        self.command = command
        self.outcomes: list[Outcome] = []
        self.folder.mkdir(parents=True)
        about = {"command": command, "options": options, **_versions()}
        replace_json(self.folder / "config.json", about)

    def add(self, outcome: Outcome) -> None:
        """Note an outcome, with a crash file if it is a failure."""
        self.outcomes.append(outcome)
        header = ("subject", "session", "status", "exit", "result", "error")
        rows = [
            (
                f"sub-{one.subject}",
                one.session or "n/a",
                one.status,
                str(one.exit_code),
                one.result or "n/a",
                one.error or "n/a",
            )
            for one in self.outcomes
        ]
        _write(self.folder / "status.tsv", table_text(header, rows))
        if outcome.status == FAILED:
            _write(self._crash_path(outcome), self._crash_text(outcome))

    def _crash_path(self, outcome: Outcome) -> Path:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        return self.folder / f"crash-{stamp}-{outcome.who}.txt"

    def _crash_text(self, outcome: Outcome) -> str:
        versions = " ".join(f"{name}={text}" for name, text in _versions().items())
        return (
            f"{outcome.who}\nexit {outcome.exit_code}: {outcome.error}\n"
            f"command: {self.command}\nversions: {versions}\n\n{outcome.trace}"
        )


def table_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A tab-separated table; what would break a cell becomes a space."""
    lines = (header, *rows)
    return "".join(
        "\t".join(" ".join(cell.split()) for cell in line) + "\n" for line in lines
    )


def _versions() -> dict[str, str]:
    return {
        "guided_sr": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def _write(path: Path, text: str) -> None:
    def write(file: Path) -> None:
        file.write_text(text, encoding="utf-8")

    write_file(path, write, force=True)
