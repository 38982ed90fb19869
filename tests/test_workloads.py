"""What the mixes of lab.model.workloads send, and that their checker can read it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from random import Random

import numpy as np
import pytest

from lab import workloads
from lab.catalogue import find
from lab.checkers.history import History
from lab.checkers.linearizable import linearizable
from lab.load.arrivals import Arrival, schedule
from lab.model import Load, Operation, Request, Service
from lab.record import Operations

MEASURED_WITH = {  # digests of all arrivals in 20 s, from when each scenario file still had its own mix
    "raft-leader-kill": "e1b061e5057695a3",
    "raft-against-etcd": "91d469b2d31c273d",
    "raft-partition": "ae21425d0d33c280",
}


def asked(operations: list[Operation], n: int) -> dict[str, Request]:
    """What each operation would send as the n-th arrival."""
    return {operation.name: operation.make(Random(0), n) for operation in operations}


def test_what_is_sent() -> None:
    """Keys come in turn; a write holds its own number, a compare-and-set expects that of the arrival before it."""
    assert asked(workloads.registers(5, read=5, write=4, cas=1), 17) == {
        "read": Request("GET", "/kv/k2", key="k2", keep_response=True),
        "write": Request("PUT", "/kv/k2", {"value": "17"}, key="k2", value="17", keep_response=True),
        "cas": Request(
            "POST", "/kv/k2/cas", {"expect": "12", "value": "17"}, key="k2", value='["12", "17"]', keep_response=True
        ),
    }


def test_weights() -> None:
    """An operation has the weight that it is given, and none at all where that is 0."""
    assert [(it.name, it.weight) for it in workloads.registers(1, read=5, write=4, cas=1)] == [
        ("read", 5),
        ("write", 4),
        ("cas", 1),
    ]
    assert [(it.name, it.weight) for it in workloads.registers(1)] == [("read", 1), ("write", 1)]


@pytest.mark.parametrize("asked_for", [{"keys": 0}, {"keys": 1, "cas": -1}], ids=str)
def test_mistakes(asked_for: dict[str, int]) -> None:
    """Without a key, or with a weight below 0, there is no mix."""
    with pytest.raises(ValueError, match=r"workloads\.registers: .* 1 key or more"):
        workloads.registers(**asked_for)


@pytest.mark.parametrize(("name", "digest"), MEASURED_WITH.items())
def test_the_experiments_ask_what_they_were_measured_with(name: str, digest: str) -> None:
    """With seed 1 an experiment sends the operations with which its figures were measured, byte for byte."""
    arrivals = schedule(find(name).scenario.load, 20, seed=1)
    sent = [[it.due_s, it.operation, asdict(it.request)] for it in arrivals]
    assert hashlib.sha256(json.dumps(sent).encode()).hexdigest()[:16] == digest


class Map:
    """A key-value map that answers as the services do, one operation after another."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}

    def answer(self, request: Request) -> dict[str, object]:
        """Do what is asked and give the answer's body."""
        key, body = str(request.key), request.body or {}
        if request.method == "GET":
            return {"value": self.held.get(key)}
        fits = request.method == "PUT" or self.held.get(key) == body["expect"]
        if fits:
            self.held[key] = str(body["value"])
        return {"swapped": fits}


def history(arrivals: list[Arrival], answers: list[dict[str, object]]) -> History:
    """The record of a run in which each operation had ended before the next began."""

    def texts(values: Iterator[object]) -> np.ndarray:
        return np.array(list(values), dtype=object)

    size = len(arrivals)
    start_s = np.arange(size, dtype=float)
    return History(
        Operations(
            n=np.arange(size),
            due_s=start_s,
            start_s=start_s,
            end_s=start_s + 0.5,
            operation=texts(it.operation for it in arrivals),
            outcome=texts("ok" for _ in arrivals),
            status=np.full(size, 200),
            error=texts(None for _ in arrivals),
            phase=texts("baseline" for _ in arrivals),
            key=texts(it.request.key for it in arrivals),
            value=texts(it.request.value for it in arrivals),
            response=texts(json.dumps(answer) for answer in answers),
            trace_id=texts(it.trace_id for it in arrivals),
        )
    )


def test_the_checker_reads_it() -> None:
    """What a true map answers is linearizable; a read or a refused swap that contradicts it is found."""
    load = Load(workloads.registers(3, read=5, write=4, cas=4), to=Service("map"), per_s=100)
    arrivals, store = schedule(load, 2, seed=1), Map()
    answers = [store.answer(it.request) for it in arrivals]
    assert linearizable(history(arrivals, answers)).verdict == "PASS"

    def planted(operation: str, answer: dict[str, object], instead: dict[str, object]) -> History:
        given = enumerate(zip(arrivals, answers, strict=True))
        at = next(n for n, (it, was) in given if it.operation == operation and answer.items() <= was.items())
        return history(arrivals, [*answers[:at], instead, *answers[at + 1 :]])

    assert linearizable(planted("read", {}, {"value": "never written"})).verdict == "FAIL"
    assert linearizable(planted("cas", {"swapped": True}, {"swapped": False})).verdict == "FAIL"
    assert linearizable(planted("cas", {"swapped": False}, {"swapped": True})).verdict == "FAIL"
