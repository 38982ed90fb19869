"""The proxies of one server: created, changed, populated and reset by Toxiproxy's rules."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from lab.proxy.addresses import Address, AddressError, listen, resolve
from lab.proxy.bodies import ApiError, ProxyInput
from lab.proxy.relay import STREAMS, Relay, Wiring
from lab.proxy.stage import Toxic


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

    async def start(self) -> None:
        """Listen; `listen` becomes the address really taken. Raises AddressError."""
        if not self.enabled:
            sock, self.listen = await listen(self.listen)
            await self.relay.start(sock, self.listen, self.upstream)
            self.enabled = True

    def stop(self) -> None:
        """Refuse connections and close those there are."""
        self.enabled = False
        self.relay.stop()

    async def differs(self, listen_on: str, upstream: str) -> bool:
        """Whether these addresses are others than the proxy's own. Raises AddressError."""
        place: Address = await resolve(listen_on)
        return str(place) != self.listen or upstream != self.upstream


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
        async with self._changing:
            if wanted.name in self.by_name:
                raise ApiError("proxy already exists", 409)
            return await self._add(wanted)

    async def populate(self, wanted: list[ProxyInput]) -> tuple[list[Proxy], str]:
        """Add or replace each in turn, up to the first that fails; what is there now, and what went wrong."""
        done: list[Proxy] = []
        async with self._changing:
            try:
                for one in wanted:
                    done.append(await self._add_or_replace(one))  # noqa: PERF401 - what is done must survive the error
            except AddressError as error:
                return done, str(error)
        return done, ""

    async def update(self, name: str, listen_on: str, upstream: str, *, enabled: bool) -> Proxy:
        """Change addresses, which drops the connections, and switch on or off; raises ApiError 404, AddressError."""
        async with self._changing:
            proxy = self.get(name)
            if await proxy.differs(listen_on, upstream):
                proxy.stop()
                proxy.listen, proxy.upstream = listen_on, upstream
            if enabled:
                await proxy.start()
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
        async with self._changing:
            for proxy in self.by_name.values():
                await proxy.start()
                for toxic in proxy.toxics():
                    proxy.relay.remove(toxic)

    def stop(self) -> None:
        """Stop them all."""
        for proxy in self.by_name.values():
            proxy.stop()

    async def _add(self, wanted: ProxyInput) -> Proxy:
        proxy = Proxy(wanted.name, wanted.listen, wanted.upstream, Relay(self.wiring, wanted.name))
        if wanted.enabled:
            await proxy.start()
        self.by_name[proxy.name] = proxy
        return proxy

    async def _add_or_replace(self, wanted: ProxyInput) -> Proxy:
        existing = self.by_name.get(wanted.name)
        if existing is not None:
            if not await existing.differs(wanted.listen, wanted.upstream):
                return existing
            existing.stop()
        return await self._add(wanted)
