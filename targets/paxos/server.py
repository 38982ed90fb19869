"""HTTP around an acceptor, or around a proposer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec
from aiohttp import web
from prometheus_client import Counter, Gauge, Histogram

from targets.kit import NoAnswer, Peer, Problem, Service, answer
from targets.paxos.messages import Prepare, Vote, decode_notice, decode_request, encode
from targets.paxos.node import AcceptorNode, ProposerNode
from targets.paxos.proposer import Answer, Proposer
from targets.paxos.settings import PaxosSettings

WAIT_S = 0.05  # before a proposer looks again for a leader
ROUNDS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)


class Told(msgspec.Struct, frozen=True):
    """What a proposer answers another that passes a command on: the slot, or which proposer leads, if any is known."""

    slot: int | None
    leader: str = ""


@dataclass(frozen=True)
class ProposerRoutes:
    """Answers clients and other proposers."""

    node: ProposerNode
    askable: dict[str, Peer]
    timeout_s: float

    async def put_command(self, request: web.Request) -> web.Response:
        """Get a command chosen, here or by the proposer that leads."""
        command = request.match_info["id"]
        asked = False  # by a call whose answer is missing: the command may yet be chosen, and must not be proposed anew
        try:
            async with asyncio.timeout(self.timeout_s):
                told = await self._ask_here(command)
                while told.slot is None:
                    peer = self.askable.get(told.leader)
                    if peer is None:
                        await asyncio.sleep(WAIT_S)
                        told = await self._ask_here(command)
                        continue
                    asked = True
                    told = await self._pass_on(peer, command)
                    asked = False
                return answer({"id": command, "slot": told.slot})
        except TimeoutError:
            detail = "No majority has accepted it in time; it may yet be chosen."
            raise Problem(504, "outcome-unknown", detail) from None
        except NoAnswer as none:
            assert asked
            raise Problem(504, "outcome-unknown", f"{none}; it may yet be chosen.") from none

    async def _ask_here(self, command: str) -> Told:
        said: Answer = await self.node.ask(command)
        return Told(said.slot, said.leader)

    async def _pass_on(self, peer: Peer, command: str) -> Told:
        try:
            said = await peer.attempt("POST", "/paxos/command", command.encode(), {})
        except NoAnswer as none:
            if not none.never_sent:
                raise
            return Told(None)  # it is dead, and another will lead
        if said.status != 200:
            raise NoAnswer(peer.name, "garbled", f"status {said.status}")
        return msgspec.msgpack.decode(said.body, type=Told)

    async def post_command(self, request: web.Request) -> web.Response:
        """A command that another proposer passes on."""
        async with asyncio.timeout(self.timeout_s):
            told = await self._ask_here((await request.read()).decode())
        return web.Response(body=msgspec.msgpack.encode(told), content_type="application/msgpack")

    async def post_notice(self, request: web.Request) -> web.Response:
        """What another proposer has learned, or that it leads."""
        try:
            self.node.notice(decode_notice(await request.read()))
        except msgspec.DecodeError as wrong:
            raise Problem(400, "malformed-message", str(wrong)) from wrong
        return web.Response()

    async def get_chosen(self, request: web.Request) -> web.Response:
        """What this proposer has learned since its start, by slot: for checkers."""
        return answer({"chosen": sorted(self.node.core.learner.chosen.items())})


def build(settings: PaxosSettings, service: Service) -> web.Application:
    """The application."""
    return build_acceptor(settings, service) if settings.is_acceptor else build_proposer(settings, service)


def build_acceptor(settings: PaxosSettings, service: Service) -> web.Application:
    """An acceptor, with what it had on disk."""
    node = AcceptorNode(Path(settings.data_dir))
    registry = service.metrics.registry
    requests = Counter("paxos_requests", "Requests of proposers.", ("kind",), registry=registry)
    for kind in ("prepare", "accept"):
        requests.labels(kind)
    slots = Counter("paxos_slots", "Slots for which a first value was accepted.", registry=registry)
    node.on_new_slot = slots.inc

    async def on_request(request: web.Request) -> web.Response:
        try:
            asked = decode_request(await request.read())
        except msgspec.DecodeError as wrong:
            raise Problem(400, "malformed-message", str(wrong)) from wrong
        requests.labels("prepare" if isinstance(asked, Prepare) else "accept").inc()
        return web.Response(body=encode(await node.receive(asked)), content_type="application/msgpack")

    async def get_votes(request: web.Request) -> web.Response:
        votes: list[Vote] = sorted(node.acceptor.votes.values(), key=lambda vote: vote.slot)
        return answer({"votes": [(vote.slot, vote.value) for vote in votes]})

    async def alive(app: web.Application) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(node.close)

    app = web.Application()
    app.cleanup_ctx.append(alive)
    app.add_routes([web.post("/paxos/acceptor", on_request), web.get("/votes", get_votes)])
    return app


def build_proposer(settings: PaxosSettings, service: Service) -> web.Application:
    """A proposer, from its start to its end."""
    registry = service.metrics.registry
    rounds = Histogram("paxos_rounds", "Rounds that a decision took.", buckets=ROUNDS, registry=registry)

    def peers(kind: str, timeout_s: float) -> dict[str, Peer]:
        names = [name for name in settings.others if name.startswith(kind)]
        return {name: service.peer(name, settings.url_of(name), timeout_s, (200,)) for name in names}

    acceptors = peers("acceptor", settings.timing.round_s)
    rng = Random(f"{settings.paxos_seed} {settings.service_name}" if settings.paxos_seed else None)
    core = Proposer(
        settings.service_name, tuple(acceptors), settings.paxos_retry, settings.timing, rng, time.monotonic()
    )
    node = ProposerNode(core, acceptors, peers("proposer", settings.timing.round_s), rounds.observe)
    leads = Gauge("paxos_is_leader", "1 while this proposer takes itself for the distinguished one.", registry=registry)
    leads.set_function(lambda: core.leader == core.name)
    routes = ProposerRoutes(node, peers("proposer", settings.paxos_client_timeout_s), settings.paxos_client_timeout_s)

    async def alive(app: web.Application) -> AsyncIterator[None]:
        node.start()
        yield
        await node.close()

    service.answers("PUT /log/{id}", 200, 504)
    service.answers("POST /paxos/command", 200, 500)
    app = web.Application()
    app.cleanup_ctx.append(alive)
    app.add_routes(
        [
            web.put("/log/{id}", routes.put_command),
            web.get("/chosen", routes.get_chosen),
            web.post("/paxos/command", routes.post_command),
            web.post("/paxos/proposer", routes.post_notice),
        ]
    )
    return app
