"""Feed and notifier where there is no broker; with one they are in tests/e2e/test_pubsub_targets.py."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request
from nats.js.errors import NoStreamResponseError
from prometheus_client import CollectorRegistry, Counter, Gauge
from target_bench import Start, series

from targets import feed, notifier
from targets.kit import Problem, SettingsError, broker
from targets.kit.settings import read

pytestmark = pytest.mark.e2e

NOBODY = "nats://127.0.0.1:1"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a broker that never comes."""
    monkeypatch.setattr(broker, "PATIENCE_S", 0.05)


async def test_without_a_broker_nothing_is_published_and_the_answer_says_so(http: ClientSession, start: Start) -> None:
    """The feed comes up all the same, and refuses: a 503 is sure."""
    target = await start(feed.FeedSettings(service_name="feed", nats_url=NOBODY), feed.build)
    async with http.post(f"{target.url}/events", json={"id": "t-1"}) as response:
        assert response.status == 503
        assert (await response.json())["type"].endswith("broker-away")
    async with http.get(f"{target.url}/metrics") as response:
        exported = (await response.text()).splitlines()
    assert {"nats_connected 0.0", "feed_events 0.0"} <= set(exported)


def test_events_are_numbered_by_subject_and_an_id_keeps_its_number() -> None:
    """Each pair counts from 1; asked again, an event is the same, and with other terms it is refused."""
    events = feed.Events()
    asked = [feed.NewEvent("a"), feed.NewEvent("b", "USDJPY"), feed.NewEvent("c"), feed.NewEvent("a")]
    told = [events.of(new) for new in asked]
    assert [(event.subject, event.seq) for event in told] == [
        ("trades.EURUSD", 1), ("trades.USDJPY", 1), ("trades.EURUSD", 2), ("trades.EURUSD", 1),
    ]  # fmt: skip
    assert told[3] is told[0]
    with pytest.raises(Problem, match="other terms"):
        events.of(feed.NewEvent("a", amount_cents=7))


async def test_a_notifier_without_a_broker_tells_what_it_knew(
    http: ClientSession, start: Start, tmp_path: Path
) -> None:
    """What it received in an earlier life is in its file, and is told also while nothing new can come."""
    earlier = notifier.Journal(tmp_path / "received", notifier.Delivery)
    earlier.append(notifier.Delivery("a", "trades.EURUSD", 1, 5.0, True))
    earlier.append(notifier.Delivery("a", "trades.EURUSD", 1, 6.0, False))
    earlier.close()
    settings = notifier.NotifierSettings(service_name="notifier", nats_url=NOBODY, data_dir=str(tmp_path))
    target = await start(settings, notifier.build)
    async with http.get(f"{target.url}/received") as response:
        assert [entry["at"] for entry in (await response.json())["received"]] == [5.0, 6.0]
    async with http.get(f"{target.url}/notifications/keys") as response:
        assert await response.json() == {"effects": ["a"]}
    assert series(target, "notifier_notified") == 1


def test_a_notifier_needs_a_folder() -> None:
    """Without one it could not keep what it acknowledges."""
    with pytest.raises(SettingsError, match="DATA_DIR is missing"):
        read(notifier.NotifierSettings, {"SERVICE_NAME": "notifier", "NATS_URL": NOBODY})


class Forgetful:
    """A broker that has no stream, whichever event it is given."""

    async def publish_async(self, *_: object, **__: object) -> asyncio.Future[None]:
        """As nats-py does: the refusal is in the future."""
        refused = asyncio.get_running_loop().create_future()
        refused.set_exception(NoStreamResponseError())
        return refused


async def test_a_broker_that_goes_away_while_its_stream_is_made_anew_is_a_504(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two troubles in one request: the second is told, as any other silence is."""

    async def silent(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(feed, "make_stream", silent)
    asked: Any = type("Connected", (), {"is_connected": True})()
    stream: Any = Forgetful()
    registry = CollectorRegistry()
    told = Gauge("told", "", registry=registry)
    stored, repeats = (Counter(name, "", registry=registry) for name in ("stored", "repeats"))
    it = feed.Feed(asked, stream, 0.1, told, stored, repeats)
    body = StreamReader(BaseProtocol(asyncio.get_running_loop()), 2**16)
    body.feed_data(b'{"id": "t-1"}')
    body.feed_eof()
    with pytest.raises(Problem) as refused:
        await it.post_event(make_mocked_request("POST", "/events", payload=body))
    assert refused.value.status == 504
