"""
What a run draws in Grafana while it goes: a region for each variant, phase and fault window; after it, the events.

A region is posted with the end that is planned for it and gets its real end afterwards: so it is a region while it
lasts, and where the lab is killed meanwhile.

Its text is a link to the run at that time: an annotation of no dashboard leads nowhere else when it is clicked.

A thread of its own does the asking, so that nothing of the run ever waits for Grafana. The first trouble is told in one
sentence, and from then on nothing new is drawn; the run and its verdict do not depend on any of it.
"""

from __future__ import annotations

import asyncio
import html
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from lab.observe.annotations import Annotation, Grafana, GrafanaError
from lab.observe.grafana import TAG, Place, dashboard_url
from lab.runtime.journal import JOURNAL, Entry, Journal, read

AROUND_S = 30.0  # what the link of a region shows before and after it
SAME_S = 0.002  # Grafana keeps milliseconds
MOST_MOMENTS = 100  # of one episode: each is a request, and the run waits PATIENCE_S for the last
PATIENCE_S = 3.0  # for what is still to be drawn when the run is over
HINT = "; fault windows are missing there from now on, and nothing else"

Job = Callable[[], None]
T = TypeVar("T")


class RunAnnotations:
    """One run's regions in one Grafana; without a Grafana it draws nothing. To be used from the loop alone."""

    def __init__(
        self, grafana: Grafana | None, scenario: str, run: str, journal: Journal, tell: Callable[[str], None]
    ) -> None:
        """`tell` takes the one sentence about trouble."""
        self.version = ""  # of the Grafana, where it has been asked
        self._grafana = grafana
        self._scenario, self._run = scenario, run
        self._journal = journal
        self._tell = tell
        self._count = 0
        self._drawn = 0
        self._told = False
        self._over = False
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._done = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if grafana:  # a daemon: the end of the lab waits for no server
            threading.Thread(target=self._work, daemon=True, name="Grafana").start()

    @property
    def url(self) -> str:
        """The Grafana in which something was drawn, and which outlives the run; else empty."""
        return self._grafana.place.url if self._grafana and self._grafana.place.stays and self._drawn else ""

    @property
    def dashboard(self) -> str:
        """Where the run can be watched; empty where there is no Grafana."""
        return dashboard_url(self._grafana.place.url, self._scenario, self._run) if self._grafana else ""

    @contextmanager
    def region(self, text: str, *tags: str, lasts_s: float) -> Iterator[None]:
        """Draw a region from now on, which ends when the block does; `lasts_s` is how long that should be."""
        end = self._begin(self._grafana, text, tags, lasts_s) if self._grafana and not self._told else None
        try:
            yield
        finally:
            if end:
                at_epoch_s = time.time()
                self._jobs.put(lambda: end(at_epoch_s))

    def moments(self, told: Sequence[tuple[float, str]], *tags: str) -> None:
        """Draw events, each a moment (seconds since the epoch) with its text; the first MOST_MOMENTS of them."""
        if (grafana := self._grafana) is None or self._told:
            return
        all_tags = tuple(dict.fromkeys([TAG, self._scenario, self._run, *tags]))

        def add(one: Annotation) -> None:
            grafana.add(one)
            self._on_loop(self._added)

        for at_epoch_s, text in told[:MOST_MOMENTS]:
            drawn = _linked(text, self._link(grafana, at_epoch_s, 0.0))
            self._jobs.put(partial(add, Annotation(drawn, all_tags, at_epoch_s)))

    async def finish(self) -> None:
        """Wait, not for long, until all is drawn."""
        if self._grafana is None or self._over:
            return
        self._jobs.put(None)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._done.wait()
        except TimeoutError:
            self._trouble(f"Grafana at {self._grafana.place.url} is too slow: the newest fault windows may lack an end")
        finally:
            self._over = True

    def _begin(self, grafana: Grafana, text: str, tags: Sequence[str], lasts_s: float) -> Callable[[float], None]:
        """Write the region down, have it drawn, and give what ends it; that is for the thread alone."""
        self._count += 1
        count, start_epoch_s = self._count, round(time.time(), 3)
        all_tags = tuple(dict.fromkeys([TAG, self._scenario, self._run, *tags]))
        drawn = _linked(text, self._link(grafana, start_epoch_s, lasts_s))
        annotation = Annotation(drawn, all_tags, start_epoch_s, start_epoch_s + lasts_s)
        if grafana.place.stays:
            times = {"start_epoch_s": start_epoch_s, "until_epoch_s": start_epoch_s + lasts_s}
            self._journal.write("annotation opens", count=count, url=grafana.place.url, text=text, drawn=drawn, **times)
        numbers: list[int] = []

        def add() -> None:
            numbers.append(grafana.add(annotation))
            self._on_loop(self._added)

        def end(at_epoch_s: float) -> None:
            for number in numbers:  # none where it was not drawn
                grafana.end(replace(annotation, number=number), at_epoch_s)
                if grafana.place.stays:
                    self._on_loop(lambda: self._journal.write_if_possible("annotation ended", count=count))

        self._jobs.put(add)
        return end

    def _link(self, grafana: Grafana, start_epoch_s: float, lasts_s: float) -> str:
        """The run's dashboard, at the time of a region."""
        between = (start_epoch_s - AROUND_S, start_epoch_s + lasts_s + AROUND_S)
        return dashboard_url(grafana.place.url, self._scenario, self._run, between_epoch_s=between)

    def _added(self) -> None:
        self._drawn += 1

    def _trouble(self, sentence: str) -> None:
        if not self._told:
            self._told = True
            self._tell(sentence)

    def _work(self) -> None:
        """What the thread does."""
        while job := self._jobs.get():
            try:
                job()
            except Exception as error:  # whatever it is, it is Grafana's and not the run's
                what = error if isinstance(error, GrafanaError) else f"drawing in Grafana failed ({error!r})"
                self._on_loop(partial(self._trouble, f"{what}{HINT}"))
        self._on_loop(self._done.set)

    def _on_loop(self, work: Job) -> None:
        """Have the loop do it, if that still goes and the run is not over."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(lambda: None if self._over else work())


def _linked(text: str, url: str) -> str:
    """A text that is a link, as HTML: that is how Grafana shows the text of an annotation."""
    return f'<a href="{html.escape(url)}">{html.escape(text)}</a>'


async def in_time(work: Callable[[], T], within_s: float) -> T:
    """What blocking work gives. Raises TimeoutError after so long, and leaves it behind for good."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(done: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(lambda: None if result.done() else done())

    def run() -> None:
        try:
            settle(partial(result.set_result, work()))
        except Exception as error:
            settle(partial(result.set_exception, error))

    threading.Thread(target=run, daemon=True).start()
    async with asyncio.timeout(within_s):
        return await result


def end_left_open(runs: Path, dead: Iterable[str], places: Sequence[Place]) -> list[str]:
    """End what dead runs have left without an end in one of these Grafanas; a sentence for each.

    A region ends now, or when it should have at the latest. Nobody but a Grafana of `places` is asked anything.
    """
    return [
        f"run {run}: {_end(run, entry, places)}"
        for run in dead
        for entry in left_open(read(runs / run / JOURNAL))
    ]  # fmt: skip


def left_open(entries: Sequence[Entry]) -> list[Entry]:
    """The annotations of a journal that have no end."""
    ended = {entry.facts.get("count") for entry in entries if entry.kind == "annotation ended"}
    return [e for e in entries if e.kind == "annotation opens" and e.facts.get("count") not in ended]


def _end(run: str, entry: Entry, places: Sequence[Place]) -> str:
    """End one of them; gives what came of it."""
    facts: Mapping[str, object] = entry.facts
    url, what = facts.get("url"), f'the annotation "{facts.get("text")}"'
    place = next((place for place in places if place.url == url), None)
    if place is None:
        return f"{what} stays without an end: nothing names the Grafana at {url} any more"
    start_epoch_s, until_epoch_s = (float(str(facts[name])) for name in ("start_epoch_s", "until_epoch_s"))
    grafana = Grafana(place)
    try:
        same = [each for each in grafana.find([TAG, run]) if abs(each.start_epoch_s - start_epoch_s) < SAME_S]
        planned = [each for each in same if abs((each.end_epoch_s or until_epoch_s) - until_epoch_s) < SAME_S]
        opened = [each for each in planned if each.text == facts.get("drawn", facts["text"])]
        for each in opened:
            grafana.end(each, min(time.time(), until_epoch_s))
    except GrafanaError as error:
        return f"{what} stays without an end: {error}"
    return f"ended {what} in Grafana at {url}" if opened else f"{what} had never come to Grafana, or was ended there"
