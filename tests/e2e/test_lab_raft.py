"""The Raft experiments, shortened: whoever leads is hit, and the checkers see what they must."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab_runs import ROOT, lab

from lab.record import Run
from lab.record.disk import read_run

pytestmark = [pytest.mark.e2e, pytest.mark.alone]
SCENARIOS = ROOT / "scenarios" / "ch07_distributed_systems"
UNBROKEN = ["one_leader_a_term", "log_matching", "acknowledged_stay"]


def short_run(folder: Path, name: str, scale: float) -> Run:
    """Run it at a part of its length, whatever its claims then say, and open the record."""
    done = lab("run", SCENARIOS / f"{name.replace('-', '_')}.py", "--scale", str(scale), "--reports", folder, "--json")
    assert done.code in (0, 1, 2), done.err
    return read_run((folder / name / "latest").resolve())


def verdicts(run: Run, check: str) -> dict[str, str]:
    """An invariant's verdict by variant; PASS where it was broken as asked."""
    assert run.record.judgement
    return {r.variant: r.verdict for r in run.record.judgement.invariants if r.invariant.check == check}


@pytest.mark.by_turns
def test_raft_leader_kill(tmp_path: Path) -> None:
    """In each variant the leader of that moment is killed, and no guarantee breaks, whatever it does to elections."""
    run = short_run(tmp_path, "raft-leader-kill", 0.3)
    for episode in run.record.episodes:
        (receipt,) = episode.receipts
        assert receipt.dose.in_force, receipt.dose
        assert str(receipt.read_back["resolved"]).startswith("raft-")
        assert receipt.fault.target == "leader"
        assert episode.deaths == []
        assert not any("gave no metrics" in note for note in episode.notes), "a fault keeps it down, as everybody knows"
    assert len(run.record.episodes) == 3
    for check in ["linearizable", *UNBROKEN]:
        assert set(verdicts(run, check).values()) == {"PASS"}, check


@pytest.mark.by_turns
def test_raft_partition(tmp_path: Path) -> None:
    """Stale reads break linearizability alone, with the operations that show it; ReadIndex breaks nothing."""
    run = short_run(tmp_path, "raft-partition", 0.4)
    for episode in run.record.episodes:
        minority, deaf = episode.receipts
        assert minority.dose.in_force, minority.dose
        assert deaf.dose.in_force, deaf.dose
        assert len(str(minority.read_back["resolved"]).partition(" | ")[0].split()) == 2
        assert str(deaf.read_back["resolved"]).partition(" -x> ")[2] in {f"raft-{n}" for n in range(1, 6)}
    assert verdicts(run, "linearizable") == {"stale": "PASS", "read-index": "PASS"}
    assert run.record.judgement
    stale = next(r for r in run.record.judgement.invariants if r.variant == "stale" and r.anomalies)
    assert stale.invariant.check == "linearizable"
    assert stale.anomalies[0].operations
    for check in UNBROKEN:
        assert set(verdicts(run, check).values()) == {"PASS"}, check


@pytest.mark.by_turns
def test_raft_against_etcd(tmp_path: Path) -> None:
    """The same faults hit the leaders of whichever cluster a variant has, and both stay linearizable.

    At half length a kill has 2.25 s: the control, whose timeouts are up to 2.2 s, may have no leader for the next.
    """
    run = short_run(tmp_path, "raft-against-etcd", 0.5)
    hit = {}
    for episode in run.record.episodes:
        assert [receipt.phase for receipt in episode.receipts] == [f"kill-{n}" for n in range(1, 8)]
        for receipt in episode.receipts[: 1 if episode.variant == "patient" else 7]:
            assert receipt.dose.in_force, (episode.variant, receipt.phase, receipt.dose)
        assert episode.deaths == []
        hit[episode.variant] = {str(receipt.read_back["resolved"]).partition("-")[0] for receipt in episode.receipts}
    assert hit == {"patient": {"raft"}, "ours": {"raft"}, "etcd": {"etcd"}}
    found = verdicts(run, "linearizable")
    assert (found["ours"], found["etcd"]) == ("PASS", "PASS")
    assert found["patient"] in {"PASS", "UNKNOWN"}
    counted = {row["service"] for row in run.snapshots if row["variant"] == "etcd"}
    assert counted == {"client", "etcd-1", "etcd-2", "etcd-3"}
