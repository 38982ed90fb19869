"""What a client sends wrong is a 400 with a problem, and a line of the log without a traceback."""

from __future__ import annotations

import gzip
import logging

import pytest
from aiohttp import ClientSession, web
from target_bench import Lines, Start

from targets.kit import Service, Settings
from targets.kit.bodies import answer, read_json
from targets.kit.logs import Bridge


def build(settings: Settings, service: Service) -> web.Application:
    """A target that reads JSON of any shape."""
    app = web.Application()
    logging.getLogger("aiohttp.server").handlers = [Bridge(service.log)]

    async def read(request: web.Request) -> web.Response:
        return answer(await read_json(request, object))

    app.add_routes([web.post("/read", read)])
    return app


@pytest.mark.parametrize(
    ("encoding", "body", "kind"),
    [
        ("gzip", b"garbage", "malformed-body"),
        ("deflate", b"\xff\xfe\x00" * 9, "malformed-body"),
        ("br", b"garbage", "malformed-body"),
        ("", b'{"name": "\xe9"}', "malformed-json"),
        ("", '{"name": "é"}'.encode("utf-16"), "malformed-json"),
        ("", b"[" * 200_000, "malformed-json"),
        ("gzip", gzip.compress(b"[" * 200_000), "malformed-json"),
    ],
)
async def test_a_malformed_body_is_a_problem(
    start: Start, http: ClientSession, lines: Lines, encoding: str, body: bytes, kind: str
) -> None:
    """Whatever it is encoded in; the log says it once for the span, and has no traceback."""
    target = await start(Settings(service_name="sample", run_id="r"), build)
    headers = {"Content-Encoding": encoding} if encoding else {}
    async with http.post(f"{target.url}/read", data=body, headers=headers, compress=None) as response:
        assert response.status == 400
        assert response.content_type == "application/problem+json"
        assert (await response.json(content_type=None))["type"].endswith(f":{kind}")
    assert [line for line in lines.all() if "traceback" in line or line["level"] == "error"] == []
    assert [line["status"] for line in lines.all(event="span")] == [400]
