"""What the environment may say to a Raft server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from targets.kit import Between, Count, Millis, Seconds, Settings, Url
from targets.raft.outcomes import Timing

_NAME = re.compile(r"raft-[1-9]")


@dataclass(frozen=True, kw_only=True)
class RaftSettings(Settings):
    """
    RAFT_PEERS names all members, this one (SERVICE_NAME) included, as raft-1 to raft-9; RAFT_<N>_URL is the way to
    each of the others. A service that RAFT_PEERS does not name holds no data and only finds the leader for its clients.
    """

    raft_peers: str
    raft_1_url: Url = ""
    raft_2_url: Url = ""
    raft_3_url: Url = ""
    raft_4_url: Url = ""
    raft_5_url: Url = ""
    raft_6_url: Url = ""
    raft_7_url: Url = ""
    raft_8_url: Url = ""
    raft_9_url: Url = ""
    raft_reads: Literal["read-index", "stale"] = "read-index"
    raft_election: Literal["random", "fixed"] = "random"
    raft_storage: Literal["disk", "memory"] = "disk"  # memory: term, vote and log last as long as the process
    raft_fsync: bool = True  # False: saved is what was written, so that a power cut takes it
    raft_retry: bool = True  # a server asks again for its client until RAFT_CLIENT_TIMEOUT_S is over
    raft_client_timeout_s: Seconds = 5.0
    raft_try_s: Seconds = 1.0  # how long one try at the leader may take
    raft_heartbeat_ms: Millis = 50.0
    raft_election_low_ms: Millis = 300.0
    raft_election_high_ms: Millis = 600.0
    raft_snapshot_every: Count = 1_000
    raft_seed: Annotated[int, Between(0, 2**31)] = 0  # 0: from the system

    def __post_init__(self) -> None:
        wrong = [name for name in self.members if not _NAME.fullmatch(name)]
        if wrong or len(set(self.members)) != len(self.members):
            raise ValueError(f"RAFT_PEERS={self.raft_peers!r} cannot be: give distinct names from raft-1 to raft-9")
        missing = [name for name in self.members if name != self.service_name and not self.url_of(name)]
        if missing:
            variables = ", ".join(f"{name.upper().replace('-', '_')}_URL" for name in missing)
            raise ValueError(f"{variables} missing: every other server in RAFT_PEERS needs one")
        if self.is_member and not self.data_dir:
            raise ValueError("DATA_DIR is missing: give a directory that this server alone writes to")
        if (
            self.raft_election_low_ms < 2 * self.raft_heartbeat_ms
            or self.raft_election_high_ms < self.raft_election_low_ms
        ):
            raise ValueError("RAFT_ELECTION_LOW_MS must be twice RAFT_HEARTBEAT_MS or more, and HIGH no less than LOW")

    @property
    def members(self) -> tuple[str, ...]:
        """All servers of the cluster, by name."""
        return tuple(name.strip() for name in self.raft_peers.split(","))

    @property
    def is_member(self) -> bool:
        """Whether this process is one of them."""
        return self.service_name in self.members

    def url_of(self, member: str) -> str:
        """The way to a member; empty where none was given."""
        return str(getattr(self, member.replace("-", "_") + "_url"))

    @property
    def timing(self) -> Timing:
        """For the core. A fixed election timeout is the shortest that a random one could be."""
        low_s = self.raft_election_low_ms / 1000
        high_s = low_s if self.raft_election == "fixed" else self.raft_election_high_ms / 1000
        return Timing(self.raft_heartbeat_ms / 1000, low_s, high_s, self.raft_snapshot_every)
