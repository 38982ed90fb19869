"""Pure: what a load generator reports of itself, of one process or of several workers that shared a schedule."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from lab.load.forms import Beat, Member, Row, WorkerExit, worker_of
from lab.load.sample import together
from lab.record import LoadFacts, WorkerFacts

_NOTHING = Beat(0.0, 0, 0, 0.0)


def load_facts(
    scheduled: int | None,
    rows: Sequence[Row],
    newest: Mapping[int, Beat],
    crew: Sequence[Member] = (),
    exits: Mapping[int, WorkerExit] | None = None,
    endings: Mapping[int, str] | None = None,
) -> LoadFacts:
    """Give the facts of a whole load and of each worker.

    `scheduled` counts an open model's arrivals (None: closed), `newest` has each worker's last beat, `endings` says how
    processes that ended unasked did, by process id.
    """
    last = together(newest.values()) if newest else _NOTHING
    p99_ms, max_ms = _lateness_ms(rows)
    return LoadFacts(
        asked=last.started if scheduled is None else scheduled,
        started=last.started,
        finished=last.finished,
        late_p99_ms=p99_ms,
        late_max_ms=max_ms,
        cpu_s=last.cpu_s,
        workers=[
            _worker(member, len(crew), scheduled, rows, newest, (exits or {}).get(member.worker), endings or {})
            for member in crew
        ],
    )


def _worker(
    member: Member,
    workers: int,
    scheduled: int | None,
    rows: Sequence[Row],
    newest: Mapping[int, Beat],
    exited: WorkerExit | None,
    endings: Mapping[int, str],
) -> WorkerFacts:
    beat = newest.get(member.worker, _NOTHING)
    own = [row for row in rows if worker_of(row.n, workers) == member.worker]
    p99_ms, max_ms = _lateness_ms(own)
    return WorkerFacts(
        worker=member.worker,
        host=member.host,
        asked=beat.started if scheduled is None else share(scheduled, member.worker, workers),
        started=beat.started,
        finished=beat.finished,
        late_p99_ms=p99_ms,
        late_max_ms=max_ms,
        cpu_s=beat.cpu_s,
        clock_ahead_ms=member.clock_ahead_ms,
        clock_within_ms=member.clock_within_ms,
        clock_drift_ms=exited.drift_ms if exited else None,
        lost=_loss(beat, exited, endings.get(member.pid, "")),
    )


def _loss(beat: Beat, exited: WorkerExit | None, ending: str) -> str:
    """How a worker ended, where it did not say that it was done or not all of what it recorded came."""
    if exited is None or exited.recorded is None:
        why = exited.why if exited else ""
        return f"{why or ending or 'stopped reporting'} after {beat.at_s:.1f} s"
    if exited.recorded != exited.arrived:
        return f"recorded {exited.recorded:,} operations, of which {exited.arrived:,} arrived"
    return ""


def share(scheduled: int, worker: int, workers: int) -> int:
    """How many of so many operations are one worker's."""
    return len(range(worker, scheduled, workers))


def _lateness_ms(rows: Collection[Row]) -> tuple[float, float]:
    """P99 and maximum of start minus due."""
    late_ms = np.array([(row.start_s - row.due_s) * 1000 for row in rows] or [0.0])
    return float(np.percentile(late_ms, 99)), float(late_ms.max())
