"""HTTP around a node whose reads and writes ask a quorum, or whatever KV_MODE says instead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from prometheus_client import Counter

from targets.contracts.registers import NewValue
from targets.kit import Problem, Service, answer, read_json
from targets.kv import local
from targets.kv.quorum import Coordinator, TooFew, TooFewHave
from targets.kv.registers import Held, Replica
from targets.kv.settings import KvSettings
from targets.raft import server as raft
from targets.raft.settings import RaftSettings


@dataclass(frozen=True)
class Routes:
    """Answers clients and the other nodes."""

    coordinator: Coordinator
    replica: Replica
    reads: Counter

    async def get_value(self, request: web.Request) -> web.Response:
        """Read a key from R replicas."""
        self.reads.inc()
        try:
            return told(await self.coordinator.read(request.match_info["key"]))
        except TooFew as few:
            raise Problem(503, "too-few-replicas", f"{few}; retry.", {"Retry-After": "1"}) from few

    async def put_value(self, request: web.Request) -> web.Response:
        """Write a key to W replicas."""
        body = await read_json(request, NewValue)
        try:
            return told(await self.coordinator.write(request.match_info["key"], body.value))
        except TooFew as few:
            raise Problem(503, "too-few-replicas", f"{few}; nothing was written.", {"Retry-After": "1"}) from few
        except TooFewHave as few:
            raise Problem(504, "outcome-unknown", f"{few}; the write may be read later, or never.") from few

    async def get_replica(self, request: web.Request) -> web.Response:
        """What this node's own replica has of a key."""
        return answer(self.replica.at(request.match_info["key"]))

    async def put_replica(self, request: web.Request) -> web.Response:
        """Keep a value here, unless a newer one is there; answers with what is there then."""
        held = await read_json(request, Held)
        await self.replica.keep(held)
        return answer(self.replica.at(held.key))

    async def get_all(self, request: web.Request) -> web.Response:
        """All that this node's own replica holds, by key: for checkers."""
        return answer(dict(sorted(self.replica.held.items())))


def told(held: Held) -> web.Response:
    """A key's value and version, as clients see them."""
    return answer({"key": held.key, "value": held.value, "version": held.version})


def build(settings: KvSettings, service: Service) -> web.Application:
    """The application, by KV_MODE."""
    if settings.kv_mode == "quorum":
        return build_quorum(settings, service)
    return build_raft(settings, service) if settings.kv_mode == "raft" else local.build(settings, service)


def build_raft(settings: KvSettings, service: Service) -> web.Application:
    """A member of our own Raft (targets/raft) in the place of this node: kv-2 is raft-2, with the same clients."""
    as_raft = {name: name.replace("kv", "raft") for name in settings.nodes}
    urls: dict[str, Any] = {f"{as_raft[name].replace('-', '_')}_url": settings.url_of(name) for name in settings.others}
    told = RaftSettings(
        service_name=as_raft[settings.service_name],
        data_dir=settings.data_dir,
        raft_peers=",".join(as_raft.values()),
        raft_client_timeout_s=settings.kv_client_timeout_s,
        raft_heartbeat_ms=100,
        raft_election_low_ms=settings.kv_election_low_ms,
        raft_election_high_ms=2 * settings.kv_election_low_ms,
        raft_snapshot_every=100_000,
        **urls,
    )
    return raft.build(told, service)


def build_quorum(settings: KvSettings, service: Service) -> web.Application:
    """The application."""
    replica = Replica(Path(settings.data_dir))
    peers = {
        name: service.peer(name, settings.url_of(name), settings.kv_timeout_s, (200,), "GET")
        for name in settings.others
    }
    for name in settings.others:
        service.expect_calls(name, (200,), "PUT")
    coordinator = Coordinator(
        settings.service_name,
        replica,
        peers,
        settings.kv_read_quorum,
        settings.kv_write_quorum,
        settings.kv_read_repair,
        service.barriers.point("between-replicas"),
    )
    registry = service.metrics.registry
    reads = Counter("kv_reads", "Reads that clients asked for.", registry=registry)
    repairs = Counter("kv_repairs", "Reads that wrote what they returned back.", registry=registry)
    coordinator.on_repair = repairs.inc
    routes = Routes(coordinator, replica, reads)

    async def alive(app: web.Application) -> AsyncIterator[None]:
        yield
        await coordinator.close()
        await asyncio.to_thread(replica.close)

    service.answers("GET /kv/{key}", 200, 503)
    service.answers("PUT /kv/{key}", 200, 503, 504)
    app = web.Application()
    app.cleanup_ctx.append(alive)
    app.add_routes(
        [
            web.get("/kv/{key}", routes.get_value),
            web.put("/kv/{key}", routes.put_value),
            web.get("/replica", routes.get_all),
            web.get("/replica/{key}", routes.get_replica),
            web.put("/replica/{key}", routes.put_replica),
        ]
    )
    return app
