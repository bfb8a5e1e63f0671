from __future__ import annotations

import pytest

from guided_sr.errors import TryAgainError
from guided_sr.volumes import memory


def test_the_figures_are_told(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 2.0)
    memory.refuse_short_memory(1.9, what="the result")
    with pytest.raises(TryAgainError, match=r"needs about 2\.1 GiB.*2\.0 GiB are free"):
        memory.refuse_short_memory(2.1, what="the result", path="t2.nii")


def test_what_is_not_known_is_not_refused(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    memory.refuse_short_memory(1e6, what="the result")


def test_the_limit_of_a_control_group_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    free = memory.available_memory()
    if free is None:
        pytest.skip("this system does not tell its free memory")
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("100\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 50\n")
    assert memory.available_memory() > 1e-3
    (tmp_path / "memory.max").write_text("150\n")
    assert memory.available_memory() == pytest.approx(100 / 2**30)
