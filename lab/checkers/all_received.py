"""Every acknowledged message was received at least once, and nothing that nobody sent: the set, whatever its order."""

from __future__ import annotations

from lab.checkers.history import Finding, History
from lab.record import Anomaly
from lab.record.messages import deliveries, published


def all_received(history: History, readback: str, at: str = "received") -> Finding:
    """
    Hold the messages that operations published (by `key`) against the deliveries that a receiver tells of.

    Acknowledged ones must have been received, refused ones must not, unanswered ones may have been; a delivery of an id
    that nobody published is a violation too. A message may come more than once (at-least-once delivery): the sentence
    says how many did, and `exactly_once` is for what must not happen twice. `lab.record.messages` tells the form.
    """
    received = deliveries(history.readbacks.get(readback), at)
    if isinstance(received, str):
        return Finding("UNKNOWN", f'the readback "{readback}" cannot be held against the history: {received}')
    messages = published(history.operations)
    if not messages:
        return Finding("UNKNOWN", "no operation carries a key: no message was published, and nothing was checked")
    came = {delivery.id for delivery in received}
    lost = [m for m in messages.values() if m.is_acked and m.id not in came]
    unsent = [m for m in messages.values() if m.refused and m.id in came]
    foreign = sorted(came - messages.keys())
    anomalies = [
        *(Anomaly(f"{name} was received, and nobody sent it") for name in foreign),
        *(Anomaly(f"{m.id} was refused, and received all the same", m.operations) for m in unsent),
        *(Anomaly(f"{m.id} was acknowledged, and never received", m.operations) for m in lost),
    ]
    counts = f"{len(messages):,} messages, {len(received):,} deliveries of {len(came):,} of them"
    if anomalies:
        wrong = f"{len(lost):,} lost, {len(foreign):,} foreign, {len(unsent):,} refused and received"
        return Finding("FAIL", f"{wrong}; {counts}", len(messages), tuple(anomalies))
    return Finding("PASS", f"{counts}, {len(received) - len(came):,} of them again", len(messages))
