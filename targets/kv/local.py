"""HTTP around a node that answers its clients by itself: last-writer-wins, or CRDTs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
from aiohttp import web
from msgspec import Struct
from prometheus_client import Gauge

from targets.contracts.registers import NewValue
from targets.kit import Problem, Service, answer, read_json
from targets.kv.clock import Clock
from targets.kv.gossip import Gossip
from targets.kv.objects import Crdts, Objects, Registers, Replica, State, decode, encode
from targets.kv.settings import KvSettings


class By(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a count."""

    by: int = 1


@dataclass(frozen=True)
class Routes:
    """Answers clients and the other nodes, each at once and from what is here."""

    replica: Replica
    objects: Objects
    gossip: Gossip

    async def get_value(self, request: web.Request) -> web.Response:
        """Read a register."""
        key = request.match_info["key"]
        return answer({"key": key, "value": self.replica.get(key)})

    async def put_value(self, request: web.Request) -> web.Response:
        """Write a register."""
        key, body = request.match_info["key"], await read_json(request, NewValue)
        self.gossip.tell(self.replica.put(key, body.value))
        return answer({"key": key, "value": body.value})

    async def get_members(self, request: web.Request) -> web.Response:
        """A set's elements."""
        key = request.match_info["key"]
        return answer({"key": key, "members": self.objects.members(key)})

    async def put_member(self, request: web.Request) -> web.Response:
        """Add an element to a set."""
        self.gossip.tell(self.objects.add(request.match_info["key"], request.match_info["element"]))
        return answer({"added": True})

    async def delete_member(self, request: web.Request) -> web.Response:
        """Remove an element from a set; `removed` tells whether this node had it."""
        removed, part = self.objects.remove(request.match_info["key"], request.match_info["element"])
        self.gossip.tell(part)
        return answer({"removed": removed})

    async def post_count(self, request: web.Request) -> web.Response:
        """Count up or down."""
        key, body = request.match_info["key"], await read_json(request, By)
        self.gossip.tell(self.objects.count(key, body.by))
        return answer({"key": key, "value": self.objects.value(key)})

    async def get_all(self, request: web.Request) -> web.Response:
        """All registers, sets and counters as a client would read them: for checkers."""
        state = self.replica.state
        keys = sorted({*state.sets, *(key[4:] for key in state.registers if key.startswith("set "))})
        counters = sorted({*state.counters, *(key[8:] for key in state.registers if key.startswith("counter "))})
        plain = {
            key: self.replica.get(key) for key in sorted(state.registers) if not key.startswith(("set ", "counter "))
        }
        return answer(
            {
                "registers": plain,
                "sets": {key: self.objects.members(key) for key in keys},
                "counters": {key: self.objects.value(key) for key in counters},
                "members": [f"{key}/{element}" for key in keys for element in self.objects.members(key)],
            }
        )

    async def post_change(self, request: web.Request) -> web.Response:
        """Another node's change."""
        self.replica.merge(await state_of(request))
        return web.Response()

    async def post_state(self, request: web.Request) -> web.Response:
        """Another node's state; answers with what both are together."""
        self.replica.merge(await state_of(request))
        return web.Response(body=encode(self.replica.state), content_type="application/msgpack")


async def state_of(request: web.Request) -> State:
    """The body. Raises Problem 400."""
    try:
        return decode(await request.read())
    except msgspec.DecodeError as wrong:
        raise Problem(400, "malformed-message", str(wrong)) from wrong


def build(settings: KvSettings, service: Service) -> web.Application:
    """The application. It keeps nothing on disk: a node that restarts gets all back from the others."""
    replica = Replica(settings.service_name, Clock(settings.service_name, settings.kv_clock, settings.kv_clock_ahead_s))
    objects: Objects = Crdts(replica) if settings.kv_mode == "crdt" else Registers(replica)
    peers = {name: service.peer(name, settings.url_of(name), settings.kv_timeout_s, (200,)) for name in settings.others}
    gossip = Gossip(replica, peers, settings.kv_gossip_ms / 1000)
    size = Gauge("kv_state_bytes", "Size of this node's state, as it is sent.", registry=service.metrics.registry)
    size.set_function(lambda: len(encode(replica.state)))
    routes = Routes(replica, objects, gossip)

    async def alive(app: web.Application) -> AsyncIterator[None]:
        gossip.start()
        yield
        await gossip.close()

    app = web.Application()
    app.cleanup_ctx.append(alive)
    app.add_routes(
        [
            web.get("/kv", routes.get_all),
            web.get("/kv/{key}", routes.get_value),
            web.put("/kv/{key}", routes.put_value),
            web.get("/sets/{key}", routes.get_members),
            web.put("/sets/{key}/{element}", routes.put_member),
            web.delete("/sets/{key}/{element}", routes.delete_member),
            web.post("/counters/{key}", routes.post_count),
            web.post("/gossip/change", routes.post_change),
            web.post("/gossip/state", routes.post_state),
        ]
    )
    return app
