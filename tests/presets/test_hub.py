from __future__ import annotations

import builtins
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from guided_sr.cli.main import main
from guided_sr.errors import (
    GuidedSRError,
    IOFailure,
    MissingInputError,
    TryAgainError,
    UsageError,
    WeightsError,
)
from guided_sr.presets import locate_preset, verify_preset

ADDRESS = "hf://somebody/far_x2"


class Hub(ModuleType):
    """What huggingface_hub would do, without a network."""

    def __init__(self, folder: Path) -> None:
        super().__init__("huggingface_hub")
        self.errors: Any = ModuleType("huggingface_hub.errors")
        for name, base in (
            ("RepositoryNotFoundError", OSError),
            ("RevisionNotFoundError", OSError),
            ("LocalEntryNotFoundError", FileNotFoundError),
        ):
            setattr(self.errors, name, type(name, (base,), {}))
        self.folder = folder
        self.calls: list[tuple[Any, ...]] = []
        self.failure: Exception | None = None

    def snapshot_download(
        self, repo: str, *, revision: Any, allow_patterns: Any, local_files_only: bool
    ) -> str:
        self.calls.append((repo, revision, local_files_only))
        assert "config.json" in allow_patterns
        if self.failure is not None:
            raise self.failure
        return str(self.folder)


@pytest.fixture
def hub(far_preset: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    fake = Hub(far_preset)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", fake.errors)
    monkeypatch.delenv("GUIDED_SR_OFFLINE", raising=False)
    return fake


def test_an_address_gives_the_folder_whose_weights_are_checked(hub: Hub) -> None:
    assert locate_preset(ADDRESS) == hub.folder
    assert len(verify_preset(f"{ADDRESS}@v1")) == 2
    assert hub.calls == [
        ("somebody/far_x2", None, False),
        ("somebody/far_x2", "v1", False),
    ]
    (hub.folder / "stage_2.weights.h5").write_bytes(b"\x89HDF\r\n\x1a\nnot the same")
    with pytest.raises(WeightsError, match="sha256"):
        verify_preset(ADDRESS)


def test_pull_prints_the_folder_and_path_asks_the_cache_alone(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "pull", ADDRESS]) == 0
    assert main(["models", "path", ADDRESS]) == 0
    assert main(["models", "verify", ADDRESS]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [str(hub.folder)] * 2
    assert [offline for *_, offline in hub.calls] == [False, True, True]
    assert main(["models", "pull", ADDRESS, "--to", "somewhere"]) == 64
    assert "HF_HOME" in capsys.readouterr().err


def test_a_chosen_model_is_the_folder_that_was_looked_at(hub: Hub) -> None:
    from guided_sr.cli.choose import choose_model

    chosen = choose_model(ADDRESS, 2.0)
    assert chosen.name == str(hub.folder)
    assert len(hub.calls) == 1


def test_offline_only_the_cache_is_asked(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUIDED_SR_OFFLINE", "1")
    assert locate_preset(ADDRESS) == hub.folder
    assert hub.calls[-1][-1] is True
    hub.failure = hub.errors.LocalEntryNotFoundError("not cached")
    with pytest.raises(MissingInputError, match=f"models pull {ADDRESS}"):
        locate_preset(ADDRESS)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        ("RepositoryNotFoundError", MissingInputError),
        ("RevisionNotFoundError", MissingInputError),
        ("LocalEntryNotFoundError", TryAgainError),
        (None, IOFailure),
    ],
)
def test_what_the_hub_refuses_is_told_in_a_line_of_its_own(
    hub: Hub, failure: str | None, kind: type[GuidedSRError]
) -> None:
    error = getattr(hub.errors, failure) if failure else OSError
    hub.failure = error("a page of text\nwith a traceback")
    with pytest.raises(kind) as caught:
        locate_preset(ADDRESS)
    assert ADDRESS in str(caught.value)
    assert "traceback" not in str(caught.value)


def test_a_repository_without_a_preset_and_a_wrong_address_are_refused(
    hub: Hub,
) -> None:
    (hub.folder / "config.json").unlink()
    with pytest.raises(WeightsError, match=r"config\.json"):
        locate_preset(ADDRESS)
    for address in ("hf://somebody", "hf://a/b/c", "hf://../x@..?", "hf://a b/c"):
        with pytest.raises(UsageError, match="OWNER/REPO"):
            locate_preset(address)


def test_without_the_package_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("huggingface_hub"):
            raise ImportError(f"No module named {name!r}")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UsageError, match=r"guided-sr\[hf\]"):
        locate_preset(ADDRESS)
