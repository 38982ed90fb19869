"""
What the services say of themselves: attempts, counters, gauges, CPU time, and panels.

Window: between the snapshots that the lab takes of every service at the phase's edges.
Whose: the service's own count, of everything that it did in that time.
Censored: at least what it has counted since its restart, where it was restarted in the phase.
Minimum: both snapshots, in which the service answered; a count that never shows in the run is no 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.metrics.declare import metric, name_of, names_of
from lab.metrics.measured import Measured, too_few
from lab.metrics.window import Sample, Window, carries
from lab.model import Backing, Link, Service

CLIENT_DONE = "http_client_request_duration_seconds_count"
CLIENT_ACTIVE = "http_client_active_requests"
STARTED_AT = "process_start_time_seconds"


@metric("")
def attempts(window: Window, link: Link | str) -> Measured:
    """Calls that the caller began on a link within the phase, as it counted them itself.

    Those finished plus those in flight, at the phase's end less at its start.
    """
    return _attempts(window, link)


@metric("")
def attempts_per_request(window: Window, link: Link | str) -> Measured:
    """Calls begun on a link for each operation that was due in the same time: 1 + retries, less refusals.

    Whose: the caller's own count of calls, and every operation due between its two snapshots.
    Minimum: 20 operations.
    """
    caller, _, _ = name_of(link).partition("->")
    begun = _attempts(window, link)
    if begun.value is None:
        return begun
    from_s, to_s = (window.snapshot(caller, "start")[0].at_s, window.snapshot(caller, "end")[0].at_s)
    due_s = window.all_operations.due_s
    n = int(((due_s >= from_s) & (due_s < to_s)).sum())
    return too_few(n, "operations were due", window.text) or Measured(begun.value / n, begun.censored, begun.why, n)


def _attempts(window: Window, link: Link | str) -> Measured:
    caller, _, callee = name_of(link).partition("->")
    return increase(window, caller, [CLIENT_DONE, CLIENT_ACTIVE], {"peer": callee})


@metric("")
def counter_increase(
    window: Window, /, service: Service | Backing | str | Sequence[Service], metric: str, **labels: str
) -> Measured:
    """What a counter of a service, or of several together, grew by in the phase.

    Over all its series that carry these labels; `prevented="no, read-only"` takes those with either value.
    """
    return total([increase(window, name, [metric], labels) for name in names_of(service)])


@metric("")
def counter_quotient(
    window: Window,
    /,
    service: Service | Backing | str | Sequence[Service],
    metric: str,
    per: str,
    *,
    least: int = 5,
    spare: float = 0,
) -> Measured:
    """What one counter of a service, or of several together, grew by in the phase for each that another grew by.

    `spare` counts are taken off the upper counter first (never below 0): those that fall to it at the phase's edges, or
    that chance may add. So a bound follows from counts and not from how many there happened to be: with at most one
    query for each renewal and `spare=1`, 9 queries for 8 renewals are 1.0, and 10 are 1.125. `n` is the lower counter.

    Censored: never; where a part is only known to be "at least", there is no quotient.
    Minimum: `least` of the lower counter (`per`), 5 unless the scenario says otherwise.
    """
    grown, base = (
        total([increase(window, name, [counter], {}) for name in names_of(service)]) for counter in (metric, per)
    )
    for part in (grown, base):
        if part.value is None or part.censored:  # "at least" says nothing of a ratio
            return Measured(None, why=part.why)
    n = int(base.value or 0)
    if not n:
        return Measured(None, why=f"{per} did not grow in {window.text}: there is nothing to divide by", n=0)
    few = too_few(n, f"{per}", window.text, least=least)
    return few or Measured(max(0.0, (grown.value or 0.0) - spare) / n, n=n)


@metric("")
def gauge_max(window: Window, /, service: Service | Backing | str, metric: str, **labels: str) -> Measured:
    """The highest value of a gauge at the edges of the phase. For what happens in between, take `panel_max`.

    Window: the two snapshots that the lab takes of every service at the phase's edges.
    Censored: never.
    Minimum: one of the two snapshots.
    """
    name = name_of(service)
    both = [*window.snapshot(name, "start"), *window.snapshot(name, "end")]
    values = [sample.value for sample in _matching(both, [metric], labels)]
    if not values:
        return Measured(None, why=f"{name} showed no {_written(metric, labels)} at the edges of {window.text}")
    return Measured(max(values))


@metric("")
def highest_rise(window: Window, /, service: Service | Backing | str | Sequence[Service], metric: str) -> Measured:
    """What the highest value of a gauge among several services rose by in the phase, such as the term of a cluster.

    Each service tells its own, so that no single one decides. One that does not answer at an edge, since it is dead
    then, is left out there.

    Whose: every service named.
    Censored: never.
    Minimum: more than half of the services at either edge.
    """
    asked = names_of(service)
    highest: list[float] = []
    for edge in ("start", "end"):
        seen = [_matching(window.snapshot(name, edge), [metric], {}) for name in asked]
        told = [max(sample.value for sample in samples) for samples in seen if samples]
        if len(told) <= len(asked) / 2:
            where = f"at the {edge} of {window.text}"
            return Measured(None, why=f"{len(told)} of {len(asked)} services showed {metric} {where}: too few")
        highest.append(max(told))
    return Measured(highest[1] - highest[0], n=len(asked))


@metric("")
def cpu_share(window: Window, service: Service | str) -> Measured:
    """CPU time that a service took in the phase for each second between the two snapshots: 1 is one core, all the time.

    Whose: the service's process alone, without its children.
    """
    name = name_of(service)
    spent = increase(window, name, ["process_cpu_seconds_total"], {})
    if spent.value is None:
        return spent
    elapsed_s = window.snapshot(name, "end")[0].at_s - window.snapshot(name, "start")[0].at_s
    if elapsed_s <= 0:
        return Measured(None, why=f"the snapshots of {name} at the edges of {window.text} are not apart")
    return Measured(spent.value / elapsed_s, spent.censored, spent.why)


@metric("")
def panel_max(window: Window, panel: str) -> Measured:
    """The highest value of any series of a panel (by its title) in the phase, sampled once a second.

    Window: samples up to the phase's end that look back no further than to its start: from one second after it, or
    later by the range of the panel's expression (5 s after it for `rate(...[5s])`).
    Whose: every series of the panel.
    Censored: never.
    Minimum: one sample.
    """
    values = window.panel(panel)
    if not values:
        return Measured(None, why=f'the panel "{panel}" has no values in {window.text}', n=0)
    return Measured(max(values), n=len(values))


def total(parts: Sequence[Measured]) -> Measured:
    """The sum of `parts`, "at least" where one is; the first reason against it, where there is one."""
    for part in parts:
        if part.value is None:
            return part
    why = next((part.why for part in parts if part.why), "")
    return Measured(sum(part.value or 0.0 for part in parts), any(part.censored for part in parts), why)


def increase(window: Window, service: str, counted: Sequence[str], labels: dict[str, str]) -> Measured:
    """Sum over series with these labels of a service's metrics, at the end of the phase less at its start."""
    before, after = window.snapshot(service, "start"), window.snapshot(service, "end")
    for edge, samples in (("start", before), ("end", after)):
        if not samples:
            return Measured(None, why=f"{service} was not scraped at the {edge} of {window.text}")
    if not window.exposes(service, counted, labels):
        return Measured(None, why=f"{service} never showed {_written(counted[0], labels)}")
    grown_to = sum(sample.value for sample in _matching(after, counted, labels))
    grown_from = sum(sample.value for sample in _matching(before, counted, labels))
    if _restarted(before, after) or grown_to < grown_from:
        return Measured(
            grown_to, censored=True, why=f"{service} was restarted in {window.text}, and counted from 0 again"
        )
    return Measured(grown_to - grown_from)


def _matching(samples: Sequence[Sample], metrics: Sequence[str], labels: dict[str, str]) -> list[Sample]:
    return [s for s in samples if s.metric in metrics and carries(s.labels, labels)]


def _restarted(before: Sequence[Sample], after: Sequence[Sample]) -> bool:
    began = [{s.value for s in samples if s.metric == STARTED_AT} for samples in (before, after)]
    return began[0] != began[1]


def _written(metric: str, labels: dict[str, str]) -> str:
    return metric + ("{" + ", ".join(f'{k}="{v}"' for k, v in labels.items()) + "}" if labels else "")
