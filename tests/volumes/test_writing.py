from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from guided_sr.errors import CannotCreateError, GuidedSRError, IOFailure, UsageError
from guided_sr.volumes.writing import (
    prepare_output,
    publish,
    refuse_same_file,
    staged,
)


def hello(path: Path) -> None:
    path.write_text("hello")


def test_the_same_path_is_refused_in_any_spelling(tmp_path, monkeypatch):
    source = tmp_path / "t2.nii.gz"
    source.touch()
    monkeypatch.chdir(tmp_path)
    for spelling in ("t2.nii.gz", "./t2.nii.gz", tmp_path / "x" / ".." / "t2.nii.gz"):
        with pytest.raises(UsageError, match="same file") as caught:
            refuse_same_file(spelling, None, source)
        assert caught.value.exit_code == 64


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_links_to_an_input_are_refused(tmp_path, link):
    source = tmp_path / "t2.nii.gz"
    source.touch()
    link(source, tmp_path / "out.nii.gz")
    with pytest.raises(UsageError):
        refuse_same_file(tmp_path / "out.nii.gz", source)


def test_different_files_pass(tmp_path):
    source = tmp_path / "t2.nii.gz"
    source.touch()
    refuse_same_file(tmp_path / "out.nii.gz", source, None, tmp_path / "t1.nii.gz")


def test_the_folder_is_created(tmp_path):
    out = prepare_output(tmp_path / "a" / "b" / "c.nii", force=False)
    assert out.parent.is_dir()


def test_folders_and_files_in_the_way_are_refused(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in (".", "file", "dangling", "file/out.nii", "file/deep/out.nii"):
        with pytest.raises(CannotCreateError, match="Mend") as caught:
            prepare_output(tmp_path / name, force=False)
        assert caught.value.exit_code == 73


def test_a_folder_that_may_not_be_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *args: False)
    with pytest.raises(CannotCreateError, match="written"):
        prepare_output(tmp_path / "a.nii", force=False)


def test_temporary_files_are_hidden_beside_the_output_and_vanish(tmp_path):
    out = tmp_path / "a.nii.gz"
    with staged(out, hello, suffix=".nii.gz") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.name.endswith(".nii.gz")
    assert os.listdir(tmp_path) == []


def test_the_result_has_the_permissions_of_any_new_file(tmp_path):
    hello(tmp_path / "plain")
    out = tmp_path / "out"
    with staged(out, hello, suffix="") as temporary:
        publish(temporary, out, force=False)
    assert out.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert out.stat().st_nlink == 1


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, IOFailure),
        (errno.EDQUOT, IOFailure),
        (errno.EFBIG, IOFailure),
        (errno.EIO, IOFailure),
        (errno.EACCES, CannotCreateError),
        (errno.EROFS, CannotCreateError),
    ],
)
def test_failures_while_writing_name_the_output_and_leave_nothing(
    tmp_path, number, kind
):
    def failing(path: Path) -> None:
        path.write_text("half")
        raise OSError(number, os.strerror(number))

    out = tmp_path / "a.nii"
    with (
        pytest.raises(kind, match="Mend") as caught,
        staged(out, failing, suffix=".nii"),
    ):
        pass
    assert str(out) in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_an_interrupt_leaves_nothing(tmp_path):
    def interrupted(path: Path) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        staged(tmp_path / "a", interrupted, suffix=""),
    ):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appeared_meanwhile_is_kept(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", _no_links)
    out = tmp_path / "a"
    with staged(out, hello, suffix="") as temporary:
        out.write_text("precious")
        with pytest.raises(CannotCreateError):
            publish(temporary, out, force=False)
        assert out.read_text() == "precious"
        publish(temporary, out, force=True)
    assert out.read_text() == "hello"
    assert os.listdir(tmp_path) == ["a"]


def test_file_systems_without_hard_links_work(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", _no_links)
    out = tmp_path / "a"
    with staged(out, hello, suffix="") as temporary:
        publish(temporary, out, force=False)
    assert os.listdir(tmp_path) == ["a"]


def test_a_vanished_folder_is_explained(tmp_path):
    with (
        pytest.raises(GuidedSRError, match="Mend"),
        staged(tmp_path / "gone" / "a", hello, suffix=""),
    ):
        pass


def _no_links(*args):
    raise OSError(errno.EPERM, "no hard links")
