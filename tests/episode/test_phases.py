"""Phases pass on time: nothing that is slow elsewhere keeps a fault in, and what is in goes out together."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from lab import metrics
from lab.model import Claim, Fault, Link, Member, Panel, Phase, Readback, Scalar, Service, Variant
from lab.model.bench import Address
from lab.record import Dose, Probe
from lab.run.episode.capture import EpisodeCapture
from lab.run.episode.clock import EpisodeClock
from lab.run.episode.edges import read_counts
from lab.run.episode.phases import pass_phases

SERVICE = Service("payments")


@dataclass(frozen=True)
class Told(Fault):
    """A fault that only tells when it is in and out; getting out waits for `until`, if any."""

    name: str
    log: list[str]
    until: asyncio.Event | None = None

    @property
    def targets(self) -> tuple[Link | Member, ...]:
        """None."""
        return ()

    @property
    def text(self) -> str:
        """Its name."""
        return self.name

    @asynccontextmanager
    async def inject(self, bench: Any) -> AsyncIterator[Mapping[str, Scalar]]:  # type: ignore[override]
        """Tell."""
        self.log.append(f"{self.name} in")
        try:
            yield {}
        finally:
            if self.until:
                await asyncio.wait_for(self.until.wait(), 20)
            self.log.append(f"{self.name} out")

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """Not asked for here."""
        raise NotImplementedError


class Load:
    """A load that is sent to nobody."""

    due_s = None

    def begin(self, t0_s: float) -> None:
        """Nothing begins."""

    def progress(self) -> None:
        """Nothing happens."""


def run(folder: Path, phases: Sequence[Phase], **parts: Any) -> tuple[Any, EpisodeCapture, Any]:
    """Context, capture and stack of an episode of one service at an address, with everything else left out."""

    @contextmanager
    def region(*args: object, **kwargs: object) -> Any:
        yield

    context = SimpleNamespace(
        scenario=SimpleNamespace(
            links=(),
            panels=parts.get("panels", []),
            profile=(),
            claims=parts.get("claims", ()),
            every_readback=parts.get("readbacks", ()),
        ),
        phases=phases,
        folder=folder,
        supervisor=SimpleNamespace(spawn=None),
        prometheus=parts.get("prometheus"),
        progress=SimpleNamespace(phase=lambda *_: None, update=lambda *_: None),
        marks=SimpleNamespace(region=region),
    )
    members = [SERVICE] if "address" in parts else []
    running = SimpleNamespace(members=lambda: members, address=lambda member: parts["address"], disk_urls={})
    return context, EpisodeCapture(1, Variant("off"), 1, EpisodeClock(0.0)), running


async def test_a_prometheus_that_never_answers_holds_up_no_phase(tmp_path: Path) -> None:
    """Live panels are asked for in the background: the fault goes out though the answer never comes."""
    log: list[str] = []

    class Mute:
        async def now(self, panel: Panel) -> list[tuple[str, float]]:
            await asyncio.Event().wait()
            return []

    panels = [Panel("state", "up", live=True)]
    context, capture, running = run(tmp_path, [Phase("fault", 0.2, [Told("a", log)])], prometheus=Mute(), panels=panels)
    async with asyncio.timeout(30):
        await pass_phases(context, context.phases, capture, running, Load())  # type: ignore[arg-type]
    assert log == ["a in", "a out"]


async def test_what_the_services_count_is_asked_for_while_the_fault_goes_out(tmp_path: Path) -> None:
    """A service that answers only once the fault is out is in the record: its answer did not keep the fault in."""
    log: list[str] = []
    out = asyncio.Event()

    async def metrics(request: web.Request) -> web.Response:
        if "a in" in log:
            await out.wait()
        return web.Response(text="told_total 1\n")

    class Last(Told):
        @asynccontextmanager
        async def inject(self, bench: Any) -> AsyncIterator[Mapping[str, Scalar]]:  # type: ignore[override]
            async with super().inject(bench):
                yield {}
            out.set()

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics)])
    async with TestServer(app, host="127.0.0.1") as server:
        phases = [Phase("fault", 0.3, [Last("a", log)]), Phase("recovery", 0.1)]
        context, capture, running = run(tmp_path, phases, address=Address("127.0.0.1", server.port or 0))
        await pass_phases(context, context.phases, capture, running, Load())  # type: ignore[arg-type]
    read_counts(capture)
    edges = {(row["phase"], row["edge"]) for row in capture.snapshots}
    assert edges == {("fault", "start"), ("fault", "end"), ("recovery", "start"), ("recovery", "end")}
    assert capture.notes == []


@pytest.mark.parametrize(("calm_s", "asked"), [(0.5, ["kept, before"]), (0.0, [])])
def test_what_a_fault_is_to_take_is_read_before_it(tmp_path: Path, calm_s: float, asked: list[str]) -> None:
    """The readback of a control's loss alone, at 0.2 s of a calm half second; not where the first phase has a fault."""
    told: list[str] = []
    log: list[str] = []
    asyncio.run(_lose_what_is_kept(tmp_path, calm_s, told, log))
    assert told == asked
    written = [json.loads(file.read_text()) for file in tmp_path.glob("early/1-off.json")]
    assert [each["answers"] for each in written] == [{"kept": {"effects": ["a"]}}] * len(asked)
    assert all(0.15 < each["at_s"] < 0.5 for each in written)


async def _lose_what_is_kept(folder: Path, calm_s: float, told: list[str], log: list[str]) -> None:
    """A control claim and another one on two readbacks, with a fault after the calm; `told` is who asked when."""

    async def kept(request: web.Request) -> web.Response:
        told.append(f"{request.path[1:]}, {'after' if log else 'before'}")
        return web.json_response({"effects": ["a"]})

    app = web.Application()
    app.add_routes([web.get("/kept", kept), web.get("/other", kept)])
    async with TestServer(app, host="127.0.0.1") as server:
        phases = [Phase("calm", calm_s)] * bool(calm_s) + [Phase("fault", 0.1, [Told("a", log)])]
        lost = Claim("lost", "off", "fault", metrics.acknowledged_lost("kept"), at_least=1, control=True)
        stays = Claim("stays", "off", "fault", metrics.acknowledged_lost("other"), at_most=0)
        readbacks = [Readback(name, SERVICE, f"/{name}") for name in ("kept", "other")]
        address = Address("127.0.0.1", server.port or 0)
        parts = {"address": address, "claims": [lost, stays], "readbacks": readbacks}
        context, capture, running = run(folder, phases, **parts)
        await pass_phases(context, context.phases, capture, running, Load())  # type: ignore[arg-type]


async def test_faults_of_a_phase_go_out_together(tmp_path: Path) -> None:
    """One that takes long to be undone, as a process that has to start again, holds up no other."""
    log: list[str] = []
    other_is_out = asyncio.Event()

    class First(Told):
        @asynccontextmanager
        async def inject(self, bench: Any) -> AsyncIterator[Mapping[str, Scalar]]:  # type: ignore[override]
            async with super().inject(bench):
                yield {}
            other_is_out.set()

    slow, quick = Told("slow", log, until=other_is_out), First("quick", log)
    # In either order: the one that waits is put in last, and so would be taken out first.
    context, capture, running = run(tmp_path, [Phase("fault", 0.1, [quick, slow])])
    await pass_phases(context, context.phases, capture, running, Load())  # type: ignore[arg-type]
    assert log == ["quick in", "slow in", "quick out", "slow out"]


async def test_each_fault_has_its_four_times_in_order(tmp_path: Path) -> None:
    """Stamped before it goes in and after, before it is taken out and after; the name is that of the plan."""
    log: list[str] = []
    phases = [Phase("baseline", 0.05), Phase("fault", 0.1, [Told("a", log), Told("b", log)])]
    context, capture, running = run(tmp_path, phases)
    await pass_phases(context, context.phases, capture, running, Load())  # type: ignore[arg-type]
    assert [injection.id for injection in capture.injections] == ["fault#1", "fault#2"]
    for one in capture.injections:
        assert one.removing_s is not None
        assert one.removed_s is not None
        assert 0.05 <= one.began_s <= one.injected_s < one.removing_s <= one.removed_s
        assert one.removing_s >= 0.15


async def test_the_error_of_a_phase_takes_its_faults_out(tmp_path: Path) -> None:
    """Whatever ends a phase, its faults go out, and the error is the one that is raised."""
    log: list[str] = []

    class Broken(Load):
        def progress(self) -> None:
            raise KeyError("broke")

    context, capture, running = run(tmp_path, [Phase("fault", 5, [Told("a", log), Told("b", log)])])
    with pytest.raises(KeyError, match="broke"):
        await pass_phases(context, context.phases, capture, running, Broken())  # type: ignore[arg-type]
    assert log[:2] == ["a in", "b in"]
    assert sorted(log[2:]) == ["a out", "b out"]
