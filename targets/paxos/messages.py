"""What proposers and acceptors say to one another (section 2.2 of the paper, with a slot for each instance)."""

from __future__ import annotations

import msgspec
from msgspec import Struct

Value = tuple[str, ...]  # ids of commands, in order; never empty: slots are taken one by one, so no gap is filled


class Ballot(Struct, frozen=True, order=True, array_like=True):
    """A proposal number: by round, and within it by the proposer's name, so that no two proposers share one."""

    round: int = 0
    proposer: str = ""


class Vote(Struct, frozen=True, array_like=True):
    """A proposal that an acceptor has accepted."""

    slot: int
    ballot: Ballot
    value: Value


class Prepare(Struct, frozen=True, tag="prepare"):
    """Phase 1a, for the slot `first` and all after it: promise to accept nothing below `ballot`."""

    ballot: Ballot
    first: int


class Accept(Struct, frozen=True, tag="accept"):
    """Phase 2a: accept this value for this slot."""

    ballot: Ballot
    slot: int
    value: Value


class Promise(Struct, frozen=True, tag="promise"):
    """Phase 1b. Not granted: `promised` is as high as `ballot`, or higher. Else the votes from `first` on."""

    ballot: Ballot
    granted: bool
    promised: Ballot
    votes: tuple[Vote, ...] = ()


class Accepted(Struct, frozen=True, tag="accepted"):
    """Phase 2b. Not granted: `promised` is higher than `ballot`."""

    ballot: Ballot
    slot: int
    granted: bool
    promised: Ballot


class Chosen(Struct, frozen=True, tag="chosen"):
    """A proposer tells another what was chosen, and in which ballot: the other's next one has to be higher."""

    slot: int
    ballot: Ballot
    value: Value


class Heartbeat(Struct, frozen=True, tag="heartbeat"):
    """The distinguished proposer (section 3) says that it leads."""

    ballot: Ballot


Request = Prepare | Accept
Reply = Promise | Accepted
Notice = Chosen | Heartbeat

encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_reply = msgspec.msgpack.Decoder(Reply).decode
decode_notice = msgspec.msgpack.Decoder(Notice).decode
