"""
The one adapter over toxiproxy-python: how the lab speaks to a fault proxy, the built-in one or Toxiproxy itself.

The library keeps its server's address in class attributes, waits for ever, takes an answer of 5xx for success, puts
names into URLs as they are and cannot change a toxic. Here each adapter has an address, a session and timeouts of
its own, every answer but 2xx is an error with the server's words, and each change is read back.
"""

from __future__ import annotations

import asyncio
import json as json_text
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar, cast
from urllib.parse import quote, unquote

import requests
import toxiproxy.proxy
import toxiproxy.server

from lab.errors import ProxyError
from lab.model.bench import LinkControl, Stream, Toxic
from lab.runtime.base import Address
from lab.runtime.ports import free_port

T = TypeVar("T")
CONNECT_TIMEOUT_S = 1.0
TIMEOUT_S = 3.0
TRIES = 5


class Refused(ProxyError):
    """An answer other than 2xx."""

    def __init__(self, text: str, status: int) -> None:
        self.status = status
        super().__init__(text)


class _Wire:
    """Requests to one server, one after the other."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        self.address = address
        self.timeout_s = timeout_s
        self.session = requests.Session()
        self.session.trust_env = False  # a proxy for the internet has no business between the lab and 127.0.0.1

    def send(self, method: str, path: str, **more: Any) -> requests.Response:
        what = f"{method} {unquote(unquote(path))}"
        try:
            answer = self.session.request(
                method,
                self.address.url + path,
                timeout=(CONNECT_TIMEOUT_S, self.timeout_s),
                allow_redirects=False,
                **more,
            )
        except requests.Timeout as error:
            raise ProxyError(
                f"fault proxy at {self.address}: no answer to {what} within {self.timeout_s:g} s; it hangs or is "
                "paused, see its log"
            ) from error
        except requests.RequestException as error:
            raise ProxyError(
                f"fault proxy at {self.address}: not reached for {what}; it has ended, see its log"
            ) from error
        if not 200 <= answer.status_code < 300:
            said = _words(answer)
            raise Refused(f"fault proxy at {self.address}: {what}: {said} ({answer.status_code})", answer.status_code)
        return answer


_wire: ContextVar[_Wire] = ContextVar("wire")


class _Seam:
    """Stands where the library's APIConsumer stood and sends by the wire of the adapter that is calling."""

    def get(self, url: str, params: Mapping[str, str] | None = None) -> requests.Response:
        return _wire.get().send("GET", url, params=params)

    def post(self, url: str, data: Any = None, json: Any = None) -> requests.Response:
        return _wire.get().send("POST", url, data=data, json=json)

    def delete(self, url: str) -> requests.Response:
        return _wire.get().send("DELETE", url)


toxiproxy.proxy.APIConsumer = toxiproxy.server.APIConsumer = _Seam()


class FaultProxy:
    """A running fault proxy at an address. Every method raises ProxyError with the reason in a sentence."""

    def __init__(self, address: Address, timeout_s: float = TIMEOUT_S) -> None:
        self.address = address
        self._wire = _Wire(address, timeout_s)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fault proxy")

    async def version(self) -> str:
        """What the server says of itself."""
        return str(await self.call(lambda: self.send("GET", "/version").json()["version"]))

    async def create(self, name: str, upstream: str, listen: str | None = None, enabled: bool = True) -> ProxiedLink:
        """Add a proxy `listen -> upstream` (`host:port`), read back; without `listen` at a free port of 127.0.0.1."""
        for tries_left in reversed(range(TRIES)):
            place = listen or f"127.0.0.1:{free_port()}"
            try:
                await self.call(partial(self._library.create, upstream, server_name(name), place, enabled))
                break
            except Refused as error:  # somebody else took the port meanwhile: draw again
                if listen or not tries_left or "in use" not in str(error):
                    raise
            except toxiproxy.server.ProxyExists as error:
                raise ProxyError(f"fault proxy at {self.address}: there is a proxy {name} already") from error
        return await self._opened(name, {"upstream": upstream, "enabled": enabled})

    async def link(self, name: str) -> ProxiedLink:
        """A proxy that is there."""
        return await self._opened(name, {})

    async def names(self) -> Sequence[str]:
        """Names of all proxies."""
        return [unquote(name) for name in await self.call(self._library.proxies)]

    async def reset(self) -> None:
        """Enable every proxy and remove every toxic."""
        await self.call(self._library.reset)

    async def remove(self, name: str) -> None:
        """Remove a proxy; one that is not there is no error."""
        try:
            await self.call(lambda: self.send("DELETE", f"/proxies/{in_url(name)}"))
        except Refused as error:
            if error.status != 404:
                raise

    def close(self) -> None:
        """Close the connection; the server goes on."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._wire.session.close()

    async def call(self, work: Callable[[], T]) -> T:
        """Run blocking work of the library in this server's own thread: one request at a time."""

        def with_wire() -> T:
            _wire.set(self._wire)
            try:
                return work()
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                text = f"fault proxy at {self.address}: it answers, but not as Toxiproxy does ({error!r})"
                raise ProxyError(f"{text}; does something else listen there?") from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, with_wire)

    def send(self, method: str, path: str, **more: Any) -> requests.Response:
        """One request that the library has no method for; to be called inside `call`."""
        return self._wire.send(method, path, **more)

    @property
    def _library(self) -> Any:
        return toxiproxy.Toxiproxy()

    async def _opened(self, name: str, asked: Mapping[str, object]) -> ProxiedLink:
        link = ProxiedLink(self, name)
        await link.read_back(asked)
        return link


class ProxiedLink:
    """One proxy of a fault proxy: the LinkControl that faults work with. `address` is where it listens."""

    def __init__(self, server: FaultProxy, name: str) -> None:
        self.name = name
        self.address = Address("127.0.0.1", 0)
        self._server = server
        self._path = f"/proxies/{in_url(name)}"
        self._library = toxiproxy.Proxy(name=in_url(name), upstream="", enabled=True, listen="")

    async def add(self, toxic: Toxic) -> Toxic:
        """Add a toxic and give it back as the proxy now reports it."""
        values = {"name": server_name(toxic.name), "attributes": dict(toxic.attributes)}
        await self._server.call(
            lambda: self._library.add_toxic(type=toxic.type, stream=toxic.stream, toxicity=toxic.toxicity, **values)
        )
        return await self._confirmed(toxic)

    async def update(self, toxic: Toxic) -> Toxic:
        """Change attributes and toxicity of a toxic that is there, and give it back as reported."""
        body = {"attributes": dict(toxic.attributes), "toxicity": toxic.toxicity}
        await self._server.call(lambda: self._server.send("POST", self._toxic_path(toxic.name), json=body))
        return await self._confirmed(toxic)

    async def remove(self, name: str) -> None:
        """Remove a toxic; one that is not there is no error, since undoing must always work."""
        try:
            await self._server.call(lambda: self._library.destroy_toxic(in_url(name)))
            left = [toxic.name for toxic in await self.toxics()]
        except Refused as error:
            if error.status != 404:
                raise
            return
        if name in left:
            raise ProxyError(f"{self.name}: toxic {name} was removed, and is still there; the fault proxy is at fault")

    async def set_enabled(self, enabled: bool) -> None:
        """Refuse connections and close those open (False), or listen again (True)."""
        await self._server.call(self._library.enable if enabled else self._library.disable)
        await self.read_back({"enabled": enabled})

    async def toxics(self) -> Sequence[Toxic]:
        """The toxics now on the link, in their order."""
        found = await self._server.call(self._library.toxics)
        return [
            Toxic(unquote(each.name), each.type, cast("Stream", each.stream), each.toxicity, dict(each.attributes))
            for each in found.values()
        ]

    async def read_back(self, asked: Mapping[str, object]) -> Mapping[str, object]:
        """What the server says of this proxy; ProxyError where that is not what was asked."""
        said, address = await self._server.call(self._look)
        wrong = [f"{key} is {said.get(key)}, not {value}" for key, value in asked.items() if said.get(key) != value]
        if wrong:
            raise ProxyError(
                f"{self.name}: read back, {', '.join(wrong)}; the fault proxy did not do what it was asked"
            )
        self.address = address
        return said

    def _look(self) -> tuple[dict[str, object], Address]:
        said = dict(self._server.send("GET", self._path).json())
        host, _, port = said["listen"].rpartition(":")
        return said, Address(host.strip("[]"), int(port))

    def _toxic_path(self, name: str) -> str:
        return f"{self._path}/toxics/{in_url(name)}"

    async def _confirmed(self, asked: Toxic) -> Toxic:
        """The toxic as reported; ProxyError where a type, stream, toxicity or attribute is not as asked."""
        reported = next((toxic for toxic in await self.toxics() if toxic.name == asked.name), None)
        if reported is None:
            raise ProxyError(f"{self.name}: toxic {asked.name} was accepted, and is not there when read back")
        pairs: list[tuple[str, object, object]] = [
            ("type", asked.type, reported.type),
            ("stream", asked.stream, reported.stream),
            ("toxicity", round(asked.toxicity, 6), round(reported.toxicity, 6)),  # the server keeps 32 bits
            *((name, value, reported.attributes.get(name)) for name, value in asked.attributes.items()),
        ]
        wrong = [f"{what} is {got}, not {wanted}" for what, wanted, got in pairs if got != wanted]
        if wrong:
            raise ProxyError(f"{self.name}: toxic {asked.name}, read back: {', '.join(wrong)}")
        return reported


def server_name(name: str) -> str:
    """A name as the server knows it: Toxiproxy can make a proxy called `a/b`, and then never find it."""
    return name.replace("%", "%25").replace("/", "%2F")


def in_url(name: str) -> str:
    """Such a name as part of a URL."""
    return quote(server_name(name), safe="")


def _words(answer: requests.Response) -> str:
    """What the server says is wrong: errors are JSON, though sent as plain text."""
    try:
        return str(json_text.loads(answer.text)["error"])
    except (ValueError, KeyError, TypeError):
        return answer.text.strip()[:200] or answer.reason or "no reason given"


async def add_base_latency(link: LinkControl, distance_ms: int) -> None:
    """Have everything on a link arrive `distance_ms` later, in both directions, for as long as it exists."""
    if distance_ms:
        streams: tuple[Stream, ...] = ("upstream", "downstream")
        for stream in streams:
            await link.add(Toxic(f"distance_{stream}", "latency", stream, attributes={"latency": distance_ms}))
