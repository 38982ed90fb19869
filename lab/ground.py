"""Where an experiment runs: chooses the runtime, says why, and opens it with the Prometheus that goes with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from lab import faults
from lab.errors import LabError, MissingPart
from lab.faults.at import At
from lab.model import Backing, Fault, Scenario
from lab.observe import local_grafana, which_grafana
from lab.observe.annotations import Grafana
from lab.observe.grafana import Place
from lab.observe.marks import PATIENCE_S, Marks, end_left_open, in_time, left_open
from lab.observe.panels import Watched
from lab.observe.prometheus import Prometheus, Watch
from lab.observe.shared_prometheus import SharedPrometheus
from lab.optional import optional, without
from lab.places import DASHBOARDS, HOME, ROOT, STATE
from lab.record.unfinished import sweep
from lab.runtime.base import Runtime
from lab.runtime.compose import names
from lab.runtime.compose.endpoint import endpoint
from lab.runtime.compose.engine import Engine
from lab.runtime.compose.found import HELP, Found, NoEngine, find
from lab.runtime.compose.heal import heal_containers
from lab.runtime.compose.runtime import ComposeRuntime
from lab.runtime.compose.swarm import SwarmRuntime, node
from lab.runtime.heal import dead_runs, heal
from lab.runtime.journal import JOURNAL, read
from lab.runtime.local import LocalRuntime, parts_of
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools

RuntimeName = Literal["local", "compose", "swarm"]
STARTS_AGAIN = ("kill", "restart")  # faults
HEAL_PATIENCE_S = 10.0  # for a Grafana in which dead runs have drawn


@dataclass(frozen=True)
class Choice:
    """A runtime, why it is this one, and the scenario less the variants whose own servers it cannot have.

    `left_out` has a note for each such server. `found` is what containers stand on, None where there will be none.
    """

    name: RuntimeName
    why: str
    scenario: Scenario
    left_out: Sequence[str] = ()
    found: Found | None = None

    @property
    def text(self) -> str:
        """As the plan says it."""
        where = {"local": "as local processes", "compose": "in containers", "swarm": "in a Swarm"}[self.name]
        return f"services run {where} ({self.why})"


async def choose(asked: str | None, scenario: Scenario) -> Choice:
    """The runtime asked for, else containers where this machine has all they need, else local processes.

    Raises LabError, with the line to type, where what was asked for cannot be had, and MissingPart where local
    processes lack a server.
    """
    why = f"{'LAB_RUNTIME' if os.environ.get('LAB_RUNTIME') == asked else '--runtime'} asks for it"
    if asked == "compose":
        return await _in_containers(scenario, why)
    if asked == "swarm":
        return await _in_swarm(scenario, why)
    if asked is None:
        try:
            return await _in_containers(scenario, "a Docker engine answers and the images are there")
        except NoEngine as nothing:
            why = str(nothing).partition(": ")[0]
    return _as_processes(scenario, why)


async def _in_containers(scenario: Scenario, why: str) -> Choice:
    spared = optional(scenario)
    engine = Engine(endpoint())
    if not engine.where.is_here:
        Tools(HOME).need("prometheus")
        why += f"; on the engine at {engine.where.url}, whose ports are reached at {engine.where.host}"
    try:
        needed = [member for member in scenario.members if member not in spared]
        found = await find(ROOT, needed, spared, engine, beside=["profiler"] if scenario.profile else [])
    finally:
        await engine.close()
    missing = [server for server in spared if names.service_of(server) not in found.images]
    notes = [_left_out(server, f"there is no image for it: {HELP}.") for server in missing]
    return Choice("compose", why, without(scenario, missing) if missing else scenario, notes, found)


async def _in_swarm(scenario: Scenario, why: str) -> Choice:
    for fault in (fault for phase in scenario.phases for fault in phase.faults):
        actual: Fault = fault.candidates[0] if isinstance(fault, At) else fault
        if faults.spec(actual).kind in STARTS_AGAIN:
            raise LabError(
                f"{fault.text}: in place of a task that ended a Swarm puts another, with another address and without "
                "its data; use RUNTIME=compose or RUNTIME=local"
            )
    engine = Engine(endpoint())
    try:
        await node(engine)
    finally:
        await engine.close()
    return replace(await _in_containers(scenario, why), name="swarm")


def _as_processes(scenario: Scenario, why: str) -> Choice:
    tools = Tools(HOME)
    spared = optional(scenario)
    tools.need("prometheus", *parts_of(member for member in scenario.members if member not in spared))
    tools.fault_proxy()
    missing, notes = [], []
    for server in spared:
        try:
            tools.need(*parts_of([server]))
        except MissingPart as error:
            missing.append(server)
            notes.append(_left_out(server, str(error)))
    return Choice("local", why, without(scenario, missing) if missing else scenario, notes)


def _left_out(server: Backing, why: str) -> str:
    return f"Left out: every variant that needs {server.name}. {why}"


async def open_runtime(choice: Choice, supervisor: Supervisor, stack: AsyncExitStack) -> Runtime:
    """The runtime, to be closed with `stack`."""
    runtime: Runtime
    if choice.found is None:
        runtime = LocalRuntime(supervisor, Tools(HOME))
    else:
        kind = SwarmRuntime if choice.name == "swarm" else ComposeRuntime
        runtime = await kind.open(supervisor, choice.found)
    stack.push_async_callback(runtime.close)
    return runtime


async def open_prometheus(
    runtime: Runtime, supervisor: Supervisor, logs: Path, watch: Watch, stack: AsyncExitStack
) -> Watched:
    """The Prometheus beside the runtime's services, to be stopped with `stack`: one of the run's own, or the shared."""
    prometheus: Watched
    shared = runtime.shared if isinstance(runtime, ComposeRuntime) else None
    if shared and shared.prometheus and shared.targets:
        place = partial(_in_network, watch.labels["run"])
        prometheus = SharedPrometheus(shared.prometheus, shared.targets, watch, place)
    else:
        assert isinstance(runtime, LocalRuntime | ComposeRuntime)
        program = runtime.tools.need("prometheus")["prometheus"]  # its own, so that its versions name this one too
        prometheus = await Prometheus.start(supervisor.spawn, program, supervisor.scratch / "prometheus", logs, watch)
    stack.push_async_callback(prometheus.stop)
    return prometheus


async def open_marks(
    prometheus: Watched,
    supervisor: Supervisor,
    logs: Path,
    scenario: str,
    tell: Callable[[str], None],
) -> Marks:
    """What the run draws in Grafana, if there is one; `tell` takes a sentence about one that cannot be used."""
    grafana, version = None, ""
    try:
        if place := await _grafana(prometheus, supervisor, logs):
            found = Grafana(place)
            version = await in_time(found.version, PATIENCE_S)
            grafana = found
    except TimeoutError:
        tell("Grafana takes too long to answer; the run goes on without it")
    except LabError as error:
        tell(f"{str(error).splitlines()[0].rstrip(':')}; the run goes on without it")
    marks = Marks(grafana, scenario, supervisor.run_id, supervisor.journal, tell)
    marks.version = version
    return marks


async def _grafana(prometheus: Watched, supervisor: Supervisor, logs: Path) -> Place | None:
    """Which one; see lab.observe.which_grafana. That of `make up` knows what the shared Prometheus knows."""
    said = which_grafana.named(ROOT)
    if said.place or not said.wanted:
        return said.place
    if isinstance(prometheus, SharedPrometheus):
        return await which_grafana.of_compose(ROOT)
    if program := which_grafana.on_path():
        workdir, log = supervisor.scratch / "grafana", logs / "grafana.log"
        return await local_grafana.start(supervisor.spawn, program, workdir, log, DASHBOARDS, prometheus.address)
    return None


async def heal_everything(reports: Path) -> list[str]:
    """Clean up after runs whose lab is gone, wherever their services were; a sentence for each thing done.

    `reports` is where folders of runs may lie that will never have a record.
    """
    dead = dead_runs(STATE)
    return [*await _end_annotations(dead), *heal(STATE), *sweep(reports), *await heal_containers(dead)]


async def _end_annotations(dead: Sequence[str]) -> list[str]:
    """Done first, since `heal` removes the journals that tell of them."""
    if not any(left_open(read(STATE / run / JOURNAL)) for run in dead):
        return []
    try:
        places = [which_grafana.named(ROOT).place, await which_grafana.of_compose(ROOT)]
        return await in_time(partial(end_left_open, STATE, dead, [p for p in places if p]), HEAL_PATIENCE_S)
    except TimeoutError:
        return ["Grafana takes too long to answer: annotations of dead runs stay without an end"]
    except LabError as error:
        return [f"annotations of dead runs stay without an end: {error}"]


def _in_network(run: str, trial: int, variant: str, service: str) -> str:
    return f"{names.host(run, f'{trial}-{variant}', service)}:{names.TARGET_PORT}"
