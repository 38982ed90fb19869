"""Which runtime an experiment runs in, why, and what of its scenario that runtime cannot have."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lab import faults
from lab.errors import LabError, MissingPart
from lab.faults.at import At
from lab.kit.places import HOME, ROOT
from lab.kit.streams import say
from lab.model import Backing, Fault, Scenario
from lab.model.optional import optional, without
from lab.runtime.compose import names
from lab.runtime.compose.endpoint import endpoint
from lab.runtime.compose.engine import Engine
from lab.runtime.compose.found import HELP, Found, find, why_not
from lab.runtime.compose.swarm import node
from lab.runtime.disk import why_no_disk
from lab.runtime.local import parts_of
from lab.runtime.tools import Tools

RuntimeName = Literal["local", "compose", "swarm"]
STARTS_AGAIN = ("kill", "restart")  # faults


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

    Whatever makes an engine unusable that was not asked for is no error, but the reason for local processes. Raises
    LabError, with the line to type, where what was asked for cannot be had, and MissingPart where local processes lack
    a server.
    """
    if scenario.disks:
        return _with_disks(asked, scenario)
    why = f"{'LAB_RUNTIME' if os.environ.get('LAB_RUNTIME') == asked else '--runtime'} asks for it"
    if asked == "compose":
        return await _in_containers(scenario, why)
    if asked == "swarm":
        return await _in_swarm(scenario, why)
    if asked is None:
        try:
            return await _in_containers(scenario, "a Docker engine answers and the images are there")
        except LabError as unusable:
            why = why_not(unusable)
    return _as_processes(scenario, why)


async def _in_containers(scenario: Scenario, why: str) -> Choice:
    spared = optional(scenario)
    engine = Engine(endpoint())
    if not engine.where.is_here:
        Tools(HOME).need("prometheus")
        why += f"; on the engine at {engine.where.url}, whose ports are reached at {engine.where.host}"
    try:
        needed = [member for member in scenario.members if member not in spared]
        beside = ["profiler"] if scenario.profile else []
        found = await find(ROOT, needed, spared, engine, beside, tell=say)
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


def _with_disks(asked: str | None, scenario: Scenario) -> Choice:
    """Local processes: a disk of the lab's own is mounted on this machine, and containers do not see it."""
    if asked not in (None, "local"):
        raise LabError(f"{scenario.title} needs a disk that forgets, which {asked} cannot have; use RUNTIME=local")
    if why := why_no_disk():
        raise MissingPart(f"{scenario.title} cannot run here: {why}.")
    return _as_processes(scenario, "one of its faults needs a disk of the lab's own")


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
