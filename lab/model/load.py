"""What is asked of a system, and when: requests, the mix of operations, the load."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from lab.model.claims import Invariant, Readback
from lab.model.parts import Service
from lab.model.typed import Typed


@dataclass(frozen=True)
class Request(Typed):
    """One operation to send: what goes over HTTP, and what a checker needs to know about it.

    `body` is sent as JSON. `key` and `value` name what the operation touches and writes; `keep_response` keeps
    the first 4 kB of the answer's body in the record for checkers that must know what was read.
    """

    method: str
    path: str
    body: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    key: str | None = None
    value: str | None = None
    keep_response: bool = False


MakeRequest = Callable[[Random, int], Request]


@dataclass(frozen=True)
class Operation(Typed):
    """One kind of operation in a mix: `make(rng, n)` gives the request of the n-th arrival (n from 0).

    With `phases` it is sent in those alone (open model only).
    """

    name: str
    make: MakeRequest
    weight: float = 1.0
    phases: Sequence[str] = ()


Mix = str | Operation | Sequence[str | Operation]


@dataclass(frozen=True)
class Load(Typed):
    """What is asked of a service, or of several in turn, and when.

    Open model: `per_s` arrivals a second, `uniform` or `poisson`, each started when due whatever happened to
    those before. Closed model: `users`, each waiting for its answer and then `think_s`. A mix is one `"VERB /path"`,
    an `Operation`, or several of either.

    `readbacks` and `invariants` belong to the mix: a system's workload brings them along, so that no experiment that
    sends it forgets to check.
    """

    mix: Mix
    to: Service | Sequence[Service]
    per_s: float | None = None
    arrivals: Literal["uniform", "poisson"] = "uniform"
    users: int | None = None
    think_s: float = 0.0
    timeout_s: float = 10.0
    readbacks: Sequence[Readback] = ()
    invariants: Sequence[Invariant] = ()

    @property
    def is_open(self) -> bool:
        """Whether arrivals are scheduled (open model) rather than waiting for answers (closed)."""
        return self.per_s is not None

    @property
    def services(self) -> tuple[Service, ...]:
        """Whom it goes to: the n-th arrival (n from 0) to number n, and round again."""
        return (self.to,) if isinstance(self.to, Service) else tuple(self.to)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The mix, spelled out."""
        parts = [self.mix] if isinstance(self.mix, str | Operation) else list(self.mix)
        return tuple(part if isinstance(part, Operation) else _plain_operation(part) for part in parts)


def _plain_operation(text: str) -> Operation:
    method, _, path = text.partition(" ")
    return Operation(text, lambda rng, n: Request(method, path))
