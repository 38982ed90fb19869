"""Barriers: an operation is held at a named point when the engine has said so, and never otherwise."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientSession, web
from target_bench import Start, series

from targets.kit import Running, Service, Settings, answer


def steps(settings: Settings, service: Service) -> web.Application:
    """A target with two steps and a barrier between them; it keeps the names of those that came to each."""
    first: list[str] = []
    second: list[str] = []
    between = service.barriers.point("between-steps")

    async def post_step(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        first.append(name)
        await between.passed(name)
        second.append(name)
        return answer({"first": first, "second": second})

    async def get_steps(request: web.Request) -> web.Response:
        return answer({"first": first, "second": second})

    app = web.Application()
    app.add_routes([web.post("/steps/{name}", post_step), web.get("/steps", get_steps)])
    return app


async def post(http: ClientSession, target: Running, path: str, body: object = None) -> tuple[int, dict[str, object]]:
    """Status and JSON of a POST."""
    async with http.post(f"{target.url}{path}", json=body) as response:
        return response.status, await response.json(content_type=None)


async def get(http: ClientSession, target: Running, path: str) -> tuple[int, dict[str, object]]:
    """Status and JSON of a GET."""
    async with http.get(f"{target.url}{path}") as response:
        return response.status, await response.json(content_type=None)


async def armed(http: ClientSession, target: Running, **said: float) -> asyncio.Task[tuple[int, dict[str, object]]]:
    """An engine that waits at the point; it is armed when this returns."""
    task = asyncio.create_task(post(http, target, "/barriers/between-steps", said))
    async with asyncio.timeout(5):
        while not target.service.barriers.point("between-steps").is_armed:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)
    return task


async def test_an_operation_is_held_between_two_steps_and_let_go(http: ClientSession, start: Start) -> None:
    """The engine is told which operation stands at the point; all go on when it releases them."""
    target = await start(Settings(service_name="steps", barriers=True), steps)
    engine = await armed(http, target)
    held = [asyncio.create_task(post(http, target, f"/steps/{name}")) for name in ("one", "two")]
    status, told = await engine
    assert (status, told["barrier"], told["reached"]) == (200, "between-steps", True)
    assert told["by"] in ("one", "two")
    async with asyncio.timeout(5):
        while (await get(http, target, "/steps"))[1] != {"first": ["one", "two"], "second": []}:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    async with http.delete(f"{target.url}/barriers/between-steps") as response:
        assert await response.json() == {"barriers": ["between-steps"]}
    assert [(await one)[0] for one in held] == [200, 200]
    assert (await post(http, target, "/steps/three"))[1]["second"] == ["one", "two", "three"]


async def test_a_point_that_no_operation_passes_is_not_reached(http: ClientSession, start: Start) -> None:
    """After `within_s` the engine is told so, and the next operation is not held."""
    target = await start(Settings(service_name="steps", barriers=True), steps)
    status, told = await post(http, target, "/barriers/between-steps", {"within_s": 0.05})
    assert (status, told["reached"], told["by"]) == (200, False, "")
    assert (await post(http, target, "/steps/late"))[1]["second"] == ["late"]


async def test_a_target_whose_engine_has_gone_goes_on_by_itself(http: ClientSession, start: Start) -> None:
    """What is held is let go after `hold_s`, though nothing has released it."""
    target = await start(Settings(service_name="steps", barriers=True), steps)
    engine = await armed(http, target, hold_s=0.05)
    assert (await post(http, target, "/steps/one"))[1]["second"] == ["one"]
    assert (await engine)[1]["reached"] is True
    assert (await post(http, target, "/steps/two"))[1]["second"] == ["one", "two"]


async def test_a_release_ends_the_engines_wait(http: ClientSession, start: Start) -> None:
    """A point that is released before an operation came by was not reached."""
    target = await start(Settings(service_name="steps", barriers=True), steps)
    engine = await armed(http, target)
    async with http.delete(f"{target.url}/barriers/between-steps") as response:
        assert response.status == 200
    assert (await engine)[1]["reached"] is False


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/barriers/between-step", {}, 404, "did you mean between-steps?"),
        ("/barriers/elsewhere", {}, 404, "there are: between-steps."),
        ("/barriers/between-steps", {"within_s": 0}, 422, "within_s"),
        ("/barriers/between-steps", {"within": 1}, 422, "within"),
    ],
)
async def test_what_cannot_be_asked_is_told(
    http: ClientSession, start: Start, path: str, body: object, status: int, words: str
) -> None:
    """A point that is not there, a wait that cannot be: one clear error."""
    target = await start(Settings(service_name="steps", barriers=True), steps)
    got, told = await post(http, target, path, body)
    assert got == status
    assert words in str(told["detail"])


async def test_a_point_is_armed_by_one_engine_at_a_time(http: ClientSession, start: Start) -> None:
    """The second is refused, and the first still gets its operation."""
    target = await start(Settings(service_name="steps", barriers=True), steps)
    first = await armed(http, target, hold_s=0.05)
    assert (await post(http, target, "/barriers/between-steps", {}))[0] == 409
    await post(http, target, "/steps/one")
    assert (await first)[1]["by"] == "one"


async def test_without_barriers_nothing_can_be_held(http: ClientSession, start: Start) -> None:
    """BARRIERS is off unless told: the routes are not there."""
    target = await start(Settings(service_name="steps"), steps)
    assert (await post(http, target, "/barriers/between-steps", {}))[0] == 404
    assert (await get(http, target, "/barriers"))[0] == 404
    assert (await post(http, target, "/steps/one"))[1]["second"] == ["one"]


async def test_the_engines_questions_are_not_measured(http: ClientSession, start: Start) -> None:
    """A held barrier is no request in flight: a target drains as if the engine were not there."""
    target = await start(Settings(service_name="steps", barriers=True), steps)
    await get(http, target, "/barriers")
    engine = await armed(http, target)
    assert target.service.in_flight.count == 0
    target.service.barriers.point("between-steps").release()
    await engine
    assert series(target, "http_server_request_duration_seconds_count") == 0
