"""
Feed: publishes each trade as a message on its pair's subject.

    client -> feed -> (link) -> nats <- (link) <- notifier
              ^^^^ here; which events there were is kept in memory

POST /events    202 and the event's subject and number, once the client library has buffered it (PUBLISH=core), or
                201 once the broker has stored it (PUBLISH=durable); 504 where it did not say so, and may have; 503
                where the stream is gone: the next one finds a new stream, which is empty
GET /stored     `{"effects": [...]}`, the id of each event that the stream holds, for checkers (PUBLISH=durable); 504
                where the broker did not say

Events of one subject are numbered from 1 and published in the order of their numbers. A repeated id publishes the same
event again: the feed cannot know whether the broker has it. A stream knows, by Nats-Msg-Id. Memory and broker are two
writes; a feed that must not lose an event over its own crash needs an outbox.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Tally
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Literal

import nats.errors
import nats.js.errors
from aiohttp import web
from msgspec import Meta, Struct, json
from nats.js.api import PubAck
from prometheus_client import Counter, Gauge

from targets.contracts.events import STREAM, SUBJECTS, Event
from targets.kit import NatsUrl, Problem, Seconds, Service, Settings, answer, read_json, serve
from targets.kit.broker import Broker, JetStream, make_stream, messages_of, on_broker


@dataclass(frozen=True, kw_only=True)
class FeedSettings(Settings):
    """What the feed can be told."""

    nats_url: NatsUrl
    publish: Literal["core", "durable"] = "durable"
    nats_timeout_s: Seconds = 2.0


class NewEvent(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for."""

    id: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\w.:-]+$")]
    pair: Annotated[str, Meta(pattern=r"^[A-Z]{6}$")] = "EURUSD"
    amount_cents: Annotated[int, Meta(ge=1, le=10**12)] = 1_000


@contextmanager
def _answered(what: str) -> Iterator[None]:
    """Raises Problem where the broker does not say `what`."""
    try:
        yield
    except (TimeoutError, nats.errors.Error) as error:
        raise Problem(504, "broker-silent", f"The broker did not say {what}: {error!r}.") from error


@dataclass
class Events:
    """All events, by id; `last` is the highest number of each subject."""

    by_id: dict[str, tuple[NewEvent, Event]] = field(default_factory=dict)
    last: Tally[str] = field(default_factory=Tally)

    def of(self, asked: NewEvent) -> Event:
        """The event of this id, with the next number of its subject if it is new. Raises Problem."""
        if asked.id not in self.by_id:
            subject = f"trades.{asked.pair}"
            self.last[subject] += 1
            event = Event(asked.id, subject, self.last[subject], time.time(), asked.amount_cents)
            self.by_id[asked.id] = asked, event
        first, event = self.by_id[asked.id]
        if first != asked:
            raise Problem(409, "event-exists", "This id belongs to an event with other terms; take a new one.")
        return event


@dataclass
class Feed:
    """Answers the route. `stream` is None where nothing is stored."""

    broker: Broker
    stream: JetStream | None
    timeout_s: float
    told: Gauge
    stored: Counter
    repeats: Counter
    events: Events = field(default_factory=Events)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def post_event(self, request: web.Request) -> web.Response:
        """Publish an event, again if it is asked for again."""
        if not self.broker.is_connected:
            raise Problem(503, "broker-away", "There is no connection to the broker; nothing was published.")
        event = self.events.of(await read_json(request, NewEvent))
        self.told.set(len(self.events.by_id))
        what = {"id": event.id, "subject": event.subject, "seq": event.seq}
        message, names = json.encode(event), {"Nats-Msg-Id": event.id}
        if self.stream is None:
            async with self.turn:
                with _answered("that it has it"):
                    await self.broker.publish(event.subject, message, headers=names)
            return answer(what, 202)
        with _answered("that it has it"):
            receipt = await self._stored(self.stream, event, message, names)
        self.stored.inc()
        if receipt.duplicate:
            self.repeats.inc()
        return answer({**what, "stored_as": receipt.seq, "repeat": bool(receipt.duplicate)}, 201)

    async def _stored(self, stream: JetStream, event: Event, message: bytes, names: dict[str, str]) -> PubAck:
        """The broker's word that it has the event. Raises Problem where it had no stream, which it has then."""
        async with self.turn:  # until it is on its way: numbers must not overtake one another
            stored = await stream.publish_async(event.subject, message, headers=names)
        try:
            return await asyncio.wait_for(stored, self.timeout_s)
        except nats.js.errors.NoStreamResponseError as error:
            await make_stream(stream, STREAM, SUBJECTS)
            why = "The broker had no stream any more; nothing was published."
            raise Problem(503, "stream-gone", why) from error

    async def get_stored(self, request: web.Request) -> web.Response:
        """Which events the stream holds."""
        if self.stream is None:
            raise Problem(404, "nothing-stored", "With PUBLISH=core nothing is stored.")
        with _answered("what it has"):
            messages = await messages_of(self.stream, STREAM, SUBJECTS)
        return answer({"effects": sorted({json.decode(message, type=Event).id for message in messages})})


def build(settings: FeedSettings, service: Service) -> web.Application:
    """The application."""
    registry = service.metrics.registry
    broker = Broker()
    feed = Feed(
        broker,
        broker.jetstream(timeout=settings.nats_timeout_s) if settings.publish == "durable" else None,
        settings.nats_timeout_s,
        Gauge("feed_events", "Events there were, each counted once.", registry=registry),
        Counter("feed_stored", "Publishes that the stream acknowledged, repeats among them.", registry=registry),
        Counter("feed_repeats", "Publishes that the stream knew by their id and did not store.", registry=registry),
    )

    async def open_stream(ready: asyncio.Event) -> None:
        if feed.stream is not None:
            await make_stream(feed.stream, STREAM, SUBJECTS)
        ready.set()

    app = web.Application()
    app.cleanup_ctx.append(on_broker(service, broker, settings.nats_url, open_stream))
    service.answers("POST /events", 202 if settings.publish == "core" else 201, 409, 503, 504)
    app.add_routes([web.post("/events", feed.post_event), web.get("/stored", feed.get_stored)])
    return app


if __name__ == "__main__":
    serve("feed", FeedSettings, build)
