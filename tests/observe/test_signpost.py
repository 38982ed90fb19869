"""The signpost that leads Prometheus to the services."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from lab.observe.signpost import Signpost

pytestmark = pytest.mark.e2e


async def test_known_paths_are_redirected_and_others_are_not_found() -> None:
    """A path leads where it was last pointed; one that was taken away, or never known, is not found."""
    post = await Signpost.start()
    async with aiohttp.ClientSession(f"http://{post.address}") as session:

        async def ask(path: str) -> tuple[int, str | None]:
            async with session.get(path, allow_redirects=False) as response:
                return response.status, response.headers.get("Location")

        assert await ask("/1-off/exchange") == (404, None)
        assert not post.asked.is_set()
        post.point({"/1-off/exchange": "http://127.0.0.1:9/metrics"})
        assert await ask("/1-off/exchange") == (307, "http://127.0.0.1:9/metrics")
        assert post.asked.is_set()
        post.point({})
        assert not post.asked.is_set()
        assert await ask("/1-off/exchange") == (404, None)
    await post.close()


async def test_what_is_no_http_does_not_hurt() -> None:
    """A client that sends garbage, or goes away in the middle, leaves the signpost standing."""
    post = await Signpost.start()
    host, _, port = post.address.partition(":")
    for said in (b"\r\n\r\n", b"GET /half", b"x" * 100_000):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(said)
        writer.write_eof()
        assert b"200" not in await reader.read()
        writer.close()
    async with aiohttp.ClientSession() as session, session.get(f"http://{post.address}/") as response:
        assert response.status == 404
    await post.close()


async def test_a_page_in_a_browser_does_not_pass_for_prometheus() -> None:
    """What a page sends begins no scrape: with an Origin, with what browsers say, or under another name."""
    post = await Signpost.start()
    post.point({"/1-off/exchange": "http://127.0.0.1:9/metrics"})
    async with aiohttp.ClientSession(f"http://{post.address}") as session:
        pages = ({"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.test"})
        for headers in pages:
            async with session.get("/1-off/exchange", headers=headers, allow_redirects=False) as response:
                assert response.status == 403
        assert not post.asked.is_set()
    await post.close()
