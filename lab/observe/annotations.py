"""
The one adapter over grafana-api: how the lab draws annotations in a Grafana.

The package raises errors of three libraries, follows redirects with another verb, puts tags into URLs as they are, and
takes an annotation's tags away when it changes its end. Here each step of a request has a timeout, every failure is a
GrafanaError with Grafana's own words, and tags stay. What it relies on is in the documentation of Grafana 11 to 13:
`GET /api/health`, and `/api/annotations` to find, create and patch. Grafana has deprecated the latter. One that no
longer has it answers 404; the sentence then says what that means (docs/adr/0006).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import requests
from grafana_api.grafana_api import GrafanaException
from grafana_api.grafana_face import GrafanaFace

from lab.errors import LabError
from lab.observe.grafana import Place

TIMEOUTS_S = (1.0, 2.0)  # until a connection is there, and between two pieces of an answer
MOST_FOUND = 1_000
GONE = (404, 410)
REMOVED = "it has no /api/annotations, which Grafana has deprecated; name a Grafana that has, or set GRAFANA_URL=none"

T = TypeVar("T")


class GrafanaError(LabError):
    """Grafana did not do it; says which Grafana, and why."""


@dataclass(frozen=True)
class Annotation:
    """A region, or a point as long as it has no end, on every dashboard that asks for its tags."""

    text: str
    tags: Sequence[str]
    start_epoch_s: float
    end_epoch_s: float | None = None
    number: int = 0


class Grafana:
    """A Grafana to draw in. Every method blocks, and raises GrafanaError with the reason in a sentence."""

    def __init__(self, place: Place, timeouts_s: tuple[float, float] = TIMEOUTS_S) -> None:
        self.place = place
        self._timeouts_s = timeouts_s
        parts = urlsplit(place.url)
        host, path = parts.hostname or "", parts.path.strip("/")
        self._face = GrafanaFace(
            place.login or "",
            host=f"[{host}]" if ":" in host else host,
            port=parts.port,
            url_path_prefix=f"{path}/" if path else "",
            protocol=parts.scheme,
            timeout=timeouts_s,
        )
        if place.login is None:
            self._face.api.auth = None
        self._face.api.s.max_redirects = 0  # a POST would arrive elsewhere as a GET
        self._face.api.s.trust_env = not _is_here(host)  # no proxy stands between the lab and its own machine

    def version(self) -> str:
        """What it says of itself; anybody may ask."""
        return self._ask(lambda: str(self._face.api.GET("/health")["version"]))

    def add(self, one: Annotation) -> int:
        """Draw an annotation; gives its number."""
        add = self._face.annotations.add_annotation
        start, end = _ms(one.start_epoch_s), _ms(one.end_epoch_s)
        call = partial(add, time_from=start, time_to=end, tags=list(one.tags), text=one.text)
        return self._ask(lambda: int(call()["id"]), gone=REMOVED)

    def end(self, one: Annotation, at_epoch_s: float) -> None:
        """Give an annotation that is there its end."""
        patch = self._face.annotations.partial_update_annotation
        self._ask(lambda: patch(one.number, time_to=_ms(at_epoch_s), tags=list(one.tags), text=one.text))

    def find(self, tags: Sequence[str]) -> list[Annotation]:
        """All annotations with all of these tags, the newest first."""
        quoted = [quote(tag, safe="") for tag in tags]
        get = self._face.annotations.get_annotation
        return self._ask(lambda: [_annotation(each) for each in get(tags=quoted, limit=MOST_FOUND)], gone=REMOVED)

    def _ask(self, call: Callable[[], T], gone: str = "") -> T:
        """What the call gives; `gone` says what it means if there is no such path."""
        where = f"Grafana at {self.place.url}"
        try:
            return call()
        except GrafanaException as error:
            cure = self.place.cure if error.status_code == 401 else gone if error.status_code in GONE else ""
            said = f"{_words(error.response)} ({error.status_code})"
            raise GrafanaError(f"{where} refuses: {said}{'; ' if cure else ''}{cure}") from error
        except requests.Timeout as error:
            raise GrafanaError(f"{where} gives no answer within {self._timeouts_s[1]:g} s") from error
        except requests.TooManyRedirects as error:
            raise GrafanaError(f"{where} only redirects; name the address that it redirects to") from error
        except (requests.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise GrafanaError(f"{where} answers, but not as Grafana does") from error
        except (requests.RequestException, ValueError) as error:
            raise GrafanaError(f"{where} is not reached") from error


def _annotation(said: dict[str, Any]) -> Annotation:
    """As the API shows it: a point ends where it begins, or has no end at all."""
    start_ms = said["time"]
    end_ms = said.get("timeEnd") or start_ms
    end_s = end_ms / 1000 if end_ms > start_ms else None
    return Annotation(said["text"], said["tags"] or [], start_ms / 1000, end_s, said["id"])


def _ms(epoch_s: float | None) -> int | None:
    return None if epoch_s is None else round(epoch_s * 1000)


def _words(response: object) -> str:
    """What Grafana says is wrong: JSON with a message, or whatever stands before Grafana and speaks in its place."""
    said = response.get("message") if isinstance(response, dict) else response
    return " ".join(str(said or "").split())[:200] or "no reason given"


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
