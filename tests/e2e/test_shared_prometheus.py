"""The Prometheus of docker-compose.yml takes the series of proxies whose run lasts, and of no other."""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from waits import until

from lab.kit.places import ROOT
from lab.observe.prometheus import Watch
from lab.observe.shared_prometheus import SharedPrometheus
from lab.runtime.base import Address
from lab.runtime.compose import heal, shared
from lab.runtime.ports import free_port
from lab.runtime.tools import Tools

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

SERIES = """\
# TYPE toxiproxy_proxy_received_bytes_total counter
toxiproxy_proxy_received_bytes_total{direction="upstream",proxy="dead:a->b of m 1 2",listener="x"} 5
toxiproxy_proxy_received_bytes_total{direction="upstream",proxy="mine:a->b of m 1 2",listener="x"} 7
toxiproxy_proxy_received_bytes_total{direction="upstream",proxy="by hand",listener="x"} 9
go_goroutines 8
"""


@contextmanager
def toxiproxy() -> Iterator[str]:
    """Its metrics after some runs, at an address."""

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(SERIES.encode())

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Metrics) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def prometheus(folder: Path) -> Iterator[Address]:
    """One with the configuration of docker-compose.yml, which looks into this folder."""
    text = (ROOT / "dashboards" / "prometheus.yml").read_text("utf-8").replace("/etc/prometheus/targets", str(folder))
    config = {**yaml.safe_load(text), "rule_files": []}
    (folder / "prometheus.yml").write_text(json.dumps(config))
    address, program = Address("127.0.0.1", free_port()), Tools().need("prometheus")["prometheus"]
    words = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    argv = [program.path, *words, f"--web.listen-address={address}", "--log.level=error"]
    with subprocess.Popen(argv, env=program.env or None) as process:
        yield address
        process.kill()


def asked(address: Address, query: str) -> list[dict[str, str]]:
    """The labels of the series that a query gives."""
    url = f"{address.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return [each["metric"] for each in found]


async def test_series_of_dead_runs_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 9 runs each scrape took 700 lines of them, in every run; now none is taken once a run is over."""
    everything = '{__name__!="up",job="toxiproxy",__name__!~"scrape_.*"}'
    with toxiproxy() as where, prometheus(tmp_path) as address:
        monkeypatch.setattr("lab.observe.shared_prometheus.TOXIPROXY", where)
        watch = Watch(services=[], episodes=[(1, "off")], labels={"run": "mine"}, proxy=True)
        ours = SharedPrometheus(address, tmp_path, watch, lambda trial, variant, service: "")
        await until(lambda: _ready(address), 20)
        (labels,) = await until(lambda: asked(address, everything), 20)
        assert (labels["run"], labels["proxy"], labels["direction"]) == ("mine", "a->b", "upstream")
        assert "of_run" not in labels
        await ours.stop()
        assert not list((tmp_path / "proxies").iterdir())
        await until(lambda: asked(address, 'up{job="toxiproxy"}') == [], 20)


def _ready(address: Address) -> bool:
    """Whether it answers."""
    try:
        return bool(asked(address, "vector(1)"))
    except OSError:
        return False


def test_heal_has_it_forget_the_proxies_of_a_dead_run(tmp_path: Path) -> None:
    """Both files of the run go, and it is said once."""
    for file in shared.scraped_by(tmp_path, "dead"):
        file.parent.mkdir(exist_ok=True)
        file.write_text("[]")
    mounted = {"Mounts": [{"Source": str(tmp_path), "Destination": shared.TARGETS}]}
    assert heal._forget(mounted, ["dead", "other"]) == ["run dead: is scraped no more"]
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
