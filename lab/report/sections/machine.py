"""The machine, the versions, what the lab itself cost, and the notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.report.numbers import bytes_of, duration, number, quantity
from lab.report.view import View

TITLE = "Machine and versions"


@dataclass(frozen=True)
class Pass:
    """What one pass cost, and how the load generator kept its schedule."""

    variant: str
    trial: int
    asked: str
    started: str
    finished: str
    late: str
    cpu: str
    overhead: str


@dataclass(frozen=True)
class Data:
    """Facts and versions as pairs."""

    facts: Sequence[tuple[str, str]]
    versions: Sequence[tuple[str, str]]
    passes: Sequence[Pass]
    notes: Sequence[str]


def build(view: View) -> Data:
    """Always there."""
    record, machine = view.record, view.record.machine
    facts = [
        ("System", f"{machine.system} {machine.kernel}"),
        ("Processor", f"{machine.cpu}, {machine.cores} cores"),
        ("Memory", bytes_of(machine.memory_bytes)),
        ("Python", machine.python),
        ("Fault proxy", record.proxy),
        ("Overhead over the phases", duration(record.overhead_s)),
    ]
    if machine.load_average_1min is not None:
        facts.insert(3, ("Load average before", number(machine.load_average_1min)))
    passes = [
        Pass(
            variant=e.variant,
            trial=e.trial,
            asked=f"{e.load.asked:,}",
            started=f"{e.load.started:,}",
            finished=f"{e.load.finished:,}",
            late=quantity(e.load.late_p99_ms, "ms"),
            cpu=duration(e.load.cpu_s),
            overhead=", ".join(f"{what} {duration(s)}" for what, s in e.overhead_s.items()),
        )
        for e in record.episodes
    ]
    return Data(facts, sorted(record.versions.items()), passes, _notes(view))


def _notes(view: View) -> list[str]:
    notes = list(view.record.notes)
    for e in view.record.episodes:
        where = e.variant if view.record.trials == 1 else f"{e.variant}, trial {e.trial}"
        notes += [f"{where}: {note}" for note in [*e.deaths, *e.notes]]
    return notes
