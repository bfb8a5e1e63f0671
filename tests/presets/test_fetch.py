from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from guided_sr.errors import (
    CannotCreateError,
    IOFailure,
    MissingInputError,
    TryAgainError,
    UsageError,
    WeightsError,
)
from guided_sr.presets import (
    cached_folder,
    entries,
    fetch,
    fetch_preset,
    find_preset,
    locate_preset,
    verify_preset,
)

PROCESSES = 8
PROGRAM = """
import json, sys
from guided_sr.presets import entries
entries.registry = lambda: json.load(open(sys.argv[1]))
from guided_sr.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture
def command(far_entry, preset_server, tmp_path):
    """The command line as a process of its own, which knows `far_entry` alone and
    has to wait for its files."""
    file = tmp_path / "registry.json"
    far_entry["urls"] = [preset_server.url("late")]
    file.write_text(json.dumps({"far_x2": far_entry}))

    def start(*arguments):
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(file), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    return start


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def left_in(home: Path) -> list[str]:
    """What lies in a cache, locks aside."""
    files = [path for path in home.rglob("*") if path.is_file()]
    return [path.name for path in files if path.suffix != ".lock"]


def test_a_preset_comes_whole_and_once(far_entry, far_preset, preset_server):
    assert find_preset("far_x2") is None
    folder = locate_preset("far_x2")
    assert folder == cached_folder("far_x2")
    assert folder.name == "far_x2"
    assert contents(folder) == contents(far_preset)
    assert sorted(preset_server.requests) == [
        f"/whole/far_x2.{file}" for file in sorted(far_entry["files"])
    ]
    assert locate_preset("far_x2") == fetch_preset("far_x2") == folder
    assert len(preset_server.requests) == len(far_entry["files"])
    assert len(verify_preset("far_x2")) == len(far_entry["files"])


def test_another_content_has_another_place(far_entry):
    before = cached_folder("far_x2")
    far_entry["files"]["config.json"]["sha256"] = "0" * 64
    assert cached_folder("far_x2") != before


def test_a_packaged_preset_wins_over_the_cache(far_entry, far_preset, monkeypatch):
    fetch_preset("far_x2")
    monkeypatch.setattr(entries, "packaged_roots", lambda: [far_preset.parent])
    assert locate_preset("far_x2") == far_preset


def test_a_packaged_preset_is_copied_without_network(
    far_entry, far_preset, preset_server, tmp_path, monkeypatch
):
    monkeypatch.setattr(entries, "packaged_roots", lambda: [far_preset.parent])
    monkeypatch.setenv("GUIDED_SR_OFFLINE", "1")
    folder = fetch_preset("far_x2", home=tmp_path / "to")
    assert contents(folder) == contents(far_preset)
    assert preset_server.requests == []


def test_a_damaged_packaged_preset_is_not_copied(
    far_entry, far_preset, tmp_path, monkeypatch
):
    monkeypatch.setattr(entries, "packaged_roots", lambda: [far_preset.parent])
    file = far_preset / "stage_1.weights.h5"
    file.write_bytes(bytes(file.stat().st_size))
    far_entry["urls"] = []
    with pytest.raises(WeightsError, match="far_x2 that came with the package") as no:
        fetch_preset("far_x2", home=tmp_path / "to")
    assert left_in(tmp_path / "to") == []
    assert str(file) in str(no.value)
    assert "pip install --force-reinstall guided-sr" in str(no.value)


def test_a_damaged_packaged_preset_is_downloaded_and_the_copy_then_used(
    far_entry, far_preset, preset_server, tmp_path, monkeypatch
):
    packaged = tmp_path / "package" / "far_x2"
    shutil.copytree(far_preset, packaged)
    monkeypatch.setattr(entries, "packaged_roots", lambda: [packaged.parent])
    file = packaged / "stage_1.weights.h5"
    file.write_bytes(bytes(file.stat().st_size))
    assert find_preset("far_x2") == locate_preset("far_x2") == packaged
    with pytest.raises(WeightsError, match=r"stage_1.*models pull far_x2"):
        verify_preset("far_x2")
    assert preset_server.requests == []
    folder = fetch_preset("far_x2")
    assert contents(folder) == contents(far_preset)
    assert find_preset("far_x2") == locate_preset("far_x2") == folder
    assert verify_preset("far_x2")
    shutil.copyfile(far_preset / file.name, file)
    assert find_preset("far_x2") == packaged


def test_offline_a_damaged_packaged_preset_is_said_to_be_damaged(
    far_entry, far_preset, monkeypatch
):
    monkeypatch.setattr(entries, "packaged_roots", lambda: [far_preset.parent])
    monkeypatch.setenv("GUIDED_SR_OFFLINE", "1")
    (far_preset / "stage_1.weights.h5").unlink()
    with pytest.raises(MissingInputError, match="far_x2 is damaged, and GUIDED_SR_OFF"):
        fetch_preset("far_x2")


def test_the_address_of_the_environment_is_asked_first(
    far_entry, preset_server, monkeypatch
):
    monkeypatch.setenv("GUIDED_SR_WEIGHTS_URL", preset_server.url("none") + "/")
    fetch_preset("far_x2")
    kinds = [request.split("/")[1] for request in preset_server.requests]
    assert kinds == ["none", "whole"] * len(far_entry["files"])


def test_the_address_of_the_environment_is_enough(
    far_entry, preset_server, monkeypatch
):
    monkeypatch.setenv("GUIDED_SR_WEIGHTS_URL", preset_server.url("whole"))
    far_entry["urls"] = []
    assert fetch_preset("far_x2").is_dir()


def test_without_an_address_the_refusal_says_what_to_set(far_entry):
    far_entry["urls"] = []
    with pytest.raises(MissingInputError, match="GUIDED_SR_WEIGHTS_URL") as refusal:
        locate_preset("far_x2")
    assert refusal.value.exit_code == 66
    assert str(cached_folder("far_x2")) in str(refusal.value)


def test_what_is_no_address_is_refused(far_entry, monkeypatch):
    monkeypatch.setenv("GUIDED_SR_WEIGHTS_URL", "file:///etc")
    with pytest.raises(UsageError, match=r"GUIDED_SR_WEIGHTS_URL.*file:///etc"):
        fetch_preset("far_x2")


def test_offline_a_preset_of_the_cache_works(far_entry, preset_server, monkeypatch):
    folder = fetch_preset("far_x2")
    preset_server.requests.clear()
    monkeypatch.setenv("GUIDED_SR_OFFLINE", "1")
    assert locate_preset("far_x2") == folder
    assert preset_server.requests == []


def test_offline_an_absent_preset_is_refused_with_all_that_helps(
    far_entry, preset_server, monkeypatch
):
    monkeypatch.setenv("GUIDED_SR_OFFLINE", "1")
    with pytest.raises(MissingInputError) as refusal:
        locate_preset("far_x2")
    assert refusal.value.exit_code == 66
    for part in (
        "GUIDED_SR_OFFLINE",
        preset_server.url("whole") + "/far_x2.config.json",
        far_entry["files"]["config.json"]["sha256"],
        str(cached_folder("far_x2") / "config.json"),
        "guided-sr models pull far_x2",
    ):
        assert part in str(refusal.value)
    assert preset_server.requests == []


@pytest.mark.parametrize(
    ("value", "offline"), [("1", True), ("true", True), ("0", False), ("", False)]
)
def test_offline_is_a_switch(value, offline, monkeypatch):
    monkeypatch.setenv("GUIDED_SR_OFFLINE", value)
    assert fetch.is_offline() is offline


@pytest.mark.parametrize("fault", ["cut", "wrong", "page", "empty", "none"])
def test_after_a_failed_download_nothing_is_kept(far_entry, preset_server, fault):
    whole = preset_server.url("whole")
    del far_entry["files"]["config.json"]
    far_entry["urls"] = [preset_server.url(fault)]
    with pytest.raises(IOFailure, match=r"Mend: .*models pull far_x2") as refusal:
        locate_preset("far_x2")
    assert refusal.value.exit_code == 74
    assert str(cached_folder("far_x2")) in str(refusal.value)
    assert left_in(cached_folder("far_x2").parent) == []
    far_entry["urls"] = [whole]
    assert locate_preset("far_x2").is_dir()


def test_without_network_the_refusal_is_75_and_short(far_entry):
    far_entry["urls"] = ["http://127.0.0.1:9"]
    with pytest.raises(TryAgainError, match="can be reached") as refusal:
        locate_preset("far_x2")
    assert len(str(refusal.value)) < 700
    assert left_in(cached_folder("far_x2").parent) == []


def test_a_damaged_preset_is_named_and_brought_anew(far_entry, far_preset):
    folder = fetch_preset("far_x2")
    path = folder / "stage_1.weights.h5"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(WeightsError, match=r"stage_1\.weights\.h5"):
        verify_preset("far_x2")
    assert contents(fetch_preset("far_x2")) == contents(far_preset)


def test_a_file_of_the_cache_that_the_registry_knows_otherwise_is_named(far_entry):
    (fetch_preset("far_x2") / "config.json").unlink()
    far_entry["urls"] = []
    assert find_preset("far_x2") is None
    with pytest.raises(MissingInputError):
        verify_preset("far_x2")


def test_what_a_killed_process_left_is_cleared(far_entry, far_preset):
    folder = cached_folder("far_x2")
    for left in (".far_x2.partial", ".far_x2.former"):
        (folder.parent / left).mkdir(parents=True)
        (folder.parent / left / "stage_1.weights.h5").write_bytes(b"half")
    assert contents(fetch_preset("far_x2")) == contents(far_preset)
    assert set(left_in(folder.parent)) == set(contents(far_preset))


def test_a_full_disk_is_74_and_nothing_is_kept(far_entry, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetch, "download", fail)
    with pytest.raises(IOFailure, match=r"No space left.*GUIDED_SR_HOME"):
        fetch_preset("far_x2")
    assert left_in(cached_folder("far_x2").parent) == []


def test_a_cache_that_is_a_file_is_73(far_entry, tmp_path):
    (tmp_path / "home").write_text("")
    with pytest.raises(CannotCreateError, match="GUIDED_SR_HOME") as refusal:
        fetch_preset("far_x2")
    assert refusal.value.exit_code == 73


@pytest.fixture
def read_only(monkeypatch):
    """A folder outside `tmp_path`, and a block in which it may only be read.

    The package may lie where another user may not look (an environment below a folder
    of root's), so it is not searched.
    """
    monkeypatch.setattr(entries, "packaged_roots", list)

    @contextlib.contextmanager
    def closed():
        home.chmod(0o555)
        root = os.geteuid() == 0  # who may write everywhere
        if root:
            os.seteuid(65534)
        try:
            yield
        finally:
            if root:
                os.seteuid(0)
            home.chmod(0o755)

    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        home.chmod(0o755)
        yield home, closed


def test_a_cache_that_may_only_be_read_serves_what_it_has(
    far_entry, far_preset, read_only, monkeypatch
):
    home, closed = read_only
    monkeypatch.setenv("GUIDED_SR_HOME", str(home))
    folder = fetch_preset("far_x2")
    with closed():
        assert locate_preset("far_x2") == fetch_preset("far_x2") == folder
        assert len(verify_preset("far_x2")) == len(far_entry["files"])


def test_a_cache_that_may_only_be_read_and_lacks_it_is_73(
    far_entry, read_only, monkeypatch, tmp_path
):
    fetch_preset("far_x2", home=tmp_path / "other")  # all that it needs is imported
    home, closed = read_only
    monkeypatch.setenv("GUIDED_SR_HOME", str(home))
    with (
        closed(),
        pytest.raises(CannotCreateError, match="Mend: set GUIDED_SR_HOME") as refusal,
    ):
        locate_preset("far_x2")
    assert refusal.value.exit_code == 73
    assert list(home.iterdir()) == []


@pytest.mark.slow
def test_eight_processes_on_a_cold_cache_download_once(
    far_entry, far_preset, preset_server, command
):
    running = [command("models", "pull", "far_x2") for _ in range(PROCESSES)]
    told = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES, told
    folder = cached_folder("far_x2")
    assert {printed.strip() for printed, _ in told} == {str(folder)}
    assert contents(folder) == contents(far_preset)
    assert len(preset_server.requests) == len(far_entry["files"])


def test_who_comes_second_waits_and_says_so(far_entry, monkeypatch, capsys):
    folder = cached_folder("far_x2")
    folder.parent.mkdir(parents=True)
    monkeypatch.setattr(fetch, "LOCK_SECONDS", 0.01)
    with (
        FileLock(folder.with_name(".far_x2.lock")),
        pytest.raises(TryAgainError, match=r"\.far_x2\.lock") as refusal,
    ):
        fetch_preset("far_x2")
    assert refusal.value.exit_code == 75
    assert "waiting for the process that downloads far_x2" in capsys.readouterr().err
    assert fetch_preset("far_x2", quiet=True).is_dir()
    assert capsys.readouterr() == ("", "")


def test_a_download_is_shown_line_by_line(far_entry, capsys):
    fetch_preset("far_x2")
    printed, shown = capsys.readouterr()
    assert printed == ""
    assert shown.splitlines()[-1] == "downloading far_x2: 0.0 of 0.0 MB"


def test_a_lost_cache_is_made_anew(far_entry, tmp_path):
    fetch_preset("far_x2")
    shutil.rmtree(tmp_path / "home")
    assert find_preset("far_x2") is None
    assert fetch_preset("far_x2").is_dir()
