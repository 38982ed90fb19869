"""The few calls of the Docker Engine API that a run needs, over its socket: a fault must not wait for a program."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import aiohttp

from lab.errors import LabError
from lab.runtime.compose.endpoint import Endpoint

CALL_S = 30.0
PING_S = 1.0
CLOCK_READINGS = 5
FRAME_BYTES = 8  # before each piece of a log: which stream, three times nothing, how long
GONE, ALREADY, NO_SWARM = 404, 304, 503


class EngineError(LabError):
    """The engine refused, or did not answer; in its own words where it had any."""

    def __init__(self, text: str, status: int = 0) -> None:
        self.status = status
        super().__init__(text)


class Engine:
    """One Docker engine. Every method raises EngineError."""

    def __init__(self, where: Endpoint) -> None:
        self.where = where
        self._session: aiohttp.ClientSession | None = None

    async def answers(self) -> bool:
        """Whether an engine is there, within a second."""
        return not await self.complaint()

    async def complaint(self) -> str:
        """Why no engine can be used there, and the remedy after a colon; empty where one answers within a second."""
        try:
            await self.call("GET", "/_ping", within_s=PING_S)
        except EngineError as error:
            if getattr(error.__cause__, "errno", None) in (errno.EACCES, errno.EPERM):
                return (
                    f"this user may not use the Docker engine at {self.where.url}: join its group "
                    "(`sudo usermod -aG docker $USER`) and log in again"
                )
            return f"no Docker engine answers at {self.where.url}: start Docker"
        return ""

    async def version(self) -> str:
        """Its own version."""
        return str((await self.call("GET", "/version"))["Version"])

    async def clock(self) -> tuple[float, float]:
        """How many seconds its wall clock is ahead of this machine's, and within how many that is known.

        It was read between question and answer, so that half the shortest time between them is the error at most.
        """
        readings = []
        for _ in range(CLOCK_READINGS):
            asked_s = time.time()
            theirs = datetime.fromisoformat((await self.call("GET", "/info"))["SystemTime"])
            within_s = (time.time() - asked_s) / 2
            readings.append((within_s, theirs.timestamp() - asked_s - within_s))
        within_s, ahead_s = min(readings)
        return ahead_s, within_s

    async def containers(self, *labels: str) -> list[dict[str, Any]]:
        """All containers with these labels (`name` or `name=value`), those that have ended too."""
        filters = json.dumps({"label": list(labels)})
        return list(await self.call("GET", "/containers/json", {"all": "true", "filters": filters}))

    async def inspect(self, container: str) -> dict[str, Any]:
        """All that the engine knows of a container."""
        return dict(await self.call("GET", f"/containers/{container}/json"))

    async def image(self, name: str) -> dict[str, Any] | None:
        """What is known of an image; None where it is not here."""
        try:
            return dict(await self.call("GET", f"/images/{name}/json"))
        except EngineError as error:
            if error.status == GONE:
                return None
            raise

    async def has_images(self, label: str) -> bool:
        """Whether there is any image with this label."""
        return bool(await self.call("GET", "/images/json", {"filters": json.dumps({"label": [label]})}))

    async def network(self, name: str) -> dict[str, Any] | None:
        """What is known of a network, and who is on it here; None where there is none."""
        try:
            return dict(await self.call("GET", f"/networks/{name}"))
        except EngineError as error:
            if error.status == GONE:
                return None
            raise

    async def remove_services(self, label: str) -> list[str]:
        """Remove the Swarm's services with this label; gives their names. No such service is no error, nor no Swarm."""
        try:
            found = await self.call("GET", "/services", {"filters": json.dumps({"label": [label]})})
        except EngineError as error:
            if error.status == NO_SWARM:
                return []
            raise
        for each in found:
            with suppress(EngineError):  # somebody else was quicker
                await self.call("DELETE", f"/services/{each['ID']}")
        return [str(each["Spec"]["Name"]) for each in found]

    async def order(self, container: str, verb: str, within_s: float = CALL_S, **parameters: str) -> None:
        """`start`, `stop`, `kill`, `pause`, `unpause`; what is so already is no error."""
        try:
            await self.call("POST", f"/containers/{container}/{verb}", parameters, within_s)
        except EngineError as error:
            if error.status != ALREADY:
                raise

    async def wait(self, container: str) -> int:
        """Wait for the end of a container's process; gives its exit code."""
        answer = await self.call("POST", f"/containers/{container}/wait", within_s=None)
        return int(answer["StatusCode"])

    async def remove(self, container: str) -> None:
        """Kill it where it still runs and remove it with its own volumes; one that is gone is no error."""
        try:
            await self.call("DELETE", f"/containers/{container}", {"force": "true", "v": "true"})
        except EngineError as error:
            if error.status != GONE and "already in progress" not in str(error):
                raise

    async def follow(self, container: str, since: str = "0") -> AsyncGenerator[bytes, None]:
        """What a container writes to both its outputs, until it ends."""
        parameters = {"follow": "true", "stdout": "true", "stderr": "true", "since": since}
        async with self._request("GET", f"/containers/{container}/logs", None, parameters) as response:
            await self._checked(response, "GET", f"/containers/{container}/logs")
            with suppress(EOFError):
                while True:
                    head = await response.content.readexactly(FRAME_BYTES)
                    yield await response.content.readexactly(int.from_bytes(head[4:], "big"))

    async def last_words(self, container: str, lines: int = 20) -> str:
        """The end of what a container wrote to both its outputs."""
        parameters = {"stdout": "true", "stderr": "true", "tail": str(lines)}
        said = b""
        async with self._request("GET", f"/containers/{container}/logs", CALL_S, parameters) as response:
            await self._checked(response, "GET", f"/containers/{container}/logs")
            with suppress(EOFError):
                while head := await response.content.readexactly(FRAME_BYTES):
                    said += await response.content.readexactly(int.from_bytes(head[4:], "big"))
        return said.decode(errors="replace").strip()

    async def close(self) -> None:
        """Close its connections."""
        if self._session:
            await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str] | None = None,
        within_s: float | None = CALL_S,
        body: Any = None,
    ) -> Any:
        """One request; gives the answer's JSON, or None where there is none."""
        try:
            async with self._request(method, path, within_s, parameters or {}, body) as response:
                await self._checked(response, method, path)
                text = await response.text()
        except TimeoutError as error:
            raise EngineError(f"the Docker engine at {self.where.url} did not answer within {within_s} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise EngineError(f"the Docker engine at {self.where.url} is not reached ({error})") from error
        return json.loads(text) if text.startswith(("{", "[")) else None

    def _request(
        self, method: str, path: str, within_s: float | None, parameters: Mapping[str, str], body: Any = None
    ) -> Any:
        if self._session is None:
            socket = self.where.socket
            connector = aiohttp.UnixConnector(socket, limit=0) if socket else aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(self.where.base_url, connector=connector)
        timeout = aiohttp.ClientTimeout(total=within_s)
        return self._session.request(method, path, params=parameters, timeout=timeout, json=body)

    async def _checked(self, response: aiohttp.ClientResponse, method: str, path: str) -> None:
        if response.status in (200, 201, 204):
            return
        text = await response.text()
        with suppress(ValueError, KeyError, TypeError):
            text = str(json.loads(text)["message"])
        raise EngineError(f"Docker engine, {method} {path}: {text or response.reason}", response.status)
