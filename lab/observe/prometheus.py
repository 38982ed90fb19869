"""
Prometheus for one run: started on 127.0.0.1, pointed at each variant's services, asked for its panels at the end.

It scrapes once a second. Its end, at any moment, costs a run its panels and nothing else: every trouble becomes a
note, and when the next variant starts it is started again over what it had stored.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from lab.errors import StartError
from lab.observe.panels import AnyPanel, Collected, Server, newest, over_time
from lab.observe.signpost import Signpost
from lab.runtime.base import Address, Child, Spawn
from lab.runtime.ports import free_port
from lab.runtime.ready import http_ok, wait_ready
from lab.runtime.supervisor import ending
from lab.runtime.tools import Program

SCRAPE_EVERY_S = 1
SCRAPE_TIMEOUT_MS = 900  # less than the interval, so that a silent service costs one sample and never two
READY_WITHIN_S = 10.0
LATE_S = 2.0  # panels that begin later than this are worth a word
PROXY = "fault-proxy"
NO_ORIGIN = "none"  # no page's origin is called so: by default pages of every site may read all that is stored
NOTICE_S = 5.0  # how often Prometheus looks at new targets; fixed in its source


@dataclass(frozen=True)
class Watch:
    """What will be scraped: the services of each episode, in the order in which they will run.

    `labels` go onto every series: scenario, run. `rules` is a file of rules to be judged once a second. `proxy`:
    each episode has a fault proxy of its own.
    """

    services: Sequence[str]
    episodes: Sequence[tuple[int, str]]  # trial, variant
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    rules: Path | None = None
    proxy: bool = False


class Prometheus:
    """A Prometheus that runs. `address` is where its own pages are."""

    def __init__(self, spawn: Spawn, program: Program, workdir: Path, log: Path, watch: Watch) -> None:
        self.address = Address("127.0.0.1", 0)
        self._spawn, self._program, self._workdir, self._log = spawn, program, workdir.absolute(), log
        self._watch = watch
        self._now: tuple[int, str] | None = None
        self._child: Child | None = None
        self._signpost: Signpost | None = None
        self._session: aiohttp.ClientSession | None = None
        self._ended_epoch_s: float | None = None
        self._watcher: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, spawn: Spawn, program: Program, workdir: Path, logs: Path, watch: Watch) -> Prometheus:
        """Start it with its storage below `workdir` and wait until it is ready; logs to `logs/prometheus.log`.

        It scrapes for the first time NOTICE_S later, so start it early. Raises StartError with its last log lines.
        """
        self = cls(spawn, program, workdir, logs / "prometheus.log", watch)
        self._workdir.mkdir(parents=True, exist_ok=True)
        self._signpost = await Signpost.start()
        self._session = aiohttp.ClientSession()
        try:
            self._write_targets()
            await self._start_server()
        except BaseException:
            await self.stop()
            raise
        return self

    # --- what it scrapes --------------------------------------------------------------------------------------

    async def set_targets(
        self, trial: int, variant: str, urls: Mapping[str, str], proxy_url: str | None = None
    ) -> list[str]:
        """Point it at the services (name to base URL) of an episode; gives notes where it had to be started again."""
        assert self._signpost is not None
        notes = await self._revive()
        self._now = (trial, variant)
        places = {**urls, **({PROXY: proxy_url} if proxy_url else {})}
        self._signpost.point({_path(trial, variant, name): f"{url}/metrics" for name, url in places.items()})
        self._write_targets()
        return notes

    async def scraping(self, patience_s: float = NOTICE_S + 2 * SCRAPE_EVERY_S) -> bool:
        """Wait until it has come to scrape a service of the episode; False where it did not within `patience_s`."""
        assert self._signpost is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._signpost.asked.wait()
        return self._signpost.asked.is_set()

    def _write_targets(self) -> None:
        """Announce this episode's targets and the next one's, so that they are known when it starts."""
        assert self._signpost is not None
        episodes = list(self._watch.episodes)
        at = episodes.index(self._now) if self._now in episodes else 0
        soon = dict.fromkeys([*([self._now] if self._now else []), *episodes[at : at + 2]])
        groups = [
            {
                "targets": [self._signpost.address],
                "labels": {
                    **self._watch.labels, "trial": str(trial), "variant": variant, "service": service,
                    "instance": service, "__metrics_path__": _path(trial, variant, service),
                },
            }
            for trial, variant in soon
            for service in self._watch.services
        ]  # fmt: skip
        groups += [self._proxy_group(trial, variant) for trial, variant in soon if self._watch.proxy]
        draft = self._workdir / "targets.json.new"
        draft.write_text(json.dumps(groups))
        draft.replace(self._workdir / "targets.json")  # a reader sees the old file or the new one

    def _proxy_group(self, trial: int, variant: str) -> dict[str, Any]:
        """An episode's fault proxy. As in the compose file it is a job of its own, and no service of the scenario."""
        assert self._signpost is not None
        labels = {
            "run": self._watch.labels.get("run", ""), "trial": str(trial), "variant": variant, "job": "toxiproxy",
            "instance": PROXY, "__metrics_path__": _path(trial, variant, PROXY),
        }  # fmt: skip
        return {"targets": [self._signpost.address], "labels": labels}

    # --- the server -------------------------------------------------------------------------------------------

    async def _start_server(self) -> None:
        config = {
            "global": {
                "scrape_interval": f"{SCRAPE_EVERY_S}s",
                "scrape_timeout": f"{SCRAPE_TIMEOUT_MS}ms",
                "evaluation_interval": f"{SCRAPE_EVERY_S}s",
            },
            "rule_files": [str(self._watch.rules.absolute())] if self._watch.rules else [],
            "scrape_configs": [
                {
                    "job_name": "lab",
                    "file_sd_configs": [{"files": [str(self._workdir / "targets.json")], "refresh_interval": "1s"}],
                }
            ],
        }
        file = self._workdir / "prometheus.yml"
        file.write_text(json.dumps(config))  # JSON is YAML
        self.address = Address("127.0.0.1", free_port())
        child = self._child = self._spawn("prometheus", self._argv(file), env=self._program.env, log=self._log)
        ready = partial(http_ok, self.address, "/-/ready")
        await wait_ready(child, ready, self.address.url, READY_WITHIN_S, listens_at=self.address.port)
        self._ended_epoch_s = None
        self._watcher = asyncio.create_task(self._watch_end(child))

    def _argv(self, config: Path) -> list[str | Path]:
        return [
            self._program.path,
            f"--config.file={config}",
            f"--storage.tsdb.path={self._workdir / 'data'}",
            f"--web.listen-address={self.address}",
            "--query.lookback-delta=5s",  # a gap must show as a gap, not as five minutes of the last value
            f"--web.cors.origin={NO_ORIGIN}",
            "--log.level=warn",
        ]

    async def _watch_end(self, child: Child) -> None:
        await child.wait()
        self._ended_epoch_s = time.time()

    async def _revive(self) -> list[str]:
        if self._child is None or self._child.returncode is None:
            return []
        how = ending(self._child.returncode)
        try:
            await self._start_server()
        except StartError as error:
            await self._child.stop(grace_s=0)
            return [f"Prometheus had ended ({how}) and did not start again, so there are no panels: {error}"]
        return [f"Prometheus had ended ({how}) and was started again; its panels have a gap"]

    async def stop(self) -> None:
        """Stop it and whatever stands beside it; never raises for what is already gone."""
        if self._watcher:
            self._watcher.cancel()
        if self._child:
            await self._child.stop(grace_s=2.0)
        if self._session:
            await self._session.close()
        if self._signpost:
            await self._signpost.close()

    # --- what it knows ----------------------------------------------------------------------------------------

    async def collect(self, panels: Sequence[AnyPanel], t0_epoch_s: float, lasts_s: float) -> Collected:
        """Evaluate every panel once a second over the episode that ran last, from `t0_epoch_s` on.

        Never raises: an expression that Prometheus refuses, and a Prometheus that is gone, become notes.
        """
        notes = self._lateness(t0_epoch_s)
        if self._ended_epoch_s is not None:
            notes.append(f"Prometheus ended {self._ended_epoch_s - t0_epoch_s:.1f} s into the load: panels stop there")
            notes += await self._revive()
        server = self._server()
        answers = await asyncio.gather(*(over_time(server, p, self._labels(), t0_epoch_s, lasts_s) for p in panels))
        rows = [row for answer in answers for row in answer.rows]
        return Collected(rows, notes + [note for answer in answers for note in answer.notes])

    def _lateness(self, t0_epoch_s: float) -> list[str]:
        assert self._signpost is not None
        first_epoch_s = self._signpost.asked_epoch_s
        if first_epoch_s is None:
            return ["Prometheus did not come to scrape a service: the panels are empty"]
        late_s = first_epoch_s - t0_epoch_s
        if late_s <= LATE_S:
            return []
        return [
            f"Prometheus had just been started, and came to scrape {late_s:.1f} s into the load: panels begin there"
        ]

    async def now(self, panel: AnyPanel) -> list[tuple[str, float]]:
        """The newest value of each series of a panel, by legend; nothing where it cannot be had quickly.

        A series that only the panel's title names has an empty legend.
        """
        return await newest(self._server(), panel, self._labels()) if self._now else []

    def _labels(self) -> dict[str, str]:
        assert self._now is not None, "set_targets comes first"
        return {"trial": str(self._now[0]), "variant": self._now[1]}

    def _server(self) -> Server:
        assert self._session is not None
        return Server(self.address.url, self._session)


def _path(trial: int, variant: str, service: str) -> str:
    return f"/{trial}-{variant}/{service}"
