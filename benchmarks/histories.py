"""Histories for `benchmarks.checker`: those published with Porcupine, read from its files, and simulated ones."""

from __future__ import annotations

import heapq
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np

from lab.checkers.history import History
from lab.record import Operations

_ETCD = re.compile(r"INFO\s+jepsen\.util - (\d+)\s+:(invoke|ok|fail|info)\s+:(read|write|cas)\s+(.*)")
_KEY_VALUE = re.compile(r'{:process (\d+), :type :(invoke|ok), :f :(\w+), :key "(.*)", :value (?:nil|"(.*)")}')
_KINDS = {"get": "read", "put": "write", "append": "append"}


@dataclass
class Call:
    """One operation, in whole units of time; `end` is infinite where it was not answered (`known` is False)."""

    client: int
    key: str
    kind: str
    start: float
    end: float = math.inf
    sees: str | None = None
    sets: str | None = None
    swapped: bool = True
    known: bool = False


@dataclass(frozen=True)
class Published:
    """A history with a name, and what its keys hold at first."""

    name: str
    initial: str | None
    calls: list[Call]


def etcd(path: Path) -> Published:
    """One of Jepsen's histories of etcd: a register of small numbers with compare-and-set, by 5 clients."""
    calls: list[Call] = []
    running: dict[str, Call] = {}
    for at, line in enumerate(path.read_text().splitlines()):
        found = _ETCD.match(line)
        if not found:
            continue
        client, what, kind, text = found.groups()
        if what == "invoke":
            calls.append(Call(int(client), "x", kind, at))
            if kind == "cas":
                calls[-1].sees, calls[-1].sets = text.strip("[]").split()
            elif kind == "write":
                calls[-1].sets = text
            running[client] = calls[-1]
        elif what == "ok" or (what == "fail" and kind == "cas" and text.startswith("[")):
            call = running.pop(client)
            call.end, call.known, call.swapped = at, True, what == "ok"
            if kind == "read":
                call.sees = None if text == "nil" else text
    return Published(path.stem, None, calls)


def key_value(path: Path) -> Published:
    """A history of a key-value store: get, put and append on 10 keys, which hold "" at first."""
    calls: list[Call] = []
    running: dict[str, Call] = {}
    for at, line in enumerate(path.read_text().splitlines()):
        found = _KEY_VALUE.match(line)
        if not found:
            continue
        client, what, kind, key, text = found.groups()
        if what == "invoke":
            calls.append(Call(int(client), key, _KINDS[kind], at, sets=text))
            running[client] = calls[-1]
        else:
            call = running.pop(client)
            call.end, call.known = at, True
            if kind == "get":
                call.sees = text
    return Published(path.stem, "", calls)


def simulated(
    seed: int, size: int, clients: int, lost_share: float, values: int | None = None, bad: bool = False
) -> Published:
    """
    What `clients` see of a true register; `lost_share` of the writes are not answered, half of which happened.

    Half are reads, 0.4 writes, 0.1 compares; each written value is new, or one of `values`. `bad`: one read in the last
    tenth is given what was written long before.
    """
    rng = Random(seed)
    spans: list[tuple[int, int, int, int]] = []  # effect, start, end, client
    free = [(rng.randrange(1000), client) for client in range(clients)]
    for _ in range(size):
        start, client = heapq.heappop(free)
        effect = start + 1 + rng.randrange(1000)
        spans.append((effect, start, effect + 1 + rng.randrange(1000), client))
        heapq.heappush(free, (spans[-1][2] + rng.randrange(500), client))
    state: str | None = None
    calls: list[Call] = []
    for n, (_, start, end, client) in enumerate(sorted(spans)):
        fresh, drawn = str(n if values is None else rng.randrange(values)), rng.random()
        call = Call(client, "x", "read", start, end, sees=state, known=True)
        if drawn >= 0.9:
            expected = state if rng.random() < 0.5 else str(rng.randrange(values or size))
            call = replace(call, kind="cas", sees=expected, sets=fresh, swapped=expected == state)
        elif drawn >= 0.5:
            call = replace(call, kind="write", sees=None, sets=fresh)
            if rng.random() < lost_share:
                call = replace(call, end=math.inf, known=False)
        if call.kind != "read" and call.swapped and (call.known or rng.random() < 0.5):
            state = fresh
        calls.append(call)
    if bad:
        at = next(n for n in range(size * 9 // 10, size) if calls[n].kind == "read")
        early = [call.sets for call in calls[: size // 10] if call.kind == "write"]
        calls[at] = replace(calls[at], sees=early[0] if values is None else "not written")
    return Published(f"{values or 'new'} values, seed {seed}", None, sorted(calls, key=lambda call: call.start))


def record(calls: Sequence[Call]) -> History:
    """The record that a run would have kept of these calls."""
    size = len(calls)

    def texts(found: Sequence[object]) -> np.ndarray:
        column = np.empty(size, dtype=object)
        column[:] = found
        return column

    start_s = np.array([call.start for call in calls], dtype=float)
    return History(
        Operations(
            n=np.arange(size),
            due_s=start_s,
            start_s=start_s,
            end_s=np.array([call.end if call.known else math.nan for call in calls], dtype=float),
            operation=texts([call.kind for call in calls]),
            outcome=texts(["ok" if call.known else "info" for call in calls]),
            status=np.full(size, 200),
            error=texts([None] * size),
            phase=texts(["baseline"] * size),
            key=texts([call.key for call in calls]),
            value=texts([json.dumps([call.sees, call.sets]) if call.kind == "cas" else call.sets for call in calls]),
            response=texts([_answer(call) for call in calls]),
            trace_id=texts([None] * size),
        )
    )


def _answer(call: Call) -> str | None:
    if not call.known:
        return None
    if call.kind == "read":
        return json.dumps({"value": call.sees})
    return json.dumps({"swapped": call.swapped}) if call.kind == "cas" else "{}"
