"""Feed and notifier over a real broker: cut off, killed in the middle, and held against the checkers' words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
import psutil
import pytest
from aiohttp import ClientSession
from fault_season import stack_up

from lab.model import Backing, Link, Scalar, Service
from lab.runtime.local import LocalRunning

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]
PATIENCE_S = 20
NATS = Backing("nats")


@dataclass(frozen=True)
class Wire:
    """A feed, a broker and a notifier, and a client of the two."""

    running: LocalRunning
    notifier: Service
    feed: Service
    link: Link
    http: ClientSession

    async def publish(self, numbers: Iterable[int]) -> list[Any]:
        """Publish events `t-<number>`, one after another; gives the answers."""
        answers = []
        for number in numbers:
            async with self.http.post(
                f"{self.running.address(self.feed).url}/events", json={"id": f"t-{number}"}
            ) as response:
                assert response.status in (201, 202)
                answers.append(await response.json())
        return answers

    async def received(self) -> list[dict[str, Any]]:
        """All deliveries so far."""
        async with self.http.get(f"{self.running.address(self.notifier).url}/received") as response:
            return list((await response.json())["received"])

    async def until(self, enough: Callable[[list[int]], bool]) -> list[int]:
        """Wait until the numbers of the deliveries are enough, and give them."""
        end_s = time.monotonic() + PATIENCE_S
        while not enough(numbers := [entry["seq"] for entry in await self.received()]):
            assert time.monotonic() < end_s, f"after {PATIENCE_S} s: {numbers}"
            await asyncio.sleep(0.05)
        return numbers

    async def notified(self) -> list[str]:
        """The ids of all notifications."""
        async with self.http.get(f"{self.running.address(self.notifier).url}/notifications/keys") as response:
            return list((await response.json())["effects"])

    async def counted(self, counter: str) -> float:
        """What the feed has counted so far."""
        async with self.http.get(f"{self.running.address(self.feed).url}/metrics") as response:
            lines = (await response.text()).splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(counter + " "))

    async def stored(self) -> list[str]:
        """The ids of all events that the stream holds."""
        async with self.http.get(f"{self.running.address(self.feed).url}/stored") as response:
            return list((await response.json())["effects"])

    @property
    def file(self) -> Path:
        """What the notifier keeps."""
        pid = self.running.pids(self.notifier)[0]
        return Path(psutil.Process(pid).environ()["DATA_DIR"]) / "received"


@asynccontextmanager
async def wire(folder: Path, mode: str, **told: Scalar) -> AsyncIterator[Wire]:
    """Both services in one mode, each with a link of its own to the broker."""
    feed = Service("feed", {"PUBLISH": mode})
    notifier = Service("notifier", {"SUBSCRIBE": mode, **told})
    link = Link(notifier, NATS)
    async with stack_up(folder, [NATS, feed, notifier], [Link(feed, NATS), link]) as running, ClientSession() as http:
        yield Wire(running, notifier, feed, link, http)


async def test_core_nats_forgets_what_nobody_heard(tmp_path: Path) -> None:
    """All are acknowledged; those while the link was down or the notifier dead are gone, and a repeat comes twice."""
    async with wire(tmp_path, "core") as it:
        await it.publish([1, 2, 2])
        await it.until(lambda numbers: numbers == [1, 2, 2])
        assert await it.notified() == ["t-1", "t-2"]
        await it.running.link(it.link).set_enabled(False)
        await it.publish([3, 4])
        await it.running.link(it.link).set_enabled(True)
        for number in range(5, 200):  # until it is back: nobody can ask the broker who listens
            await it.publish([number])
            if len(numbers := [entry["seq"] for entry in await it.received()]) > 3:
                break
            await asyncio.sleep(0.05)
        assert not {3, 4} & set(numbers)
        await it.running.process(it.notifier).kill()
        await it.publish([300])
        await it.running.process(it.notifier).restart()
        last = (await it.publish([301]))[0]["seq"]
        numbers = await it.until(lambda numbers: numbers[-1] == last)
        assert last - 1 not in numbers


async def test_a_stream_keeps_what_nobody_heard(tmp_path: Path) -> None:
    """Nothing is missing, all in order, each notified once, after a cut, a crash, and a crash between file and word."""
    async with wire(tmp_path, "durable", ACK_WAIT_S=0.5) as it:
        answers = await it.publish([1, 2, 2])
        assert [answer["repeat"] for answer in answers] == [False, False, True]
        assert await it.counted("feed_stored_total") == 3  # repeats among them
        assert await it.counted("feed_repeats_total") == 1
        await it.until(lambda numbers: numbers == [1, 2])
        assert await it.stored() == ["t-1", "t-2"]
        await it.running.link(it.link).set_enabled(False)
        await it.publish(range(3, 50))
        await it.running.link(it.link).set_enabled(True)
        await it.until(lambda numbers: numbers == list(range(1, 50)))
        file = it.file
        await it.running.process(it.notifier).kill()
        await it.publish(range(50, 60))
        with file.open("ab") as kept:  # it died when 50 was on disk and not acknowledged, in the middle of a line
            kept.write(b'{"id":"t-50","subject":"trades.EURUSD","seq":50,"at":1.0,"notified":true}\n{"id":"t-5')
        await it.running.process(it.notifier).restart()
        numbers = await it.until(lambda numbers: numbers[-1] == 59)
        assert numbers == [*range(1, 51), *range(50, 60)]
        assert [entry["seq"] for entry in await it.received() if not entry["notified"]] == [50]
        assert await it.notified() == [f"t-{number}" for number in range(1, 60)]


async def test_a_stream_that_is_gone_is_made_anew(tmp_path: Path) -> None:
    """As after a power loss: the feed is refused once, and then publishes to an empty stream."""
    async with wire(tmp_path, "durable") as it:
        await it.publish([1, 2])
        broker = await nats.connect(it.running.url(NATS))
        await broker.jetstream().delete_stream("TRADES")
        await broker.close()
        assert await it.stored() == []
        url = f"{it.running.address(it.feed).url}/events"
        async with it.http.post(url, json={"id": "t-3"}) as response:
            assert response.status == 503
            assert (await response.json())["type"].endswith(":stream-gone")
        await it.publish([4])
        assert await it.stored() == ["t-4"]


async def test_a_broker_that_has_gone_silent_is_a_504(tmp_path: Path) -> None:
    """Also where it is asked what it holds: an answer, and no failure of the feed."""
    async with wire(tmp_path, "durable") as it:
        await it.publish([1])
        broker = it.running.process(NATS)
        await broker.pause()
        async with it.http.get(f"{it.running.address(it.feed).url}/stored") as response:
            assert response.status == 504
            assert (await response.json())["type"].endswith(":broker-silent")
        await broker.resume()
        assert await it.stored() == ["t-1"]


async def test_with_many_in_flight_a_crash_costs_the_order(tmp_path: Path) -> None:
    """What the dead one held comes again only after the wait, when later ones have come: none lost, the order gone."""
    async with wire(tmp_path, "durable", IN_FLIGHT=8, ACK_WAIT_S=3, WORK_MS=100) as it:
        await it.publish(range(1, 13))
        await it.until(lambda numbers: len(numbers) >= 2)
        await it.running.process(it.notifier).kill()
        await it.running.process(it.notifier).restart()
        numbers = await it.until(lambda numbers: set(numbers) == set(range(1, 13)))
        assert numbers != sorted(numbers)
        assert sorted(await it.notified()) == sorted(f"t-{number}" for number in range(1, 13))
