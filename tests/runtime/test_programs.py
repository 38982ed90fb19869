import asyncio
import subprocess
import sys
import time

import pytest
from waits import gone, until

from lab.runtime.compose import cli
from lab.runtime.programs import ask

pytestmark = pytest.mark.e2e

PLUGIN = """#!/bin/sh
# What `docker` is: it has a plugin do the work, which holds its outputs.
sleep 60 &
echo $! > "$PLUGIN"
wait
"""


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A `docker` on PATH that hangs with its plugin; gives the file with the plugin's id."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(PLUGIN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("PLUGIN", str(tmp_path / "plugin"))
    monkeypatch.setattr("lab.runtime.compose.dotenv.ensure", lambda root: None)
    monkeypatch.setattr("lab.runtime.compose.sources.mark", lambda root: "mark")
    return tmp_path / "plugin"


async def written(file):
    """The number that stands in a file, as soon as there is one."""
    return int(await until(lambda: file.exists() and file.read_text().strip()))


async def test_the_time_limit_of_docker_compose_holds_for_its_plugin(tmp_path, docker):
    """After its time the whole group of `docker compose` is killed, not `docker` alone."""
    with pytest.raises(cli.ComposeError, match=r"`docker compose version` took longer than 0.5 s"):
        await cli.run(tmp_path, "version", within_s=0.5)
    assert await gone(await written(docker))


async def test_ctrl_c_ends_docker_compose_with_its_plugin(tmp_path, docker):
    """A cancelled `docker compose` leaves nothing that runs."""
    task = asyncio.create_task(cli.run(tmp_path, "up"))
    plugin = await written(docker)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(plugin)


async def test_ctrl_c_while_docker_compose_starts_ends_its_plugin_too(tmp_path, docker):
    """asyncio kills a program whose start is cancelled, but not its children."""
    task = asyncio.create_task(cli.run(tmp_path, "up"))
    for _ in range(2):
        await asyncio.sleep(0)  # the program runs, its start is not through
    until_s = time.monotonic() + 15
    while not (docker.exists() and docker.read_text().strip()) and time.monotonic() < until_s:
        time.sleep(0.01)  # noqa: ASYNC251 - no turn of the loop, so that it stays so
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 30)  # the plugin would end by itself after 60 s
    assert await gone(int(docker.read_text()))


async def test_the_time_limit_of_any_program_holds_for_what_it_starts(tmp_path, docker):
    """A program that is asked for something ends with its children when its time is over."""
    with pytest.raises(subprocess.TimeoutExpired):
        await asyncio.to_thread(ask, ["docker"], 0.5)
    assert await gone(await written(docker))


def test_what_a_program_says_is_given():
    """Code and both outputs, bytes that are no text replaced."""
    done = ask([sys.executable, "-c", "import sys; sys.stdout.buffer.write(b'a\\xff'); sys.exit('no')"], 60)
    assert (done.returncode, done.stdout, done.stderr) == (1, "a\ufffd", "no\n")
