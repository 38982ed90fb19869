"""What became of published messages: lost, come again, late. `lab.record.messages` tells what a readback must hold."""

from __future__ import annotations

from lab.metrics.declare import Measured, metric
from lab.metrics.window import Window
from lab.record.messages import Delivery, Published, deliveries, published


@metric("")
def messages_lost(window: Window, readback: str, at: str = "received") -> Measured:
    """Messages first due in the phase that were acknowledged, and not received by the end of the run."""
    got = _received(window, readback, at)
    if isinstance(got, str):
        return Measured(None, why=got)
    came = {delivery.id for delivery in got}
    return Measured(float(sum(m.is_acked and m.id not in came for m in _due(window))))


@metric("")
def messages_again(window: Window, readback: str, at: str = "received") -> Measured:
    """Deliveries, of messages first due in the phase, after the first delivery of the same message."""
    got = _received(window, readback, at)
    if isinstance(got, str):
        return Measured(None, why=got)
    due = {message.id for message in _due(window)}
    ours = [delivery.id for delivery in got if delivery.id in due]
    return Measured(float(len(ours) - len(set(ours))))


@metric("s")
def catch_up_s(window: Window, readback: str, at: str = "received", late_s: float = 1.0) -> Measured:
    """From the start of the phase until its last late message has come: one acknowledged more than `late_s` before.

    0 where all came in time; at least the whole phase where some were late at its end, and came after it. Messages that
    never came are not waited for: `messages_lost` counts them.
    """
    got = _received(window, readback, at)
    if isinstance(got, str):
        return Measured(None, why=got)
    came_s: dict[str, float] = {}
    for delivery in got:
        came_s.setdefault(delivery.id, delivery.at - window.t0_epoch_s)
    start_s, end_s = window.phase.start_s, window.phase.end_s
    late = [
        came_s[m.id]
        for m in published(window.all_operations).values()
        if m.is_acked and m.id in came_s and came_s[m.id] > m.acked_s + late_s and m.acked_s + late_s < end_s
    ]
    if any(moment_s > end_s for moment_s in late):
        return Measured(window.lasts_s, censored=True, why=f"had not caught up within the {window.lasts_s:.1f} s")
    return Measured(max([moment_s - start_s for moment_s in late if moment_s > start_s], default=0.0))


def _due(window: Window) -> list[Published]:
    return [message for message in published(window.all_operations).values() if message.phase == window.phase.name]


def _received(window: Window, readback: str, at: str) -> list[Delivery] | str:
    """The deliveries, or why nothing can be measured."""
    if not _due(window):
        return f"no message was due in {window.text}"
    got = deliveries(window.readback(readback), at)
    return f'the readback "{readback}": {got}' if isinstance(got, str) else got
