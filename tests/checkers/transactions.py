"""Histories of transactions written by hand: what was answered, and what was read back."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np

from lab.checkers.history import History
from lab.record import Operations


class Op(NamedTuple):
    """An operation; its answer is written as JSON."""

    response: object = None
    key: str | None = None
    value: str | None = None
    outcome: str = "ok"
    operation: str = "it"


def history(ops: list[Op], readback: object = None) -> History:
    """Operations in order, and what was read back."""
    columns: dict[str, object] = {n: np.full(len(ops), None, dtype=object) for n in Operations.__dataclass_fields__}
    columns |= {name: np.zeros(len(ops)) for name in ("due_s", "start_s", "end_s")}
    columns |= {"n": np.arange(len(ops)), "status": np.zeros(len(ops), dtype=np.int64)}
    columns |= {
        name: np.array([getattr(op, name) for op in ops], dtype=object)
        for name in ("key", "value", "outcome", "operation")
    }
    answers = [None if op.response is None else json.dumps(op.response) for op in ops]
    columns["response"] = np.array(answers, dtype=object)
    return History(Operations(**columns), {"books": readback})  # type: ignore[arg-type]
