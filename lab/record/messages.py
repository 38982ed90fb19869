"""
Message histories: what was published, as the operation log has it, and what was received, as a readback tells it.

A published message is an operation: its `key` is the message's id, and where its answer was kept (`keep_response`) that
is a JSON object with the `subject` and the number `seq` that the message got there. Operations of one key are one
message, published again. The readback is a JSON object with a list, each item `{"id", "subject", "seq", "at"}` a
delivery in the order in which they came: a message that came twice stands there twice. `at` is in epoch seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgspec

from lab.record.operations import Operations


class Delivery(msgspec.Struct, frozen=True):
    """A message that came."""

    id: str
    subject: str
    seq: int
    at: float = math.nan


class Place(msgspec.Struct, frozen=True):
    """Where a message was put: the `seq`-th of its subject."""

    subject: str
    seq: int


@dataclass
class Published:
    """
    One message: the operations (by `n`) that published it, and what they told.

    `acked_s` is when the first of them succeeded, NaN where none did; `phase` is the phase that the first one was due
    in. `refused`: every one of them surely published nothing.
    """

    id: str
    phase: str
    operations: list[int]
    acked_s: float = math.nan
    refused: bool = True
    place: Place | None = None

    @property
    def is_acked(self) -> bool:
        """Whether somebody was told that it is published."""
        return not math.isnan(self.acked_s)


def deliveries(readback: Any, at: str) -> list[Delivery] | str:
    """The deliveries that a readback tells of under `at`, or why there are none to be had."""
    listed = readback.get(at) if isinstance(readback, dict) else None
    if not isinstance(listed, list):
        return f'it gave no list "{at}"'
    try:
        return msgspec.convert(listed, list[Delivery])
    except msgspec.ValidationError as error:
        return f'its list "{at}" is none of deliveries: {error}'


def published(operations: Operations) -> dict[str, Published]:
    """The messages by id, in the order in which they were due; operations without a key publish none."""
    found: dict[str, Published] = {}
    columns = (operations.n, operations.key, operations.phase, operations.outcome, operations.end_s)
    for n, key, phase, outcome, end_s, response in zip(*columns, operations.response, strict=True):
        if key is None:
            continue
        message = found.setdefault(str(key), Published(str(key), str(phase), []))
        message.operations.append(int(n))
        message.refused &= outcome == "fail"
        if outcome == "ok":
            message.acked_s = float(end_s) if not message.is_acked else min(message.acked_s, float(end_s))
            message.place = message.place or _place(response)
    return found


def _place(response: str | None) -> Place | None:
    try:
        return msgspec.json.decode(response or "", type=Place)
    except msgspec.DecodeError:
        return None
