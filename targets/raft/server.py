"""HTTP around a member of the cluster, or around a mere client of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec
from aiohttp import web
from prometheus_client import Gauge

from targets.contracts.registers import NewValue, Swap
from targets.kit import Problem, Service, answer, read_json
from targets.raft import messages
from targets.raft.client import Forwarder, answer_ask, problem_of
from targets.raft.core import Role
from targets.raft.messages import Cas, Done, Entry, Noop, Put
from targets.raft.node import PATHS, Node
from targets.raft.outcomes import Found
from targets.raft.settings import RaftSettings
from targets.raft.storage import CorruptData, MemoryStorage, Storage


@dataclass(frozen=True)
class Routes:
    """Answers clients and peers."""

    settings: RaftSettings
    node: Node | None
    forwarder: Forwarder

    async def get_value(self, request: web.Request) -> web.Response:
        """Read a key, linearizably or, with RAFT_READS=stale, whatever a server has applied so far."""
        key = request.match_info["key"]
        found = await self.forwarder.read(key)
        if not isinstance(found, Found):
            raise problem_of(found)
        return answer({"key": key, "value": found.value, "index": found.index})

    async def put_value(self, request: web.Request) -> web.Response:
        """Write a key."""
        key, body = request.match_info["key"], await read_json(request, NewValue)
        done = await self._write(request, lambda *session: Put(key, body.value, *session))
        return answer({"key": key, "value": done.value, "index": done.index})

    async def swap_value(self, request: web.Request) -> web.Response:
        """Write a key if it holds what is expected; `swapped` tells, and `value` is what it holds now."""
        key, body = request.match_info["key"], await read_json(request, Swap)
        done = await self._write(request, lambda *session: Cas(key, body.expect, body.value, *session))
        return answer({"key": key, "swapped": done.swapped, "value": done.value, "index": done.index})

    async def get_all(self, request: web.Request) -> web.Response:
        """All that this member has applied: for checkers."""
        values = {} if self.node is None else self.node.core.machine.state.values
        return answer({"registers": dict(sorted(values.items()))})

    async def _write(self, request: web.Request, make: Callable[[int, int, int], Put | Cas]) -> Done:
        own = session_of(request)
        outcome = await (self.forwarder.ask(make(*own)) if own else self.forwarder.write(make))
        if not isinstance(outcome, Done):
            raise problem_of(outcome)
        return outcome

    async def post_session(self, request: web.Request) -> web.Response:
        """Open a session: writes that carry it in `Session`, and a number in `Sequence`, are applied once."""
        outcome = await self.forwarder.register()
        if not isinstance(outcome, Done):
            raise problem_of(outcome)
        return answer({"session": outcome.index}, 201)

    async def get_status(self, request: web.Request) -> web.Response:
        """What this server is just now."""
        if self.node is None:
            return answer({"name": self.settings.service_name, "role": "client"})
        core = self.node.core
        return answer(
            {
                "name": core.id,
                "role": core.role.value,
                "term": core.current_term,
                "leader": core.leader_id,
                "commit_index": core.commit_index,
                "last_applied": core.last_applied,
                "last_log_index": core.log.last_index,
                "snapshot_index": core.log.snapshot.last_included_index,
                "led_terms": self.node.led,
            }
        )

    async def get_log(self, request: web.Request) -> web.Response:
        """For checkers: who led which term, the entries that are here and known to be committed, and those after them.

        Who led: as this server has heard since its start, and as its log tells. An entry is its index, its term, a
        checksum of the command, and the key and value that it writes, if any.
        """
        if self.node is None:
            raise Problem(404, "no-log", "This service is a client of the cluster and has no log.")
        core = self.node.core

        def shown(first: int, last: int) -> list[tuple[int, int, int, str | None, str | None]]:
            return [(index, *shown_entry(core.log.at(index))) for index in range(first, last + 1)]

        return answer(
            {
                "name": core.id,
                "leaders": [[term, name] for term, names in leaders_of(self.node) for name in sorted(names)],
                "snapshot_index": core.log.snapshot.last_included_index,
                "entries": shown(core.log.first_index, core.commit_index),
                "tail": shown(max(core.commit_index + 1, core.log.first_index), core.log.last_index),
            }
        )


def leaders_of(node: Node) -> list[tuple[int, set[str]]]:
    """The leaders that this server knows, by term: heard of since its start, or in its log by their first entry."""
    known = {term: set(names) for term, names in node.heard.items()}
    for entry in node.core.log.entries:
        if isinstance(entry.command, Noop) and entry.command.leader:
            known.setdefault(entry.term, set()).add(entry.command.leader)
    return sorted(known.items())


def shown_entry(entry: Entry) -> tuple[int, int, str | None, str | None]:
    """Term, checksum, key, value."""
    command = entry.command
    written = (command.key, command.value) if isinstance(command, Put | Cas) else (None, None)
    return entry.term, zlib.crc32(msgspec.msgpack.encode(command)), *written


def session_of(request: web.Request) -> tuple[int, int, int] | None:
    """The client's own session, sequence and settled; it asks one write at a time. Raises Problem 400."""
    headers = request.headers
    if "Session" not in headers and "Sequence" not in headers:
        return None
    try:
        session, sequence = int(headers["Session"]), int(headers["Sequence"])
    except (KeyError, ValueError):
        detail = "Send both Session, as POST /sessions gave it, and Sequence, a whole number, one more for each write."
        raise Problem(400, "session-malformed", detail) from None
    return session, sequence, sequence


def peer_routes(node: Node) -> list[web.RouteDef]:
    """What members ask one another, and what clients of the cluster ask them, as MessagePack."""

    async def on_request(request: web.Request) -> web.Response:
        try:
            asked = messages.decode_request(await request.read())
        except msgspec.DecodeError as wrong:
            raise Problem(400, "malformed-message", str(wrong)) from wrong
        return web.Response(body=messages.encode(await node.on_request(asked)), content_type="application/msgpack")

    async def on_ask(request: web.Request) -> web.Response:
        try:
            return web.Response(body=await answer_ask(node, await request.read()), content_type="application/msgpack")
        except msgspec.DecodeError as wrong:
            raise Problem(400, "malformed-message", str(wrong)) from wrong

    return [*(web.post(path, on_request) for path in PATHS.values()), web.post("/raft/ask", on_ask)]


def build(settings: RaftSettings, service: Service) -> web.Application:
    """The application; a member takes part in the cluster from its start to its end."""
    others = [name for name in settings.members if name != settings.service_name]
    app = web.Application(client_max_size=64 * 2**20)  # a snapshot comes in one piece
    node = new_node(settings, service, others) if settings.is_member else None
    asked = {name: service.peer(name, settings.url_of(name), settings.raft_try_s, (200,)) for name in others}
    forwarder = Forwarder(
        node,
        asked,
        stale=settings.raft_reads == "stale",
        retry=settings.raft_retry,
        try_s=settings.raft_try_s,
        all_s=settings.raft_client_timeout_s,
    )
    app.on_cleanup.append(lambda _: forwarder.close())
    routes = Routes(settings, node, forwarder)
    for route in ("GET /kv/{key}", "PUT /kv/{key}", "POST /kv/{key}/cas"):
        service.answers(route, 200, 410, 503, 504)
    service.answers("POST /sessions", 201, 503, 504)
    app.add_routes(
        [
            web.get("/kv", routes.get_all),
            web.get("/kv/{key}", routes.get_value),
            web.put("/kv/{key}", routes.put_value),
            web.post("/kv/{key}/cas", routes.swap_value),
            web.post("/sessions", routes.post_session),
            web.get("/status", routes.get_status),
            web.get("/log", routes.get_log),
        ]
    )
    if node is not None:
        app.add_routes(peer_routes(node))
        app.cleanup_ctx.append(_alive(node, service))
        show(node, service)
    return app


def new_node(settings: RaftSettings, service: Service, others: list[str]) -> Node:
    """The member, with what it had on disk. Raises CorruptData."""
    wait_s = settings.timing.election_low_s  # an answer that comes later than this helps nobody
    peers = {name: service.peer(name, settings.url_of(name), wait_s, (200,)) for name in others}
    rng = Random(f"{settings.raft_seed} {settings.service_name}" if settings.raft_seed else None)
    try:
        storage = (
            MemoryStorage()
            if settings.raft_storage == "memory"
            else Storage(Path(settings.data_dir), settings.raft_fsync)
        )
    except CorruptData as wrong:
        service.log.error("corrupt data", error=str(wrong))
        raise
    return Node(settings.service_name, peers, storage, settings.timing, rng, service.log)


def show(node: Node, service: Service) -> None:
    """Gauges, read when they are asked for."""
    core = node.core
    shown: dict[str, tuple[str, Callable[[], float]]] = {
        "raft_is_leader": ("1 while this server leads.", lambda: core.role is Role.LEADER),
        "raft_term": ("The current term.", lambda: core.current_term),
        "raft_commit_index": ("Index of the last entry known to be committed.", lambda: core.commit_index),
        "raft_last_applied": ("Index of the last entry applied.", lambda: core.last_applied),
        "raft_log_entries": ("Entries in the log, without the snapshot's.", lambda: len(core.log.entries)),
    }
    for name, (text, value) in shown.items():
        Gauge(name, text, registry=service.metrics.registry).set_function(value)


def _alive(node: Node, service: Service) -> Callable[[web.Application], AsyncIterator[None]]:
    async def alive(app: web.Application) -> AsyncIterator[None]:
        running = asyncio.create_task(node.run())
        running.add_done_callback(ended)
        yield
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await running
        await asyncio.to_thread(node.storage.close)  # a save that has begun goes on in its thread: wait for its end

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled():  # what it cannot save it cannot acknowledge: better stopped than half alive
            service.log.error("the member has failed", error=repr(task.exception()))
            os.kill(os.getpid(), signal.SIGTERM)

    return alive
