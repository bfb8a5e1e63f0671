from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from guided_sr import GuidedSRModel, SliceImages, degrade
from guided_sr.errors import UsageError


def test_each_epoch_of_each_stage_shows_input_estimate_and_target(
    small_head, tiny, tmp_path
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    model = GuidedSRModel(precision="float32", **tiny)
    model.fit_external(
        [(degrade(small_head.t2, 2), small_head.t1)],
        scale=2,
        stages=2,
        max_steps=4,
        steps_per_epoch=2,
        batch_size=2,
        patch_size=16,
        callbacks=[SliceImages(tmp_path / "log")],
        verbose=0,
    )
    for stage in (1, 2):
        (file,) = (tmp_path / "log" / f"stage_{stage}").iterdir()
        found: dict[str, list[Any]] = {}
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value))
        images = found["input | estimate | target"]
        assert [step for step, _ in images] == [0, 1]
        strings = images[0][1].tensor.string_val
        assert strings[2].startswith(b"\x89PNG")
        assert int(strings[0]) == 3 * int(strings[1])  # three squares in a row
        assert [step for step, _ in found["loss"]] == [0, 1]


def test_without_tensorboard_the_extra_is_named(monkeypatch, tmp_path: Path) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("tensorboard"):
            raise ImportError(f"No module named {name!r}")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UsageError, match=r"guided-sr\[tensorboard\]"):
        SliceImages(tmp_path)
