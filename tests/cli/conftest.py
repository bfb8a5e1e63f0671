from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def no_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever loads the framework fails: what is refused is refused before."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the framework was loaded")

    monkeypatch.setattr("guided_sr.cli.framework.load_framework", refuse)
