"""
Which requests come from a page in a browser and must not be answered.

A page of any site may send requests to 127.0.0.1. It cannot hide its `Origin`, nor, where the site's own name was bound
to this address meanwhile (DNS rebinding), that name in `Host`. Real clients of Toxiproxy send no Origin, and an address
or a loopback name as Host.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

LOOPBACK_NAMES = frozenset({"localhost", "localhost.", "ip6-localhost", "ip6-loopback"})
OTHER_SITES = frozenset({"cross-site", "same-site"})  # what Sec-Fetch-Site says of a request that another page makes


def refusal(headers: Mapping[str, str], own: str) -> str | None:
    """Why a request is refused, in a sentence; None where no page can have sent it.

    `own` is the host that the server was told to listen on. `headers` finds names in any case.
    """
    if "Origin" in headers:
        return "Origin not allowed"
    if headers.get("Sec-Fetch-Site", "") in OTHER_SITES:
        return "Origin not allowed"
    host = headers.get("Host", "")
    return None if _is_ours(host_of(host), own.lower()) else "Host not allowed"


def host_of(authority: str) -> str:
    """The host of `host:port`, `host` or `[address]:port`, in lower case, without brackets."""
    text = authority.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.rpartition(":")[0] if text.count(":") == 1 else text


def _is_ours(host: str, own: str) -> bool:
    """A loopback name, the name that the server has, an address, or, as HTTP/1.0 allows, nothing."""
    return not host or host in LOOPBACK_NAMES or host == own or _is_address(host)


def _is_address(host: str) -> bool:
    """Whether it is an IP address: no name, so that it cannot have been bound to another one meanwhile."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
