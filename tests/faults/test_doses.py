"""Each fault's dose, from planted probes, both ways: what must count as in force, and what must not."""

import pytest
from planted_probes import always, callee, caller, link, of_disk, of_process, probes

from lab import faults
from lab.model import Backing, Link, Service

third = Service("ledger")
other_link = Link(caller, third)
to_postgres = Link(caller, Backing("postgres"))


def closed_at_the_end(n):
    """Waits in vain, but the fault's end (probe 50) closes what was begun less than 1 s before."""
    return "timeout" if n < 40 else "error"


def works_off_at_the_end(n):
    """Answers all that came in the last second at once when the fault ends."""
    return "timeout" if n < 41 else (51 - n) * 100.0


def every(nth, hit, miss=1.0):
    """One probe in so many."""
    return lambda n: hit if n % nth == 0 else miss


def until(n_of_change, first, then):
    """First one thing, then the other."""
    return lambda n: first if n < n_of_change else then


CUT = faults.partition([caller], [callee, third], links=[link, other_link])

DISKS = {"disk_full", "io_error"}  # they are in tests/faults/test_disk_faults.py
IN_FORCE = {
    "noop": (faults.noop(link), probes(always(1.0))),
    "silence": (faults.silence(link), probes(always("timeout"))),
    "silence, closed by its end": (faults.silence(link), probes(closed_at_the_end)),
    "silence, callee answering now and then": (faults.silence(link), probes(always("timeout"), every(3, 9.0, "error"))),
    "latency": (faults.latency(link, ms=200), probes(always(203.0))),
    "latency within 20 %": (faults.latency(link, ms=200), probes(always(240.0))),
    "latency of next to nothing": (faults.latency(link, ms=3), probes(always(4.0))),
    "latency of a few ms": (faults.latency(link, ms=10), probes(always(15.5))),
    "latency beyond a second": (faults.latency(link, ms=2_000), probes(until(31, 2_001.0, "error"))),
    "latency on some": (faults.latency(link, ms=200, share=0.25), probes(every(4, 201.0))),
    "bandwidth": (faults.bandwidth(link, kilobytes_per_s=100), probes(always(125.0), always(2.0))),
    "bandwidth too wide to see": (faults.bandwidth(link, kilobytes_per_s=50_000), probes(always(1.2))),
    "bandwidth of postgres": (faults.bandwidth(to_postgres, 100), probes(always(1.0), target=to_postgres.name)),
    "bandwidth 0": (faults.bandwidth(link, kilobytes_per_s=0), probes(works_off_at_the_end)),
    "reset": (faults.reset(link), probes(always("reset"))),
    "truncate": (faults.truncate(link, after_bytes=20), probes(always("error"))),
    "truncate 0": (faults.truncate(link, after_bytes=0), probes(always("error"))),
    "truncate in long answers": (faults.truncate(link, after_bytes=150), probes(always("error"))),
    "truncate above answers": (faults.truncate(link, after_bytes=10_000), probes(always(1.0))),
    "slice": (faults.slice(link, average_bytes=10, delay_us=5_000), probes(always(90.0))),
    "slice unseen": (faults.slice(link, average_bytes=10), probes(always(1.0))),
    "slice of postgres": (faults.slice(to_postgres, 1, delay_us=9_999), probes(always(1.0), target=to_postgres.name)),
    "slow_close": (faults.slow_close(link, ms=300), probes(always(302.0))),
    "down": (faults.down(link), probes(always("refused"))),
    "down, a stray at a time": (faults.down(link), probes(every(40, "timeout", "refused"))),
    "flaky": (faults.flaky(link, share=0.25), probes(every(4, "reset"))),
    "flaky always": (faults.flaky(link, share=1), probes(every(40, "timeout", "reset"))),
    "partition": (CUT, probes(always("timeout")) + probes(always("timeout"), target=other_link.name)),
    "kill": (faults.kill(callee), of_process(always("refused"))),
    "kill and back": (faults.kill(callee, restart_after_s=1), of_process(until(11, "refused", 1.0))),
    "power_loss": (faults.power_loss(callee), of_process(always("refused"))),
    "power_loss and back": (faults.power_loss(callee, 1), of_process(until(11, "refused", 1.0))),
    "slow_fsync": (faults.slow_fsync(callee, ms=20), of_disk(always(20.1))),
    "disk_full": (faults.disk_full(callee), of_process(always(1.0))),
    "io_error": (faults.io_error(callee, on="fsync"), of_process(always(1.0))),
    "pause": (faults.pause(callee), of_process(works_off_at_the_end)),
    "restart": (faults.restart(callee), of_process(until(3, "refused", 1.0))),
    "slow": (faults.slow(callee, share=0.5), of_process(every(2, 70.0))),
}

NOT_IN_FORCE = {
    "noop on a broken link": (faults.noop(link), probes(always("timeout")), "something else broke the link"),
    "silence of answers never added": (faults.silence(link, swallows="answer"), probes(always(1.0)), "45 of 45 probes"),
    "silence never added": (faults.silence(link), probes(always(1.0)), "45 of 45 probes through"),
    "silence with a hole": (faults.silence(link), probes(until(20, "timeout", 1.0)), "were answered"),
    "silence that refuses": (faults.silence(link), probes(always("refused")), "instead of waiting"),
    "silence that closes": (faults.silence(link), probes(every(4, "error", "timeout")), "instead of waiting"),
    "silence of a dead callee": (faults.silence(link), probes(always("timeout"), always("refused")), "out of reach"),
    "silence too short": (faults.silence(link), probes(always("timeout"), lasts_s=1.2), "too few probes: 6 through"),
    "silence without probes": (faults.silence(link), [], "too few probes: 0 through"),
    "latency never added": (faults.latency(link, ms=200), probes(always(1.0)), "added 0.0 ms where 160 to 240 ms"),
    "latency of twenty times": (faults.latency(link, ms=3), probes(always(60.0)), "added 59.0 ms where -5 to 8 ms"),
    "slow_close of twenty times": (faults.slow_close(link, ms=4), probes(always(80.0)), "added 79.0 ms"),
    "latency of half": (faults.latency(link, ms=200), probes(always(101.0)), "added 100.0 ms"),
    "latency of twice": (faults.latency(link, ms=200), probes(always(401.0)), "added 400.0 ms"),
    "latency as silence": (faults.latency(link, ms=200), probes(always("timeout")), "most probes had no answer"),
    "latency too short": (faults.latency(link, ms=200), probes(always(201.0), lasts_s=1), "too few probes"),
    "latency on all, not some": (faults.latency(link, ms=200, share=0.25), probes(always(201.0)), "45 of 45 (100.0%)"),
    "latency on none": (faults.latency(link, ms=200, share=0.25), probes(always(1.0)), "0 of 45 (0.0%)"),
    "bandwidth never added": (faults.bandwidth(link, kilobytes_per_s=100), probes(always(2.0)), "96 to"),
    "bandwidth a tenth": (faults.bandwidth(link, kilobytes_per_s=100), probes(always(1_200.0)), "96 to"),
    "bandwidth as silence": (faults.bandwidth(link, 100), probes(always("timeout")), "most probes had no answer"),
    "bandwidth unseen, broken": (faults.bandwidth(link, 50_000), probes(always("reset")), "something else broke"),
    "bandwidth 0 passes": (faults.bandwidth(link, kilobytes_per_s=0), probes(always(2.0)), "were answered"),
    "reset never added": (faults.reset(link), probes(always(1.0)), "were answered"),
    "reset as a plain close": (faults.reset(link), probes(always("error")), "only 0 of 45 probes"),
    "truncate never added": (faults.truncate(link, after_bytes=20), probes(always(1.0)), "were answered"),
    "truncate above, broken": (faults.truncate(link, after_bytes=9_999), probes(always("timeout")), "something else"),
    "slice never added": (faults.slice(link, 10, delay_us=5_000), probes(always(1.0)), "40 ms at least"),
    "slow_close never added": (faults.slow_close(link, ms=300), probes(always(1.0)), "added 0.0 ms"),
    "down but answering": (faults.down(link), probes(always(1.0)), "were answered"),
    "down as silence": (faults.down(link), probes(always("timeout")), "only 0 of 45 probes"),
    "flaky never": (faults.flaky(link, share=0.25), probes(always(1.0)), "0 of 45 (0.0%) connections reset"),
    "flaky always": (faults.flaky(link, share=0.25), probes(always("reset")), "45 of 45 (100.0%)"),
    "flaky too rarely to tell": (faults.flaky(link, share=0.01), probes(always(1.0)), "cannot tell 1.0% from none"),
    "partition with a hole": (
        CUT,
        probes(always("timeout")) + probes(always(1.0), target=other_link.name),
        "exchange->ledger: 45 of 45 probes",
    ),
    "partition unwatched": (CUT, probes(always("timeout")), "exchange->ledger: too few probes"),
    "kill that answers": (faults.kill(callee), of_process(until(20, "refused", 1.0)), "payments answered"),
    "kill too short": (faults.kill(callee), of_process(always("refused"), lasts_s=1), "too few probes"),
    "kill, back at once": (faults.kill(callee, 1), of_process(until(3, "refused", 1.0)), "payments answered"),
    "power_loss that answers": (faults.power_loss(callee), of_process(until(20, "refused", 1.0)), "payments answered"),
    "pause that answers": (faults.pause(callee), of_process(always(1.0)), "payments answered 45 of 45"),
    "restart without a gap": (faults.restart(callee), of_process(always(1.0)), "never away"),
    "restart without return": (faults.restart(callee), of_process(always("refused")), "did not answer again"),
    "restart unwatched": (faults.restart(callee), of_process(always(1.0), lasts_s=0.5), "too few probes"),
    "slow that is not": (faults.slow(callee, share=0.5), of_process(always(1.0)), "only 0 of 45"),
    "slow_fsync never added": (faults.slow_fsync(callee, ms=20), of_disk(always(0.3)), "synced in less than 20 ms"),
    "slow unwatched": (faults.slow(callee, share=0.5), of_process(always(70.0), lasts_s=1), "too few probes"),
}


@pytest.mark.parametrize("name", IN_FORCE)
def test_a_fault_that_worked_is_in_force(name):
    """Probes as the fault makes them count as in force, with numbers and no reason against."""
    fault, seen = IN_FORCE[name]
    dose = fault.dose(seen)
    assert dose.in_force, dose
    assert dose.why == ""
    assert fault.text in dose.asked
    assert any(character.isdigit() for character in dose.observed)


@pytest.mark.parametrize("name", NOT_IN_FORCE)
def test_a_fault_that_did_not_work_is_not_in_force(name):
    """Probes that the fault would not make count against it, and the reason says what was seen instead."""
    fault, seen, why = NOT_IN_FORCE[name]
    dose = fault.dose(seen)
    assert not dose.in_force, dose
    assert why in dose.why


def test_every_fault_is_judged_both_ways():
    """No fault is without a planted dose to accept and one to refuse; `at` becomes another, and no probe sees DISKS."""
    kinds = set(faults.__all__) - {"spec", "at"}
    assert {faults.spec(fault).kind for fault, _ in IN_FORCE.values()} == kinds
    assert {faults.spec(fault).kind for fault, _, _ in NOT_IN_FORCE.values()} == kinds - DISKS


def test_the_edges_of_the_window_say_nothing():
    """Probes in the first and last 0.3 s may go either way."""
    dose = faults.silence(link).dose(probes(lambda n: 1.0 if n < 3 or n > 47 else "timeout"))
    assert dose.in_force, dose
    assert dose.observed.startswith("through the link 0 of 4")


def test_an_answer_that_came_with_the_end_is_no_answer():
    """What a paused process works off when it goes on does not count as answered while it was paused."""
    dose = faults.pause(callee).dose(of_process(works_off_at_the_end))
    assert dose.in_force, dose


def test_probes_of_other_targets_say_nothing():
    """A fault is judged by probes of its own target."""
    seen = probes(always("timeout")) + probes(always(1.0), target="exchange->ledger")
    assert faults.silence(link).dose(seen).in_force
