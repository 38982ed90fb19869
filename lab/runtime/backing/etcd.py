"""etcd, alone or as a member of a cluster; settings are flags of its command line."""

from __future__ import annotations

from lab.model import Env, Scalar
from lab.runtime.backing import Cluster, Kind, Recipe, StartContext
from lab.runtime.base import Address
from lab.runtime.credentials import Credentials
from lab.runtime.member_process import Command
from lab.runtime.ready import http_ok
from lab.runtime.unprivileged import as_nobody

# Durable as in production: each entry is in the log on disk before it counts, as it is by default. Alone it still wants
# an address for others, which nobody will call: a port that the system chooses. By default it lets pages of every site
# read its answers; no page is of the origin that it is told here.
DEFAULTS: Env = {"logger": "zap", "listen_peer_urls": "http://127.0.0.1:0", "cors": "http://127.0.0.1:1"}


async def prepare(ground: StartContext) -> Command:
    """Everything is on its command line; a data folder that is there already is used as it is."""
    program = ground.programs["etcd"]
    client, data = ground.address.url, str(ground.data / "data")
    known = {"host_whitelist": f"{ground.address.host},localhost"}  # no name that a page has bound to this address
    argv = [*as_nobody(), program.path, *_words({**known, **ground.settings}, client, data)]
    return Command(argv, program.env, cwd=ground.data)


def recipe(settings: Env) -> Recipe:
    """The same words after the program's name."""
    return Recipe(["etcd", *_words(settings, "http://0.0.0.0:2379", "/tmp/etcd")])


def join(cluster: Cluster) -> Env:
    """Every member is told of all from the start, so that they find one another without anybody's help."""
    return {
        "name": cluster.name,
        "listen_peer_urls": cluster.listen.url,
        "initial_advertise_peer_urls": cluster.members[cluster.name].url,
        "initial_cluster": ",".join(f"{name}={address.url}" for name, address in cluster.members.items()),
    }


async def ready(address: Address, credentials: Credentials) -> bool:
    """Healthy: its cluster has a leader. So all members have to start at the same time."""
    return await http_ok(address, "/health")


def url(address: Address, credentials: Credentials) -> str:
    """Its API as JSON over HTTP. Without a password: SECURITY.md says why."""
    return address.url


KIND = Kind("etcd", prepare, ready, url, 2379, recipe, join, 2380, exposes_metrics=True)


def _words(settings: Env, client: str, data: str) -> list[str]:
    told = {name.lower(): value for name, value in settings.items()}
    place = {"listen_client_urls": client, "advertise_client_urls": client, "data_dir": data}
    return [f"--{name.replace('_', '-')}={_text(value)}" for name, value in {**DEFAULTS, **told, **place}.items()]


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
