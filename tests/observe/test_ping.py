"""A probe whose time is over while it connects leaves nothing behind: no complaint of asyncio, no open connection."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from lab.model import ProbeShape
from lab.observe.ping import _Speech, _Talk


class Wire(asyncio.Transport):
    """A connection that notes what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    def write(self, data: Any) -> None:
        self.done.append("write")

    def abort(self) -> None:
        self.done.append("abort")


@pytest.mark.parametrize("came_up", [True, False])
def test_a_connection_that_comes_up_too_late_is_dropped_in_silence(came_up: bool) -> None:
    """It goes after the probe was left, before or after the protocol heard of it."""
    complaints: list[dict[str, Any]] = []

    async def probe() -> list[str]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        speech = _Speech(lambda shape: b"?")  # which waits for an answer
        talk, wire = _Talk(speech, ProbeShape(), loop.create_future()), Wire()
        if came_up:
            talk.connection_made(wire)
        talk.leave()
        if not came_up:
            talk.connection_made(wire)
        talk.connection_lost(ConnectionResetError())
        del talk
        gc.collect()
        return wire.done

    did = asyncio.run(probe())
    assert did == (["write", "abort"] if came_up else ["abort"])
    assert complaints == []
