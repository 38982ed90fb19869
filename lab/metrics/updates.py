"""What became of updates that read, compute and write: those that another one overwrote."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from lab.metrics.declare import metric
from lab.metrics.measured import Measured, too_few
from lab.metrics.window import Window


class _Update(msgspec.Struct, frozen=True):
    """What an answer says: the number as it was read, and as it was written."""

    before: int
    after: int


@metric("")
def updates_lost(window: Window, operation: str) -> Measured:
    """Acknowledged updates of one kind that another one overwrote, since both were computed from the same number.

    An answer, kept, says `{"before": 10, "after": 15}`; amounts are above 0, so that a counter (`key`) never has the
    same value twice. Of several updates that read the same number one stays; the others are lost, each in the
    phase that it was due in.

    Window: operations due in the phase as planned, held against those of the whole run.
    Whose: operations of that kind with a key that succeeded, and whose answer says both numbers.
    Censored: never.
    Minimum: 20 such operations.
    """
    operations = window.all_operations
    mine = operations.where(operations.ok & operations.being("operation", operation))
    read: dict[tuple[str, int], list[str]] = defaultdict(list)
    due = 0
    for key, response, phase in zip(mine.key, mine.response, mine.phase, strict=True):
        update = _update(response)
        if key is not None and update is not None:
            read[str(key), update.before].append(str(phase))
            due += phase == window.phase.name
    lost = sum(phase == window.phase.name for phases in read.values() for phase in phases[:-1])
    few = too_few(due, f"{operation} succeeded of those due", window.text)
    return few or Measured(float(lost), n=due)


def _update(response: str | None) -> _Update | None:
    try:
        return msgspec.json.decode(response or "", type=_Update, strict=False)
    except msgspec.DecodeError:
        return None
