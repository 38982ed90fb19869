"""Every acknowledged message was received at least once, and none that was not sent: the set, whatever its order."""

from __future__ import annotations

from lab.checkers._call import names_of
from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers.history import Finding, History
from lab.model import Readback
from lab.record import Anomaly
from lab.record.messages import deliveries, published


def all_received(
    history: History, readback: Readback | str, at: str = "received", played_in: str = "", least: int = ENOUGH
) -> Finding:
    """
    Hold the messages that operations published (by `key`) against the deliveries that a receiver reports.

    Acknowledged ones must have been received, refused ones must not, indeterminate ones may have been; a delivery of an
    id that no operation published is a violation too. A message may come more than once (at-least-once delivery): the
    sentence says how many did, and `exactly_once` is for what must not happen twice. The form: `lab.record.messages`.

    Must have seen: `least` acknowledged messages, in each phase of `played_in` too (by the phase in which a message was
    first due). That nothing is lost in a cut takes messages acknowledged in the cut.
    """
    name = names_of(readback)
    received = deliveries(history.readbacks.get(name), at)
    if isinstance(received, str):
        return Finding("UNKNOWN", f'the readback "{name}" cannot be held against the history: {received}')
    messages = published(history.operations)
    if not messages:
        return Finding("UNKNOWN", "no operation carries a key: no message was published, and nothing was checked")
    came = {delivery.id for delivery in received}
    acked = [message for message in messages.values() if message.is_acked]
    lost = [m for m in acked if m.id not in came]
    unsent = [m for m in messages.values() if m.refused and m.id in came]
    foreign = sorted(came - messages.keys())
    anomalies = [
        *(Anomaly(f"{name} was received, and no operation sent it") for name in foreign),
        *(Anomaly(f"{m.id} was refused, and received all the same", m.operations) for m in unsent),
        *(Anomaly(f"{m.id} was acknowledged, and never received", m.operations) for m in lost),
    ]
    counts = f"{len(messages):,} messages, {len(received):,} deliveries of {len(came):,} of them"
    wrong = f"{len(lost):,} lost, {len(foreign):,} foreign, {len(unsent):,} refused and received; {counts}"
    held = f"{counts}, {len(received) - len(came):,} of them again"
    few = too_little((message.phase for message in acked), "messages were acknowledged", least, played_in)
    return verdict(anomalies, wrong, [few], held, len(messages), first=False)
