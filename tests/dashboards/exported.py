"""Which metrics there really are: asked of the targets' registries, of the fault proxy's, and of a Prometheus."""

from __future__ import annotations

import asyncio
import json
import runpy
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import aiohttp
from prometheus_client import CollectorRegistry
from run_ids import fresh

from lab.disk.control import Counts
from lab.disk.store import Store
from lab.disk.trouble import Trouble
from lab.model import Backing, Scenario, Variant
from lab.model import Service as Member
from lab.model.optional import links_of, members_of
from lab.observe.snapshots import snapshot
from lab.proxy.metrics import Metrics
from lab.runtime import backing
from lab.runtime.base import Address, Stack
from lab.runtime.credentials import Credentials
from lab.runtime.local import LocalRuntime
from lab.runtime.ports import free_port
from lab.runtime.ready import http_ok, wait_ready
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools
from targets.kit import Service, Settings
from targets.kit.logs import Log
from targets.kit.service import Build
from targets.kit.settings import read

SUFFIXES = {
    "counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "summary": ("", "_count", "_sum"),
    "info": ("_info",),
}  # fmt: skip
NOWHERE = Address("127.0.0.1", 9)
LOGIN = Credentials.fresh()
ALWAYS = {"groups": [{"name": "g", "rules": [{"alert": "Always", "expr": "vector(1)"}]}]}


def of_registry(registry: CollectorRegistry) -> set[str]:
    """The names of the series that a registry exports, or will once there is something to count."""
    families = list(registry.collect())
    return {family.name + suffix for family in families for suffix in SUFFIXES.get(family.type, ("",))}


async def of_scenario(scenario: Scenario) -> set[str]:
    """What the services of a scenario export, in any of its variants: each is built as it is when it starts."""
    found: set[str] = set()
    for variant in scenario.variants:
        for member in members_of(scenario, variant):
            if isinstance(member, Member):
                found |= await of_service(scenario, member, variant)
    servers = {
        member.kind for member in scenario.members if isinstance(member, Backing) and backing.exposes_metrics(member)
    }
    return found.union(of_disk() if scenario.disks else (), *[await of_server(Backing(kind)) for kind in servers])


def of_disk() -> set[str]:
    """What a disk that forgets exports; its errors have a series each once they were given."""
    with TemporaryDirectory() as folder:
        families = Counts(Store(Path(folder)), Trouble({})).collect()
        return {sample.name for family in families for sample in family.samples} | {"disk_errors_total"}


async def of_server(server: Backing) -> set[str]:
    """What a server exports that runs alone."""
    with TemporaryDirectory() as folder:
        async with Supervisor.open(Path(folder) / "run", fresh(f"names-{server.kind}")) as supervisor:
            running = await LocalRuntime(supervisor, Tools()).start(Stack([server], []), Path(folder))
            rows, notes = await snapshot({server.name: running.address(server).url}, at_s=0.0)
            await running.stop()
    assert not notes, notes
    return {row["metric"] for row in rows}


async def of_service(scenario: Scenario, member: Member, variant: Variant) -> set[str]:
    """What one service exports, given its environment in a variant; it is run as a process would, but for serving."""
    found: set[str] = set()
    async with aiohttp.ClientSession() as session:

        def serve(name: str, kind: type[Settings], build: Build[Settings]) -> None:
            service = Service(name, Log(name, "error"), session)
            with TemporaryDirectory() as data:
                build(read(kind, {**environment(scenario, member, variant), "DATA_DIR": data}), service)
            found.update(of_registry(service.metrics.registry))
            service.log.close()

        with patch("targets.kit.serve", serve):
            runpy.run_module(f"targets.{member.target}", run_name="__main__", alter_sys=True)
    assert found, f"targets.{member.target} serves nothing"
    return found


def environment(scenario: Scenario, member: Member, variant: Variant) -> Mapping[str, str]:
    """As the local runtime gives it, with callees that are nowhere."""
    own = {**member.env, **variant.env.get(member, {})}
    found = {k: ("on" if v else "off") if isinstance(v, bool) else str(v) for k, v in own.items()}
    for link in links_of(scenario, variant):
        if link.caller == member:
            callee = link.callee
            url = backing.kind_of(callee.kind).url(NOWHERE, LOGIN) if isinstance(callee, Backing) else NOWHERE.url
            found[link.env_name] = url
            if isinstance(callee, Backing):
                found[link.data_name] = "/data"
    return {**found, "SERVICE_NAME": member.name}


def of_proxy() -> set[str]:
    """What the fault proxy exports of each link."""
    return of_registry(Metrics(of_proxies=True, of_runtime=False)._registry)


async def of_prometheus(tmp_path: Path, rules: Path) -> set[str]:
    """What a Prometheus adds by itself: to each scrape, for alerts, and by our rules as it has read them."""
    program = Tools().need("prometheus")["prometheus"]
    address = Address("127.0.0.1", free_port())
    (tmp_path / "always.yml").write_text(json.dumps(ALWAYS))
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules / "*.yml"), str(tmp_path / "always.yml")],
        "scrape_configs": [{"job_name": "itself", "static_configs": [{"targets": [str(address)]}]}],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    argv = [
        program.path,
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={address}",
    ]
    async with Supervisor.open(tmp_path / "run", fresh("names")) as supervisor, aiohttp.ClientSession() as session:
        child = supervisor.spawn("prometheus", argv, env=program.env, log=tmp_path / "log")
        await wait_ready(child, lambda: http_ok(address, "/-/ready"), address.url)
        names: set[str] = set()
        async with asyncio.timeout(20):
            while not {"ALERTS", "up"} <= names:
                await asyncio.sleep(0.2)
                names = set(await _ask(session, f"{address.url}/api/v1/label/__name__/values"))
        groups = (await _ask(session, f"{address.url}/api/v1/rules"))["groups"]
        await child.stop()
    recorded = {rule["name"] for group in groups for rule in group["rules"] if rule["type"] == "recording"}
    return names | recorded


async def _ask(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url) as response:
        return (await response.json())["data"]
