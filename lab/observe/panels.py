"""Asks Prometheus for panels: over the time of an episode, or for this moment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import msgspec

from lab.observe.promql import legends, restrict
from lab.runtime.base import Address

STEP_S = 1
QUERY_TIMEOUT_S = 5.0
LIVE_TIMEOUT_S = 0.5
OURS = frozenset({"job", "instance", "scenario", "run", "trial", "variant"})


class AnyPanel(Protocol):
    """What is asked of a panel: `lab.model.Panel` and `lab.record.PanelSpec` both have it."""

    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def expr(self) -> str: ...  # noqa: D102
    @property
    def legend(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Server:
    """Where Prometheus is, and the session to ask it with."""

    url: str
    session: aiohttp.ClientSession


class Series(msgspec.Struct, frozen=True):
    """A series of an answer: samples are seconds since the epoch and the value as text; one, or many over time."""

    metric: dict[str, str] = {}
    value: tuple[float, str] | None = None
    values: tuple[tuple[float, str], ...] = ()


class _Data(msgspec.Struct):
    resultType: str  # noqa: N815 - Prometheus's word
    result: Any


class _Answer(msgspec.Struct):
    data: _Data


@dataclass(frozen=True)
class Collected:
    """Rows shaped as `lab.record.tables.SERIES` without trial and variant, and what there is to say."""

    rows: list[dict[str, Any]]
    notes: list[str]


class Watched(Protocol):
    """A Prometheus as an episode uses it, whoever started it. `address` is where its own pages are."""

    address: Address

    async def set_targets(
        self, trial: int, variant: str, urls: Mapping[str, str], proxy_url: str | None = None
    ) -> list[str]:
        """Point it at the services (name to base URL) of an episode, and at a fault proxy that is the episode's alone.

        Gives notes where that was not plain sailing.
        """
        ...

    async def scraping(self) -> bool:
        """Wait until it has come to scrape a service of the episode; False where it did not in time."""
        ...

    async def collect(self, panels: Sequence[AnyPanel], t0_epoch_s: float, lasts_s: float) -> Collected:
        """Evaluate every panel once a second over the episode that ran last; trouble becomes notes."""
        ...

    async def now(self, panel: AnyPanel) -> list[tuple[str, float]]:
        """The newest value of each series of a panel, by legend."""
        ...

    async def stop(self) -> None:
        """Stop it, or have it forget the run."""
        ...


class QueryError(Exception):
    """Prometheus refused an expression or did not answer; in its own words where it had any."""


async def over_time(
    server: Server, panel: AnyPanel, labels: Mapping[str, str], t0_epoch_s: float, lasts_s: float
) -> Collected:
    """Evaluate a panel once a second from `t0_epoch_s` on, over series with these labels; trouble becomes a note."""
    window = {"start": f"{t0_epoch_s:.3f}", "end": f"{t0_epoch_s + lasts_s:.3f}", "step": str(STEP_S)}
    try:
        found = await _ask(server, "query_range", restrict(panel.expr, labels), QUERY_TIMEOUT_S, **window)
        named = _named(panel, found)
    except QueryError as error:
        return Collected([], [f'panel "{panel.title}" ({panel.expr}): {error}'])
    rows = [
        {"panel": panel.title, "series": name, "at_s": max(0.0, round(at - t0_epoch_s, 3)), "value": value}
        for name, series in named
        for at, text in series.values
        if (value := _number(text)) is not None
    ]
    return Collected(rows, [])


async def newest(server: Server, panel: AnyPanel, labels: Mapping[str, str]) -> list[tuple[str, float]]:
    """The newest value of each series of a panel, by legend; nothing where it cannot be had quickly."""
    try:
        found = await _ask(server, "query", restrict(panel.expr, labels), LIVE_TIMEOUT_S)
    except QueryError:
        return []
    values = [(name, _number(series.value[1])) for name, series in _named(panel, found) if series.value]
    return [("" if name == panel.title else name, value) for name, value in values if value is not None]


async def answers(server: Server) -> bool:
    """Whether it takes a query at all."""
    try:
        await _ask(server, "query", "1", LIVE_TIMEOUT_S)
    except QueryError:
        return False
    return True


async def _ask(server: Server, what: str, query: str, timeout_s: float, **more: str) -> list[Series]:
    """POST a query; gives the series of the answer. Raises QueryError."""
    form = {"query": query, "timeout": f"{timeout_s:g}", **more}
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with server.session.post(f"{server.url}/api/v1/{what}", data=form, timeout=timeout) as response:
            answer = await response.json(content_type=None)
    except TimeoutError as error:
        raise QueryError(f"Prometheus did not answer within {timeout_s:g} s") from error
    except (aiohttp.ClientError, ValueError) as error:
        raise QueryError(f"Prometheus gave no answer ({error})") from error
    return series_of(answer)


def series_of(answer: object) -> list[Series]:
    """The series of an answer; a scalar is a series without labels.

    Raises QueryError with Prometheus's own words, or where the answer has another shape than the API's documentation
    gives it.
    """
    if isinstance(answer, dict) and answer.get("status") == "error":
        raise QueryError(f"Prometheus says: {answer.get('error', 'nothing')}")
    try:
        data = msgspec.convert(answer, _Answer).data
        if data.resultType in ("vector", "matrix"):
            return msgspec.convert(data.result, list[Series])
        return [Series(value=msgspec.convert(data.result, tuple[float, str]))]
    except msgspec.ValidationError as error:
        raise QueryError(f"Prometheus answers in another shape ({error})") from error


def _named(panel: AnyPanel, found: list[Series]) -> list[tuple[str, Series]]:
    names = legends(panel.legend, panel.title, [series.metric for series in found], OURS)
    return list(zip(names, found, strict=True))


def _number(text: str) -> float | None:
    """A sample's value; None for NaN and the infinities, which nothing can draw, and for text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
