"""Message histories written by hand: who published what, what was told, and what came in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from lab.checkers.history import History
from lab.record import Operations


@dataclass(frozen=True)
class Op:
    """One publish: the message's id, how it ended, and the number that it was told on subject `s` (None: none)."""

    key: str | None
    seq: int | None = None
    outcome: str = "ok"
    subject: str = "s"
    end_s: float = 0.0
    phase: str = "baseline"

    @property
    def response(self) -> str | None:
        """What the publisher answered, where it did."""
        told = self.outcome == "ok" and self.seq is not None
        return msgspec.json.encode({"subject": self.subject, "seq": self.seq}).decode() if told else None


def came(*items: tuple[str, int] | tuple[str, int, str] | tuple[str, int, str, float]) -> list[dict[str, object]]:
    """Deliveries in order: (id, seq), on subject `s` and at 0 s where nothing else is said."""
    names = ("id", "seq", "subject", "at")
    return [{"subject": "s", "at": 0.0, **dict(zip(names, item, strict=False))} for item in items]


def history(ops: Sequence[Op], received: object) -> History:
    """The operations in the order in which they were due, and what the receiver tells."""
    columns: dict[str, object] = {name: np.full(len(ops), None, object) for name in Operations.__dataclass_fields__}
    columns |= {name: np.zeros(len(ops)) for name in ("due_s", "start_s")}
    columns |= {"n": np.arange(len(ops)), "status": np.zeros(len(ops), np.int64)}
    columns["end_s"] = np.array([op.end_s for op in ops], float)
    for name in ("key", "outcome", "phase", "response"):
        columns[name] = np.array([getattr(op, name) for op in ops], object)
    return History(Operations(**columns), {"notifier": {"received": received}})  # type: ignore[arg-type]
