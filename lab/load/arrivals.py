"""Arrivals: what is sent and when, worked out from the seed before anything starts."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, repeat
from random import Random

from lab.errors import ScenarioError, WordError
from lab.load.making import Making
from lab.model import Load, Operation, Request
from lab.model.typed import shown, told

_SLOT_MIDDLE = 0.5
_ROUNDING = 1e-9  # an arrival due where the load ends is not due within it, whatever binary fractions make of that


@dataclass(frozen=True)
class Arrival:
    """The n-th operation (n from 0): due `due_s` seconds after the load began, and the request to send then.

    In the closed model nothing is due before a user is free; `due_s` is then NaN.
    """

    n: int
    due_s: float
    operation: str
    request: Request
    trace_id: str

    @property
    def traceparent(self) -> str:
        """The header that joins the operation to the traces and logs of the services (W3C Trace Context)."""
        return f"00-{self.trace_id}-{self.n + 1:016x}-01"


def schedule(
    load: Load,
    lasts_s: float,
    seed: int,
    salt: str = "",
    ends: Sequence[tuple[str, float]] = (),
    making: Making | None = None,
) -> list[Arrival]:
    """Give every arrival of an open model in `lasts_s` seconds, in order of time.

    The same load, length, seed and salt give the same arrivals, byte for byte. `salt` (the run and the variant) goes
    into the trace ids alone, so that runs with one seed can be told apart in a store of traces. `ends` says when each
    phase ends, for operations that are sent in some phases only. `making` is kept at the request that is being made.
    """
    if load.per_s is None:
        raise ValueError("a closed model has no schedule: its users come back when they are answered; use stream()")
    due = due_times_s(load.per_s, load.arrivals, lasts_s, seed)
    phases = [next((name for name, end_s in ends if due_s < end_s), None) for due_s in due]
    return [_at(arrival, due_s) for arrival, due_s in zip(stream(load, seed, salt, phases, making), due, strict=True)]


def due_times_s(per_s: float, arrivals: str, lasts_s: float, seed: int) -> list[float]:
    """When each arrival of an open model is due, from the load's start, in order; `arrivals` is as in Load.

    The judge works them out again from a record, to see that the load was sent as the seed has it.
    """
    return _poisson(per_s, lasts_s, seed) if arrivals == "poisson" else _uniform(per_s, lasts_s)


def stream(
    load: Load,
    seed: int,
    salt: str = "",
    phases: Iterable[str | None] | None = None,
    making: Making | None = None,
) -> Iterator[Arrival]:
    """Give the requests of a load, one for each of `phases` (the phase in which it is due, None where that is all one).

    The users of a closed model take them in this order, without end.

    Times, choices from the mix and the requests themselves draw from random streams of their own: another arrival
    rate or another pattern leaves the n-th request as it was.
    """
    choices = Random(f"{seed} choices")
    requests = Random(f"{seed} requests")
    trace = hashlib.sha256(f"{seed} {salt}".encode()).hexdigest()[:16]
    for n, phase in zip(count(), repeat(None) if phases is None else phases, strict=False):
        operations = operations_in(load, phase)
        weights = [operation.weight for operation in operations]
        operation = operations[0] if len(operations) == 1 else choices.choices(operations, weights)[0]
        if making is not None:
            making.operation, making.n = operation.name, n
        yield Arrival(n, math.nan, operation.name, _make(operation, requests, n), f"{trace}{n + 1:016x}")


def operations_in(load: Load, phase: str | None) -> list[Operation]:
    """The part of a load's mix that is sent in a phase; all of it where that is all one."""
    return [each for each in load.operations if phase is None or not each.phases or phase in each.phases]


def _uniform(per_s: float, lasts_s: float) -> list[float]:
    # In the middle of its slot, not at its edge: no arrival then falls on the very instant where a phase begins.
    return [(n + _SLOT_MIDDLE) / per_s for n in range(math.ceil(per_s * lasts_s - _SLOT_MIDDLE - _ROUNDING))]


def _poisson(per_s: float, lasts_s: float, seed: int) -> list[float]:
    gaps = Random(f"{seed} gaps")
    due: list[float] = []
    at_s = gaps.expovariate(per_s)
    while at_s < lasts_s:
        due.append(at_s)
        at_s += gaps.expovariate(per_s)
    return due


def _at(arrival: Arrival, due_s: float) -> Arrival:
    return Arrival(arrival.n, due_s, arrival.operation, arrival.request, arrival.trace_id)


def _make(operation: Operation, rng: Random, n: int) -> Request:
    try:
        request = operation.make(rng, n)
    except WordError as error:
        raise ScenarioError([f'operation "{operation.name}" (arrival {n}): {error}']) from error
    except (Exception, SystemExit) as error:
        raise ScenarioError(
            [f'operation "{operation.name}": its function failed at arrival {n}: {told(error)}']
        ) from error
    if not isinstance(request, Request):
        gives = f"its function must return a Request; it gave {shown(request)} at arrival {n}."
        raise ScenarioError([f'operation "{operation.name}": {gives}'])
    return request
