"""HTTP around either cluster: the same three requests, the same patience."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from targets.contracts.registers import NewValue, Swap
from targets.kit import Service, answer, read_json
from targets.kv_client.etcd import Etcd
from targets.kv_client.settings import KvClientSettings
from targets.raft.client import Forwarder, problem_of
from targets.raft.messages import Cas, Done, Put
from targets.raft.outcomes import Found


class Cluster(Protocol):
    """A replicated map. Every method raises Problem 503 (nothing was done) or 504 (nobody knows)."""

    async def read(self, key: str) -> str | None:
        """What the key holds, linearizably; None where it is absent."""
        ...

    async def write(self, key: str, value: str) -> None:
        """Let the key hold the value."""
        ...

    async def swap(self, key: str, expect: str | None, value: str) -> bool:
        """Let the key hold the value if it holds what is expected (None: is absent); gives whether it was."""
        ...

    async def close(self) -> None:
        """Give up what is still in flight."""
        ...


@dataclass(frozen=True)
class Ours:
    """Our own Raft, as its own client asks it."""

    forwarder: Forwarder

    async def read(self, key: str) -> str | None:
        """By a read index."""
        found = await self.forwarder.read(key)
        if not isinstance(found, Found):
            raise problem_of(found)
        return found.value

    async def write(self, key: str, value: str) -> None:
        """Under the client's session."""
        done = await self.forwarder.write(lambda *session: Put(key, value, *session))
        if not isinstance(done, Done):
            raise problem_of(done)

    async def swap(self, key: str, expect: str | None, value: str) -> bool:
        """Under the client's session."""
        done = await self.forwarder.write(lambda *session: Cas(key, expect, value, *session))
        if not isinstance(done, Done):
            raise problem_of(done)
        return bool(done.swapped)

    async def close(self) -> None:
        """Give up an opening of the session."""
        await self.forwarder.close()


@dataclass(frozen=True)
class Routes:
    """Answers clients."""

    cluster: Cluster

    async def get_value(self, request: web.Request) -> web.Response:
        """Read a key."""
        key = request.match_info["key"]
        return answer({"key": key, "value": await self.cluster.read(key)})

    async def put_value(self, request: web.Request) -> web.Response:
        """Write a key."""
        key, body = request.match_info["key"], await read_json(request, NewValue)
        await self.cluster.write(key, body.value)
        return answer({"key": key, "value": body.value})

    async def swap_value(self, request: web.Request) -> web.Response:
        """Write a key if it holds what is expected; `swapped` tells."""
        key, body = request.match_info["key"], await read_json(request, Swap)
        return answer({"key": key, "swapped": await self.cluster.swap(key, body.expect, body.value)})


def build(settings: KvClientSettings, service: Service) -> web.Application:
    """The application."""
    cluster = cluster_of(settings, service)
    routes = Routes(cluster)
    app = web.Application()
    app.on_cleanup.append(lambda _: cluster.close())
    for route in ("GET /kv/{key}", "PUT /kv/{key}", "POST /kv/{key}/cas"):
        service.answers(route, 200, 410, 503, 504)
    app.add_routes(
        [
            web.get("/kv/{key}", routes.get_value),
            web.put("/kv/{key}", routes.put_value),
            web.post("/kv/{key}/cas", routes.swap_value),
        ]
    )
    return app


def cluster_of(settings: KvClientSettings, service: Service) -> Cluster:
    """The cluster that it has URLs of."""
    try_s, all_s = settings.kv_try_s, settings.kv_timeout_s
    if etcd := settings.members("etcd"):
        return Etcd([service.peer(name, url, try_s, (200, 503, 504)) for name, url in etcd.items()], all_s)
    ours = {name: service.peer(name, url, try_s, (200,)) for name, url in settings.members("raft").items()}
    return Ours(Forwarder(None, ours, stale=False, retry=True, try_s=try_s, all_s=all_s))
