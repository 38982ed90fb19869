"""The proxies of one server: created, changed, populated and reset by Toxiproxy's rules."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self

from lab.proxy.addresses import AddressError, Found, bind, look
from lab.proxy.bodies import ApiError, ProxyInput
from lab.proxy.relay import STREAMS, Relay, Wiring
from lab.proxy.stage import Toxic


class Known:
    """Addresses that were looked up before a change began: no other change waits for a resolver."""

    def __init__(self, found: Iterable[Found]) -> None:
        self._found = {each.address: each for each in found}

    @classmethod
    async def of(cls, addresses: Iterable[str]) -> Self:
        """Look them up at the same time."""
        return cls(await asyncio.gather(*map(look, dict.fromkeys(addresses))))

    async def get(self, address: str) -> Found:
        """What is known of it; one that came up only meanwhile is looked up now."""
        return self._found.get(address) or await look(address)


@dataclass
class Proxy:
    """One proxy as the API shows it, and the relay that does its work while it is enabled."""

    name: str
    listen: str
    upstream: str
    relay: Relay
    enabled: bool = False

    def toxics(self) -> list[Toxic]:
        """Both streams' toxics, each in order of creation."""
        return [toxic for stream in STREAMS for toxic in self.relay.toxics[stream]]

    def toxic(self, name: str) -> Toxic:
        """The toxic with this name; raises ApiError 404."""
        for toxic in self.toxics():
            if toxic.name == name:
                return toxic
        raise ApiError("toxic not found", 404)

    async def start(self, known: Known) -> None:
        """Listen; `listen` becomes the address really taken. Raises AddressError."""
        if not self.enabled:
            sock, self.listen = bind(await known.get(self.listen))
            await self.relay.start(sock, self.listen, self.upstream)
            self.enabled = True

    def stop(self) -> None:
        """Refuse connections and close those there are."""
        self.enabled = False
        self.relay.stop()

    async def differs(self, listen_on: str, upstream: str, known: Known) -> bool:
        """Whether these addresses are others than the proxy's own. Raises AddressError."""
        found = await known.get(listen_on)
        return str(found.place) != self.listen or upstream != self.upstream


@dataclass
class Proxies:
    """The collection; every change waits for the one before."""

    wiring: Wiring
    by_name: dict[str, Proxy] = field(default_factory=dict)
    _changing: Final[asyncio.Lock] = field(default_factory=asyncio.Lock)

    def get(self, name: str) -> Proxy:
        """The proxy with this name; raises ApiError 404."""
        try:
            return self.by_name[name]
        except KeyError:
            raise ApiError("proxy not found", 404) from None

    async def create(self, wanted: ProxyInput) -> Proxy:
        """Add a proxy; raises ApiError 409, AddressError."""
        known = await Known.of([wanted.listen] if wanted.enabled else [])
        async with self._changing:
            if wanted.name in self.by_name:
                raise ApiError("proxy already exists", 409)
            return await self._add(wanted, known)

    async def populate(self, wanted: list[ProxyInput]) -> tuple[list[Proxy], str]:
        """Add or replace each in turn, up to the first that fails; what is there now, and what went wrong."""
        done: list[Proxy] = []
        known = await Known.of(one.listen for one in wanted if one.enabled or one.name in self.by_name)
        async with self._changing:
            try:
                for one in wanted:
                    done.append(await self._add_or_replace(one, known))  # noqa: PERF401 - what is done survives the error
            except AddressError as error:
                return done, str(error)
        return done, ""

    async def update(self, name: str, listen_on: str, upstream: str, *, enabled: bool) -> Proxy:
        """Change addresses, which drops the connections, and switch on or off; raises ApiError 404, AddressError."""
        known = await Known.of([listen_on])
        async with self._changing:
            proxy = self.get(name)
            if await proxy.differs(listen_on, upstream, known):
                proxy.stop()
                proxy.listen, proxy.upstream = listen_on, upstream
            if enabled:
                await proxy.start(known)
            else:
                proxy.stop()
            return proxy

    async def delete(self, name: str) -> None:
        """Stop and forget one; raises ApiError 404."""
        async with self._changing:
            self.get(name).stop()
            del self.by_name[name]

    async def reset(self) -> None:
        """Enable every proxy and remove every toxic; raises AddressError at the first that cannot listen."""
        known = await Known.of(proxy.listen for proxy in self.by_name.values() if not proxy.enabled)
        async with self._changing:
            for proxy in self.by_name.values():
                await proxy.start(known)
                for toxic in proxy.toxics():
                    proxy.relay.remove(toxic)

    def stop(self) -> None:
        """Stop them all."""
        for proxy in self.by_name.values():
            proxy.stop()

    async def _add(self, wanted: ProxyInput, known: Known) -> Proxy:
        proxy = Proxy(wanted.name, wanted.listen, wanted.upstream, Relay(self.wiring, wanted.name))
        if wanted.enabled:
            await proxy.start(known)
        self.by_name[proxy.name] = proxy
        return proxy

    async def _add_or_replace(self, wanted: ProxyInput, known: Known) -> Proxy:
        existing = self.by_name.get(wanted.name)
        if existing is not None:
            if not await existing.differs(wanted.listen, wanted.upstream, known):
                return existing
            existing.stop()
        return await self._add(wanted, known)
