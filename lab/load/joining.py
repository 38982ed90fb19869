"""Load workers on other machines: who awaits them, and what `lab load-worker` does there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Never

from lab.errors import LabError
from lab.load import words
from lab.load.crew import Crew, Spawn, spawn_locust, working_for
from lab.model import Load

_NO_MASTER = 255  # with which Locust's worker gives up when nobody has let it in for a minute


def crew_of(load: Load, workers: int, master: str, free_port: Callable[[], int]) -> Crew:
    """Who carries a load: `workers` processes here, or, with a `master` address, as many that join from elsewhere.

    Raises LabError where the address is none, or where users of a closed model do not suffice for so many workers.
    """
    if not load.is_open and workers > (load.users or 1):
        raise LabError(
            f"{workers} load workers cannot share {load.users or 1} users of a closed model; ask for fewer workers"
        )
    if master:
        host, port = address_of(master, "--load-master")
        return Crew(workers, host, port, joined=True)
    return Crew() if workers == 1 else Crew(workers, port=free_port())


def address_of(text: str, option: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, with room for a port above it. Raises LabError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= 65_535 - words.ENTRY_ABOVE:
        raise LabError(f"{option} takes HOST:PORT, such as 10.0.0.5:5557; {text!r} is not that")
    return host.strip("[]"), int(port)


def how_to_join(crew: Crew) -> str:
    """What to type on the other machines."""
    return (
        f"The load is carried by {crew.workers} load workers that join from elsewhere: on each other machine, once a "
        f"worker, python -m lab load-worker --master {crew.host}:{crew.port}"
    )


async def work_for(host: str, port: int, spawn: Spawn, scratch: Path, say: Callable[[str], None]) -> Never:
    """Carry one load after another for the master at that address, until cancelled.

    What is loaded is reached at the same host, at the port above: the master's machine opens that way.
    """
    say(f"Waiting for a lab that listens at {host}:{port} for load workers. Ctrl-C ends this.")
    number = 0
    while True:
        number += 1
        folder = scratch / f"load-{number}"
        folder.mkdir()
        env = {words.ENTRY_VARIABLE: f"{host}:{port + words.ENTRY_ABOVE}"}
        worker = spawn_locust(spawn, "locust-worker", working_for(host, port), folder, env)
        returncode = await worker.wait()
        if returncode == 0:
            say("Carried a load to its end.")
        elif returncode != _NO_MASTER:
            say(f"The load worker ended with exit code {returncode}; its last lines:\n{worker.tail(5)}")
        shutil.rmtree(folder)
