"""Servers that we did not write, in containers: each starts from nothing, keeps its data if killed, leaves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from runtimes import runtime_in

from lab.errors import StartError
from lab.model import Backing
from lab.runtime import backing
from lab.runtime.base import Stack
from lab.runtime.compose.engine import EngineError

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]


@pytest.mark.parametrize("kind", backing.kinds())
async def test_a_server_keeps_its_data_when_it_is_killed_and_leaves_none_behind(tmp_path, kind):
    """What is on its volumes is there after `kill -9` and a restart; the volumes go with the stack."""
    server = Backing(kind)
    async with runtime_in(tmp_path, "compose", [server]) as runtime:
        engine = runtime._engine
        running = await runtime.start(Stack([server], []), tmp_path / "logs")
        mounts = (await engine.inspect(running._hosts[server]))["Mounts"]
        volumes = {mount["Name"]: mount["Destination"] for mount in mounts if mount["Type"] == "volume"}
        assert volumes

        def kept():
            return [Path(f"/proc/{running.pids(server)[0]}/root{folder}/kept") for folder in volumes.values()]

        for file in kept():
            file.touch()
        await running.process(server).kill()
        await running.process(server).restart()
        assert all(file.exists() for file in kept())
        assert running.deaths() == []
        await running.stop()
        for name in volumes:
            with pytest.raises(EngineError, match="no such volume"):
                await engine.call("GET", f"/volumes/{name}")


async def test_a_server_that_does_not_take_its_settings_says_why(tmp_path):
    """The last log lines of a container that does not come up are in the error, and nothing of it is left."""
    server = Backing("redis", settings={"maxmemory": "plenty"})
    async with runtime_in(tmp_path, "compose", [server]) as runtime:
        with pytest.raises(StartError, match="argument must be a memory value"):
            await runtime.start(Stack([server], []), tmp_path / "logs")
        assert await runtime._engine.containers(f"chaos-lab.run={runtime._supervisor.run_id}") == []
