"""What the environment may say to an acceptor or a proposer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from targets.kit import Between, Millis, Seconds, Settings, Url
from targets.paxos.proposer import Timing

_NAME = re.compile(r"(acceptor|proposer)-[1-5]")


@dataclass(frozen=True, kw_only=True)
class PaxosSettings(Settings):
    """
    PAXOS_MEMBERS names all acceptors (acceptor-1 to acceptor-5) and proposers (proposer-1 to proposer-5), this one
    (SERVICE_NAME) included. A proposer needs the way to each other member, ACCEPTOR_<N>_URL and PROPOSER_<N>_URL.
    """

    paxos_members: str
    acceptor_1_url: Url = ""
    acceptor_2_url: Url = ""
    acceptor_3_url: Url = ""
    acceptor_4_url: Url = ""
    acceptor_5_url: Url = ""
    proposer_1_url: Url = ""
    proposer_2_url: Url = ""
    proposer_3_url: Url = ""
    proposer_4_url: Url = ""
    proposer_5_url: Url = ""
    paxos_retry: Literal["at-once", "backoff", "leader"] = "leader"
    paxos_round_ms: Millis = 500.0  # a round without a majority's answer is given up after that
    paxos_backoff_ms: Millis = 300.0  # at most: each backoff is drawn between 0 and that
    paxos_heartbeat_ms: Millis = 100.0
    paxos_leader_low_ms: Millis = 600.0  # a leader that is silent for longer is replaced
    paxos_leader_high_ms: Millis = 1_200.0
    paxos_client_timeout_s: Seconds = 4.0
    paxos_seed: Annotated[int, Between(0, 2**31)] = 0  # 0: from the system

    def __post_init__(self) -> None:
        wrong = [name for name in self.members if not _NAME.fullmatch(name)]
        if wrong or len(set(self.members)) != len(self.members) or self.service_name not in self.members:
            raise ValueError(
                f"PAXOS_MEMBERS={self.paxos_members!r} cannot be: give distinct names from acceptor-1 to acceptor-5 "
                f"and proposer-1 to proposer-5, {self.service_name} among them"
            )
        if self.is_acceptor and not self.data_dir:
            raise ValueError("DATA_DIR is missing: give a directory that this acceptor alone writes to")
        missing = [name for name in self.others if not self.url_of(name)]
        if missing and not self.is_acceptor:
            variables = ", ".join(f"{name.upper().replace('-', '_')}_URL" for name in missing)
            raise ValueError(f"{variables} missing: a proposer needs the way to every other member")
        if self.paxos_leader_high_ms < self.paxos_leader_low_ms:
            raise ValueError("PAXOS_LEADER_HIGH_MS must be no less than PAXOS_LEADER_LOW_MS")

    @property
    def members(self) -> tuple[str, ...]:
        """All acceptors and proposers, by name."""
        return tuple(name.strip() for name in self.paxos_members.split(","))

    @property
    def others(self) -> tuple[str, ...]:
        """All but this one."""
        return tuple(name for name in self.members if name != self.service_name)

    @property
    def is_acceptor(self) -> bool:
        """Whether this process is one; else it is a proposer."""
        return self.service_name.startswith("acceptor")

    def url_of(self, member: str) -> str:
        """The way to a member; empty where none was given."""
        return str(getattr(self, member.replace("-", "_") + "_url"))

    @property
    def timing(self) -> Timing:
        """For the core."""
        return Timing(
            round_s=self.paxos_round_ms / 1000,
            backoff_s=self.paxos_backoff_ms / 1000,
            heartbeat_s=self.paxos_heartbeat_ms / 1000,
            leader_low_s=self.paxos_leader_low_ms / 1000,
            leader_high_s=self.paxos_leader_high_ms / 1000,
        )
