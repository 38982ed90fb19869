"""The way to NATS: one connection that comes back by itself, with its state in the log and in the metrics."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web
from nats.aio.client import Client as Broker
from nats.errors import Error
from nats.js.api import StorageType, StreamConfig
from nats.js.client import JetStreamContext as JetStream
from nats.js.errors import NotFoundError
from prometheus_client import Gauge

from targets.kit.service import Service
from targets.kit.settings import without_login

__all__ = ["Broker", "JetStream", "make_stream", "messages_of", "on_broker"]

RECONNECT_EVERY_S = 0.2
# A target comes up without those it calls, as everywhere; but whoever subscribes wants to have done so before the first
# message, so it says that it is up only then, or after this long.
PATIENCE_S = 5.0
KNOWS_REPEATS_FOR_S = 120.0
READ_WITHIN_S = 2.0


def on_broker(
    service: Service, broker: Broker, url: str, work: Callable[[asyncio.Event], Awaitable[None]]
) -> Callable[[web.Application], AsyncIterator[None]]:
    """
    For `app.cleanup_ctx`: connects to the broker at `url`, for ever if need be, and does `work` there beside requests.

    `work` sets the event that it is given once it is ready, which the application waits for, PATIENCE_S at most. It is
    cancelled when the application ends. Should it fail before, the log says why, and the service is not ready any more.
    """

    connected = Gauge("nats_connected", "1 while there is a connection to NATS.", registry=service.metrics.registry)

    async def connect_and_work(ready: asyncio.Event) -> None:
        await _connect(service, broker, url, connected)
        while True:
            try:
                return await work(ready)
            except Error as error:
                if ready.is_set():
                    raise
                service.log.warning("broker", error=repr(error))  # it went away again just then
                await asyncio.sleep(RECONNECT_EVERY_S)

    def ended(task: asyncio.Future[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            service.log.error("work ended", error=repr(error))
            service.readiness.hold("work ended")

    async def beside_requests(app: web.Application) -> AsyncIterator[None]:
        ready = asyncio.Event()
        task = asyncio.ensure_future(connect_and_work(ready))
        task.add_done_callback(ended)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ready.wait(), PATIENCE_S)
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if broker.is_connected:
            await broker.close()

    return beside_requests


async def _connect(service: Service, broker: Broker, url: str, connected: Gauge) -> None:
    async def lost() -> None:
        connected.set(0)
        service.log.warning("broker lost", url=without_login(url))
        service.log.moment("connection to the broker lost")

    async def back() -> None:
        connected.set(1)
        service.log.info("broker back", url=without_login(url))
        service.log.moment("connected to the broker")

    async def wrong(error: Exception) -> None:
        service.log.debug("broker", error=repr(error))

    await broker.connect(
        url,
        name=service.name,
        connect_timeout=1,
        max_reconnect_attempts=-1,
        reconnect_time_wait=RECONNECT_EVERY_S,  # type: ignore[arg-type]  # it takes fractions as well
        disconnected_cb=lost,
        reconnected_cb=back,
        error_cb=wrong,
    )
    await back()


async def make_stream(jetstream: JetStream, name: str, subjects: str) -> None:
    """
    A stream, on disk, of all that is published on `subjects`; one that is there already and is the same is no error.

    It stores a message whose Nats-Msg-Id it has seen within KNOWS_REPEATS_FOR_S only once.
    """
    await jetstream.add_stream(
        StreamConfig(name=name, subjects=[subjects], storage=StorageType.FILE, duplicate_window=KNOWS_REPEATS_FOR_S)
    )


async def messages_of(jetstream: JetStream, name: str, subjects: str) -> list[bytes]:
    """All messages that a stream holds now, the oldest first; none where there is no such stream. Raises Error."""
    try:
        held = (await jetstream.stream_info(name)).state.messages
    except NotFoundError:
        return []
    reader = await jetstream.subscribe(subjects, stream=name, ordered_consumer=True)
    try:
        return [(await reader.next_msg(timeout=READ_WITHIN_S)).data for _ in range(held)]
    finally:
        await reader.unsubscribe()
