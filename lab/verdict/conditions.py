"""What must be so for a run to prove anything: it ended, the load was reached, the faults were in force."""

from __future__ import annotations

from lab.record import Condition, PhaseWindow, Run
from lab.verdict.action_conditions import actions_done
from lab.verdict.fault_conditions import fault_conditions
from lab.verdict.load_conditions import load_as_scheduled, load_on_time
from lab.verdict.where import where_in

MAX_BUSY_SHARE = 0.9  # of all cores; beyond it whoever else wants the CPU shapes the latencies
MAX_CLOCK_STEP_MS = 50.0  # NTP slews 0.5 ms a second at most: 100 s; a step is meant to correct more
TOLD_STOLEN_SHARE = 0.005  # the smallest that may explain a late waking: 15 ms of 3 s on one core
MAX_HICCUP_P99_MS = 10.0  # alone on a machine 0.2 to 1.4 were seen, beside other work for 60 % of the cores 3.9


def conditions(run: Run) -> list[Condition]:
    """Every condition of a run, met or not, in the order in which a reader would ask."""
    found = [_complete(run), _alive(run)]
    lost = _lost_worker(run)
    if lost:
        found.append(lost)
    elif run.record.spec.load.per_s is not None:
        found.append(load_as_scheduled(run))
    if run.record.spec.load.per_s is not None:
        found.append(load_on_time(run))
    found.append(_machine_free(run))
    if any(episode.clock for episode in run.record.episodes):
        found.append(_clocks(run))
    if any(phase.faults for phase in run.record.spec.phases):
        found += fault_conditions(run)
    if run.record.spec.actions:
        found.append(actions_done(run))
    return found


def _complete(run: Run) -> Condition:
    record = run.record
    asked = len(record.spec.variants) * record.trials
    done = [e for e in record.episodes if len(e.phases) == len(record.spec.phases)]
    met = len(done) == asked
    text = f"{len(done)} of {asked} episodes completed"
    return Condition("complete", met, text if met else f"the run is not complete: {text}")


def _alive(run: Run) -> Condition:
    deaths = [f"{where_in(run, e)}: {death}" for e in run.record.episodes for death in e.deaths]
    if deaths:
        return Condition("services alive", False, f"a service ended unasked ({deaths[0]})")
    return Condition("services alive", True, "no process exited except by a fault")


def _lost_worker(run: Run) -> Condition | None:
    """A load worker that was lost, however late: nobody knows what it sent last, in an open model or a closed one."""
    for episode in run.record.episodes:
        for worker in episode.load.workers:
            if worker.lost:
                text = f"load worker {worker.worker} on {worker.host} ({where_in(run, episode)}) {worker.lost}"
                return Condition("load reached", False, f"the load was not reached: {text}")
    return None


def _machine_free(run: Run) -> Condition:
    episodes = run.record.episodes
    phases = [(phase, f"{phase.name} of {where_in(run, episode)}") for episode in episodes for phase in episode.phases]
    shares = [(phase.busy_share, where) for phase, where in phases if phase.busy_share is not None]
    lates = [(phase.hiccup_p99_ms, where, phase) for phase, where in phases if phase.hiccup_p99_ms is not None]
    told = []
    if shares:
        share, where = max(shares)
        told.append(f"this machine's CPU was {share:.0%} busy in {where}")
        if share > MAX_BUSY_SHARE:
            return Condition(
                "host not saturated", False, f"{told[0]}; at most {MAX_BUSY_SHARE:.0%} leaves room to measure"
            )
    if lates:
        late_ms, where, phase = max(lates, key=lambda each: each[:2])
        if late_ms > MAX_HICCUP_P99_MS:
            late = f"this machine woke a sleeping process {late_ms:.1f} ms late (p99) in {where}"
            beyond = f"beyond {MAX_HICCUP_P99_MS:g} ms that shapes the latencies"
            return Condition("host not saturated", False, f"{late}{_while_stolen(phase)}; {beyond}")
        told.append(f"at worst it woke a sleeping process {late_ms:.1f} ms late (p99)")
    if not told:
        return Condition("host not saturated", True, "how busy this machine was is not in the record")
    return Condition("host not saturated", True, "; ".join(told))


def _while_stolen(phase: PhaseWindow) -> str:
    """Whose doing it may be: then it helps nothing to stop what else runs here."""
    if phase.stolen_share is None or phase.stolen_share < TOLD_STOLEN_SHARE:
        return ""
    return f", while its host gave {phase.stolen_share:.1%} of its CPU time to other virtual machines"


def _clocks(run: Run) -> Condition:
    """The wall clock places what Prometheus, services and logs tell; a suspended machine measured nothing meanwhile."""
    kept = [(episode.clock, where_in(run, episode)) for episode in run.record.episodes if episode.clock]
    step, stepped = max(kept, key=lambda each: abs(each[0].step_ms))
    sleep, slept = max(kept, key=lambda each: each[0].asleep_ms)
    most = f"at most {MAX_CLOCK_STEP_MS:g} ms leaves the times of services and load comparable"
    if sleep.asleep_ms > MAX_CLOCK_STEP_MS:
        text = f"this machine was suspended for {sleep.asleep_ms / 1000:.1f} s during {slept}"
        return Condition("clocks steady", False, text)
    if abs(step.step_ms) > MAX_CLOCK_STEP_MS:
        text = f"the wall clock moved {step.step_ms:+,.0f} ms against the steady clock during {stepped}; {most}"
        return Condition("clocks steady", False, text)
    return Condition("clocks steady", True, f"wall clock and steady clock stayed within {abs(step.step_ms):.1f} ms")
