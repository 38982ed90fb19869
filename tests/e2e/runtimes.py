"""Either runtime with a supervisor of its own, for tests that hold for both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from run_ids import fresh

from lab.kit.places import ROOT
from lab.model import Member
from lab.runtime import leash
from lab.runtime.base import Runtime
from lab.runtime.compose.endpoint import endpoint
from lab.runtime.compose.engine import Engine
from lab.runtime.compose.found import Found, NoEngine, find
from lab.runtime.compose.runtime import ComposeRuntime
from lab.runtime.compose.swarm import SwarmRuntime
from lab.runtime.local import LocalRuntime
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools

IN_CONTAINERS = {"compose": ComposeRuntime, "swarm": SwarmRuntime}


async def found(members: Sequence[Member] = ()) -> Found:
    """What containers stand on here; skips the test, with a plain line, where they have nothing."""
    engine = Engine(endpoint())
    try:
        return await find(ROOT, members, [], engine)
    except NoEngine as nothing:
        pytest.skip(f"no containers here: {nothing}")
    finally:
        await engine.close()


@asynccontextmanager
async def runtime_in(folder: Path, kind: str, members: Sequence[Member]) -> AsyncIterator[Runtime]:
    """A runtime whose state is below a folder; at its end no process of it may be left."""
    run = fresh(kind)
    there = await found(members) if kind in IN_CONTAINERS else None
    async with Supervisor.open(folder / run, run) as supervisor:
        runtime: Runtime = (
            await IN_CONTAINERS[kind].open(supervisor, there) if there else LocalRuntime(supervisor, Tools())
        )
        yield runtime
        await runtime.close()
    assert leash.survivors(run, folder / run) == []
