"""
Directory: checks passwords of staff, each after CHECK_MS.

    client -> logins -> (link) -> directory
                                  ^^^^^^^^^ here, the last in the row; nothing is kept

POST /checks    200 and whether the password is right, after CHECK_MS of waiting in which others are answered
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from targets.kit import Millis, Service, Settings, answer, read_json, serve


@dataclass(frozen=True, kw_only=True)
class DirectorySettings(Settings):
    """What the directory can be told."""

    check_ms: Millis = 50.0


class Check(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    password: Annotated[str, Meta(min_length=1, max_length=256)]


def build(settings: DirectorySettings, service: Service) -> web.Application:
    """The application."""

    async def post_check(request: web.Request) -> web.Response:
        asked = await read_json(request, Check)
        await asyncio.sleep(settings.check_ms / 1000)
        return answer({"right": asked.password == f"password of {asked.name}"})

    app = web.Application()
    app.add_routes([web.post("/checks", post_check)])
    return app


if __name__ == "__main__":
    serve("directory", DirectorySettings, build)
