"""A synchronous client, as many libraries still are: it holds the thread that calls it until the answer is there."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Mapping
from concurrent.futures import Executor
from urllib.parse import urlsplit

from targets.kit.peers import Answer, Failure, NoAnswer, Peer
from targets.kit.service import Service


class BlockingPeer(Peer):
    """
    The way to one other service over `http.client`, a connection for each attempt; measured and logged as any Peer.

    Without an executor the event loop's own thread is held, and the loop with it. `timeout_s` bounds each step of an
    attempt (connect, send, each read) and not the whole: more a synchronous client cannot promise.
    """

    def __init__(self, service: Service, name: str, url: str, timeout_s: float, executor: Executor | None) -> None:
        super().__init__(name, url, timeout_s, service.session, service.log, service.metrics)
        self._executor = executor
        service.expect_calls(name)

    async def _exchange(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        if self._executor is None:
            return self.ask(method, path, body, headers)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self.ask, method, path, body, headers)

    def ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Send one request and wait for its whole answer. Raises NoAnswer."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=self.timeout_s)
        try:
            connection.request(method, address.path + path, body, dict(headers))
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        except (OSError, http.client.HTTPException) as none:
            raise NoAnswer(self.name, failure_of(none), str(none)) from none
        finally:
            connection.close()


def failure_of(error: OSError | http.client.HTTPException) -> Failure:
    """The word for what `http.client` raised."""
    match error:
        case TimeoutError():
            return "timeout"
        case ConnectionRefusedError():
            return "refused"
        case ConnectionError():
            return "reset"
        case OSError():
            return "unreachable"
        case _:
            return "garbled"
