"""What is left to do after the load: drain it, read back, collect series and alerts."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace

from lab.load.driver import LoadDriver
from lab.observe import alerts
from lab.observe.hiccups import between
from lab.run.episode.capture import EpisodeCapture
from lab.run.episode.context import RunContext
from lab.run.episode.edges import read_counts
from lab.run.episode.readbacks import read_back
from lab.runtime.base import Running


async def finish(context: RunContext, capture: EpisodeCapture, running: Running, driver: LoadDriver) -> None:
    """Drain what is in flight, read back what the services hold, and note who died."""
    capture.load = await driver.finish()
    capture.clock_facts = capture.clock.facts
    _add_hiccups(capture)
    read_counts(capture)
    for log in (context.supervisor.scratch / f"load-{capture.label}").glob("*.log"):
        shutil.copyfile(log, context.folder / "logs" / capture.label / log.name)
    capture.notes.extend(capture.load.notes)
    for notes in await asyncio.gather(*capture.profiles):
        capture.notes.extend(notes)
    capture.deaths.extend(running.deaths())
    await read_back(context, capture, running)


def _add_hiccups(capture: EpisodeCapture) -> None:
    """Put what the hiccup meter noted into each phase's window."""
    assert capture.meter is not None
    wakes, t0_s = capture.meter.wakes(), capture.clock.t0_steady_s
    for n, window in enumerate(capture.windows):
        if found := between(wakes, t0_s + window.start_s, t0_s + window.end_s):
            capture.windows[n] = replace(window, hiccup_p99_ms=found.p99_ms, hiccup_max_ms=found.max_ms)
        else:
            capture.notes.append(
                f"{window.name}: the hiccup meter noted nothing; how late the machine woke is not known"
            )


async def collect(context: RunContext, capture: EpisodeCapture) -> None:
    """Fetch every panel over the time of this episode, and which alerts fired."""
    if context.prometheus:
        lasts_s = capture.windows[-1].end_s
        asked = [*context.scenario.panels, alerts.FIRING]
        collected = await context.prometheus.collect(asked, capture.clock.t0_epoch_s, lasts_s)
        capture.notes.extend(collected.notes)
        firing = [row for row in collected.rows if row["panel"] == alerts.FIRING.title]
        capture.series.extend(row for row in collected.rows if row["panel"] != alerts.FIRING.title)
        if not any(alerts.FIRING.title in note for note in collected.notes):
            capture.alerts = alerts.fired(firing, lasts_s)
