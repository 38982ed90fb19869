"""
How fast a counter grew: figures that keep their meaning when a phase is shortened or drawn out.

Window: between the snapshots that the lab takes of every service and server at the phase's edges.
Whose: the service's, or the server's, own count, of everything that it did in that time.
Censored: at least that pace, where it was restarted in the phase and counted from 0 again.
Minimum: both snapshots, in which each answered; a count that never shows in the run is no 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.metrics.declare import metric, names_of
from lab.metrics.measured import Measured
from lab.metrics.services import increase, total
from lab.metrics.window import Window
from lab.model import Backing, Service


@metric("/s")
def counter_per_s(
    window: Window, /, service: Service | Backing | str | Sequence[Service], metric: str, **labels: str
) -> Measured:
    """What a counter of a service or server, or of several services together, grew by for each second of the phase.

    Over all its series that carry these labels. The seconds are those between the two snapshots of the first one.
    """
    asked = names_of(service)
    grown, first = total([increase(window, name, [metric], labels) for name in asked]), asked[0]
    if grown.value is None:
        return grown
    elapsed_s = window.snapshot(first, "end")[0].at_s - window.snapshot(first, "start")[0].at_s
    if elapsed_s <= 0:
        return Measured(None, why=f"the snapshots of {first} at the edges of {window.text} are not apart")
    return Measured(grown.value / elapsed_s, grown.censored, grown.why)
