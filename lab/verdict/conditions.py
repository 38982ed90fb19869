"""What must be so for a run to prove anything: it ended, the load was reached, the faults were in force."""

from __future__ import annotations

from lab.record import Condition, Run
from lab.verdict.fault_conditions import faults_in_force
from lab.verdict.where import where_in

MIN_LOAD_REACHED = 0.95
MIN_SAMPLES = 20  # below this a median says little and a p90 rests on two samples
MAX_BUSY_SHARE = 0.9  # of all cores; beyond it whoever else wants the CPU shapes the latencies
MAX_HICCUP_P99_MS = 10.0  # alone on a machine 0.2 to 1.4 were seen, beside other work for 60 % of the cores 3.9
MAX_LATE_P99_MS = 100.0  # later than this, and the load generator, not the system, shapes the latencies


def conditions(run: Run) -> list[Condition]:
    """Every condition of a run, met or not, in the order in which a reader would ask."""
    found = [_complete(run), _alive(run)]
    lost = _lost_worker(run)
    if lost:
        found.append(lost)
    elif run.record.spec.load.per_s is not None:
        found.append(_load_reached(run))
    if run.record.spec.load.per_s is not None:
        found.append(_on_time(run))
    found.append(_machine_free(run))
    found.append(_samples(run))
    if any(phase.faults for phase in run.record.spec.phases):
        found.append(faults_in_force(run))
    return found


def _complete(run: Run) -> Condition:
    record = run.record
    asked = len(record.spec.variants) * record.trials
    done = [e for e in record.episodes if len(e.phases) == len(record.spec.phases)]
    met = len(done) == asked
    text = f"{len(done)} of {asked} passes ran to their end"
    return Condition("complete", met, text if met else f"the run is not complete: {text}")


def _alive(run: Run) -> Condition:
    deaths = [f"{where_in(run, e)}: {death}" for e in run.record.episodes for death in e.deaths]
    if deaths:
        return Condition("services alive", False, f"a service ended unasked ({deaths[0]})")
    return Condition("services alive", True, "nothing ended that no fault had killed")


def _lost_worker(run: Run) -> Condition | None:
    """A load worker that was lost, however late: nobody knows what it sent last, in an open model or a closed one."""
    for episode in run.record.episodes:
        for worker in episode.load.workers:
            if worker.lost:
                text = f"load worker {worker.worker} on {worker.host} ({where_in(run, episode)}) {worker.lost}"
                return Condition("load reached", False, f"the load was not reached: {text}")
    return None


def _load_reached(run: Run) -> Condition:
    worst, text = 1.0, "at least 95 % of the asked load was started in every phase"
    for episode in run.record.episodes:
        operations = run.operations(episode.variant, episode.trial)
        for phase in episode.phases:
            # What the schedule had due, since Poisson counts vary; the rate where a record did not count.
            rate = run.record.spec.load.per_s or 0
            asked = rate * (phase.end_s - phase.start_s) if phase.asked is None else phase.asked
            started = int((operations.phase == phase.name).sum())
            reached = started / asked if asked else 1.0
            if reached < worst:
                worst = reached
                if reached < MIN_LOAD_REACHED:
                    text = (
                        f"load reached {reached:.0%} of what was asked ({started:,} of {asked:,.0f} operations in "
                        f"{phase.name}, {where_in(run, episode)}); at least {MIN_LOAD_REACHED:.0%} is needed"
                    )
    return Condition("load reached", worst >= MIN_LOAD_REACHED, text)


def _on_time(run: Run) -> Condition:
    late = max((e.load.late_p99_ms for e in run.record.episodes), default=0.0)
    met = late <= MAX_LATE_P99_MS
    text = f"p99 of start lateness was {late:.1f} ms"
    return Condition(
        "load on time",
        met,
        text if met else f"the load generator fell behind: {text}; it may be {MAX_LATE_P99_MS:.0f} ms",
    )


def _machine_free(run: Run) -> Condition:
    episodes = run.record.episodes
    phases = [(phase, f"{phase.name} of {where_in(run, episode)}") for episode in episodes for phase in episode.phases]
    share, busy_in = max(((phase.busy_share or 0.0, where) for phase, where in phases), default=(0.0, "any phase"))
    late_ms, late_in = max(((phase.hiccup_p99_ms or 0.0, where) for phase, where in phases), default=(0.0, ""))
    busy = f"this machine's CPU was {share:.0%} busy in {busy_in}"
    late = f"woke a sleeping process {late_ms:.1f} ms late (p99)"
    if share > MAX_BUSY_SHARE:
        return Condition("machine free", False, f"{busy}; at most {MAX_BUSY_SHARE:.0%} leaves room to measure")
    if late_ms > MAX_HICCUP_P99_MS:
        return Condition(
            "machine free",
            False,
            f"this machine {late} in {late_in}; beyond {MAX_HICCUP_P99_MS:g} ms that shapes the latencies",
        )
    return Condition("machine free", True, f"{busy}; at worst it {late}" if late_ms else busy)


def _samples(run: Run) -> Condition:
    short: list[str] = []
    for episode in run.record.episodes:
        operations = run.operations(episode.variant, episode.trial)
        for phase in episode.phases:
            count = int((operations.phase == phase.name).sum())
            if count < MIN_SAMPLES:
                short.append(f"{phase.name} of {where_in(run, episode)} has {count}")
    if short:
        return Condition("enough samples", False, f"too few operations: {short[0]}; at least {MIN_SAMPLES} are needed")
    return Condition("enough samples", True, f"every phase has at least {MIN_SAMPLES} operations")
