"""
The Prometheus of docker-compose.yml, as one run uses it: pointed at its containers, asked for its panels at the end.

It stays up between runs and keeps what it saw, so that dashboards can look back. A run's targets are a file in the
folder it watches, there before the variant starts since Prometheus looks at new ones only once in 5 s.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import aiohttp

from lab.observe.panels import AnyPanel, Collected, Server, answers, newest, over_time
from lab.observe.prometheus import LATE_S, NOTICE_S, SCRAPE_EVERY_S, Watch
from lab.runtime.base import Address
from lab.runtime.compose.shared import scraped_by

LOOK_EVERY_S = 0.1
TOXIPROXY = "toxiproxy:8474"  # in the containers' network


def _put(file: Path, groups: Sequence[Mapping[str, object]]) -> None:
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(groups))
    draft.chmod(0o644)  # Prometheus is another user there
    draft.replace(file)  # a reader sees the old file or the new one


class SharedPrometheus:
    """One run's part of it. `address` is where its own pages are."""

    def __init__(self, address: Address, targets: Path, watch: Watch, place: Callable[[int, str, str], str]) -> None:
        """`place(trial, variant, service)` is where it finds a service: `host:port` in the containers' network."""
        self.address = address
        self._watch = watch
        self._place = place
        self._file, self._proxies = scraped_by(targets, watch.labels["run"])
        self._now: tuple[int, str] | None = None
        self._asked_epoch_s: float | None = None
        self._session = aiohttp.ClientSession()
        self._write_targets()
        if watch.proxy:
            self._proxies.parent.mkdir(exist_ok=True)
            self._proxies.parent.chmod(0o755)
            _put(self._proxies, [{"targets": [TOXIPROXY], "labels": {"run": watch.labels["run"]}}])

    async def set_targets(
        self, trial: int, variant: str, urls: Mapping[str, str], proxy_url: str | None = None
    ) -> list[str]:
        """Point it at the services of an episode; gives notes where it is not there."""
        self._now, self._asked_epoch_s = (trial, variant), None
        self._write_targets()
        if await answers(self._server()):
            return []
        return [
            f"Prometheus does not answer at {self.address}, so there are no panels: `docker compose logs prometheus`"
        ]

    async def scraping(self, patience_s: float = NOTICE_S + 2 * SCRAPE_EVERY_S) -> bool:
        """Wait until it has come to scrape a service of the episode; False where it did not within `patience_s`."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if await self.now(_Up()):
                self._asked_epoch_s = time.time()
                return True
            await asyncio.sleep(LOOK_EVERY_S)
        return False

    async def collect(self, panels: Sequence[AnyPanel], t0_epoch_s: float, lasts_s: float) -> Collected:
        """Evaluate every panel once a second over the episode that ran last, from `t0_epoch_s` on; never raises."""
        notes = self._lateness(t0_epoch_s)
        found = await asyncio.gather(
            *(over_time(self._server(), panel, self._labels(), t0_epoch_s, lasts_s) for panel in panels)
        )
        rows = [row for each in found for row in each.rows]
        return Collected(rows, notes + [note for each in found for note in each.notes])

    async def now(self, panel: AnyPanel) -> list[tuple[str, float]]:
        """The newest value of each series of a panel, by legend; nothing where it cannot be had quickly."""
        return await newest(self._server(), panel, self._labels()) if self._now else []

    async def stop(self) -> None:
        """Have it forget this run's targets; what it has seen of them it keeps."""
        self._file.unlink(missing_ok=True)
        self._proxies.unlink(missing_ok=True)
        await self._session.close()

    def _lateness(self, t0_epoch_s: float) -> list[str]:
        if self._asked_epoch_s is None:
            return [
                f"Prometheus came to scrape no service within {NOTICE_S + 2 * SCRAPE_EVERY_S:g} s: panels begin late"
            ]
        late_s = self._asked_epoch_s - t0_epoch_s
        return (
            [f"Prometheus came to scrape {late_s:.1f} s into the load: panels begin there"] if late_s > LATE_S else []
        )

    def _write_targets(self) -> None:
        """Announce this episode's targets and the next one's."""
        episodes = list(self._watch.episodes)
        at = episodes.index(self._now) if self._now in episodes else 0
        soon = dict.fromkeys([*([self._now] if self._now else []), *episodes[at : at + 2]])
        groups = [
            {
                "targets": [self._place(trial, variant, service)],
                "labels": {
                    **self._watch.labels, "trial": str(trial), "variant": variant, "service": service,
                    "instance": service,
                },
            }
            for trial, variant in soon
            for service in self._watch.services
        ]  # fmt: skip
        _put(self._file, groups)

    def _labels(self) -> dict[str, str]:
        assert self._now is not None, "set_targets comes first"
        return {"run": self._watch.labels["run"], "trial": str(self._now[0]), "variant": self._now[1]}

    def _server(self) -> Server:
        return Server(self.address.url, self._session)


class _Up:
    """A panel that has a series as soon as a scrape succeeded."""

    title, expr, legend = "up", "up == 1", "{{service}}"
