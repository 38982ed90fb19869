"""
NATS' statistics, asked over a client's connection as the server answers each account.

    nats_received_messages, nats_sent_messages    messages that clients published; that were delivered to clients
    nats_slow_consumers                           clients cut off because they did not read
    nats_stream_messages{stream}                  messages that a stream has ever taken
    nats_consumer_delivered{stream, consumer}     deliveries to a consumer, each repeat counted again
    nats_consumer_acknowledged{stream, consumer}  the stream's message up to which all are acknowledged
    nats_consumer_pending{stream, consumer}       messages that it has still to be sent

The same figures as `/varz` and `/jsz` have, without a second port. The lab's own messages are taken off the first two.
The documentation names the subjects: "Monitoring" ($SYS.REQ.ACCOUNT.PING) and "JetStream wire API" ($JS.API).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import nats
from nats.aio.client import Client
from nats.errors import Error, NoRespondersError

from lab.runtime.statistics import Ask, Count, NoStatistics

TROUBLE = (OSError, Error, KeyError, IndexError, msgspec.DecodeError)
TIMEOUT_S = 5.0


@asynccontextmanager
async def counting(url: str) -> AsyncIterator[Ask]:
    """One connection for as long as it is asked. Raises NoStatistics."""
    try:
        client = await nats.connect(url, connect_timeout=TIMEOUT_S, allow_reconnect=False)
    except TROUBLE as error:
        raise NoStatistics(f"{error!r}") from error

    async def ask() -> list[Count]:
        try:
            return [*await _account(client), *await _streams(client)]
        except TROUBLE as error:
            raise NoStatistics(f"{error!r}") from error

    try:
        yield ask
    finally:
        await client.close()


async def _account(client: Client) -> list[Count]:
    [of_account] = (await _asked(client, "$SYS.REQ.ACCOUNT.PING.STATZ"))["data"]["account_statz"]
    # Our own so far, less this answer: it was counted before it was sent.
    return [
        Count("nats_received_messages", of_account["received"]["msgs"] - client.stats["out_msgs"]),
        Count("nats_sent_messages", of_account["sent"]["msgs"] - client.stats["in_msgs"] + 1),
        Count("nats_slow_consumers", of_account["slow_consumers"]),
    ]


async def _streams(client: Client) -> list[Count]:
    try:
        listed = await _asked(client, "$JS.API.STREAM.LIST")
    except NoRespondersError:
        return []  # a server without JetStream
    streams = listed.get("streams") or []
    return [count for stream in streams for count in await _stream(client, stream)]


async def _stream(client: Client, stream: Any) -> list[Count]:
    name = stream["config"]["name"]
    listed = await _asked(client, f"$JS.API.CONSUMER.LIST.{name}")
    counts = [Count("nats_stream_messages", stream["state"]["last_seq"], {"stream": name})]
    return counts + [count for each in listed.get("consumers") or [] for count in _consumer(name, each)]


def _consumer(stream: str, consumer: Any) -> Iterator[Count]:
    labels = {"stream": stream, "consumer": consumer["name"]}
    yield Count("nats_consumer_delivered", consumer["delivered"]["consumer_seq"], labels)
    yield Count("nats_consumer_acknowledged", consumer["ack_floor"]["stream_seq"], labels)
    yield Count("nats_consumer_pending", consumer["num_pending"], labels)


async def _asked(client: Client, subject: str) -> Any:
    return msgspec.json.decode((await client.request(subject, timeout=TIMEOUT_S)).data)
