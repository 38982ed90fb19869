"""
Logins: lets staff in once the directory says that their password is right.

    client -> logins -> (link) -> directory
              ^^^^^^ here; sessions are kept in memory

POST /logins       201 and the session, under the id that it was asked for; 403 where the password is wrong;
                   502 or 504 where the directory gives no answer, and no session is opened
GET /logins/keys   the id of every session, once for each: `{"effects": [...]}`, for checkers
GET /sessions      how many there are: light work, which shares the event loop with the logins

The client of the directory is a synchronous one: it holds a thread until the answer is there. CLIENT says which: the
event loop's own (inline), or one of CLIENT_THREADS beside it (executor).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Annotated, Literal

from aiohttp import web
from msgspec import Meta, Struct

from targets.kit import (
    Count,
    NoAnswer,
    Peer,
    Problem,
    Seconds,
    Service,
    Settings,
    Url,
    answer,
    effects,
    read_json,
    serve,
)
from targets.kit.blocking import BlockingPeer


@dataclass(frozen=True, kw_only=True)
class LoginsSettings(Settings):
    """What logins can be told."""

    directory_url: Url
    directory_timeout_s: Seconds = 2.0
    client: Literal["inline", "executor"] = "inline"
    client_threads: Count = 4


class NewLogin(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    name: Annotated[str, Meta(min_length=1, max_length=64)]
    password: Annotated[str, Meta(min_length=1, max_length=256)]


class Checked(Struct, frozen=True):
    """What the directory answers."""

    right: bool


@dataclass(frozen=True)
class Logins:
    """Answers the routes."""

    directory: Peer
    sessions: list[str] = field(default_factory=list)  # the id of each, in order: one made twice is in here twice

    async def post_login(self, request: web.Request) -> web.Response:
        """Have the password checked, and open a session."""
        asked = await read_json(request, NewLogin)
        try:
            got = await self.directory.post("/checks", {"name": asked.name, "password": asked.password})
        except NoAnswer as none:
            raise none.problem() from none
        if got.status != 200:
            raise Problem(502, "directory-failed", f"The directory answered {got.status}.")
        if not got.read(Checked).right:
            raise Problem(403, "wrong-password", f"This is not {asked.name}'s password.")
        self.sessions.append(asked.id)
        return answer({"id": asked.id, "name": asked.name}, 201)

    async def get_sessions(self, request: web.Request) -> web.Response:
        """How many there are."""
        return answer({"sessions": len(self.sessions)})


def build(settings: LoginsSettings, service: Service) -> web.Application:
    """The application."""
    threads = ThreadPoolExecutor(settings.client_threads, "directory") if settings.client == "executor" else None
    directory = BlockingPeer(service, "directory", settings.directory_url, settings.directory_timeout_s, threads)
    logins = Logins(directory)
    service.answers("POST /logins", 201, 403, 502, 504)
    app = web.Application()
    app.add_routes(
        [
            web.post("/logins", logins.post_login),
            web.get("/logins/keys", effects(lambda: logins.sessions)),
            web.get("/sessions", logins.get_sessions),
        ]
    )
    if threads is not None:

        async def end_threads(_: web.Application) -> None:
            threads.shutdown(wait=False, cancel_futures=True)

        app.on_cleanup.append(end_threads)
    return app


if __name__ == "__main__":
    serve("logins", LoginsSettings, build)
