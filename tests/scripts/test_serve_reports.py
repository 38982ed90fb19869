"""The server of reports/ serves pages, none with an origin, to this machine, and nothing outside of its folder."""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.runtime.base import Address
from lab.runtime.ready import http_ok
from scripts.serve_reports import server

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

RUN = "/circuit-breaker/20260101-120000-abcd"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Of a server of a folder with one run, beside a file that is not in it."""
    folder = tmp_path / "reports"
    run = folder / RUN[1:]
    run.mkdir(parents=True)
    (run / "index.html").write_text("<script>of a stranger</script>")
    (run / "record.json").write_text("{}")
    (tmp_path / "outside.html").write_text("outside")
    (run / "link.html").symlink_to(tmp_path / "outside.html")
    (run / "up").symlink_to(tmp_path)
    serving = server(folder, "127.0.0.1", 0)
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield serving.server_address[1]
    serving.shutdown()
    serving.server_close()
    thread.join()


def answer(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(method, path, headers=headers)
    got = connection.getresponse()
    body = got.read()
    connection.close()
    return got.status, got.headers, body


def test_a_page_comes_without_an_origin(port: int) -> None:
    """Its scripts run in a sandbox, from which they reach neither cookies nor servers; so does every other answer."""
    status, _, body = answer(port, f"{RUN}/index.html")
    assert (status, body) == (200, b"<script>of a stranger</script>")
    assert answer(port, f"{RUN}/")[2] == body
    for path in (f"{RUN}/index.html", f"{RUN}/record.json", RUN, "/nowhere", "/healthz"):
        policy = answer(port, path)[1]["Content-Security-Policy"]
        assert policy.startswith("sandbox allow-scripts ")
        assert "allow-same-origin" not in policy
        assert "default-src 'none'" in policy
        assert "connect-src" not in policy
        assert answer(port, path)[1]["X-Content-Type-Options"] == "nosniff"
    assert answer(port, f"{RUN}/record.json")[1]["Content-Type"] == "application/json"


def test_it_says_that_it_is_there_as_the_lab_asks(port: int) -> None:
    """`make up` waits for a 200 of each of its servers."""
    assert answer(port, "/healthz")[0] == 200
    assert asyncio.run(http_ok(Address("127.0.0.1", port), "/healthz"))


@pytest.mark.parametrize(
    "path",
    [
        f"{RUN}/link.html",
        f"{RUN}/up/outside.html",
        "/../outside.html",
        "/%2e%2e/outside.html",
        f"{RUN}/..%2f..%2f..%2foutside.html",
        "/circuit-breaker/",
        "//127.0.0.1/outside.html",
    ],
)
def test_nothing_else_is_served(port: int, path: str) -> None:
    """No link, no way up, and no list of a folder."""
    for method in ("GET", "HEAD"):
        status, _, body = answer(port, path, method)
        assert status == 404
        assert b"outside" not in body


def test_no_other_name_of_this_machine_is_answered(port: int) -> None:
    """A site that has its own name bound to 127.0.0.1 would read what is served as its own."""
    for name in ("evil.test", f"evil.test:{port}", "127.0.0.1.evil.test", "", "[", "0.0.0.0"):
        assert answer(port, f"{RUN}/index.html", Host=name)[0] == 403, name
    for name in (f"127.0.0.1:{port}", f"localhost:{port}", "127.0.0.1"):
        assert answer(port, f"{RUN}/index.html", Host=name)[0] == 200, name


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(port: int, method: str) -> None:
    """It serves GET and HEAD alone."""
    assert answer(port, f"{RUN}/index.html", method)[0] == 501
