"""What a member of the cluster tells of its elections."""

from __future__ import annotations

import asyncio
import json
from random import Random

from waits import until

from targets.kit.logs import Log
from targets.raft.core import Role
from targets.raft.node import Node
from targets.raft.outcomes import Timing
from targets.raft.storage import MemoryStorage


async def test_an_election_and_a_step_down_are_events() -> None:
    """A server that leads tells it once, with its term, and tells that it stepped down."""
    written = bytearray()
    log = Log("raft-1", "error", written.extend)
    node = Node("raft-1", {}, MemoryStorage(), Timing(0.01, 0.02, 0.02), Random(1), log)
    running = asyncio.create_task(node.run())
    await until(lambda: node.core.role is Role.LEADER and node.led)
    term = node.core.current_term
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    node.core.role = Role.FOLLOWER
    node.core.current_term += 1
    node._note_what_changed()
    node._note_what_changed()
    log.close()
    told = [json.loads(line) for line in written.splitlines()]
    assert [(line["text"], line["facts"]) for line in told if line["event"] == "moment"] == [
        ("elected leader", {"term": term}),
        ("stepped down", {"term": term + 1}),
    ]
