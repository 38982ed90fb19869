"""
Requests of pages in a browser are refused before anything is counted: they would falsify a measurement.

A page of any site may send requests to this machine, unread but executed. It cannot hide its `Origin`, nor, where its
site's name was bound to this address meanwhile (DNS rebinding), that name in `Host`: such a name has a dot, and no name
that services have for each other does.
"""

from __future__ import annotations

import ipaddress

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from targets.kit.problems import Problem

OTHER_SITES = frozenset({"cross-site", "same-site"})  # what Sec-Fetch-Site says of a request that another page makes


@web.middleware
async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 403 to a page, and pass everything else on."""
    headers = request.headers
    if (
        hdrs.ORIGIN in headers
        or headers.get("Sec-Fetch-Site") in OTHER_SITES
        or not is_ours(headers.get(hdrs.HOST, ""))
    ):
        return Problem(
            403, "page-refused", "This service answers no pages of other sites, and has no such name."
        ).response()
    return await handler(request)


def is_ours(authority: str) -> bool:
    """Whether `host:port` names a service: by an address, by a name without a dot, or not at all (HTTP/1.0)."""
    host = authority.rpartition(":")[0] if authority.count(":") == 1 else authority
    if "." not in host.rstrip("."):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
