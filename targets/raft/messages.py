"""What servers say to one another (figures 2 and 13 of the paper) and what clients ask of the state machine."""

from __future__ import annotations

import msgspec
from msgspec import Struct


class Noop(Struct, frozen=True, tag="noop"):
    """
    What a leader appends on its election, so that entries of earlier terms can be committed (section 8).

    It carries the leader's name, so that a log tells who led its terms when all who heard of it have been killed.
    """

    leader: str = ""


class Register(Struct, frozen=True, tag="register"):
    """Open a session; its number is the index of this entry (thesis 6.3). `nonce` tells two of them apart."""

    nonce: str


class Put(Struct, frozen=True, tag="put"):
    """
    Let `key` hold `value`, once for each `sequence` of a `session`.

    Answers to sequences below `settled` have been received and need not be remembered.
    """

    key: str
    value: str
    session: int
    sequence: int
    settled: int = 0


class Cas(Struct, frozen=True, tag="cas"):
    """Let `key` hold `value` if it holds `expect` (None: is absent), once for each `sequence` of a `session`."""

    key: str
    expect: str | None
    value: str
    session: int
    sequence: int
    settled: int = 0


Command = Noop | Register | Put | Cas


class Done(Struct, frozen=True, tag="done"):
    """A command's result: `value` is what the key holds now, `swapped` whether this command put it there."""

    index: int
    value: str | None = None
    swapped: bool = True


class Expired(Struct, frozen=True, tag="expired"):
    """The session is not known (any more): whether the command was applied earlier cannot be told; it is not now."""


Result = Done | Expired


class Entry(Struct, frozen=True, array_like=True):
    """A log entry: the command, and the term in which the leader received it."""

    term: int
    command: Command


class RequestVote(Struct, frozen=True, tag="request-vote"):
    """Invoked by candidates to gather votes; with `pre_vote`, to learn whether they would get them (thesis 9.6)."""

    term: int
    candidate_id: str
    last_log_index: int
    last_log_term: int
    pre_vote: bool = False


class RequestVoteReply(Struct, frozen=True, tag="request-vote-reply"):
    """The vote. A granted pre-vote carries the term that was asked about, which is nobody's term yet."""

    term: int
    vote_granted: bool
    pre_vote: bool = False


# The round in a reply to a request of an earlier term. Rounds begin at 1. The reply bears the term of the server that
# refuses, in which the sender may lead again by now: it must not take the refusal for an answer to its new self.
STALE = 0


class AppendEntries(Struct, frozen=True, tag="append-entries"):
    """
    Invoked by the leader to replicate entries; also its heartbeat.

    `round` counts the leader's heartbeats, so that an answer proves that it still led when the round began.
    """

    term: int
    leader_id: str
    prev_log_index: int
    prev_log_term: int
    entries: tuple[Entry, ...]
    leader_commit: int
    round: int


class AppendEntriesReply(Struct, frozen=True, tag="append-entries-reply"):
    """
    Success: the logs agree up to `match_index`. Else the request is STALE, or it says where the conflict begins (the
    paper, end of section 5.3).

    `conflict_term` is the term of the entry that conflicts, 0 where there is none; `conflict_index` the first index of
    that term, or the one after the log's end.
    """

    term: int
    success: bool
    round: int
    match_index: int = 0
    conflict_index: int = 0
    conflict_term: int = 0


class InstallSnapshot(Struct, frozen=True, tag="install-snapshot"):
    """Invoked by the leader to send its snapshot, whole: these fit into one message."""

    term: int
    leader_id: str
    last_included_index: int
    last_included_term: int
    data: bytes
    round: int


class InstallSnapshotReply(Struct, frozen=True, tag="install-snapshot-reply"):
    """The follower's state now covers the snapshot, unless the request is STALE."""

    term: int
    last_included_index: int
    round: int


Request = RequestVote | AppendEntries | InstallSnapshot
Reply = RequestVoteReply | AppendEntriesReply | InstallSnapshotReply

encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_reply = msgspec.msgpack.Decoder(Reply).decode
