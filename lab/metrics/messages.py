"""
What became of published messages: lost, come again, late. `lab.record.messages` tells what a readback must hold.

Window: messages whose first publish was due in the phase as planned, and their deliveries until the end of the run.
Whose: messages that a publisher was told are published.
Censored: never.
Minimum: 20 such messages.
"""

from __future__ import annotations

import math

from lab.metrics.declare import metric
from lab.metrics.measured import Measured, too_few
from lab.metrics.window import Window
from lab.record.messages import Delivery, Published, deliveries, published


@metric("")
def messages_lost(window: Window, readback: str, at: str = "received") -> Measured:
    """Messages first due in the phase that were acknowledged, and not received by the end of the run."""
    got = _received(window, readback, at)
    if isinstance(got, str):
        return Measured(None, why=got)
    acked = [message for message in _due(window) if message.is_acked]
    came = {delivery.id for delivery in got}
    return _enough(acked, window) or Measured(float(sum(m.id not in came for m in acked)), n=len(acked))


@metric("")
def messages_again(window: Window, readback: str, at: str = "received") -> Measured:
    """Deliveries, of messages first due in the phase, after the first delivery of the same message.

    Whose: messages that were received, acknowledged or not.
    Minimum: 20 such messages.
    """
    got = _received(window, readback, at)
    if isinstance(got, str):
        return Measured(None, why=got)
    due = {message.id for message in _due(window)}
    ours = [delivery.id for delivery in got if delivery.id in due]
    n = len(set(ours))
    few = too_few(n, "messages were received that were due", window.text)
    return few or Measured(float(len(ours) - n), n=n)


@metric("s")
def catch_up_s(window: Window, readback: str, at: str = "received", late_s: float = 1.0) -> Measured:
    """From the start of the phase until its last late message has come: one acknowledged more than `late_s` before.

    0 where all came in time.

    Window: from the phase's start, or from when the last fault of an earlier phase was out, to the phase's end.
    Whose: acknowledged messages of this phase and of all before it that were due to have come by its end: each
    `late_s` after its acknowledgement.
    Censored: at least the whole of that time where one of these came after it, or never came.
    Minimum: 20 such messages acknowledged in this phase and the one before it, and a time for each delivery.
    """
    got = _told(window, readback, at)
    if isinstance(got, str):
        return Measured(None, why=got)
    came_s: dict[str, float] = {}
    for delivery in got:
        came_s.setdefault(delivery.id, delivery.at - window.t0_epoch_s)
    timeless = sum(math.isnan(moment_s) for moment_s in came_s.values())
    if timeless:
        return Measured(None, why=f'the readback "{readback}": {timeless:,} of its deliveries do not say `at` when')
    start_s, end_s = window.from_s, window.phase.end_s
    asked = [m for m in published(window.all_operations).values() if m.is_acked and m.acked_s + late_s < end_s]
    recent = [m for m in asked if m.phase in _two_phases(window)]
    few = _enough(recent, window)
    if few:
        return few
    missing = sum(m.id not in came_s for m in asked)
    late_until_s = [came_s[m.id] for m in asked if m.id in came_s and came_s[m.id] > m.acked_s + late_s]
    after = sum(moment_s > end_s for moment_s in late_until_s)
    if missing or after:
        what = f"{missing:,} never came and {after:,} came later"
        why = f"had not caught up within the {end_s - start_s:.1f} s: of {len(asked):,} acknowledged messages {what}"
        return Measured(end_s - start_s, True, why, len(recent))
    last_s = max([moment_s - start_s for moment_s in late_until_s if moment_s > start_s], default=0.0)
    return Measured(last_s, n=len(recent))


def _two_phases(window: Window) -> list[str]:
    """This phase and the one before it."""
    episode = window.run.episode(window.variant, window.trial)
    names = [phase.name for phase in episode.phases] if episode else [window.phase.name]
    here = names.index(window.phase.name)
    return names[max(0, here - 1) : here + 1]


def _due(window: Window) -> list[Published]:
    return [message for message in published(window.all_operations).values() if message.phase == window.phase.name]


def _enough(acked: list[Published], window: Window) -> Measured | None:
    return too_few(len(acked), "acknowledged messages were due", window.text)


def _received(window: Window, readback: str, at: str) -> list[Delivery] | str:
    """The deliveries, or why nothing can be measured."""
    if not _due(window):
        return f"no message was due in {window.text}"
    return _told(window, readback, at)


def _told(window: Window, readback: str, at: str) -> list[Delivery] | str:
    got = deliveries(window.readback(readback), at)
    return f'the readback "{readback}": {got}' if isinstance(got, str) else got
