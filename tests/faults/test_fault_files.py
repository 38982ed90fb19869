"""Every file below lab/faults is a fault, is offered to scenarios by its name, and refuses senseless numbers."""

import dataclasses
import inspect
from pathlib import Path

import pytest
from planted_probes import callee, caller, link

from lab import faults
from lab.faults.kit.chance import at_most, seems
from lab.faults.kit.inject import toxic
from lab.model import Backing, Fault, Link, Service
from lab.model.bench import Toxic
from lab.record import FaultSpec

FILES = sorted(file.stem for file in Path(faults.__file__).parent.glob("*.py") if file.stem != "__init__")


def test_every_file_is_offered():
    """Adding a fault is adding a file and its line in __init__."""
    assert sorted(name for name in faults.__all__ if name != "spec") == FILES


@pytest.mark.parametrize("name", FILES)
def test_a_file_holds_one_fault_under_its_name(name):
    """`faults.slow_close` is the frozen dataclass SlowClose of slow_close.py, and says what it does."""
    fault = getattr(faults, name)
    assert fault.__name__ == name.title().replace("_", "")
    assert fault.__module__ == f"lab.faults.{name}"
    assert issubclass(fault, Fault)
    assert dataclasses.is_dataclass(fault)
    assert fault.__dataclass_params__.frozen
    assert inspect.getdoc(fault)
    assert inspect.getdoc(inspect.getmodule(fault))


MANY = faults.partition([caller], [callee], [link, Link(callee, caller)], one_way=True)


@pytest.mark.parametrize(
    ("fault", "spec"),
    [
        (
            faults.silence(link),
            FaultSpec("silence", "exchange->payments", "payments silent", on={"link": "exchange->payments"}),
        ),
        (
            faults.silence(link, swallows="answer"),
            FaultSpec(
                "silence",
                "exchange->payments",
                "payments silent, answers lost",
                {"swallows": "answer"},
                {"link": "exchange->payments"},
            ),
        ),
        (
            faults.latency(link, ms=200, jitter_ms=50),
            FaultSpec(
                "latency",
                "exchange->payments",
                "payments +200 ms ± 50 ms",
                {"ms": 200, "jitter_ms": 50, "share": 1.0},
                {"link": "exchange->payments"},
            ),
        ),
        (
            faults.latency(link, ms=200, delays="request"),
            FaultSpec(
                "latency",
                "exchange->payments",
                "payments requests +200 ms",
                {"ms": 200, "jitter_ms": 0, "share": 1.0, "delays": "request"},
                {"link": "exchange->payments"},
            ),
        ),
        (faults.kill(callee), FaultSpec("kill", "payments", "payments killed", on={"member": "payments"})),
        (
            faults.kill(callee, 2),
            FaultSpec(
                "kill", "payments", "payments killed, back after 2 s", {"restart_after_s": 2}, {"member": "payments"}
            ),
        ),
        (
            MANY,
            FaultSpec(
                "partition",
                "exchange->payments, payments->exchange",
                "exchange -x> payments",
                {"one_way": True},
                {
                    "group": ["exchange"],
                    "other": ["payments"],
                    "links": ["exchange->payments", "payments->exchange"],
                },
            ),
        ),
    ],
)
def test_a_fault_as_plain_data(fault, spec):
    """A record knows a fault by its file, its targets, its text and its numbers."""
    assert faults.spec(fault) == spec


def test_links_to_one_callee_are_told_apart():
    """Where several lead to one callee the text names the caller too; a partition names its groups anyway."""
    links = [link, Link(Service("backoffice"), callee), Link(callee, caller)]
    assert faults.spec(faults.silence(link), links).text == "exchange→payments silent"
    assert faults.spec(faults.silence(links[2]), links).text == "exchange silent"
    assert faults.spec(faults.kill(callee), links).text == "payments killed"
    assert faults.spec(MANY, links).text == "exchange -x> payments"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: faults.latency(link, ms=0), "latency: ms is 0; it takes a whole number of at least 1"),
        (lambda: faults.latency(link, ms=1.5), "ms is 1.5"),
        (lambda: faults.latency(link, ms=True), "ms is True"),
        (lambda: faults.latency(link, ms=9, jitter_ms=10), "jitter_ms is 10; it must not be above ms"),
        (lambda: faults.latency(link, ms=1, share=0), "share is 0; it takes a share above 0, up to 1"),
        (lambda: faults.latency(link, ms="9"), "ms is '9'"),
        (lambda: faults.latency(link, ms=1, delays="answer"), "delays is 'answer'"),
        (lambda: faults.bandwidth(link, kilobytes_per_s=-1), "kilobytes_per_s is -1"),
        (lambda: faults.truncate(link, after_bytes=-1), "after_bytes is -1"),
        (lambda: faults.slice(link, average_bytes=0), "average_bytes is 0"),
        (lambda: faults.slice(link, average_bytes=5, variation_bytes=5), "below average_bytes"),
        (lambda: faults.slow_close(link, ms=0), "slow_close: ms is 0"),
        (lambda: faults.flaky(link, share=1.1), "share is 1.1"),
        (lambda: faults.silence(link, swallows="request"), "silence: swallows is 'request'"),
        (lambda: faults.reset(link, swallows="both"), 'it takes "answer" or "request"'),
        (lambda: faults.kill(callee, restart_after_s=0.1), "restart_after_s is 0.1"),
        (lambda: faults.power_loss(callee, restart_after_s=0.1), "restart_after_s is 0.1"),
        (lambda: faults.power_loss(callee, keeps="all"), 'keeps is \'all\'; it takes "nothing" or "some"'),
        (lambda: faults.slow_fsync(callee, ms=0), "slow_fsync: ms is 0"),
        (lambda: faults.disk_full(callee, leaves_mb=-1), "leaves_mb is -1"),
        (lambda: faults.io_error(callee, on="open"), "on is 'open'"),
        (lambda: faults.slow(callee, share=0.99), "up to 0.95"),
        (lambda: faults.partition([caller], [caller], links=[link]), "exchange is in both groups"),
        (lambda: faults.partition([caller], [Service("x")], links=[link]), "none of links leads"),
    ],
)
def test_senseless_numbers_are_refused(make, words):
    """A mistake in a scenario file is told where it is made, not when the fault goes in."""
    with pytest.raises(ValueError) as raised:
        make()
    assert words in str(raised.value)


def test_a_fault_says_which_probes_can_show_it():
    """Slow answers are waited for, a thin line gets questions that fill it, a late close is waited for."""
    assert faults.silence(link).probe.timeout_s == 1
    assert faults.latency(link, ms=3_000, jitter_ms=500).probe.timeout_s == 4.5
    assert faults.bandwidth(link, kilobytes_per_s=10).probe.sends_bytes == 2_000
    assert faults.bandwidth(link, kilobytes_per_s=10_000).probe.sends_bytes == 12_000
    assert faults.bandwidth(Link(caller, Backing("postgres")), 10).probe.sends_bytes == 0
    assert faults.slow_close(link, ms=500).probe.until == "close"


def test_toxics_have_names_of_their_own():
    """Two toxics of a kind in one stream differ in name and in nothing else."""
    one, other = toxic("latency", latency=5), toxic("latency", latency=5)
    assert one.name != other.name
    assert (one.type, one.stream, one.attributes) == (other.type, other.stream, other.attributes)
    assert isinstance(one, Toxic)


def test_chance_is_the_exact_binomial():
    """Tails agree with counting: 2 or fewer heads in 4 throws are 11 of 16."""
    assert at_most(2, 4, 0.5) == pytest.approx(11 / 16)
    assert at_most(4, 4, 0.5) == pytest.approx(1)
    assert at_most(-1, 4, 0.5) == 0


def test_chance_takes_what_luck_explains_and_nothing_else():
    """Of 190 connections at 5 %, 2 to 18 may fail; 0 and 60 may not; 20 connections cannot tell 5 % from none."""
    assert [seems(hits, 190, 0.05, "reset") is None for hits in (0, 2, 9, 18, 60)] == [False, True, True, True, False]
    assert "59 are needed" in seems(1, 20, 0.05, "reset")
