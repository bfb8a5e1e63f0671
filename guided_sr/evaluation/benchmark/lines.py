"""The results of a benchmark on disk: one JSON line a cell, and centre slices."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guided_sr.errors import warn_user
from guided_sr.evaluation.benchmark.cells import FORMAT

Line = dict[str, Any]


def lines_file(folder: Path) -> Path:
    """The JSON lines of a benchmark's folder."""
    return folder / "cells.jsonl"


def image_file(folder: Path, key: str, subject: str) -> Path:
    """Where a cell keeps the centre slice of a subject: truth, guide and image."""
    return folder / "images" / key / f"{subject.replace('/', '_')}.npz"


def read_lines(file: Path) -> Iterator[Line]:
    """Lines of a benchmark; one cut short by a kill is left out with a warning."""
    if not file.exists():
        return
    for number, text in enumerate(file.read_text("utf-8").splitlines(), 1):
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            warn_user(f"line {number} is cut short and left out", path=file)
            continue
        if line.get("format") == FORMAT:
            yield line


def append_line(file: Path, line: Line) -> None:
    """Add a line, after one that a kill may have cut short, and see it written."""
    text = json.dumps(line) + "\n"
    with file.open("a+b") as stream:
        stream.seek(0, os.SEEK_END)
        if stream.tell():
            stream.seek(-1, os.SEEK_END)
            text = text if stream.read(1) == b"\n" else "\n" + text
        stream.write(text.encode())
        stream.flush()
        os.fsync(stream.fileno())
