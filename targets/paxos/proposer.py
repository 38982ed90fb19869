"""A proposer and learner (sections 2.2 to 3 of the paper): messages and time in, messages and answers out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Literal

from targets.paxos.learner import Learner
from targets.paxos.messages import (
    Accept,
    Accepted,
    Ballot,
    Chosen,
    Heartbeat,
    Notice,
    Prepare,
    Promise,
    Reply,
    Request,
    Value,
    Vote,
)

Retry = Literal["at-once", "backoff", "leader"]


MISSED = 2.5  # heartbeats after which a leader gets no more commands of others' clients


class Phase(Enum):
    """What a proposer is doing."""

    IDLE = "idle"
    PREPARING = "preparing"
    PREPARED = "prepared"  # a leader, with nothing to propose
    ACCEPTING = "accepting"
    WAITING = "waiting"  # for its backoff, or for a leader's heartbeats to cease


@dataclass(frozen=True)
class Timing:
    """Seconds. A round without a majority's answer is given up after `round_s`."""

    round_s: float = 0.5
    backoff_s: float = 0.3  # at most; a wait that grew with each refusal would starve whom chance has refused most
    heartbeat_s: float = 0.1
    leader_low_s: float = 0.6
    leader_high_s: float = 1.2


@dataclass(frozen=True)
class Answer:
    """To a command: the slot in which it was chosen; None: this proposer does not lead, `leader` may."""

    token: int
    slot: int | None
    leader: str = ""


@dataclass
class Ready:
    """What is to be done: requests by acceptor, notices to all other proposers, answers to clients."""

    requests: list[Request] = field(default_factory=list)  # each to every acceptor
    notices: list[Notice] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)


class Proposer:
    """
    Gets commands chosen, one slot after the other, all that wait as one value.

    `retry` says what follows a refusal: a higher ballot at once, or after a random backoff. With `leader` (Multi-Paxos)
    one proposer prepares once for all slots to come, and the others leave proposing to it while its heartbeats arrive.
    """

    def __init__(
        self, name: str, acceptors: Sequence[str], retry: Retry, timing: Timing, rng: Random, now_s: float
    ) -> None:
        self.name = name
        self.acceptors = len(acceptors)
        self.majority = self.acceptors // 2 + 1
        self.retry = retry
        self.timing = timing
        self.rng = rng
        self.now_s = now_s
        self.ballot = Ballot()
        self.highest = 0  # round, of all ballots seen
        self.phase = Phase.WAITING if retry == "leader" else Phase.IDLE
        self.due_s = float("inf")
        self.leader = ""
        self.heard_s = float("-inf")
        self.beat_due_s = 0.0
        self.slot = 1  # the first that is not known to be chosen
        self.learner = Learner(self.majority)
        self.waiting: dict[str, int] = {}  # commands by id, with the client's token; in the order in which they came
        self.own: Value = ()  # the value in hand, bound to `own_slot` until that is decided, or it may be chosen twice
        self.own_slot = 0
        self.proposed: Value = ()
        self.promises: dict[str, tuple[Vote, ...]] = {}
        self.refused_by: set[str] = set()
        self.rounds = 0  # since the last decision of its own
        self.rounds_of_decisions: list[int] = []  # taken by the driver
        self._ready = Ready()
        if retry == "leader":
            self.wait_for_a_leader()

    # What the driver calls

    def ask(self, token: int, command: str) -> None:
        """Get a command chosen."""
        if self.retry == "leader" and self.phase is Phase.WAITING:
            self._ready.answers.append(Answer(token, None, self.leader_if_alive()))
            return
        self.waiting[command] = token
        self.go()

    def tick(self, now_s: float) -> None:
        """It is `now_s`: give up a round, end a backoff, take over from a silent leader, send heartbeats."""
        self.now_s = max(now_s, self.now_s)
        if self.now_s < self.due_s:
            return
        if self.phase is Phase.WAITING:
            self.begin()
        elif self.phase is Phase.PREPARED:
            self.rest()
        else:
            self.on_refusal()

    def take(self) -> Ready:
        """Everything that is to be done since the last time."""
        ready, self._ready = self._ready, Ready()
        return ready

    def receive(self, acceptor: str, reply: Reply) -> None:
        """Take an acceptor's reply in, however late it comes and however often."""
        if reply.ballot != self.ballot:
            return
        if isinstance(reply, Promise):
            self.on_promise(acceptor, reply)
        else:
            self.on_accepted(acceptor, reply)

    def notice(self, notice: Notice) -> None:
        """Take in what another proposer says."""
        if isinstance(notice, Chosen):
            self.highest = max(self.highest, notice.ballot.round)
            self.on_chosen(notice.slot, notice.value)
        elif notice.ballot.round >= self.highest and notice.ballot > self.ballot:
            self.highest = notice.ballot.round
            self.follow(notice.ballot.proposer)

    # Phase 1

    def go(self) -> None:
        """Go on with what waits, if nothing is in hand."""
        if self.phase is Phase.PREPARED:
            self.propose()
        elif self.phase is Phase.IDLE and (self.waiting or self.own):
            self.begin()

    def begin(self) -> None:
        """Phase 1a, with a ballot higher than all that it has seen."""
        if self.retry != "leader" and not (self.waiting or self.own):
            self.rest()  # another has had it chosen meanwhile
            return
        self.highest += 1
        self.ballot = Ballot(self.highest, self.name)
        self.promises, self.refused_by = {}, set()
        self.phase, self.due_s = Phase.PREPARING, self.now_s + self.timing.round_s
        self.rounds += 1
        self._ready.requests.append(Prepare(self.ballot, self.slot))

    def on_promise(self, acceptor: str, reply: Promise) -> None:
        """Phase 1b: with a majority's promises it may propose."""
        if not reply.granted:
            if reply.promised != self.ballot:  # else it is the refusal of a message that came twice
                self.count_refusal(acceptor, reply.promised)
            return
        if self.phase is not Phase.PREPARING:
            return
        self.promises[acceptor] = reply.votes
        for vote in reply.votes:
            self.learn(acceptor, vote)
        if self.phase is Phase.PREPARING and len(self.promises) >= self.majority:
            self.propose()

    # Phase 2

    def propose(self) -> None:
        """Phase 2a: the value of the highest vote for this slot, or its own where there is none."""
        value = self.value_for(self.slot)
        if value is None:
            self.rest()
            return
        self.proposed = value
        if self.retry == "leader":
            self.beat()
        self.phase, self.due_s = Phase.ACCEPTING, self.now_s + self.timing.round_s
        self.rounds += 1
        self._ready.requests.append(Accept(self.ballot, self.slot, value))

    def value_for(self, slot: int) -> Value | None:
        """What may be proposed there; None: nothing has to be."""
        votes = [vote for promised in self.promises.values() for vote in promised if vote.slot == slot]
        if votes:
            return self.highest_of(votes).value
        if not self.own:
            self.own, self.own_slot = tuple(self.waiting), slot
        return self.own or None

    def highest_of(self, votes: Sequence[Vote]) -> Vote:
        """The one with the highest ballot (P2c of the paper)."""
        return max(votes, key=lambda vote: vote.ballot)

    def on_accepted(self, acceptor: str, reply: Accepted) -> None:
        """Phase 2b: count it, or begin again."""
        if not reply.granted:
            self.count_refusal(acceptor, reply.promised)
        elif self.phase is Phase.ACCEPTING and reply.slot == self.slot:
            self.learn(acceptor, Vote(reply.slot, reply.ballot, self.proposed))

    def count_refusal(self, acceptor: str, promised: Ballot) -> None:
        """Another's ballot is higher at this acceptor: the round is over once no majority is left."""
        self.highest = max(self.highest, promised.round)
        self.refused_by.add(acceptor)
        if len(self.refused_by) > self.acceptors - self.majority and self.phase in (Phase.PREPARING, Phase.ACCEPTING):
            self.on_refusal()

    def on_refusal(self) -> None:
        """A majority refused, or did not answer in time: what now is the variant's."""
        if self.retry == "at-once":
            self.begin()
        elif self.retry == "backoff":
            self.phase, self.due_s = Phase.WAITING, self.now_s + self.rng.uniform(0, self.timing.backoff_s)
        else:
            self.follow("")

    # Learning

    def learn(self, acceptor: str, vote: Vote) -> None:
        """Count a vote; where a majority has cast it, its value is chosen."""
        value = self.learner.heard(acceptor, vote)
        if value is None:
            return
        mine = self.phase is Phase.ACCEPTING and vote.slot == self.slot
        if mine:
            self.rounds_of_decisions.append(self.rounds)
            self.rounds = 0
        self._ready.notices.append(Chosen(vote.slot, vote.ballot, value))
        self.settle(vote.slot, value)
        if mine:
            self.decided()

    def on_chosen(self, slot: int, value: Value) -> None:
        """Another proposer has learned it; an attempt at that slot is over."""
        if slot in self.learner.chosen:
            return
        before = self.slot
        self.learner.chosen[slot] = value
        self.settle(slot, value)
        if self.slot != before and self.phase is Phase.ACCEPTING:
            self.decided()

    def settle(self, slot: int, value: Value) -> None:
        """Answer the clients whose commands are in it, and go to the first slot that is open."""
        for command in value:
            token = self.waiting.pop(command, None)
            if token is not None:
                self._ready.answers.append(Answer(token, slot))
        if slot == self.own_slot:
            self.own = ()
            if self.retry == "leader" and self.phase is Phase.WAITING:
                self.send_on()
        while self.slot in self.learner.chosen:
            self.slot += 1

    def decided(self) -> None:
        """A slot is decided: a leader goes on in phase 2, any other begins anew."""
        self.phase, self.due_s = (Phase.PREPARED if self.retry == "leader" else Phase.IDLE), float("inf")
        self.go()

    # A distinguished proposer (section 3)

    def rest(self) -> None:
        """Nothing is to be proposed."""
        if self.retry == "leader":
            self.beat()
            self.phase, self.due_s = Phase.PREPARED, self.beat_due_s
        else:
            self.phase, self.due_s = Phase.IDLE, float("inf")

    def beat(self) -> None:
        """Tell the others who leads, if it is time."""
        self.leader = self.name
        if self.now_s >= self.beat_due_s:
            self.beat_due_s = self.now_s + self.timing.heartbeat_s
            self._ready.notices.append(Heartbeat(self.ballot))

    def follow(self, leader: str) -> None:
        """Leave proposing to another; its clients go there, and what was proposed may yet be chosen."""
        self.leader, self.heard_s = leader, self.now_s
        self.send_on()
        self.wait_for_a_leader()

    def leader_if_alive(self) -> str:
        """The leader, unless some of its heartbeats are missing: what is sent to a dead one is indeterminate."""
        return self.leader if self.now_s < self.heard_s + MISSED * self.timing.heartbeat_s else ""

    def send_on(self) -> None:
        """Have the clients ask the leader, but for those whose commands may be chosen in the slot they are bound to."""
        for command in [each for each in self.waiting if each not in self.own]:
            self._ready.answers.append(Answer(self.waiting.pop(command), None, self.leader_if_alive()))

    def wait_for_a_leader(self) -> None:
        """Until heartbeats cease."""
        wait_s = self.rng.uniform(self.timing.leader_low_s, self.timing.leader_high_s)
        self.phase, self.due_s = Phase.WAITING, self.now_s + wait_s
