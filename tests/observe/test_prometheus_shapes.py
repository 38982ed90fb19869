"""Answers that are not shaped as Prometheus documents them are trouble in a sentence, and no error of ours."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from aiohttp import web

from lab.model import Panel
from lab.observe.panels import Series, Server, answers, newest, over_time, series_of

STRANGE: list[Any] = [
    None,
    [],
    "success",
    {},
    {"status": "success"},
    {"status": "success", "data": None},
    {"status": "success", "data": {"result": []}},
    {"status": "success", "data": {"resultType": "vector"}},
    {"status": "success", "data": {"resultType": "vector", "result": {}}},
    {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {"a": 1}, "value": [1, "1"]}]}},
    {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1]}]}},
    {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [["x", "1"]]}]}},
    {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": 7}]}},
    {"status": "success", "data": {"resultType": "scalar", "result": None}},
]
OK = {
    "vector": {"resultType": "vector", "result": [{"metric": {"a": "b"}, "value": [1.5, "2"]}]},
    "matrix": {"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "2"], [2, "NaN"]]}]},
    "scalar": {"resultType": "scalar", "result": [1, "2"]},
}


async def asked(answer: Any) -> tuple[Any, Any, bool]:
    """What each reader makes of an answer."""

    async def say(request: web.Request) -> web.Response:
        return web.json_response(answer)

    app = web.Application()
    app.router.add_post("/api/v1/{what}", say)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession() as session:
        server, panel = Server(f"http://127.0.0.1:{port}", session), Panel("State", "state")
        found = await over_time(server, panel, {}, 0, 3), await newest(server, panel, {}), await answers(server)
    await runner.cleanup()
    return found


@pytest.mark.parametrize("answer", STRANGE, ids=str)
async def test_another_shape_is_a_note(answer: Any) -> None:
    """A panel is empty, with a sentence that says why."""
    collected, now, there = await asked(answer)
    assert (collected.rows, now, there) == ([], [], False)
    (note,) = collected.notes
    assert note.startswith('panel "State" (state): Prometheus answers in another shape (')


async def test_its_own_words_are_told() -> None:
    """Where it refuses."""
    collected, _, there = await asked({"status": "error", "error": "parse error"})
    assert collected.notes == ['panel "State" (state): Prometheus says: parse error']
    assert not there


async def test_a_range_where_a_moment_was_asked_for_is_nothing() -> None:
    """A panel's expression may be a range: its newest value is not told."""
    collected, now, there = await asked({"status": "success", "data": OK["matrix"]})
    assert (len(collected.rows), now, there) == (1, [], True)


def test_documented_shapes_are_read() -> None:
    """Vector, matrix and scalar."""
    assert series_of({"status": "success", "data": OK["vector"]}) == [Series({"a": "b"}, (1.5, "2"))]
    assert series_of({"status": "success", "data": OK["matrix"]}) == [Series({}, None, ((1.0, "2"), (2.0, "NaN")))]
    assert series_of({"status": "success", "data": OK["scalar"]}) == [Series({}, (1.0, "2"))]
