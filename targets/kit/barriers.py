"""
Barriers: named points between two steps of a target, where it waits when told to, so that a fault hits exactly there.

    code:    between = service.barriers.point("between-work-and-ack")      once, in `build`
             await between.passed(event.id)                                where the operation comes by

    engine:  POST /barriers/between-work-and-ack {"within_s": 1, "hold_s": 5}
                 waits until an operation comes by, holds it there, and answers {"reached": true, "by": "trade-17"};
                 {"reached": false} where none came by within `within_s`, and nothing is armed any more
             DELETE /barriers/between-work-and-ack                         lets all go on that are held there
             GET /barriers                                                 the names of all points

The routes are there with BARRIERS=on alone; without it no request can stop anything, and passing a point is a look at
one variable. An armed point holds each operation that comes by from the first one on, until it is released, at the
latest `hold_s` after the first: a target never stays stuck because the engine has gone. For one event loop; not for
threads. Models: FreeBSD's fail(9) and etcd's gofail for the points, turmoil's barriers for the wait.
"""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from targets.kit.bodies import answer, read_json
from targets.kit.problems import Problem

PATH = "/barriers"
LONGEST_S = 60.0
Wait = Annotated[float, Meta(gt=0, le=LONGEST_S)]


class Arm(Struct, frozen=True, forbid_unknown_fields=True):
    """How long the next operation may take to come by, and how long it is then held at most, in seconds."""

    within_s: Wait = 1.0
    hold_s: Wait = 10.0


class Reached(Struct, frozen=True):
    """Whether an operation came by; `by` is its key or id, `at` the time (epoch seconds), `after_s` since arming."""

    barrier: str
    reached: bool
    by: str = ""
    at: float = 0.0
    after_s: float = 0.0


@dataclass
class Hold:
    """One arming of a point; `first` is the first operation that came by, empty where it was released before."""

    first: asyncio.Future[str]
    open: asyncio.Event
    hold_s: float

    async def stop(self, by: str) -> None:
        """Hold an operation until the point is released; the first one starts the clock."""
        if not self.first.done():
            self.first.set_result(by)
            asyncio.get_running_loop().call_later(self.hold_s, self.open.set)
        await self.open.wait()


class Barrier:
    """One named point; off until it is armed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._hold: Hold | None = None

    @property
    def is_armed(self) -> bool:
        """Whether the next operation that comes by is held, or one is."""
        return self._hold is not None and not self._hold.open.is_set()

    async def passed(self, by: str) -> None:
        """The operation `by` (its key or id) comes by: on at once where the point is off, else once it is released."""
        if self._hold is not None:
            await self._hold.stop(by)

    async def reached(self, asked: Arm) -> Reached:
        """Arm the point and wait for the first operation to come by. Raises Problem 409 where it is armed already."""
        if self.is_armed:
            raise Problem(409, "barrier-armed", f"{self.name} is armed already: release it first (DELETE).")
        loop = asyncio.get_running_loop()
        hold = self._hold = Hold(loop.create_future(), asyncio.Event(), asked.hold_s)
        armed_s = time.perf_counter()
        try:
            by = await asyncio.wait_for(asyncio.shield(hold.first), asked.within_s)
        except BaseException as error:
            self.release()
            if isinstance(error, TimeoutError):
                return Reached(self.name, False, after_s=time.perf_counter() - armed_s)
            raise  # the caller is gone: none of them would release it
        took_s = time.perf_counter() - armed_s
        return Reached(self.name, True, by, time.time(), took_s) if by else Reached(self.name, False, after_s=took_s)

    def release(self) -> None:
        """Let all go on that are held, and be off; harmless where nothing is armed."""
        hold, self._hold = self._hold, None
        if hold is not None:
            hold.open.set()
            if not hold.first.done():
                hold.first.set_result("")  # no operation came by


class Barriers:
    """The points of one target, by name."""

    def __init__(self) -> None:
        self._points: dict[str, Barrier] = {}

    def point(self, name: str) -> Barrier:
        """A new point, or the one of that name."""
        return self._points.setdefault(name, Barrier(name))

    @property
    def names(self) -> Sequence[str]:
        """Of all points, sorted."""
        return sorted(self._points)

    def routes(self) -> list[web.RouteDef]:
        """What the engine asks; added with BARRIERS=on alone."""

        async def arm(request: web.Request) -> web.Response:
            barrier = self._asked(request)
            return answer(await barrier.reached(await read_json(request, Arm)))

        async def release(request: web.Request) -> web.Response:
            self._asked(request).release()
            return answer({"barriers": self.names})

        async def tell(request: web.Request) -> web.Response:
            return answer({"barriers": self.names})

        one = f"{PATH}/{{name}}"
        return [web.get(PATH, tell), web.post(one, arm), web.delete(one, release)]

    def _asked(self, request: web.Request) -> Barrier:
        name = request.match_info["name"]
        if name not in self._points:
            near = difflib.get_close_matches(name, self.names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(self.names) or 'none'}."
            raise Problem(404, "no-such-barrier", f"There is no barrier {name}; {hint}")
        return self._points[name]
