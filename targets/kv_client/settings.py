"""What the environment may say to the client."""

from __future__ import annotations

from dataclasses import dataclass

from targets.kit import Seconds, Settings, Url


@dataclass(frozen=True, kw_only=True)
class KvClientSettings(Settings):
    """The members of one cluster, by their URLs; how long one try may take, and all tries together."""

    raft_1_url: Url = ""
    raft_2_url: Url = ""
    raft_3_url: Url = ""
    etcd_1_url: Url = ""
    etcd_2_url: Url = ""
    etcd_3_url: Url = ""
    kv_try_s: Seconds = 1.0
    kv_timeout_s: Seconds = 5.0

    def __post_init__(self) -> None:
        if bool(self.members("raft")) == bool(self.members("etcd")):
            raise ValueError("RAFT_1_URL.. or ETCD_1_URL..: give the URLs of one cluster, not both and not neither")

    def members(self, kind: str) -> dict[str, str]:
        """URLs of a cluster's members by name: raft-1, or etcd-1, and so on."""
        named = {f"{kind}-{n}": str(getattr(self, f"{kind}_{n}_url")) for n in (1, 2, 3)}
        return {name: url for name, url in named.items() if url}
