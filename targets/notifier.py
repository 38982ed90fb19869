"""
Notifier: notifies customers of each trade, once, in the order of the trades.

    client -> feed -> (link) -> nats
              notifier -> (link) -> nats
              ^^^^^^^^ here; what it received is kept in DATA_DIR

GET /received            every delivery in the order in which they came, those again among them: `{"received": [...]}`
GET /notifications/keys  the id of each event that was notified, once for each time: `{"effects": [...]}`, for checkers

A delivery counts once its line is on disk, and only then is it acknowledged (SUBSCRIBE=durable; core NATS knows no
acknowledgement). A notifier that dies in between gets the message again, finds its id in the file, and notifies no
customer twice. The line is the notification: a real mail goes out beside the file, and needs the id as its idempotency
key. A message that always fails would be delivered again for ever, and with IN_FLIGHT=1 hold up all others: a real one
bounds the deliveries and moves it to a dead-letter subject.

Barriers: `before-write` (a message is in hand, nothing of it is on disk) and `between-work-and-ack` (its line is on
disk, the broker does not know it yet). With core NATS they stand at the same places.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import nats.errors
from aiohttp import web
from msgspec import Struct, json
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig
from prometheus_client import Counter, Gauge

from targets.contracts.events import STREAM, SUBJECTS, Event
from targets.kit import Count, Millis, NatsUrl, Seconds, Service, Settings, answer, effects, serve
from targets.kit.barriers import Barrier
from targets.kit.broker import Broker, make_stream, on_broker
from targets.kit.journal import Journal

WAIT_S = 0.5  # for the next message, before asking again
NAP_S = 0.02  # between looks for a connection

Next = Callable[[], Awaitable[list[Msg]]]


@dataclass(frozen=True, kw_only=True)
class NotifierSettings(Settings):
    """What the notifier can be told; IN_FLIGHT and ACK_WAIT_S are for durable subscriptions only."""

    nats_url: NatsUrl
    subscribe: Literal["core", "durable"] = "durable"
    in_flight: Count = 1  # delivered and not yet acknowledged, at most; more than one may overtake a redelivery
    ack_wait_s: Seconds = 1.0  # without an acknowledgement for so long, the broker delivers again
    dedupe: bool = True
    work_ms: Millis = 0.0  # how long a notification takes; the loop stays free meanwhile

    def __post_init__(self) -> None:
        if not self.data_dir:
            raise ValueError("DATA_DIR is missing: give a directory that this notifier alone writes to")


class Delivery(Struct, frozen=True):
    """A message that came: at what time (epoch seconds), and whether a notification came of it."""

    id: str
    subject: str
    seq: int
    at: float
    notified: bool


@dataclass
class Notifier:
    """Takes messages one after another, and answers the routes."""

    journal: Journal[Delivery]
    dedupe: bool
    work_s: float
    before_write: Barrier
    notified: Gauge
    again: Counter
    behind_s: Gauge
    known: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.known.update(entry.id for entry in self.journal.entries if entry.notified)
        self.notified.set(len(self.known))

    async def take(self, message: Msg) -> str:
        """Notify, unless that was done before; on return it is on disk. Gives the event's id."""
        event = json.decode(message.data, type=Event)
        is_new = event.id not in self.known
        if is_new and self.work_s:
            await asyncio.sleep(self.work_s)
        await self.before_write.passed(event.id)
        delivery = Delivery(event.id, event.subject, event.seq, time.time(), is_new or not self.dedupe)
        await asyncio.to_thread(self.journal.append, delivery)
        self.known.add(event.id)
        self.notified.set(len(self.known))
        self.behind_s.set(delivery.at - event.at)
        if not is_new:
            self.again.inc()
        return event.id

    async def get_received(self, request: web.Request) -> web.Response:
        """Every delivery."""
        return answer({"received": self.journal.entries})

    def notifications(self) -> list[str]:
        """The id of each event that was notified, once for each time."""
        return [entry.id for entry in self.journal.entries if entry.notified]


async def subscribe(settings: NotifierSettings, broker: Broker) -> Next:
    """How to get the next messages: those published from now on, or those that the stream keeps for us."""
    if settings.subscribe == "core":
        plain = await broker.subscribe(SUBJECTS)
        await broker.flush()  # the broker has heard of it

        async def next_message() -> list[Msg]:
            return [await plain.next_msg(WAIT_S)]

        return next_message
    stream = broker.jetstream()
    await make_stream(stream, STREAM, SUBJECTS)
    config = ConsumerConfig(
        ack_policy=AckPolicy.EXPLICIT, ack_wait=settings.ack_wait_s, max_ack_pending=settings.in_flight
    )
    durable = await stream.pull_subscribe(SUBJECTS, durable=settings.service_name, stream=STREAM, config=config)

    async def fetch() -> list[Msg]:
        return await durable.fetch(settings.in_flight, WAIT_S)

    return fetch


def build(settings: NotifierSettings, service: Service) -> web.Application:
    """The application."""
    registry = service.metrics.registry
    broker = Broker()
    notifier = Notifier(
        Journal(Path(settings.data_dir) / "received", Delivery),
        settings.dedupe,
        settings.work_ms / 1000,
        service.barriers.point("before-write"),
        Gauge("notifier_notified", "Events notified, those before a restart among them.", registry=registry),
        Counter("notifier_again", "Deliveries of an event that was known.", registry=registry),
        Gauge("notifier_behind_seconds", "From the publishing of the newest event received to now.", registry=registry),
    )

    between_work_and_ack = service.barriers.point("between-work-and-ack")

    async def work(ready: asyncio.Event) -> None:
        next_messages = await subscribe(settings, broker)
        ready.set()
        while True:
            if not broker.is_connected:  # what is asked for now would be asked for again and again at its return
                await asyncio.sleep(NAP_S)
                continue
            try:
                messages = await next_messages()
            except nats.errors.TimeoutError:
                continue
            except nats.errors.Error as error:  # it went away, or answered that it cannot just now
                service.log.warning("broker", error=repr(error))
                await asyncio.sleep(NAP_S)
                continue
            for message in messages:
                done = await notifier.take(message)
                await between_work_and_ack.passed(done)
                if settings.subscribe == "durable":
                    await message.ack()

    app = web.Application()
    app.cleanup_ctx.append(on_broker(service, broker, settings.nats_url, work))
    app.add_routes(
        [
            web.get("/received", notifier.get_received),
            web.get("/notifications/keys", effects(notifier.notifications)),
        ]
    )
    return app


if __name__ == "__main__":
    serve("notifier", NotifierSettings, build)
