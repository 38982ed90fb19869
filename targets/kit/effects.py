"""The effects of a target, for checkers: what took place, whatever was acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aiohttp import web
from aiohttp.typedefs import Handler

from targets.kit.bodies import answer


def effects(keys: Callable[[], Iterable[str]]) -> Handler:
    """A handler that answers `{"effects": [...]}`: the key of each effect, once for each time it took place."""

    async def get_effects(request: web.Request) -> web.Response:
        return answer({"effects": list(keys())})

    return get_effects
