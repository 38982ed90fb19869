"""
The pages below a folder, over HTTP, each without an origin of its own: `serve_reports.py FOLDER PORT [ADDRESS]`.

A run from elsewhere may hold any page. A browser gives such a page no cookie of another server on this host (cookies
know no ports), no request and no sight of its neighbours, because every answer puts it into a sandbox. Needs nothing
but Python: docker-compose.yml runs it in an image that has no package.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO, ClassVar
from urllib.parse import urlsplit

HEALTH = "/healthz"
HERE = ("127.0.0.1", "localhost", "::1")
IDLE_S = 10.0
# No `allow-same-origin`. What a report has in it runs, as far as its own policy allows (Vega compiles expressions);
# nothing is requested or sent. A link to Grafana opens in a window without the sandbox; a page of this server has its
# own there again.
POLICY = (
    "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox allow-downloads; "
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Pages(SimpleHTTPRequestHandler):
    """Files of a folder, to GET and HEAD; no listing, no link out of it, and no name of this host but its own."""

    timeout = IDLE_S
    server_version, sys_version = "reports", ""
    extensions_map: ClassVar[dict[str, str]] = {  # the rest is for a program, and saved
        "": "application/octet-stream",
        ".html": "text/html; charset=utf-8",
        ".json": "application/json",
        ".log": "text/plain; charset=utf-8",
        ".md": "text/plain; charset=utf-8",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
        ".xml": "application/xml",
    }

    def send_head(self) -> BinaryIO | None:  # type: ignore[override]  # typeshed has BytesIO beside it
        """Answer what both methods begin with; gives the file, where there is one."""
        if self.path == HEALTH:
            self.send_response(HTTPStatus.OK)  # and not 204: `make up` waits for a 200, as of every server
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        if not _is_here(self.headers.get("Host") or ""):
            self.send_error(HTTPStatus.FORBIDDEN, explain="Reports are served under 127.0.0.1 and localhost alone.")
            return None
        asked, folder = Path(self.translate_path(self.path)), Path(self.directory).resolve()
        if not asked.resolve().is_relative_to(folder):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()  # type: ignore[return-value]

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        """A folder without index.html shows nothing."""
        self.send_error(HTTPStatus.NOT_FOUND, explain="There is no report here (yet): a run writes it at its end.")

    def end_headers(self) -> None:
        """Every answer carries the policy, errors and redirections too."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, form: str, *args: object) -> None:
        """Say nothing: what is asked for is the reader's."""


def _is_here(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname in HERE
    except ValueError:
        return False


def server(folder: Path, host: str, port: int) -> ThreadingHTTPServer:
    """A server at a port, 0 for a free one, that has yet to be run."""
    return ThreadingHTTPServer((host, port), partial(Pages, directory=str(folder)))


def main(words: Sequence[str]) -> None:
    """Serve until the process is ended, on 127.0.0.1 where no other address is named, as in a container."""
    folder, port, *address = words
    server(Path(folder), address[0] if address else "127.0.0.1", int(port)).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
