"""The servers that the local runtime may need: what each is for, where it is found, and how to get it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Part:
    """One server.

    `programs` must all be there. `debian` are packages whose files are needed (a regular expression stands for the
    newest package of such a name), `brew` a formula, `go` maps a program to `module/path@version`. Packages of a
    distribution may be too old for what a scenario asks of a server; the others are not.
    """

    name: str
    title: str
    what_for: str
    programs: tuple[str, ...]
    debian: tuple[str, ...] = ()
    brew: str = ""
    go: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def ways(self) -> str:
        """How a person gets it."""
        return self.ways_to("")

    def ways_to(self, oldest: str) -> str:
        """How a person gets one that is no older than that."""
        found = []
        if self.debian and not oldest:
            found.append(f"`apt-get install {' '.join(package.split('[')[0].rstrip('-') for package in self.debian)}`")
        if self.brew:
            found.append(f"`brew install {self.brew}`")
        found += [f"`go install {module}`" for module in self.go.values()]
        return ", ".join([*found, "or run with `--runtime compose`"])


PARTS: Mapping[str, Part] = {
    part.name: part
    for part in (
        Part(
            "prometheus",
            "Prometheus",
            "collects the metrics of every run",
            ("prometheus",),
            debian=("prometheus",),
            brew="prometheus",
        ),
        Part(
            "promtool",
            "promtool",
            "checks PromQL and dashboards in the tests",
            ("promtool",),
            debian=("prometheus",),
            brew="prometheus",
        ),
        Part(
            "toxiproxy",
            "Toxiproxy",
            "a choice for the links; the built-in fault proxy needs nothing",
            ("toxiproxy-server", "toxiproxy-cli"),
            brew="toxiproxy",
            go={
                "toxiproxy-server": "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0",
                "toxiproxy-cli": "github.com/Shopify/toxiproxy/v2/cmd/cli@v2.12.0",
            },
        ),
        Part(
            "postgres",
            "PostgreSQL",
            "experiments on transactions and storage",
            ("postgres", "initdb"),
            debian=("postgresql-[0-9]+",),
            brew="postgresql@17",
        ),
        Part(
            "mariadb",
            "MariaDB",
            "experiments on transactions, beside PostgreSQL",
            ("mariadbd",),
            debian=("mariadb-server-core",),
            brew="mariadb",
        ),
        Part(
            "redis",
            "Redis",
            "experiments on caches and locks",
            ("redis-server",),
            debian=("redis-server", "redis-tools"),
            brew="redis",
        ),
        Part(
            "etcd",
            "etcd",
            "experiments on consensus, beside our own Raft",
            ("etcd",),
            debian=("etcd-server",),
            brew="etcd",
        ),
        Part(
            "nats",
            "NATS",
            "experiments on messaging",
            ("nats-server",),
            debian=("nats-server",),
            brew="nats-server",
            go={"nats-server": "github.com/nats-io/nats-server/v2@v2.14.5"},
        ),
    )
}
