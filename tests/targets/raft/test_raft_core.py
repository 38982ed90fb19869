"""The core by hand: the rules of figures 2 and 13, and of the thesis where it adds to them."""

from __future__ import annotations

from random import Random

import pytest

from targets.raft.core import Raft, Role
from targets.raft.log import Log, Snapshot
from targets.raft.machine import MOST_SESSIONS, Machine
from targets.raft.messages import (
    STALE,
    AppendEntries,
    AppendEntriesReply,
    Done,
    Entry,
    Expired,
    InstallSnapshot,
    Noop,
    Put,
    Register,
    RequestVote,
    RequestVoteReply,
)
from targets.raft.outcomes import Indeterminate, Refused, Stored, Timing

pytestmark = pytest.mark.e2e

TIMING = Timing(0.05, 0.3, 0.6, 1_000, 256)


def entries(*terms: int) -> tuple[Entry, ...]:
    """Entries of these terms."""
    return tuple(Entry(term, Noop()) for term in terms)


def server(term: int = 0, log: tuple[int, ...] = (), members: int = 3) -> Raft:
    """Server `a` with this log, at time 0."""
    names = ["a", "b", "c", "d", "e"][:members]
    return Raft("a", names, Stored(term, None, Snapshot(), entries(*log)), TIMING, Random(1), 0.0)


def leader(term: int = 0, log: tuple[int, ...] = ()) -> Raft:
    """Server `a`, elected by `b`."""
    raft = server(term, log)
    raft.tick(1.0)
    raft.receive_reply("b", RequestVoteReply(raft.current_term + 1, True, pre_vote=True))
    raft.receive_reply("b", RequestVoteReply(raft.current_term, True))
    assert raft.role is Role.LEADER
    return raft


def append(term: int, prev: tuple[int, int], *terms: int, commit: int = 0) -> AppendEntries:
    """AppendEntries of leader `b`."""
    return AppendEntries(term, "b", prev[0], prev[1], entries(*terms), commit, 1)


def test_pre_vote_changes_nothing() -> None:
    """Asking whether one would be elected raises no term, and being asked gives no vote."""
    raft = server(term=4)
    raft.tick(1.0)
    assert (raft.role, raft.current_term) == (Role.PRE_CANDIDATE, 4)
    reply = server(term=4).receive(RequestVote(5, "b", 0, 0, pre_vote=True))
    assert reply == RequestVoteReply(5, True, pre_vote=True)


def test_pre_vote_is_denied_while_a_leader_is_heard() -> None:
    """Who hears the leader wants no other, until the shortest election timeout has passed."""
    raft = server(term=4)
    raft.receive(append(4, (0, 0)))
    raft.tick(0.2)
    assert not raft.receive(RequestVote(5, "c", 9, 9, pre_vote=True)).vote_granted
    raft.tick(0.31)
    assert raft.receive(RequestVote(5, "c", 9, 9, pre_vote=True)).vote_granted


def test_one_vote_a_term() -> None:
    """The first candidate of a term gets the vote, again if it asks again, and no other does."""
    raft = server()
    assert raft.receive(RequestVote(1, "b", 0, 0)).vote_granted
    assert not raft.receive(RequestVote(1, "c", 0, 0)).vote_granted
    assert raft.receive(RequestVote(1, "b", 0, 0)).vote_granted
    save = raft.take().save
    assert save is not None
    assert (save.current_term, save.voted_for) == (1, "b")
    assert raft.receive(RequestVote(2, "c", 0, 0)).vote_granted


def test_up_to_date() -> None:
    """The later last term wins; of equal terms the longer log."""
    raft = server(term=3, log=(1, 1, 3))
    assert not raft.receive(RequestVote(4, "b", 9, 2)).vote_granted
    assert not raft.receive(RequestVote(4, "b", 2, 3)).vote_granted
    assert raft.receive(RequestVote(4, "b", 3, 3)).vote_granted


def test_stale_term_is_refused() -> None:
    """A leader or candidate of an earlier term learns the current one and gets nothing."""
    raft = server(term=5)
    assert raft.receive(append(4, (0, 0), 4)) == AppendEntriesReply(5, False, STALE)
    assert raft.receive(RequestVote(4, "b", 9, 9)) == RequestVoteReply(5, False)
    assert raft.log.last_index == 0


def test_conflict_hints() -> None:
    """A follower says where its log ends, or where the conflicting term begins."""
    raft = server(term=4, log=(1, 2, 2, 2))
    assert raft.receive(append(5, (9, 5))).conflict_index == 5
    reply = raft.receive(append(5, (4, 3)))
    assert (reply.conflict_term, reply.conflict_index) == (2, 2)


def test_conflicting_entries_go() -> None:
    """Entries that conflict go, with all that follow; a late message that agrees deletes nothing."""
    raft = server(term=3, log=(1, 2, 2))
    assert raft.receive(append(3, (1, 1), 3)).match_index == 2
    assert [entry.term for entry in raft.log.entries] == [1, 3]
    raft.receive(append(3, (2, 3), 3))
    raft.receive(append(3, (0, 0), 1, commit=3))
    assert raft.log.last_index == 3
    assert raft.commit_index == 1


def test_figure_8() -> None:
    """An entry of an earlier term is not committed by counting, but with the first of the leader's own."""
    raft = leader(term=2, log=(1, 2))
    raft.take()
    raft.receive_reply("b", AppendEntriesReply(3, True, 1, match_index=2))
    raft.take()
    assert raft.commit_index == 0
    raft.receive_reply("b", AppendEntriesReply(3, True, 1, match_index=3))
    raft.take()
    assert raft.commit_index == 3


def test_backing_up() -> None:
    """A leader skips a whole term of a follower's conflict, and tries its own last entry of that term."""
    raft = leader(term=4, log=(1, 2, 4, 4))
    raft.take()
    raft.receive_reply("b", AppendEntriesReply(5, False, 1, conflict_index=2, conflict_term=3))
    raft.receive_reply("c", AppendEntriesReply(5, False, 1, conflict_index=2, conflict_term=2))
    sent = {name: request for name, request in raft.take().messages if isinstance(request, AppendEntries)}
    assert (sent["b"].prev_log_index, sent["c"].prev_log_index) == (1, 2)


def test_commands_of_a_deposed_leader_are_doubtful() -> None:
    """A leader that steps down says that it does not know; a follower, that it is no leader."""
    raft = leader()
    raft.propose(1, Register("x"))
    raft.read(2, "x")
    raft.receive(append(9, (0, 0)))
    raft.propose(3, Register("y"))
    outcomes = {answer.token: answer.outcome for answer in raft.take().answers}
    assert outcomes == {1: Indeterminate(), 2: Refused(None), 3: Refused("b")}


def test_check_quorum() -> None:
    """A leader that no majority answers stops leading, in its own term."""
    raft = leader()
    term = raft.current_term
    raft.tick(1.5)
    assert raft.role is Role.LEADER
    raft.tick(1.7)
    assert (raft.role, raft.current_term) == (Role.FOLLOWER, term)


def test_snapshot_in_place_of_entries() -> None:
    """A follower that lacks what the leader has compacted gets the snapshot, and then what follows it."""
    ahead = Raft("a", ["a"], Stored(), Timing(snapshot_every=5), Random(1), 0.0)
    ahead.tick(1.0)
    for n in range(8):
        ahead.propose(n, Register(str(n)))
    ahead.take()
    assert ahead.log.snapshot.last_included_index >= 5
    snapshot = ahead.log.snapshot
    behind = server(term=1, log=(1, 1))
    reply = behind.receive(
        InstallSnapshot(1, "b", snapshot.last_included_index, snapshot.last_included_term, snapshot.data, 1)
    )
    assert reply.last_included_index == behind.last_applied == snapshot.last_included_index
    assert behind.machine.state == ahead.machine.state
    save = behind.take().save
    assert save is not None
    assert save.snapshot == snapshot


def test_old_snapshot_changes_nothing() -> None:
    """A snapshot of what is committed already is acknowledged, and the log stays."""
    raft = server(term=1, log=(1, 1, 1))
    raft.receive(append(1, (3, 1), commit=3))
    assert raft.receive(InstallSnapshot(1, "b", 2, 1, b"garbage", 1)).last_included_index == 2
    assert raft.log.last_index == 3
    assert raft.receive(InstallSnapshot(0, "b", 9, 1, b"garbage", 1)).term == 1


def test_log_keeps_what_follows_a_snapshot() -> None:
    """Entries after a snapshot stay if it agrees with the log, and go if it does not."""
    agreeing, conflicting = Log(Snapshot(), list(entries(1, 2, 2))), Log(Snapshot(), list(entries(1, 2, 2)))
    agreeing.install(Snapshot(2, 2, b""))
    conflicting.install(Snapshot(2, 9, b""))
    assert (agreeing.last_index, conflicting.last_index) == (3, 2)
    assert agreeing.last_of_term(1) is None
    assert agreeing.last_of_term(2) == 3


def test_sessions() -> None:
    """A repeated command gives its first result; one that was settled, or whose session is gone, is not applied."""
    machine = Machine()
    assert machine.apply(1, Register("x")) == Done(1)
    first = machine.apply(2, Put("k", "a", 1, 1, 1))
    machine.apply(3, Put("k", "b", 1, 2, 1))
    assert machine.apply(4, Put("k", "a", 1, 1, 1)) == first
    assert machine.read("k") == "b"
    machine.apply(5, Put("k", "c", 1, 3, 3))
    assert machine.apply(6, Put("k", "a", 1, 1, 1)) == Expired()
    for n in range(MOST_SESSIONS):
        machine.apply(7 + n, Register(str(n)))
    assert machine.apply(9_999, Put("k", "d", 1, 4, 4)) == Expired()
    assert machine.read("k") == "c"
