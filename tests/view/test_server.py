from __future__ import annotations

import json
import socket
from http.client import HTTPConnection
from importlib.resources import files
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from guided_sr.errors import TryAgainError
from guided_sr.view.scene import Scene
from guided_sr.view.server import ViewServer
from guided_sr.volumes import read_volume, sha256_of


def ask(
    server: ViewServer, path: str, *, method: str = "GET", host: str | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", server.server_port)
    headers = {} if host is None else {"Host": host}
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_images_are_served_as_they_lie(
    view_server: ViewServer, saved_result: Path
) -> None:
    for key, name in (("t2", "t2"), ("result", "sr"), ("t1", "t1")):
        status, _, content = ask(view_server, f"/{key}.nii")
        image = nib.Nifti1Image.from_bytes(content)
        volume = read_volume(saved_result.with_name(f"{name}.nii.gz"))
        assert status == 200
        np.testing.assert_allclose(image.affine, volume.affine, atol=1e-4)
        np.testing.assert_allclose(image.get_fdata(), volume.data, rtol=1e-6)
    about = json.loads(ask(view_server, "/scene.json")[2])
    assert [one["key"] for one in about["panels"]] == ["t2", "result", "t1"]
    assert about["panels"][0]["white"] == about["panels"][1]["white"]


@pytest.mark.parametrize(
    "path",
    [
        "/t2.nii.gz",
        "/../t2.nii.gz",
        "/static/../../__init__.py",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/etc/passwd",
        "/index.html?x=/etc/passwd",
    ],
)
def test_nothing_else_is_served(view_server: ViewServer, path: str) -> None:
    status, headers, content = ask(view_server, path)
    assert status == 404
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert b"root:" not in content


def test_another_name_of_the_machine_and_other_methods_are_refused(
    view_server: ViewServer,
) -> None:
    assert ask(view_server, "/", host="evil.example")[0] == 421
    assert ask(view_server, "/", host=f"localhost:{view_server.server_port}")[0] == 200
    assert ask(view_server, "/", method="POST")[0] == 501
    status, headers, content = ask(view_server, "/t1.nii", method="HEAD")
    assert (status, content) == (200, b"")
    assert int(headers["Content-Length"]) > 352


def test_the_server_listens_on_this_machine_alone(view_server: ViewServer) -> None:
    assert view_server.server_address[0] == "127.0.0.1"


def test_a_taken_port_is_to_be_tried_again(saved_result: Path) -> None:
    scene = Scene.of(saved_result)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(TryAgainError, match=f"port {port} is in use.*--port"):
            ViewServer(scene, port=port)


def test_the_bundle_is_the_one_that_its_licences_name() -> None:
    folder = Path(str(files("guided_sr.view") / "static"))
    text = (folder / "niivue.LICENSES.txt").read_text("utf-8")
    assert sha256_of(folder / "niivue.umd.js") in text
    assert "Copyright (c) 2021, Niivue" in text
