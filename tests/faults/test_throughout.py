"""A fault that is lost in the middle is not in force, whatever its kind, and a busy machine alone is no reason."""

from random import Random

import pytest
from planted_probes import always, callee, link, of_disk, of_process, probes
from test_doses import DISKS, IN_FORCE, other_link, until

from lab import faults
from lab.faults.kit.chance import longest, too_long
from lab.faults.kit.throughout import STRAY, UNSTEADY
from lab.record import Probe

LASTS_S, LOST_AT = 12.0, 72  # probes: it is lost by itself after 7.2 of 12 s


def lost(hit, healthy=1.0, beside=1.0):
    """A link whose fault is lost by itself."""
    return probes(until(LOST_AT, hit, healthy), always(beside), lasts_s=LASTS_S)


def mixed(hit):
    """A link that shows a fault on a quarter of its connections, until it is lost."""
    return probes(lambda n: hit if n < LOST_AT and n % 4 == 0 else 1.0, lasts_s=LASTS_S)


CUT = faults.partition([link.caller], [callee, other_link.callee], links=[link, other_link])
LOST = {
    "silence": (faults.silence(link), lost("timeout")),
    "latency": (faults.latency(link, ms=65), lost(66.0)),
    "latency with jitter": (faults.latency(link, ms=65, jitter_ms=65), lost(66.0)),
    "latency, callee slower than the delay": (faults.latency(link, ms=20), lost(120.0, 100.0, beside=100.0)),
    "latency on some": (faults.latency(link, ms=65, share=0.25), mixed(66.0)),
    "bandwidth": (faults.bandwidth(link, kilobytes_per_s=100), lost(125.0, 2.0, beside=2.0)),
    "bandwidth 0": (faults.bandwidth(link, kilobytes_per_s=0), lost("timeout")),
    "reset": (faults.reset(link), lost("reset")),
    "truncate": (faults.truncate(link, after_bytes=20), lost("error")),
    "slice": (faults.slice(link, average_bytes=10, delay_us=5_000), lost(90.0)),
    "slow_close": (faults.slow_close(link, ms=300), lost(302.0)),
    "down": (faults.down(link), lost("refused")),
    "flaky": (faults.flaky(link, share=0.25), mixed("reset")),
    "partition": (CUT, lost("timeout") + probes(always("timeout"), target=other_link.name, lasts_s=LASTS_S)),
    "kill": (faults.kill(callee), of_process(until(LOST_AT, "refused", 1.0), LASTS_S)),
    "kill and back too soon": (faults.kill(callee, 9), of_process(until(LOST_AT, "refused", 1.0), LASTS_S)),
    "power_loss": (faults.power_loss(callee), of_process(until(LOST_AT, "refused", 1.0), LASTS_S)),
    "pause": (faults.pause(callee), of_process(until(LOST_AT, "timeout", 1.0), LASTS_S)),
    "slow": (faults.slow(callee, share=0.5), of_process(lambda n: 70.0 if n % 2 and n < LOST_AT else 1.0, LASTS_S)),
    "slow_fsync": (faults.slow_fsync(callee, ms=20), of_disk(until(LOST_AT, 20.1, 0.3), LASTS_S)),
    "noop, link broken from then on": (faults.noop(link), lost(1.0, "timeout")),
    "restart, long after it was asked": (
        faults.restart(callee),
        of_process(lambda n: "refused" if 72 < n < 76 else 1.0),
    ),
}


@pytest.mark.parametrize("name", LOST)
def test_a_fault_that_is_lost_by_itself_is_not_in_force(name):
    """After 7.2 of 12 s the toxic, or what holds the process, is gone; more than half of the probes still show it."""
    fault, seen = LOST[name]
    dose = fault.dose(seen)
    assert not dose.in_force, dose
    assert dose.why


def test_every_kind_is_among_those_lost():
    """No fault's dose is judged by its whole window alone; no probe sees DISKS, whose receipts tell."""
    assert {faults.spec(fault).kind for fault, _ in LOST.values()} | DISKS == {
        faults.spec(fault).kind for fault, _ in IN_FORCE.values()
    }


@pytest.mark.parametrize("gone", [(30, 46), (3, 19), (100, 116)])
def test_a_part_of_less_than_two_seconds_is_enough_to_be_seen(gone):
    """A delay that is away for 1.6 s, wherever in the window, though the callee is as slow as the delay by itself."""
    seen = probes(lambda n: 100.0 if gone[0] <= n < gone[1] else 200.0, always(100.0), lasts_s=LASTS_S)
    dose = faults.latency(link, ms=100).dose(seen)
    assert not dose.in_force, dose
    assert "probes in a row were less than 40 ms later through the link" in dose.why


def test_one_answer_too_soon_is_enough():
    """However busy the machine is, nothing comes through a delay sooner than the delay."""
    seen = probes(lambda n: 20.0 if n == 60 else 66.0, lasts_s=LASTS_S)
    assert "1 probes in a row were answered in less than 52 ms" in faults.latency(link, ms=65).dose(seen).why


def test_a_canary_that_looked_away_saw_nothing():
    """Without a probe for longer than a second, nothing is shown about that time, of links and processes alike."""
    for fault, seen in [
        (faults.silence(link), probes(always("timeout"), lasts_s=LASTS_S)),
        (faults.kill(callee), of_process(always("refused"), LASTS_S)),
    ]:
        dose = fault.dose([probe for probe in seen if not 13.05 < probe.at_s < 15.05])
        assert "no probe from 13.0 to 15.1 s" in dose.why


def busy(random, ms, share_lost=0.01):
    """Each probe as late as a busy machine makes it: a few ms, now and then tens, and one in a hundred is lost."""

    def plan(n):
        if random.random() < share_lost:
            return "timeout"
        return ms + 1 + random.expovariate(1 / 3) + (random.uniform(10, 60) if random.random() < 0.05 else 0)

    return plan


@pytest.mark.parametrize("seed", range(40))
def test_a_busy_machine_alone_is_no_reason(seed):
    """Faults that are in all the time, on a machine that adds what it likes to both paths: in force."""
    random = Random(seed)
    beside = busy(random, 0.0)
    for fault, through in [
        (faults.latency(link, ms=65), busy(random, 65.0)),
        (faults.latency(link, ms=200, jitter_ms=100), lambda n: 200 + random.uniform(-100, 100)),
        (faults.down(link), lambda n: "timeout" if random.random() < 0.01 else "refused"),
        (faults.reset(link), lambda n: "error" if random.random() < 0.01 else "reset"),
        (faults.silence(link), lambda n: "error" if random.random() < 0.01 else "timeout"),
        (faults.latency(link, ms=65, share=0.25), lambda n: 66.0 if random.random() < 0.25 else 1.0),
        (faults.flaky(link, share=0.1), lambda n: "reset" if random.random() < 0.1 else 1.0),
        (faults.noop(link), busy(random, 0.5)),
    ]:
        dose = fault.dose(probes(through, beside, lasts_s=LASTS_S))
        assert dose.in_force, (fault, dose)


def test_runs_are_counted():
    """The longest run, where it begins, and nothing where there is none."""
    assert longest([True, False, True, True, True, False, True]) == (2, 3)
    assert longest([False, False]) == (0, 0)
    assert longest([]) == (0, 0)


@pytest.mark.parametrize("share", [STRAY, UNSTEADY, 0.75])
def test_a_run_of_luck_is_rarer_than_it_says(share):
    """Of 20,000 windows of 120 draws hardly one has a run that counts as too long."""
    random, limit = Random(1), too_long(120, share)
    found = sum(longest([random.random() < share for _ in range(120)])[1] >= limit for _ in range(20_000))
    assert found <= 8  # 2 are due at most; more than 8 come once in a thousand
    assert too_long(120, 0) == 1


def test_probes_are_paired_with_the_nearest_beside():
    """A probe is held against what its callee and its machine did at that moment, not on average."""
    seen = [Probe(link.name, "through", 10 + n / 10, "answered", 165.0 if n > 60 else 66.0) for n in range(121)]
    seen += [Probe(link.name, "beside", 10.05 + n / 10, "answered", 101.0 if n > 60 else 1.0) for n in range(121)]
    assert faults.latency(link, ms=65).dose(sorted(seen, key=lambda probe: probe.at_s)).in_force
