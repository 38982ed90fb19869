"""What a run shows while it runs: a few live lines in a terminal, plain lines everywhere else."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lab.load.sample import OfPhase, Sample, quantile

PLAIN_EVERY_S = 5.0
_NARROW = 50  # columns; below this a name stands above its value and not beside it
_NOTHING = Sample(0.0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, None, None)


@dataclass(frozen=True)
class _State:
    """All that can be shown. `before` is how the load stood when the phase began, so that a phase counts its own."""

    title: str
    variant: str = ""
    number: int = 0
    of: int = 0
    phase: str = ""
    lasts_s: float = 0.0
    elapsed_s: float = 0.0
    faults: str = ""
    before: Sample = _NOTHING
    sample: Sample | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


class Progress:
    """Shows how a run goes on; a context manager.

    In a terminal the newest state is redrawn in place, and each phase leaves one line behind. Without one (a pipe,
    a CI log, TERM=dumb) there is a line at each change of phase and one every five seconds. NO_COLOR is honoured.
    """

    def __init__(self, title: str, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._state = _State(title)
        self._console = console
        self._clock = clock
        self._began_s = 0.0
        self._told_s = 0.0
        live = self._console.is_terminal and not self._console.is_dumb_terminal
        # No thread of its own: it is redrawn when there is something new to show.
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if live else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave_phase(" (broken off)" if kind else "")
        if self._live:
            self._live.stop()

    def variant(self, name: str, number: int, of: int) -> None:
        """Enter the `number`-th of `of` variants: fresh services, and a load of its own."""
        self._leave_phase()
        self._state = _State(self._state.title, name, number, of)
        self._redraw()

    def phase(self, name: str, lasts_s: float, faults: Sequence[str] = ()) -> None:
        """Enter a phase of this variant; `faults` are in force in it, each in a few words."""
        self._leave_phase()
        self._began_s = self._told_s = self._clock()
        before = self._state.sample or _NOTHING
        self._state = replace(
            self._state, phase=name, lasts_s=lasts_s, elapsed_s=0.0, faults=", ".join(faults), before=before
        )
        if not self._live:
            broken = f"; broken: {self._state.faults}" if faults else ""
            self.say(f"{_where(self._state)}: {lasts_s:g} s{broken}")
        self._redraw()

    def update(self, sample: Sample | None, facts: Mapping[str, str] | None = None) -> None:
        """Show the newest sample of the load, and facts by name (`exchange breaker`: `open`)."""
        now_s = self._clock()
        elapsed_s = min(now_s - self._began_s, self._state.lasts_s)
        self._state = replace(
            self._state, elapsed_s=elapsed_s, sample=sample or self._state.sample, facts=facts or self._state.facts
        )
        if self._live is None and self._state.sample and now_s - self._told_s >= PLAIN_EVERY_S:
            self._told_s = now_s
            self.say(_line(self._state))
        self._redraw()

    def say(self, text: str) -> None:
        """Say something once, in a line that stays."""
        # A log keeps its lines whole; in a terminal they end at words.
        self._console.print(Text(text), soft_wrap=self._live is None)

    def _leave_phase(self, how: str = "") -> None:
        if self._live and self._state.phase and self._state.sample:
            self.say(_left_behind(self._state, how))
            self._state = replace(self._state, phase="")

    def _redraw(self) -> None:
        if self._live:
            self._live.update(_picture(self._state, self._console.width), refresh=True)


def _where(state: _State) -> str:
    return f"{state.variant}, {state.phase}"


def _time(state: _State) -> str:
    return f"{state.elapsed_s:.0f} of {state.lasts_s:g} s"


def _line(state: _State) -> str:
    """The whole state in one line, for a log."""
    assert state.sample
    facts = [f"{name} {value}" for name, value in state.facts.items()]
    return f"{_where(state)}: " + "; ".join([_time(state), *_numbers(state, state.sample).values(), *facts])


def _left_behind(state: _State, how: str) -> str:
    """A phase that is over, in one line that fits a terminal."""
    assert state.sample
    numbers = _numbers(state, state.sample)
    passed_s = state.sample.at_s - state.before.at_s
    per_s = (state.sample.started - state.before.started) / passed_s if passed_s > 0 else state.sample.per_s
    mine = state.sample.phases.get(state.phase)
    waits = f"p50 {_wait(mine, 0.5)}, p99 {_wait(mine, 0.99)}" if mine else numbers["latency"]
    return f"{_where(state)}{how}: {per_s:,.0f}/s; {waits}; {numbers['outcomes']}"


def _wait(mine: OfPhase, share: float) -> str:
    """A quantile of those due in a phase that are over, as the report has it of all of them."""
    value = quantile(sorted(mine.waits_ms), share)
    return "no answer" if value == math.inf else _ms(value)


def _numbers(state: _State, sample: Sample) -> dict[str, str]:
    """The load in words, by name; the outcomes are of the requests due in this phase, as in the report."""
    ok, failed, silent = (
        now - then
        for now, then in (
            (sample.ok, state.before.ok),
            (sample.fail, state.before.fail),
            (sample.info, state.before.info),
        )
    )
    waiting = ""
    if mine := sample.phases.get(state.phase):
        ok, failed, silent = mine.ok, mine.fail, mine.info
        waiting = f", {mine.waiting:,} waiting" if mine.waiting else ""
    return {
        "load": f"{sample.per_s:,.0f}/s of {sample.asked_per_s:,.0f}/s asked, {sample.in_flight:,} in flight",
        "latency": f"p50 {_ms(sample.p50_ms)}, p99 {_ms(sample.p99_ms)}",
        "outcomes": f"{ok:,} ok, {failed:,} failed, {silent:,} no answer{waiting}",
    }


def _ms(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"


def _picture(state: _State, width: int) -> RenderableType:
    """The whole state as it stands in a terminal of that many columns."""
    head = Text(state.title, "bold", overflow="fold")
    if not state.variant:
        return head
    head.append(f": variant {state.number} of {state.of}, ", "not bold").append(state.variant)
    lines = Table.grid(padding=(0, 2))
    for name, value in _rows(state, width):
        if width < _NARROW:
            lines.add_row(Text(name, "dim", overflow="fold"))
            lines.add_row(value)
        else:
            lines.add_row(Text(name, "dim", overflow="fold"), value)
    return Group(head, lines)


def _rows(state: _State, width: int) -> list[tuple[str, RenderableType]]:
    rows: list[tuple[str, RenderableType]] = []
    if state.phase:
        rows.append((state.phase, _bar(state, width)))
    if state.faults:
        rows.append(("broken", Text(state.faults, "bold red", overflow="fold")))
    if state.sample:
        rows += [(name, Text(value, overflow="fold")) for name, value in _numbers(state, state.sample).items()]
    rows += [(name, Text(value, overflow="fold")) for name, value in state.facts.items()]
    return rows


def _bar(state: _State, width: int) -> RenderableType:
    style = "red" if state.faults else "green"
    bar = ProgressBar(
        state.lasts_s, state.elapsed_s, max(3, min(40, width - 32)), complete_style=style, finished_style=style
    )
    row = Table.grid(padding=(0, 1))
    row.add_row(bar, _time(state))
    return row
