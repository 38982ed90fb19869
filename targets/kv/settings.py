"""What the environment may say to a node of the store."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from targets.kit import Between, Millis, Seconds, Settings, Url

_NAME = re.compile(r"kv-[1-9]")
Quorum = Annotated[int, Between(1, 9, "replicas")]


@dataclass(frozen=True, kw_only=True)
class KvSettings(Settings):
    """
    KV_PEERS names all nodes, this one (SERVICE_NAME) included, as kv-1 to kv-9; KV_<N>_URL is the way to each of the
    others.
    """

    kv_peers: str
    kv_1_url: Url = ""
    kv_2_url: Url = ""
    kv_3_url: Url = ""
    kv_4_url: Url = ""
    kv_5_url: Url = ""
    kv_6_url: Url = ""
    kv_7_url: Url = ""
    kv_8_url: Url = ""
    kv_9_url: Url = ""
    kv_mode: Literal["quorum", "last-writer-wins", "crdt", "raft"] = "quorum"
    kv_read_quorum: Quorum = 2  # R: replicas that must answer a read, and the version query of a write
    kv_write_quorum: Quorum = 2  # W: replicas that must have a write before it is acknowledged
    kv_read_repair: bool = True  # a read writes what it returns back to W replicas before it returns
    kv_timeout_s: Seconds = 2.0  # for an attempt at one other node
    kv_clock: Literal["hybrid", "wall"] = "hybrid"  # what orders writes in mode last-writer-wins
    kv_clock_ahead_s: Annotated[float, Between(-3_600, 3_600, "seconds")] = (
        0.0  # this node's clock before the machine's
    )
    kv_gossip_ms: Millis = 200.0  # between two rounds of anti-entropy; 0: none
    kv_client_timeout_s: Seconds = 2.0  # in mode raft: for all attempts at the leader
    kv_election_low_ms: Annotated[float, Between(200, 60_000, "milliseconds")] = 600.0  # in mode raft: to twice that

    def __post_init__(self) -> None:
        wrong = [name for name in self.nodes if not _NAME.fullmatch(name)]
        if wrong or len(set(self.nodes)) != len(self.nodes) or self.service_name not in self.nodes:
            raise ValueError(
                f"KV_PEERS={self.kv_peers!r} cannot be: give distinct names from kv-1 to kv-9, "
                f"{self.service_name} among them"
            )
        missing = [name for name in self.others if not self.url_of(name)]
        if missing:
            variables = ", ".join(f"{name.upper().replace('-', '_')}_URL" for name in missing)
            raise ValueError(f"{variables} missing: every other node in KV_PEERS needs one")
        if self.kv_mode == "quorum" and max(self.kv_read_quorum, self.kv_write_quorum) > len(self.nodes):
            raise ValueError(f"KV_READ_QUORUM and KV_WRITE_QUORUM must be {len(self.nodes)} or less: one for each node")
        if not self.data_dir and self.kv_mode in ("quorum", "raft"):
            raise ValueError("DATA_DIR is missing: give a directory that this node alone writes to")

    @property
    def nodes(self) -> tuple[str, ...]:
        """All nodes, by name."""
        return tuple(name.strip() for name in self.kv_peers.split(","))

    @property
    def others(self) -> tuple[str, ...]:
        """All nodes but this one."""
        return tuple(name for name in self.nodes if name != self.service_name)

    def url_of(self, node: str) -> str:
        """The way to a node; empty where none was given."""
        return str(getattr(self, node.replace("-", "_") + "_url"))
