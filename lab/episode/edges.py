"""What services and servers count at the edges of phases, taken without holding up what has to happen there."""

from __future__ import annotations

import asyncio

from lab.episode.capture import EpisodeCapture, Rows
from lab.model import Link, Phase
from lab.observe.snapshots import snapshot
from lab.runtime import backing
from lab.runtime.base import Running

Scraped = tuple[Rows, list[str]]


def urls(running: Running) -> dict[str, str]:
    """Where each member that counts is, with no proxy between."""
    return {member.name: running.address(member).url for member in running.members() if backing.counts(member)}


async def scrape(capture: EpisodeCapture, running: Running, down: set[str]) -> Scraped:
    """Ask every member that counts and is not `down`: exact counts for the phase, whatever Prometheus caught."""
    at_s, scraped = capture.now_s(), {name: url for name, url in urls(running).items() if name not in down}
    (rows, notes), (more, lacking) = await asyncio.gather(
        snapshot(scraped, at_s), capture.statistics.snapshot(at_s, leave_out=down)
    )
    return rows + more, notes + lacking


async def kept_down(capture: EpisodeCapture, running: Running) -> set[str]:
    """Members that are gone or paused while a fault is at them: that those are silent is no news."""
    in_force = [injection.resolved for injection in capture.injections if injection.removing_s is None]
    hit = {target for fault in in_force for target in fault.targets if not isinstance(target, Link)}
    return {member.name for member in hit if await running.process(member).state() != "running"}


async def count(
    capture: EpisodeCapture, running: Running, down: set[str], before: Phase | None = None, after: Phase | None = None
) -> None:
    """Scrape, and keep that as the end of one phase and the start of the next: what happens between takes no time."""
    rows, notes = await scrape(capture, running, down)
    for phase, edge in ((before, "end"), (after, "start")):
        if phase is not None:
            capture.snapshots.extend({**row, "phase": phase.name, "edge": edge} for row in rows)
            capture.notes.extend(f"{phase.name}, {edge}: {note}" for note in notes)
