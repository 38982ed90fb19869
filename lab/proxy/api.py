"""Toxiproxy's HTTP API: every route, verb, status, header and body, over the collection of proxies."""

import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from lab.proxy import bodies, pages
from lab.proxy.addresses import AddressError
from lab.proxy.bodies import ApiError, ProxyInput
from lab.proxy.metrics import Metrics
from lab.proxy.proxies import Proxies, Proxy
from lab.proxy.stage import Toxic

VERSION = "2.12.0+lab"
_BODY_LIMIT_BYTES = 64 * 1024 * 1024
_ID_ALPHABET = "0123456789abcdefghijklmnopqrstuv"


@dataclass(frozen=True)
class Call:
    """One request that a route has matched: the names in its path and its body."""

    proxies: Proxies
    metrics: Metrics
    method: str
    names: tuple[str, ...]
    body: bytes

    def proxy(self) -> Proxy:
        """The proxy that the path names."""
        return self.proxies.get(self.names[0])


Handler = Callable[[Call], Awaitable[web.Response]]


async def version(call: Call) -> web.Response:
    """GET /version."""
    text = json.dumps({"version": VERSION}) + "\n"
    return web.Response(body=text.encode(), headers={"Content-Type": "application/json;charset=utf-8"})


async def list_proxies(call: Call) -> web.Response:
    """GET /proxies."""
    return _answer({name: _proxy(proxy) for name, proxy in sorted(call.proxies.by_name.items())})


async def create_proxy(call: Call) -> web.Response:
    """POST /proxies."""
    return _answer(_proxy(await call.proxies.create(bodies.new_proxy(call.body))), 201)


async def populate(call: Call) -> web.Response:
    """POST /populate: what was made is answered beside what went wrong."""
    try:
        done, error = await call.proxies.populate(bodies.new_proxies(call.body))
        refusal = ApiError(error, 500) if error else None
    except ApiError as wrong:
        done, refusal = [], wrong
    shown = {"proxies": [_proxy(proxy) for proxy in done] or None}
    if refusal is None:
        return _answer(shown, 201)
    return _answer({"error": refusal.message, "status": refusal.status} | shown, refusal.status)


async def show_proxy(call: Call) -> web.Response:
    """GET /proxies/{proxy}."""
    return _answer(_proxy(call.proxy()))


async def update_proxy(call: Call) -> web.Response:
    """PATCH or POST /proxies/{proxy}."""
    proxy = call.proxy()
    now = ProxyInput(proxy.name, proxy.listen, proxy.upstream, proxy.enabled)
    wanted = bodies.proxy_input(bodies.first_value(call.body), now)
    changed = await call.proxies.update(proxy.name, wanted.listen, wanted.upstream, enabled=wanted.enabled)
    return _answer(_proxy(changed))


async def delete_proxy(call: Call) -> web.Response:
    """DELETE /proxies/{proxy}."""
    await call.proxies.delete(call.names[0])
    return web.Response(status=204)


async def reset(call: Call) -> web.Response:
    """POST /reset."""
    await call.proxies.reset()
    return web.Response(status=204)


async def list_toxics(call: Call) -> web.Response:
    """GET /proxies/{proxy}/toxics."""
    return _answer([_toxic(toxic) for toxic in call.proxy().toxics()])


async def create_toxic(call: Call) -> web.Response:
    """POST /proxies/{proxy}/toxics."""
    proxy = call.proxy()
    toxic = bodies.new_toxic(call.body, [other.name for other in proxy.toxics()])
    proxy.relay.add(toxic)
    return _answer(_toxic(toxic))


async def show_toxic(call: Call) -> web.Response:
    """GET /proxies/{proxy}/toxics/{toxic}."""
    return _answer(_toxic(call.proxy().toxic(call.names[1])))


async def update_toxic(call: Call) -> web.Response:
    """PATCH or POST /proxies/{proxy}/toxics/{toxic}."""
    proxy = call.proxy()
    toxic = bodies.changed_toxic(call.body, proxy.toxic(call.names[1]))
    proxy.relay.update(toxic)
    return _answer(_toxic(toxic))


async def delete_toxic(call: Call) -> web.Response:
    """DELETE /proxies/{proxy}/toxics/{toxic}."""
    proxy = call.proxy()
    proxy.relay.remove(proxy.toxic(call.names[1]))
    return web.Response(status=204)


async def show_metrics(call: Call) -> web.Response:
    """GET /metrics."""
    return web.Response(body=call.metrics.exposition(), headers={"Content-Type": call.metrics.content_type})


_ROUTES: dict[tuple[str, ...], dict[str, Handler]] = {
    ("version",): {"GET": version},
    ("reset",): {"POST": reset},
    ("populate",): {"POST": populate},
    ("proxies",): {"GET": list_proxies, "POST": create_proxy},
    ("proxies", "*"): {"GET": show_proxy, "POST": update_proxy, "PATCH": update_proxy, "DELETE": delete_proxy},
    ("proxies", "*", "toxics"): {"GET": list_toxics, "POST": create_toxic},
    ("proxies", "*", "toxics", "*"): {
        "GET": show_toxic, "POST": update_toxic, "PATCH": update_toxic, "DELETE": delete_toxic,
    },
}  # fmt: skip


def application(proxies: Proxies, metrics: Metrics, host: str = "localhost") -> web.Application:
    """The API over these proxies, ready to be served on `host`; a page in a browser gets 403."""

    async def answer(request: web.Request) -> web.Response:
        if why := pages.refusal(request.headers, host):
            return _plain(why, 403)
        parts = tuple(request.path.split("/")[1:])
        verbs = _verbs(parts)
        if parts == ("metrics",) and metrics.on:
            verbs = {request.method: show_metrics}
        if verbs is None:
            return _plain("404 page not found", 404)
        if request.method not in verbs:
            return web.Response(status=405)
        call = Call(proxies, metrics, request.method, parts[1::2], await request.read())
        response = await _guarded(verbs[request.method], call, request.headers.get("User-Agent", ""))
        response.headers["X-Toxiproxy-Request-Id"] = "".join(secrets.choice(_ID_ALPHABET) for _ in range(20))
        return response

    async def keep_quiet(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.pop("Server", None)

    app = web.Application(client_max_size=_BODY_LIMIT_BYTES)
    app.on_response_prepare.append(keep_quiet)
    app.router.add_route("*", r"/{path:[\s\S]*}", answer)  # a name may have a line break
    return app


def _verbs(parts: tuple[str, ...]) -> dict[str, Handler] | None:
    if not all(parts):
        return None
    shape = tuple("*" if position % 2 else part for position, part in enumerate(parts))
    return _ROUTES.get(shape)


async def _guarded(handler: Handler, call: Call, user_agent: str) -> web.Response:
    if user_agent.startswith("Mozilla/"):
        return _plain("User agent not allowed", 403)
    try:
        return await handler(call)
    except ApiError as error:
        refusal = error
    except AddressError as error:
        refusal = ApiError(str(error), 500)
    return _plain(_json({"error": refusal.message, "status": refusal.status}), refusal.status)


def _proxy(proxy: Proxy) -> dict[str, object]:
    return {
        "name": proxy.name,
        "listen": proxy.listen,
        "upstream": proxy.upstream,
        "enabled": proxy.enabled,
        "toxics": [_toxic(toxic) for toxic in proxy.toxics()],
    }


def _toxic(toxic: Toxic) -> dict[str, object]:
    whole = toxic.toxicity == int(toxic.toxicity)
    return {
        "attributes": dict(toxic.values),
        "name": toxic.name,
        "type": toxic.type,
        "stream": toxic.stream,
        "toxicity": int(toxic.toxicity) if whole else toxic.toxicity,
    }


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _answer(value: object, status: int = 200) -> web.Response:
    return web.Response(body=_json(value).encode(), status=status, headers={"Content-Type": "application/json"})


def _plain(text: str, status: int) -> web.Response:
    headers = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=f"{text}\n".encode(), status=status, headers=headers)
