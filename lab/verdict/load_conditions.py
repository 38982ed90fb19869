"""What must be so of the load: every arrival of the schedule is in the record, as the seed has it, and not too late."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from lab.load.arrivals import due_times_s
from lab.record import Condition, Episode, Operations, Run
from lab.verdict.where import where_in

MAX_LATE_P99_MS = 100.0  # later than this the load is another one, whatever is claimed of it; claims allow for less
SAME_S = 1e-6  # due times are written down as they were worked out; workers on other machines add some rounding


def load_as_scheduled(run: Run) -> Condition:
    """Whether each episode's operations are those of its schedule, worked out again from seed and load.

    Every arrival once, with the due time that the seed gives it: a generator that leaves some out, sends some twice, or
    moves them, is found here, however few they are.
    """
    sent = 0
    for episode in run.record.episodes:
        operations = run.operations(episode.variant, episode.trial)
        problem = _unlike_the_schedule(run, episode, operations) or _unlike_what_was_asked(run, episode, operations)
        if problem:
            return Condition("load reached", False, f"the load was not sent as scheduled: {problem}")
        sent += len(operations)
    return Condition("load reached", True, f"all {sent:,} arrivals of the schedule were sent, each when it was due")


def load_on_time(run: Run) -> Condition:
    """Whether the load kept up in every phase of every variant; what each claim asks beyond that, it asks itself."""
    worst, where = 0.0, ""
    for episode in run.record.episodes:
        operations = run.operations(episode.variant, episode.trial)
        for phase in episode.phases:
            mine = operations.where(operations.being("phase", phase.name))
            late = (mine.start_s - mine.due_s) * 1000
            if len(late) and (p99 := float(np.nanpercentile(late, 99))) >= worst:
                worst, where = p99, f" in {phase.name} of {where_in(run, episode)}"
    text = f"p99 of start lateness was {worst:.1f} ms{where}"
    if worst <= MAX_LATE_P99_MS:
        return Condition("load on time", True, f"at worst {text}")
    return Condition(
        "load on time", False, f"the load generator fell behind: {text}; it may be {MAX_LATE_P99_MS:.0f} ms"
    )


def _unlike_the_schedule(run: Run, episode: Episode, operations: Operations) -> str:
    """The first difference from the schedule that seed and load give, up to the last phase that was run to its end."""
    load = run.record.spec.load
    ends_s = list(accumulate(phase.lasts_s for phase in run.record.spec.phases))
    due_s = np.array(due_times_s(load.per_s or 0.0, load.arrivals, ends_s[-1], episode.seed))
    ran_s = episode.phases[-1].end_s if episode.phases else 0.0
    where = where_in(run, episode)
    numbers, counts = np.unique(operations.n, return_counts=True)
    if (counts > 1).any():
        return f"arrival {numbers[counts > 1][0]} of {where} is in the record {counts.max()} times"
    beyond = numbers[(numbers < 0) | (numbers >= len(due_s))]
    if len(beyond):
        return f"arrival {beyond[0]} of {where} is not among the {len(due_s):,} of the schedule"
    asked = np.flatnonzero(due_s < ran_s - SAME_S) if len(episode.phases) < len(ends_s) else np.arange(len(due_s))
    missing = np.setdiff1d(asked, numbers)
    if len(missing):
        return (
            f"{len(missing):,} of {len(asked):,} arrivals of {where} are not in the record; the first is number "
            f"{missing[0]}, due at {due_s[missing[0]]:.2f} s"
        )
    moved = np.abs(operations.due_s - due_s[operations.n]) > SAME_S
    if moved.any():
        n, at_s = int(operations.n[moved][0]), float(operations.due_s[moved][0])
        return (
            f"arrival {n} of {where} is recorded as due at {at_s:.3f} s; by seed {episode.seed} it is {due_s[n]:.3f} s"
        )
    return ""


def _unlike_what_was_asked(run: Run, episode: Episode, operations: Operations) -> str:
    """A phase that holds more or fewer operations than the schedule had due in it when it was made."""
    for phase in episode.phases:
        count = int((operations.phase == phase.name).sum())
        if phase.asked is not None and count != phase.asked:
            return f"{phase.name} of {where_in(run, episode)} has {count:,} operations of {phase.asked:,} that were due"
    return ""
