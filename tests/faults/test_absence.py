"""That a fault is out is proved: a link that still has it is always told from a well one, however busy its callee."""

from random import Random

import pytest
from planted_probes import always, callee, link, of_disk, of_process, probes
from test_doses import DISKS, until

from lab import faults
from lab.faults.kit.absence import Watch
from lab.model import Disk, Link, Service
from lab.record import Probe

LATE = faults.latency(link, ms=65)
PHASE_S = 5.0


def still_in(fault, seen, target=link):
    """Why these probes of a phase do not show that the fault is out."""
    return Watch.over(target, [fault]).still_in(seen)


ON_LINKS = {
    "latency": (LATE, always(66.0)),
    "latency of a few ms": (faults.latency(link, ms=12), always(13.0)),
    "latency on some": (faults.latency(link, ms=65, share=0.25), lambda n: 66.0 if n % 4 == 0 else 1.0),
    "silence": (faults.silence(link), always("timeout")),
    "down": (faults.down(link), always("refused")),
    "reset": (faults.reset(link), always("reset")),
    "flaky": (faults.flaky(link, share=0.25), lambda n: "reset" if n % 4 == 0 else 1.0),
    "truncate": (faults.truncate(link, after_bytes=20), always("error")),
    "bandwidth": (faults.bandwidth(link, kilobytes_per_s=100), always(125.0)),
    "bandwidth 0": (faults.bandwidth(link, kilobytes_per_s=0), always("timeout")),
    "slice": (faults.slice(link, average_bytes=10, delay_us=5_000), always(90.0)),
    "slow_close": (faults.slow_close(link, ms=300), always(302.0)),
    "noop, and something else": (faults.noop(link), always(80.0)),
    "partition": (faults.partition([link.caller], [callee], [link]), always("timeout")),
}
ON_PROCESSES = {
    "kill": (faults.kill(callee), always("refused")),
    "power_loss": (faults.power_loss(callee), always("refused")),
    "pause": (faults.pause(callee), always("timeout")),
    "restart": (faults.restart(callee), always("refused")),
    "slow": (faults.slow(callee, share=0.5), lambda n: 70.0 if n % 2 else 1.0),
}


@pytest.mark.parametrize("name", ON_LINKS)
def test_a_fault_on_a_link_that_is_still_in_is_seen(name):
    """Through the link is not as beside it, whatever the fault does to it; a well link is."""
    fault, through = ON_LINKS[name]
    assert still_in(fault, probes(through, lasts_s=PHASE_S))
    assert still_in(fault, probes(always(2.0), lasts_s=PHASE_S)) is None


@pytest.mark.parametrize("name", ON_PROCESSES)
def test_a_fault_at_a_process_that_is_still_in_is_seen(name):
    """A process that does not answer, or only now and then in time, is not without its fault; one that answers is."""
    fault, plan = ON_PROCESSES[name]
    assert still_in(fault, of_process(plan, PHASE_S), callee)
    assert still_in(fault, of_process(always(2.0), PHASE_S), callee) is None


@pytest.mark.parametrize("ms", [5, 100])
def test_a_slow_disk_that_is_still_slow_is_seen(ms):
    """By the canary's syncs, however small the delay; one that nobody looked at is not known to be quick."""
    fault, disk = faults.slow_fsync(callee, ms=ms), Disk(callee)
    slow, quick = (of_disk(always(each), PHASE_S) for each in (ms + 0.2, 1.0))
    assert still_in(fault, slow, disk) == f"45 of 45 probes had none from payments-disk within {ms} ms"
    assert still_in(fault, quick, disk) is None
    assert still_in(fault, [], disk) == "too few probes: 0 at payments-disk, 7 are needed (a longer phase gives more)"


def test_every_kind_is_looked_for():
    """No fault is without a planted phase in which it is still in."""
    kinds = {faults.spec(fault).kind for fault, _ in [*ON_LINKS.values(), *ON_PROCESSES.values()]}
    assert kinds | DISKS | {"slow_fsync"} == set(faults.__all__) - {"spec", "at"}


def overloaded(random, median_ms, spread_ms, trend=lambda n: 0.0):
    """A callee with a queue: each probe waits as long as it stands there, and then some."""
    return lambda n: max(0.5, median_ms + trend(n) + random.gauss(0, spread_ms))


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("spread_ms", [1, 20, 60])
def test_an_overloaded_callee_is_told_from_a_delay_that_is_still_in(seed, spread_ms):
    """A queue of half a second that grows and shrinks slows both ways; the 65 ms are in one of them, or in none."""
    random = Random(seed)

    def queue(n):
        return 500.0 * n / 130

    def both(delay_ms):
        there, beside = (overloaded(random, 20, spread_ms, queue) for _ in range(2))
        return probes(lambda n: there(n) + delay_ms, beside, lasts_s=13.0)

    assert still_in(LATE, both(66.0))
    if spread_ms < 60:  # beyond that the two can be confused: then it is not proved, which is the safe way
        assert still_in(LATE, both(1.0)) is None


@pytest.mark.parametrize("seed", range(40))
def test_a_busy_machine_is_no_fault(seed):
    """Bursts of tens of ms on either way, and a probe in fifty lost, are not taken for a fault that is still in."""
    random = Random(seed)

    def plan(n):
        return "timeout" if random.random() < 0.02 else 1 + (random.uniform(20, 90) if random.random() < 0.1 else 0)

    for fault in (LATE, faults.silence(link), faults.flaky(link, share=0.25)):
        assert still_in(fault, probes(plan, plan, lasts_s=PHASE_S)) is None


def test_a_part_of_a_phase_is_enough_to_be_seen():
    """A toxic that comes back for 1.8 of 13 s is in that long run of probes, though the phase is well by far."""
    seen = probes(lambda n: 66.0 if 60 <= n < 78 else 1.0, lasts_s=13.0)
    assert "18 probes in a row were 32 ms later" in still_in(LATE, seen)
    seen = probes(lambda n: "timeout" if 60 <= n < 66 else 1.0, lasts_s=13.0)
    assert "6 probes in a row had no answer through exchange->payments and had one beside it" in still_in(LATE, seen)


def test_a_callee_that_is_silent_by_itself_shows_nothing():
    """Where nothing answers beside the link either, nothing is known of the link: too few probes are left to tell."""
    assert "too few probes" in still_in(LATE, probes(always("timeout"), always("timeout"), lasts_s=PHASE_S))
    mostly_well = probes(until(40, 1.0, "timeout"), until(40, 1.0, "timeout"), lasts_s=PHASE_S)
    assert still_in(LATE, mostly_well) is None


def test_too_few_probes_prove_nothing():
    """Half a second is no proof; a share of a twentieth needs 90 probes."""
    assert "7 are needed" in still_in(LATE, probes(always(1.0), lasts_s=1.0))
    rare = faults.flaky(link, share=0.05)
    assert "90 are needed" in still_in(rare, probes(always(1.0), lasts_s=PHASE_S))
    assert still_in(rare, probes(always(1.0), lasts_s=13.0)) is None


def test_a_canary_that_looked_away_proves_nothing():
    """A gap in the probes is a part in which anything may have been in."""
    seen = [probe for probe in probes(always(1.0), lasts_s=PHASE_S) if not 12.05 < probe.at_s < 14.05]
    assert "no probe from 12.0 to 14.1 s" in still_in(LATE, seen)


def test_the_distance_of_a_link_is_no_fault():
    """Two services that are 25 ms apart, always, are 50 ms later through their link than beside it."""
    far = Link(Service("client"), callee, distance_ms=25)
    seen = probes(always(51.0), target=far.name, lasts_s=PHASE_S)
    assert still_in(faults.latency(far, ms=65), seen, far) is None
    later = [Probe(p.target, p.path, p.at_s, p.outcome, 116.0 if p.path == "through" else 1.0) for p in seen]
    assert still_in(faults.latency(far, ms=65), later, far)
