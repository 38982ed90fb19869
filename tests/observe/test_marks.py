"""What a run draws in Grafana, whatever Grafana does; and which Grafana that is."""

from __future__ import annotations

import asyncio
import html
import re
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_grafana import TOKEN, Handler, grafana
from waits import until

from lab.observe import marks as room
from lab.observe.annotations import Grafana
from lab.observe.grafana import EVENT, FAULT, VARIANT, Place, dashboard_url
from lab.observe.marks import RunAnnotations, end_left_open, in_time, left_open
from lab.runtime.journal import JOURNAL, Journal, read

pytestmark = pytest.mark.e2e

RUN = "20251125T151200Z-ab12"


@dataclass
class Drawing:
    """Marks, the journal they write, and what they told."""

    marks: RunAnnotations
    journal: Path
    told: list[str] = field(default_factory=list)


@asynccontextmanager
async def drawing(folder: Path, url: str, login: str = TOKEN, stays: bool = True) -> AsyncIterator[Drawing]:
    """Marks of a run at a Grafana, finished at the end."""
    (folder / RUN).mkdir(exist_ok=True)
    told: list[str] = []
    journal = Journal(folder / RUN / JOURNAL)
    marks = RunAnnotations(
        Grafana(Place(url, "test", login, stays), (0.5, 0.5)), "circuit-breaker", RUN, journal, told.append
    )
    yield Drawing(marks, folder / RUN / JOURNAL, told)
    await marks.finish()
    journal.close()


async def test_a_region_lasts_as_long_as_its_block(tmp_path: Path) -> None:
    """Posted when the block is entered, ended when it is left; tags say run, experiment, variant and fault."""
    with grafana() as (url, state):
        async with drawing(tmp_path, url) as this:
            with this.marks.region("variant off, trial 1", VARIANT, "off", lasts_s=5):
                with this.marks.region("payments silent", FAULT, "off", "silence", lasts_s=2):
                    await until(lambda: len(state.annotations) == 2)
                    planned = [one["timeEnd"] - one["time"] for one in state.annotations]
                    assert planned == [5_000, 2_000]  # a region while it lasts
                await until(lambda: state.annotations[1]["timeEnd"] - state.annotations[1]["time"] != 2_000)
                assert state.annotations[0]["timeEnd"] - state.annotations[0]["time"] == 5_000
            assert this.marks.url == url
        variant, fault = state.annotations
        assert fault["tags"] == ["chaos-lab", "circuit-breaker", RUN, "fault", "off", "silence"]
        assert variant["tags"] == ["chaos-lab", "circuit-breaker", RUN, "variant", "off"]
        assert variant["time"] <= fault["time"] < fault["timeEnd"] <= variant["timeEnd"]
        assert variant["timeEnd"] - variant["time"] < 5_000
        assert abs(fault["timeEnd"] / 1000 - time.time()) < 60
        assert plain(fault) == "payments silent"
    assert this.told == []
    assert left_open(read(this.journal)) == []


def plain(one: Mapping[str, Any]) -> str:
    """The words of an annotation, without the link around them."""
    return html.unescape(re.sub(r"<[^>]*>", "", one["text"]))


async def test_a_click_on_a_region_leads_to_the_run(tmp_path: Path) -> None:
    """Grafana shows texts as HTML: each is a link to the run's dashboard at that time, its words nothing but words."""
    with grafana() as (url, state):
        async with drawing(tmp_path, url) as this:
            with this.marks.region("exchange→payments <25 ms & more", FAULT, "off", lasts_s=2):
                await until(lambda: state.annotations)
        (one,) = state.annotations
        found = re.fullmatch(r'<a href="([^"]*)">exchange→payments &lt;25 ms &amp; more</a>', one["text"])
        assert found
        parts = urlsplit(html.unescape(found[1]))
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{url}/d/lab-circuit-breaker"
        asked = dict(parse_qsl(parts.query))
        assert (asked["var-run"], asked["var-variant"]) == (RUN, "$__all")
        assert (int(asked["from"]), int(asked["to"])) == (one["time"] - 30_000, one["time"] + 2_000 + 30_000)


async def test_events_are_moments_and_no_more_than_a_run_can_wait_for(tmp_path: Path) -> None:
    """Each is a point at its own time, found by the tag of events; past the most, the first are drawn."""
    with grafana() as (url, state):
        async with drawing(tmp_path, url) as this:
            told = [(1_000.0 + k, f"exchange: breaker opened <{k}>") for k in range(room.MOST_MOMENTS + 3)]
            this.marks.moments(told, EVENT, "on")
            await until(lambda: len(state.annotations) == room.MOST_MOMENTS)
        first = state.annotations[0]
        assert first["tags"] == ["chaos-lab", "circuit-breaker", RUN, "event", "on"]
        assert (first["time"], plain(first)) == (1_000_000, "exchange: breaker opened <0>")
        assert (first.get("timeEnd") or first["time"]) == first["time"]
        assert len(state.annotations) == room.MOST_MOMENTS
    assert this.told == []


async def test_an_error_in_the_block_ends_the_region_too(tmp_path: Path) -> None:
    """However a fault window ends, its region does."""
    with grafana() as (url, state):
        async with drawing(tmp_path, url) as this:
            with suppress(RuntimeError), this.marks.region("payments silent", FAULT, lasts_s=2):
                await asyncio.sleep(0.02)
                raise RuntimeError
        assert 0 < state.annotations[0]["timeEnd"] - state.annotations[0]["time"] < 2_000


async def test_without_a_grafana_nothing_is_drawn_or_told(tmp_path: Path) -> None:
    """A run without one goes the same way."""
    journal, told = Journal(tmp_path / JOURNAL), list[str]()
    marks = RunAnnotations(None, "circuit-breaker", RUN, journal, told.append)
    with marks.region("payments silent", FAULT, lasts_s=2):
        pass
    await marks.finish()
    journal.close()
    assert (marks.url, marks.dashboard, told, read(tmp_path / JOURNAL)) == ("", "", [], [])


async def test_a_refusal_is_told_once_and_nothing_more_is_asked(tmp_path: Path) -> None:
    """A wrong token costs one request and one sentence, and there is no Grafana to link to."""
    with grafana() as (url, state):
        async with drawing(tmp_path, url, login="wrong") as this:
            with this.marks.region("one", FAULT, lasts_s=2):
                await until(lambda: this.told)
            with this.marks.region("two", FAULT, lasts_s=2):
                pass
        assert this.told == [f"Grafana at {url} refuses: Invalid API key (401){room.HINT}"]
        assert state.requests == ["POST /api/annotations"]
        assert this.marks.url == ""


def hang_up(handler: Handler) -> bool:
    """End the connection without an answer."""
    handler.connection.shutdown(socket.SHUT_RDWR)
    return True


def dribble(handler: Handler) -> bool:
    """Answer byte by byte, for longer than anybody waits: no timeout between two of them ever strikes."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("mood", [lambda _: time.sleep(9) or True, dribble], ids=["mute", "dribbling"])
async def test_a_slow_grafana_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mood: Callable[[Handler], bool]
) -> None:
    """Entering and leaving a region never waits, the end does not for long, and one sentence tells."""
    monkeypatch.setattr(room, "PATIENCE_S", 1.0)
    with grafana(mood=mood) as (url, _):
        async with drawing(tmp_path, url) as this:
            began = time.monotonic()
            with this.marks.region("one", FAULT, lasts_s=2), this.marks.region("two", FAULT, lasts_s=2):
                entered_s = time.monotonic() - began
            began = time.monotonic()
        assert entered_s < 0.3
        assert time.monotonic() - began < 3
        assert len(this.told) == 1
        assert this.told[0].startswith(f"Grafana at {url} ")


async def test_one_that_dies_costs_the_regions_alone(tmp_path: Path) -> None:
    """What it had before is kept there with its planned end, the journal knows of it, and heal ends it in time."""
    with grafana() as (url, state):
        async with drawing(tmp_path, url) as this:
            with this.marks.region("payments silent", FAULT, "off", lasts_s=0.2):
                await until(lambda: state.annotations)
                state.mood = hang_up
            await until(lambda: this.told)
        assert this.told == [f"Grafana at {url} is not reached{room.HINT}"]
        assert len(left_open(read(this.journal))) == 1
        place = Place(url, "test", TOKEN)
        stays = 'run 20251125T151200Z-ab12: the annotation "payments silent" stays without an end: '
        assert end_left_open(tmp_path, [RUN], [place]) == [f"{stays}Grafana at {url} is not reached"]
        other = Place("http://127.0.0.1:1", "test", TOKEN)
        assert end_left_open(tmp_path, [RUN], [other]) == [
            f"{stays}nothing names the Grafana at {url} any more"
        ]  # so that no other Grafana is ever shown a token
        state.mood = None
        ended = f'run {RUN}: ended the annotation "payments silent" in Grafana at {url}'
        assert end_left_open(tmp_path, [RUN, "another"], [other, place]) == [ended]
        (one,) = state.annotations
        assert one["timeEnd"] - one["time"] <= 200
        assert one["tags"] == ["chaos-lab", "circuit-breaker", RUN, "fault", "off"]
        again = end_left_open(tmp_path, [RUN], [place])
        assert again == [f'run {RUN}: the annotation "payments silent" had never come to Grafana, or was ended there']


async def test_one_that_ends_with_the_run_leaves_nothing_to_heal(tmp_path: Path) -> None:
    """The journal does not name a Grafana that the lab itself has started, and no report links to it."""
    with grafana() as (url, state):
        async with drawing(tmp_path, url, stays=False) as this:
            with this.marks.region("payments silent", FAULT, lasts_s=2):
                await until(lambda: state.annotations)
            assert this.marks.url == ""
    assert read(this.journal) == []


async def test_blocking_work_is_left_behind_in_time() -> None:
    """What it gives or raises is passed on; what takes too long is a TimeoutError."""
    assert await in_time(lambda: 3, 5.0) == 3
    with pytest.raises(ZeroDivisionError):
        await in_time(lambda: 1 / 0, 5.0)
    with pytest.raises(TimeoutError):
        await in_time(lambda: time.sleep(1), 0.05)


def test_a_dashboard_is_found_by_run_variant_and_time() -> None:
    """In milliseconds; without times the last minutes, live."""
    assert dashboard_url("http://g:3000/", "circuit-breaker", RUN, "off", (1.5, 20)) == (
        f"http://g:3000/d/lab-circuit-breaker?from=1500&to=20000&var-run={RUN}&var-variant=off"
    )
    assert dashboard_url("http://g/x", "a", "r") == (
        "http://g/x/d/lab-a?from=now-5m&to=now&var-run=r&var-variant=%24__all"
    )
