"""The machine, the versions, what the lab itself cost, and the notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.record import Episode, WorkerFacts
from lab.report.numbers import bytes_of, duration, number, quantity
from lab.report.view import View

TITLE = "Machine and versions"


@dataclass(frozen=True)
class EpisodeCost:
    """What one episode cost, and how the load generator kept its schedule."""

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
    episodes: Sequence[EpisodeCost]
    workers: Sequence[str]
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
    episodes = [
        EpisodeCost(
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
    workers = [f"{_where(view, e)}: {_worker(worker)}" for e in record.episodes for worker in e.load.workers]
    return Data(facts, sorted(record.versions.items()), episodes, workers, _notes(view))


def _worker(worker: WorkerFacts) -> str:
    """One load worker in a line: its share, its punctuality, its clock beside the lab's."""
    drift_ms = worker.clock_drift_ms
    drift = "" if drift_ms is None else f", drift {quantity(drift_ms, 'ms')}"
    lost = f"; {worker.lost}" if worker.lost else ""
    return (
        f"worker {worker.worker} on {worker.host} started {worker.started:,} of {worker.asked:,}, "
        f"p99 {quantity(worker.late_p99_ms, 'ms')} late, CPU {duration(worker.cpu_s)}; its clock was "
        f"{quantity(worker.clock_ahead_ms, 'ms')} ahead, known within "
        f"{quantity(worker.clock_within_ms, 'ms')}{drift}{lost}"
    )


def _where(view: View, episode: Episode) -> str:
    return episode.variant if view.record.trials == 1 else f"{episode.variant}, trial {episode.trial}"


def _notes(view: View) -> list[str]:
    notes = list(view.record.notes)
    for e in view.record.episodes:
        notes += [f"{_where(view, e)}: {note}" for note in [*e.deaths, *e.notes]]
    return notes
