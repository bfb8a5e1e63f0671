"""A server for one scene: 127.0.0.1, a fixed list of addresses, nothing else.

Every answer comes from a table that is made before the first request; no path is ever
formed from what a browser asks for. The content security policy lets the page load from
this server alone, and a request that names another host is refused, so that no page of
another origin can reach the images through a name that it controls.
"""

from __future__ import annotations

import errno
import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from guided_sr.errors import CannotCreateError, TryAgainError
from guided_sr.view.scene import Scene

__all__ = ["HOST", "ViewServer"]

HOST = "127.0.0.1"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:"
    " blob:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_STATIC = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/view.css": ("view.css", "text/css; charset=utf-8"),
    "/view.js": ("view.js", "text/javascript; charset=utf-8"),
    "/niivue.umd.js": ("niivue.umd.js", "text/javascript; charset=utf-8"),
    "/niivue.LICENSES.txt": ("niivue.LICENSES.txt", "text/plain; charset=utf-8"),
}


class ViewServer(ThreadingHTTPServer):
    """Serves a scene to browsers on this machine.

    Args:
        scene: What to show.
        port: Where to listen; 0 for a port that is free.

    Raises:
        TryAgainError: If the port is in use.
        CannotCreateError: If it cannot be listened at for another reason.
    """

    daemon_threads = True

    def __init__(self, scene: Scene, *, port: int = 0) -> None:
        folder = files("guided_sr.view") / "static"
        self.answers: dict[str, tuple[bytes, str]] = {
            address: ((folder / name).read_bytes(), kind)
            for address, (name, kind) in _STATIC.items()
        }
        about = json.dumps(scene.to_dict()).encode("utf-8")
        self.answers["/scene.json"] = about, "application/json"
        for panel in scene.panels:
            image = panel.content, "application/octet-stream"
            self.answers[f"/{panel.key}.nii"] = image
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise TryAgainError(
                    f"port {port} is in use",
                    mend="choose another with --port, or leave it out for a free one",
                ) from error
            raise CannotCreateError(
                f"the viewer cannot listen at port {port} ({error.strerror or error})",
                mend="leave --port out for a free one",
            ) from error

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{HOST}:{self.server_port}/"

    def handle_error(self, *_: Any) -> None:
        """A browser that went away is no fault of the viewer."""


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer
    server_version = "guided-sr"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        port = self.server.server_port
        if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        found = self.server.answers.get(self.path)
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        content, kind = found
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing: a request is not news."""
