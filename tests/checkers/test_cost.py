"""What each checker costs on the histories that are worst for it, counted in bytecodes: no cost doubles unbounded."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable

import message_histories
import pytest
import registers
import transactions
from counted import TooMuch, bytecodes
from transactions import Op

from lab.checkers import run
from lab.checkers._sums import BITS_A_SUM, Work
from lab.checkers.history import Finding, History
from lab.checkers.linearizable import linearizable

Made = Callable[[int], tuple[History, dict[str, str]]]

MESSAGES = {"readback": "notifier"}


def messages(size: int) -> tuple[History, dict[str, str]]:
    """Half of them not answered, none of the others received in order, each again and again."""
    ops = [message_histories.Op(f"m{k}", k + 1, "ok" if k % 2 else "info") for k in range(size)]
    came = message_histories.came(*[(f"m{k}", k + 1) for k in range(size) if k % 3] * 2)
    return message_histories.history(ops, came[::-1]), MESSAGES


def requests(size: int) -> tuple[History, dict[str, str]]:
    """One key asked for again and again, and as many effects."""
    ops = [message_histories.Op("same", outcome="info") for _ in range(size)]
    recorded = message_histories.history(ops, ["same"] * size)
    return recorded, {**MESSAGES, "at": "received"}


def answers(size: int) -> tuple[History, dict[str, str]]:
    """All wrong."""
    return transactions.history([Op({"n": 1}, "k", json.dumps({"n": 2}))] * size), {}


def cells(size: int) -> tuple[History, dict[str, str]]:
    """Each published otherwise."""
    ops = [
        Op({"row": "r", "column": "c", "prevented": "no"}, None, json.dumps({"r": "yes", f"{k}": "no"}))
        for k in range(size)
    ]
    return transactions.history(ops), {"operation": "it", "source": "a page"}


def leaves(size: int) -> tuple[History, dict[str, str]]:
    """All in one group, and none stays."""
    ops = [Op({"granted": True}, "g", f"{k}") for k in range(size)]
    return transactions.history(ops, {"there": {"g": 0}}), {"operation": "it", "readback": "books", "at": "there"}


def updates(size: int) -> tuple[History, dict[str, str]]:
    """Not answered, by amounts of which nearly each set has another sum; the end is none of them."""
    acked = Op({"before": 0, "after": 1}, "a", "1")
    unsure = [Op(None, "a", str(2 * 3 ** (k % 60)), "info") for k in range(size)]
    readback = {"accounts": {"a": 2 + 3**59}}
    return transactions.history([acked, *unsure], readback), {"operation": "it", "readback": "books", "at": "accounts"}


def transfers(size: int) -> tuple[History, dict[str, str]]:
    """Not answered, between two accounts, by amounts of which nearly each set has another sum."""
    asked = [json.dumps({"payer": "a", "payee": "b", "cents": 2 * 3 ** (k % 30)}) for k in range(size)]
    ops = [Op(None, f"{k}", value, "info") for k, value in enumerate(asked)]
    ends = {"accounts": {"a": 1, "b": 1}}
    return transactions.history(ops, ends), {"operation": "it", "readback": "books", "opening": 1}  # type: ignore[dict-item]


def stale(size: int) -> tuple[History, dict[str, str]]:
    """One value written again and again, and read as often."""
    writes = [registers.write(k, k, k + 0.5, "same") for k in range(size)]
    reads = [registers.read(size + k, k, k + 0.5, "same") for k in range(size)]
    recorded = registers.history([*writes, *reads])
    recorded.operations.operation[:] = ["put"] * size + ["get"] * size
    return recorded, {"within_s": 1}  # type: ignore[dict-item]


def unanswered(size: int) -> tuple[History, dict[str, str]]:
    """Writes of three values that were not answered, of which each may explain one of the reads."""
    lost = [registers.lost(k, k / size, str(k % 3)) for k in range(size)]
    reads = [registers.read(size + k, 2 + k, 2.5 + k, str((k * k) % 3)) for k in range(size)]
    return registers.history([*lost, *reads]), {}


def gone_back(size: int) -> tuple[History, dict[str, str]]:
    """New values, and at last a read of the first: its smallest set is looked for in all of the history."""
    writes = [registers.write(k, 2 * k, 2 * k + 3, f"v{k}") for k in range(size)]
    return registers.history([*writes, registers.read(size, 3 * size, 3 * size + 1, "v0")]), {}


WORST: dict[str, list[Made]] = {
    "all_received": [messages],
    "in_order": [messages],
    "exactly_once": [requests],
    "as_expected": [answers],
    "as_published": [cells],
    "one_stays": [leaves],
    "no_lost_update": [updates],
    "conserved": [transfers],
    "recovered": [requests],
    "bounded_staleness": [stale],
    "linearizable": [unanswered, gone_back],
}


@pytest.mark.parametrize(("name", "made"), [(name, made) for name, all_of in WORST.items() for made in all_of])
def test_twice_the_operations_cost_about_twice(name: str, made: Made) -> None:
    """Not four times, nor twice for each that was not answered: 2.6 leaves room for sorting."""
    (small, args), (large, more) = made(200), made(400)
    first = bytecodes(lambda: run(name, small, args))
    assert bytecodes(lambda: run(name, large, more), most=int(2.6 * first)) > first


def test_counters_share_one_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums double with each indeterminate update: two counters are judged, and the third is too many."""
    module = importlib.import_module("lab.checkers.no_lost_update")  # the package has a function of this name
    few = Work(2 * BITS_A_SUM << 10)
    monkeypatch.setattr(module, "Work", lambda: few)
    keys = ["a", "b", "c"]
    acked = [Op({"before": 0, "after": 1}, key, "1") for key in keys]
    unsure = [Op(None, key, str(2 * 3 ** (20 + n)), "info") for key in keys for n in range(10)]
    ends = dict.fromkeys(keys, 1 + 2 * 3**29 + 2 * 3**20)
    asked = {"operation": "it", "readback": "books", "at": "accounts"}
    found = run("no_lost_update", transactions.history([*acked, *unsure], {"accounts": ends}), asked)
    assert (found.verdict, found.why) == ("UNKNOWN", "c: 10 indeterminate updates are too many to add up")


@pytest.mark.parametrize("width", [6, 7])
def test_a_search_ends_at_its_steps(width: int) -> None:
    """Swaps whose cost doubles with each: UNKNOWN after as many steps as were allowed, and it says so."""
    recorded = registers.history(registers.hard(width))
    with pytest.raises(TooMuch):
        bytecodes(lambda: linearizable(recorded), most=2_000_000)
    found: list[Finding] = []
    bytecodes(lambda: found.append(linearizable(recorded, most_steps=500)), most=2_000_000)
    assert [each.verdict for each in found] == ["UNKNOWN"]
    assert "500 steps a key" in found[0].why
