"""
A Grafana for one local run: on 127.0.0.1, with the lab's dashboards and the run's own Prometheus behind them.

Its data are the run's scratch, and it ends with the run as every process of the lab does. Its dashboards have no links
to reports: the run's own is written when this Grafana is gone.
"""

from __future__ import annotations

import json
import secrets
from functools import partial
from pathlib import Path
from typing import Any

from lab.observe.grafana import REPORTS, Place
from lab.runtime.base import Address, Spawn
from lab.runtime.ports import free_port
from lab.runtime.ready import http_ok, wait_ready

READY_WITHIN_S = 60.0  # its first start writes a database, which takes long on a slow disk
QUIET = {
    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
    "GF_ANALYTICS_REPORTING_ENABLED": "false",
    "GF_AUTH_ANONYMOUS_ENABLED": "true",
    "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
    "GF_DASHBOARDS_MIN_REFRESH_INTERVAL": "1s",  # else the dashboards' choice of 1 s is not offered
    "GF_LOG_MODE": "console",
    "GF_NEWS_NEWS_FEED_ENABLED": "false",
    "GF_PLUGINS_PREINSTALL_AUTO_UPDATE": "false",
    "GF_PLUGINS_PREINSTALL_DISABLED": "true",
    "GF_SERVER_HTTP_ADDR": "127.0.0.1",
    "GF_SERVER_PROTOCOL": "http",
    "GF_UNIFIED_ALERTING_ENABLED": "false",
}


async def start(spawn: Spawn, program: Path, workdir: Path, log: Path, dashboards: Path, prometheus: Address) -> Place:
    """Start it and wait until it answers; both folders are absolute. Raises StartError.

    `dashboards` has `json` and `provisioning`.
    """
    _lay_out(workdir, dashboards)
    address, password = Address("127.0.0.1", free_port()), secrets.token_urlsafe(18)
    env = {
        **QUIET,
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(workdir / "json" / "overview.json"),
        "GF_PATHS_DATA": str(workdir / "data"),
        "GF_PATHS_LOGS": str(workdir / "logs"),
        "GF_PATHS_PLUGINS": str(workdir / "plugins"),
        "GF_PATHS_PROVISIONING": str(dashboards / "provisioning"),
        "GF_SECURITY_ADMIN_PASSWORD": password,
        "GF_SERVER_HTTP_PORT": str(address.port),
        "LAB_DASHBOARDS": str(workdir / "json"),
        "PROMETHEUS_URL": prometheus.url,
    }
    child = spawn("grafana", [*_command(program), "--config", workdir / "grafana.ini"], env=env, log=log, cwd=workdir)
    try:
        ready = partial(http_ok, address, "/api/health")
        await wait_ready(child, ready, address.url, READY_WITHIN_S, listens_at=address.port)
    except BaseException:
        await child.stop(grace_s=0)
        raise
    return Place(address.url, f"started for this run ({program})", ("admin", password), stays=False)


def _lay_out(workdir: Path, dashboards: Path) -> None:
    """The dashboards, and an empty configuration in place of a person's own."""
    (workdir / "json").mkdir(parents=True)
    for file in sorted((dashboards / "json").glob("*.json")):
        (workdir / "json" / file.name).write_text(without_reports(file.read_text("utf-8")), "utf-8")
    (workdir / "grafana.ini").write_text("")


def without_reports(dashboard: str) -> str:
    """A dashboard's JSON less its links to reports."""
    return json.dumps(_without(json.loads(dashboard)))


def _without(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _without(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_without(each) for each in node if not _leads_to_a_report(each)]
    return node


def _leads_to_a_report(node: object) -> bool:
    return isinstance(node, dict) and str(node.get("url", "")).startswith(REPORTS)


def _command(program: Path) -> list[str | Path]:
    """`grafana server`, or `grafana-server` alone, with the folder that it was installed with."""
    words: list[str | Path] = [program, *(["server"] if program.name == "grafana" else [])]
    real = program.resolve()
    homes = (real.parent.parent, real.parent.parent / "share" / "grafana", Path("/usr/share/grafana"))
    home = next((home for home in homes if (home / "conf" / "defaults.ini").exists()), None)
    return [*words, "--homepath", home] if home else words
