"""Each subject's messages came in the order in which they were numbered, without a gap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from lab.checkers._call import names_of
from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers.history import Finding, History
from lab.model import Readback
from lab.record import Anomaly
from lab.record.messages import Delivery, Place, Published, deliveries, published

Sent = Mapping[int, list[int]]  # of one subject: number -> the operations that published it, acknowledged ones only


def in_order(
    history: History, readback: Readback | str, at: str = "received", played_in: str = "", least: int = ENOUGH
) -> Finding:
    """
    Look at each subject's deliveries in the order in which they came, each number at its first coming.

    Each message must bear the number that its publisher was told, and nobody else's. Numbers must rise, and none that
    was acknowledged may be left out below the highest received: where receiving stopped too early is for `all_received`
    to tell. That a number comes again, however late, is at-least-once delivery and no violation. A number that was not
    acknowledged may be missing; where it came it must be in order. `lab.record.messages` tells the form.

    Must have seen: `least` acknowledged messages that came, in each phase of `played_in` too (by the phase in which a
    message was first due), each with its subject and number in the answer.
    """
    name = names_of(readback)
    received = deliveries(history.readbacks.get(name), at)
    if isinstance(received, str):
        return Finding("UNKNOWN", f'the readback "{name}" cannot be held against the history: {received}')
    messages = published(history.operations)
    acked = [message for message in messages.values() if message.is_acked]
    sent: dict[str, dict[int, list[int]]] = defaultdict(dict)
    anomalies = [*_mislabelled(received, messages)]
    untold = ""
    for message in acked:
        if message.place is None:
            why = f"the answer of operation {message.operations[0]} tells no subject and number"
            untold = untold or f"{why} (its request needs `keep_response=True`)"
            continue
        numbers, seq = sent[message.place.subject], message.place.seq
        if seq in numbers:
            text = f"{message.place.subject}: {seq} was given to two messages, {message.id} one of them"
            anomalies.append(Anomaly(text, [*numbers[seq], *message.operations]))
        numbers[seq] = message.operations
    came: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in received:
        came[delivery.subject].append(delivery)
    for subject in sorted(sent.keys() | came.keys()):
        anomalies += [*_overtaken(subject, came[subject], sent[subject]), *_gaps(subject, came[subject], sent[subject])]
    again = len(received) - len({(d.subject, d.seq) for d in received})
    subjects = f"{len(sent)} subject" + "s" * (len(sent) != 1)
    ids = {delivery.id for delivery in received}
    phases = [message.phase for message in acked if message.id in ids]
    few = too_little(phases, "acknowledged messages were received", least, played_in)
    held = f"{len(acked):,} messages in order on {subjects}, {again:,} of them again"
    return verdict(anomalies, f"{len(anomalies):,} times", [untold, few], held, len(acked))


def _overtaken(subject: str, came: Sequence[Delivery], sent: Sent) -> Iterator[Anomaly]:
    """Numbers that first came when a higher one had come already."""
    seen: set[int] = set()
    highest = 0
    for delivery in came:
        if delivery.seq < highest and delivery.seq not in seen:
            shown = [*sent.get(delivery.seq, []), *sent.get(highest, [])]
            yield Anomaly(f"{subject}: {delivery.seq} first came after {highest}", shown)
        seen.add(delivery.seq)
        highest = max(highest, delivery.seq)


def _gaps(subject: str, came: Sequence[Delivery], sent: Sent) -> Iterator[Anomaly]:
    """Runs of acknowledged numbers that never came, though higher ones did."""
    seen = {delivery.seq for delivery in came}
    until = max(seen, default=0)
    numbers = sorted(seq for seq in seen | sent.keys() if seq < until)
    for is_there, run in groupby(numbers, seen.__contains__):
        if not is_there:
            gap = list(run)
            which = f"{gap[0]} is missing" if len(gap) == 1 else f"{gap[0]} to {gap[-1]} are missing"
            yield Anomaly(f"{subject}: {which} ({len(gap)} acknowledged)", [n for seq in gap for n in sent[seq]])


def _mislabelled(received: Sequence[Delivery], messages: Mapping[str, Published]) -> Iterator[Anomaly]:
    """Messages that came under another subject or number than was told when they were published."""
    for delivery in received:
        message = messages.get(delivery.id)
        place = Place(delivery.subject, delivery.seq)
        if message and message.place and message.place != place:
            told = f"{message.place.subject} {message.place.seq}"
            yield Anomaly(
                f"{delivery.id} was told to be {told}, and came as {place.subject} {place.seq}", message.operations
            )
