"""Mixes of operations that a checker can judge: what they send and what they keep of the answers fits together."""

from __future__ import annotations

import json

from lab.model import MakeRequest, Operation, Request, typed


@typed.checked("workloads.registers")
def registers(keys: int, *, read: float = 1, write: float = 1, cas: float = 0) -> list[Operation]:
    """
    Reads, writes and compare-and-sets of `keys` registers in turn, for the checker `linearizable`.

    The n-th arrival goes to key `k<n modulo keys>`: `GET /kv/<key>` answers `{"value": ...}`, `PUT /kv/<key>` takes the
    value, `POST /kv/<key>/cas` takes `expect` and `value` and answers `{"swapped": ...}`. A write's value is its
    arrival's own number, so that no two write the same and each read tells whose write it saw. A compare-and-set
    expects what the key's arrival before would have written, so it matches if that one was a change and came first.

    `read`, `write` and `cas` are weights; an operation of weight 0 is left out. ValueError where a number is too low.
    """
    if keys < 1 or min(read, write, cas) < 0:
        raise ValueError(
            f"workloads.registers: keys is {keys}, the weights are {read:g}, {write:g} and {cas:g}; "
            "it takes 1 key or more, and no weight below 0"
        )
    weights = {"read": read, "write": write, "cas": cas}
    makers: dict[str, MakeRequest] = {
        "read": lambda rng, n: _read(f"k{n % keys}"),
        "write": lambda rng, n: _write(f"k{n % keys}", str(n)),
        "cas": lambda rng, n: _cas(f"k{n % keys}", str(n - keys), str(n)),
    }
    return [Operation(name, makers[name], weight) for name, weight in weights.items() if weight]


def _read(key: str) -> Request:
    return Request("GET", f"/kv/{key}", key=key, keep_response=True)


def _write(key: str, value: str) -> Request:
    return Request("PUT", f"/kv/{key}", {"value": value}, key=key, value=value, keep_response=True)


def _cas(key: str, expect: str, value: str) -> Request:
    body = {"expect": expect, "value": value}
    return Request("POST", f"/kv/{key}/cas", body, key=key, value=json.dumps([expect, value]), keep_response=True)
