from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.load.facts import load_facts, share
from lab.load.forms import Beat, Member, Row, WorkerExit, worker_of
from lab.record import WorkerFacts

CREW = [Member(0, "here", 11, 0.0, 0.1), Member(1, "there", 22, -3.5, 0.4)]


def row(n: int, late_s: float = 0.0) -> Row:
    """Make a row of an operation that began `late_s` after it was due."""
    return Row(n, n / 10, n / 10 + late_s, n / 10 + 1, "ok", 200, None, None)


@given(scheduled=st.integers(0, 500), workers=st.integers(1, 9))
def test_the_shares_are_the_whole(scheduled, workers):
    """Every operation is exactly one worker's, and no share is larger than another by more than one."""
    counted = Counter(worker_of(n, workers) for n in range(scheduled))
    shares = [share(scheduled, worker, workers) for worker in range(workers)]
    assert shares == [counted[worker] for worker in range(workers)]
    assert sum(shares) == scheduled
    assert max(shares) - min(shares) <= 1


def test_workers_add_up():
    """Counts and CPU time are sums over the workers, lateness is of all operations, each worker has its own."""
    rows = [row(n, 0.2 if n % 2 else 0.001) for n in range(10)]
    newest = {0: Beat(9.0, 5, 5, 1.5), 1: Beat(9.1, 5, 4, 0.5, worker=1)}
    facts = load_facts(11, rows, newest, CREW, {0: WorkerExit(0, 5, 5, 0.2), 1: WorkerExit(1, 5, 5)})
    assert (facts.asked, facts.started, facts.finished, facts.cpu_s) == (11, 10, 9, 2.0)
    assert facts.late_max_ms == pytest.approx(200)
    one, other = facts.workers
    assert (one.asked, one.started, one.finished, one.host, one.clock_drift_ms) == (6, 5, 5, "here", 0.2)
    assert (other.asked, other.started, other.finished, other.clock_ahead_ms) == (5, 5, 4, -3.5)
    assert one.late_max_ms == pytest.approx(1)
    assert other.late_p99_ms == pytest.approx(200)
    assert one.lost == other.lost == ""


def lost(exited: WorkerExit | None, endings: dict[int, str]) -> WorkerFacts:
    """Give the facts of the second worker, whose last beat came at 4 s."""
    newest = {0: Beat(9.0, 5, 5, 1.5), 1: Beat(4.0, 2, 2, 0.5, worker=1)}
    parting = {0: WorkerExit(0, 5, 5)} | ({1: exited} if exited else {})
    return load_facts(10, [row(n) for n in range(5)], newest, CREW, parting, endings).workers[1]


def test_a_lost_worker_is_named():
    """A worker that never said that it was done is lost, whether its process is known to have died or not."""
    assert lost(None, {22: "died (killed by signal 9)"}).lost == "died (killed by signal 9) after 4.0 s"
    assert lost(WorkerExit(1, None, 2), {11: "died"}).lost == "stopped reporting after 4.0 s"


def test_rows_that_did_not_arrive_are_missed():
    """A worker that recorded more than arrived is no good witness, though it ended well."""
    assert lost(WorkerExit(1, 5, 3), {}).lost == "recorded 5 operations, of which 3 arrived"


def test_one_process_has_no_workers():
    """A load that one process carried has facts as ever; a closed model asks for what it starts."""
    facts = load_facts(None, [row(0)], {0: Beat(1.0, 3, 1, 0.25)})
    assert (facts.asked, facts.started, facts.finished, facts.cpu_s, facts.workers) == (3, 3, 1, 0.25, [])
    assert load_facts(7, [], {}).started == 0
