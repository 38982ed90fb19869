import io
import math
import re
from dataclasses import replace

import pytest
from rich.console import Console

from lab.load.sample import OfPhase, Sample
from lab.run.progress import Progress

FACTS = {"exchange breaker": "open"}


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def sample(at_s: float = 3.0, ok: int = 120, fail: int = 0, info: int = 0, p99_ms: float | None = 4.44) -> Sample:
    """Make a sample with two operations in flight."""
    done = ok + fail + info
    return Sample(at_s, done + 2, done + 2, done, ok, fail, info, 50.0, 49.7, 1_234.5, p99_ms)


def play(console: Console, clock: Clock) -> None:
    """Show one and a half phases of a run."""
    with Progress("Circuit breaker", console, clock) as progress:
        progress.say("starting payments")
        progress.variant("off", 1, 2)
        progress.phase("baseline", 10)
        for _ in range(40):
            clock.now_s += 0.25
            progress.update(sample())
        progress.phase("fault", 20, ["payments silent"])
        for _ in range(24):
            clock.now_s += 0.25
            progress.update(sample(13, ok=150, fail=7, info=1, p99_ms=None), FACTS)


def written(width: int = 80, terminal: bool = False, **environment: str) -> str:
    """Give all that was written to a console of that kind."""
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=terminal,
        highlight=False,
        _environ={"TERM": "xterm", **environment},
    )
    play(console, Clock())
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_plain_lines():
    """Without a terminal there is a line at each change of phase and one every five seconds, nothing to redraw."""
    assert written(width=40).splitlines() == [
        "starting payments",
        "off, baseline: 10 s",
        "off, baseline: 5 of 10 s; 50/s of 50/s asked, 2 in flight; p50 1,234 ms, p99 4.4 ms; "
        "120 ok, 0 failed, 0 no answer",
        "off, baseline: 10 of 10 s; 50/s of 50/s asked, 2 in flight; p50 1,234 ms, p99 4.4 ms; "
        "120 ok, 0 failed, 0 no answer",
        "off, fault: 20 s; broken: payments silent",
        "off, fault: 5 of 20 s; 50/s of 50/s asked, 2 in flight; p50 1,234 ms, p99 -; "
        "30 ok, 7 failed, 1 no answer; exchange breaker open",
    ]


def test_dumb_terminal_is_plain():
    """A terminal that cannot move its cursor gets plain lines too."""
    assert "\x1b" not in written(terminal=True, TERM="dumb")


def visible(text: str) -> str:
    """Take the control sequences out."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_terminal():
    """In a terminal the phase has a bar, the fault in force is marked, and everything known is shown."""
    shown = visible(written(terminal=True))
    for part in (
        "Circuit breaker: variant 1 of 2, off",
        "broken            payments silent",
        "load              50/s of 50/s asked, 2 in flight",
        "latency           p50 1,234 ms, p99 -",
        "outcomes          30 ok, 7 failed, 1 no answer",
        "exchange breaker  open",
        "6 of 20 s",
        "━",
    ):
        assert part in shown


def test_phases_leave_a_line():
    """In a terminal each phase that is over leaves one line behind, with the rate over all of it."""
    lines = visible(written(terminal=True)).splitlines()
    assert any("off, baseline: 41/s; p50 1,234 ms, p99 4.4 ms; 120 ok, 0 failed, 0 no answer" in line for line in lines)
    assert any("off, fault: 4/s; p50 1,234 ms, p99 -; 30 ok, 7 failed, 1 no answer" in line for line in lines)


def test_no_color():
    """NO_COLOR takes every colour away and leaves the words."""
    coloured, plain = written(terminal=True), written(terminal=True, NO_COLOR="1")
    colours = re.compile(r"\x1b\[[0-9;]*(3[0-9]|9[0-7])[0-9;]*m")
    assert colours.search(coloured)
    assert not colours.search(plain)
    assert "payments silent" in plain


@pytest.mark.parametrize("width", [1, 8, 14, 30, 49, 50, 79])
def test_narrow(width):
    """No terminal is so narrow that it breaks, and no line is wider than it."""
    lines = visible(written(width=width, terminal=True)).replace("\r", "\n").splitlines()
    assert max(len(line) for line in lines) <= width


def test_broken_off():
    """A run that ends in an error says in which phase it was broken off."""
    console = Console(file=io.StringIO(), width=80, force_terminal=True, _environ={"TERM": "xterm"})

    def interrupted() -> None:
        with Progress("Breaker", console) as progress:
            progress.variant("on", 2, 2)
            progress.phase("recovery", 5)
            progress.update(sample())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert "on, recovery (broken off): 41/s" in visible(console.file.getvalue())  # type: ignore[attr-defined]


def test_a_phase_counts_the_requests_that_were_due_in_it():
    """As the report does: of 100 due in the fault 60 are over, whatever else ended meanwhile; 40 still wait."""
    fault = OfPhase(due=100, ok=3, fail=7, info=50, waits_ms=[1.0, 2.0, 3.0, *[500.0] * 7, *[math.inf] * 50])
    console = Console(file=io.StringIO(), width=120, force_terminal=True, highlight=False, _environ={"TERM": "xterm"})
    clock = Clock()
    with Progress("Circuit breaker", console, clock) as progress:
        progress.variant("off", 1, 1)
        progress.phase("fault", 20)
        clock.now_s += 20
        progress.update(replace(sample(20, ok=150, fail=7, info=1), phases={"fault": fault}))
    left = [line for line in visible(console.file.getvalue()).splitlines() if line.startswith("off, fault:")]
    assert left[-1].endswith("p50 no answer, p99 no answer; 3 ok, 7 failed, 50 no answer, 40 waiting")
