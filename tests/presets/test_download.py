from __future__ import annotations

import hashlib

import pytest

from guided_sr.errors import IOFailure, TryAgainError
from guided_sr.presets.download import ROUNDS, download, without_login

FILE = "stage_1.weights.h5"
NOBODY = "http://127.0.0.1:9/whole"  # the discard port: nobody listens


@pytest.fixture
def bring(far_preset, preset_server, tmp_path):
    """Download a file from servers of these kinds into an empty folder."""
    data = (far_preset / FILE).read_bytes()
    target = tmp_path / "empty" / FILE
    target.parent.mkdir()

    def bring(*kinds, file=FILE, sha256=None):
        urls = [
            kind if "//" in kind else f"{preset_server.url(kind)}/far_x2.{file}"
            for kind in kinds
        ]
        download(
            urls,
            target,
            sha256=sha256 or hashlib.sha256(data).hexdigest(),
            size=len(data),
            advance=lambda done: None,
        )
        assert target.read_bytes() == data
        return [request.split("/")[1] for request in preset_server.requests]

    bring.target = target
    return bring


FAULTS = {
    "cut": r"the connection broke after .* of \d+ bytes",
    "wrong": "another sha256",
    "page": "a web page came",
    "empty": "HTTP status 202",
    "more": r"more than \d+ bytes",
    "none": "HTTP status 404",
}


def test_a_file_comes_from_the_first_server_that_is_asked(bring):
    assert bring("whole", "none") == ["whole"]


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_the_next_server_is_asked(bring, fault):
    assert bring(fault, "whole") == [fault, "whole"]


def test_after_a_server_that_is_away_the_next_is_asked(bring):
    assert bring(NOBODY, "whole") == ["whole"]


def test_the_servers_are_asked_again(bring):
    assert bring("second") == ["second", "second"]


@pytest.mark.parametrize(("fault", "reason"), FAULTS.items())
def test_a_fault_of_all_servers_is_74_and_nothing_is_kept(
    bring, preset_server, fault, reason
):
    with pytest.raises(IOFailure, match=reason) as refusal:
        bring(fault)
    assert refusal.value.exit_code == 74
    assert FILE in str(refusal.value)
    assert preset_server.url(fault) in str(refusal.value)
    assert len(preset_server.requests) == ROUNDS
    assert list(bring.target.parent.iterdir()) == []


def test_without_any_server_it_is_75(bring):
    with pytest.raises(TryAgainError, match="can be reached") as refusal:
        bring(NOBODY)
    assert refusal.value.exit_code == 75
    assert list(bring.target.parent.iterdir()) == []


def test_what_is_no_weights_file_is_refused_by_its_first_bytes(
    bring, far_preset, preset_server
):
    path = far_preset / FILE
    path.write_bytes(b"version https://git-lfs" + path.read_bytes()[23:])
    with pytest.raises(IOFailure, match="not an HDF5 weights file"):
        bring("whole", sha256="0" * 64)


def test_a_downloaded_file_has_the_permissions_of_the_umask(bring, tmp_path):
    bring("whole")
    (tmp_path / "other").touch()
    assert bring.target.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_names_and_passwords_in_an_address_are_not_shown(bring):
    assert without_login("https://me:secret@a.org/x@y") == "https://a.org/x@y"
    with pytest.raises(TryAgainError) as refusal:
        bring(NOBODY.replace("//", "//me:secret@"))
    assert "secret" not in str(refusal.value)
