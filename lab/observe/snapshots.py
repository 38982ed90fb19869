"""What every service counts at one moment, asked of the services themselves: exact, whatever Prometheus caught."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_S = 1.0
DURATIONS = ("http_server_request_duration_seconds", "http_client_request_duration_seconds")
# Series that targets export at 0 for the sake of rate(). Their counts stay: that nobody was answered so is a figure.
_SPARE = tuple(f"{name}_{kind}" for name in DURATIONS for kind in ("bucket", "sum"))


Answers = Mapping[str, str | Exception]  # by service: its metrics as text, or why there are none


async def snapshot(services: Mapping[str, str], at_s: float) -> tuple[list[dict[str, Any]], list[str]]:
    """ask() and read() in one."""
    return read(await ask(services), at_s)


async def ask(services: Mapping[str, str]) -> Answers:
    """Ask all services (name to base URL) for their metrics, at the same time; none has longer than TIMEOUT_S."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        texts = await asyncio.gather(*(_ask(session, url) for url in services.values()))
    return dict(zip(services, texts, strict=True))


def read(answers: Answers, at_s: float) -> tuple[list[dict[str, Any]], list[str]]:
    """What the services said at that time; for each, this takes 10 to 20 ms in which nothing else goes on.

    Gives rows shaped as `lab.record.tables.SNAPSHOTS`, without trial, variant, phase and edge, and a note for each
    service that did not answer; such a service has no rows, since nothing is known of it.
    """
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    for service, answer in answers.items():
        try:
            if isinstance(answer, Exception):
                raise answer
            found = [{"at_s": at_s, "service": service, **sample} for sample in _samples(answer)]
        except TimeoutError:
            notes.append(f"{service} did not give its metrics within {TIMEOUT_S:g} s")
        except (aiohttp.ClientError, ValueError, OSError) as error:
            notes.append(f"{service} gave no metrics ({error})")
        else:
            rows += found
    return rows, notes


async def _ask(session: aiohttp.ClientSession, url: str) -> str | Exception:
    try:
        async with session.get(f"{url}/metrics", raise_for_status=True) as response:
            return await response.text()
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
        return error


def stands_at(text: str, gauge: str, value: float) -> bool:
    """Whether a gauge has that value, under whatever labels; reads its own lines alone."""
    own = [line for line in text.splitlines() if re.match(rf"{re.escape(gauge)}[ {{]", line)]
    return any(sample["value"] == value for sample in _samples("\n".join([*own, ""])))


def _counted(text: str) -> str:
    """Without what targets export only so that it is there: durations of which none was counted yet.

    They are most of the text, and to read and keep them at each edge would take the lab 20 us a line.
    """
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not (line.startswith(_SPARE) and line.endswith(" 0.0\n")))


def _samples(text: str) -> Iterator[dict[str, Any]]:
    """Every sample that has a finite value; raises ValueError for what is not in Prometheus' text format."""
    for family in text_string_to_metric_families(_counted(text)):
        for sample in family.samples:
            if math.isfinite(sample.value) and not sample.name.endswith("_created"):
                yield {
                    "metric": sample.name,
                    "labels": json.dumps(sample.labels, sort_keys=True),
                    "value": float(sample.value),
                }
