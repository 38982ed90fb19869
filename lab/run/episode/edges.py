"""What services and servers count at the edges of phases, taken without holding up what has to happen there."""

from __future__ import annotations

import asyncio

from lab.model import Link, Phase
from lab.observe.snapshots import ask, read
from lab.run.episode.capture import Counted, EpisodeCapture
from lab.runtime import backing
from lab.runtime.base import Running


def urls(running: Running) -> dict[str, str]:
    """Where each member that counts is, with no proxy between, and each disk of the lab's own."""
    own = {member.name: running.address(member).url for member in running.members() if backing.exposes_metrics(member)}
    return {**own, **running.disk_urls}


async def kept_down(capture: EpisodeCapture, running: Running) -> set[str]:
    """Members that are gone or paused while a fault is at them or their disk: that those are silent is no news."""
    in_force = [injection.resolved for injection in capture.injections if injection.removing_s is None]
    touched = (target for fault in in_force for target in (*fault.targets, *fault.disks))
    hit = {target for target in touched if not isinstance(target, Link)}
    return {member.name for member in hit if await running.process(member).state() != "running"}


async def count(
    capture: EpisodeCapture, running: Running, down: set[str], before: Phase | None = None, after: Phase | None = None
) -> None:
    """Ask every member that counts and is not `down`: exact counts for the phase, whatever Prometheus caught.

    It is the end of one phase and the start of the next: what happens between takes no time. Read in is it only after
    the load (`read_counts`), since that would hold up the faults that go in and out now.
    """
    at_s, asked = capture.now_s(), {name: url for name, url in urls(running).items() if name not in down}
    answers, statistics = await asyncio.gather(ask(asked), capture.statistics.snapshot(at_s, leave_out=down))
    edges = [(phase.name, edge) for phase, edge in ((before, "end"), (after, "start")) if phase is not None]
    capture.counted.append(Counted(at_s, answers, statistics, edges))


def read_counts(capture: EpisodeCapture) -> None:
    """Put what was counted at all edges into the capture's snapshots, and into its notes what was not."""
    for counted in sorted(capture.counted, key=lambda counted: counted.at_s):
        rows, notes = read(counted.answers, counted.at_s)
        more, lacking = counted.statistics
        for phase, edge in counted.edges:
            capture.snapshots.extend({**row, "phase": phase, "edge": edge} for row in rows + more)
            capture.notes.extend(f"{phase}, {edge}: {note}" for note in notes + lacking)
