"""What the services say of themselves: attempts, counters, gauges, CPU time, and panels."""

from __future__ import annotations

from collections.abc import Sequence

from lab.metrics.declare import Measured, metric, name_of, names_of
from lab.metrics.window import Sample, Window
from lab.model import Backing, Link, Service

CLIENT_DONE = "http_client_request_duration_seconds_count"
CLIENT_ACTIVE = "http_client_active_requests"
STARTED_AT = "process_start_time_seconds"


@metric("")
def attempts(window: Window, link: Link | str) -> Measured:
    """Calls that the caller began on a link within the phase, as it counted them itself.

    Those finished plus those in flight, at the phase's end less at its start. At least that where the caller was
    restarted in between and its counts began again at 0.
    """
    caller, _, callee = name_of(link).partition("->")
    return _increase(window, caller, [CLIENT_DONE, CLIENT_ACTIVE], {"peer": callee})


@metric("")
def attempts_per_request(window: Window, link: Link | str) -> Measured:
    """Calls begun on a link for each operation that was due in the phase: 1 + retries, less refusals."""
    if not len(window.operations):
        return Measured(None, why=f"no operation was due in {window.text}")
    caller, _, callee = name_of(link).partition("->")
    begun = _increase(window, caller, [CLIENT_DONE, CLIENT_ACTIVE], {"peer": callee})
    if begun.value is None:
        return begun
    return Measured(begun.value / len(window.operations), begun.censored, begun.why)


@metric("")
def counter_increase(
    window: Window, /, service: Service | Backing | str | Sequence[Service], metric: str, **labels: str
) -> Measured:
    """What a counter of a service, or of several together, grew by in the phase.

    Over all its series that carry these labels.
    """
    return _sum([_increase(window, name, [metric], labels) for name in names_of(service)])


@metric("")
def counter_quotient(
    window: Window, /, service: Service | Backing | str | Sequence[Service], metric: str, per: str
) -> Measured:
    """What one counter of a service, or of several together, grew by in the phase for each that another grew by."""
    grown, base = (
        _sum([_increase(window, name, [counter], {}) for name in names_of(service)]) for counter in (metric, per)
    )
    for part in (grown, base):
        if part.value is None or part.censored:  # "at least" says nothing of a ratio
            return Measured(None, why=part.why)
    if not base.value:
        return Measured(None, why=f"{per} did not grow in {window.text}: there is nothing to divide by")
    return Measured((grown.value or 0.0) / base.value)


@metric("")
def gauge_max(window: Window, /, service: Service | Backing | str, metric: str, **labels: str) -> Measured:
    """The highest value of a gauge at the edges of the phase; for what happens in between, take `panel_max`."""
    name = name_of(service)
    both = [*window.snapshot(name, "start"), *window.snapshot(name, "end")]
    values = [sample.value for sample in _matching(both, [metric], labels)]
    if not values:
        return Measured(None, why=f"{name} showed no {_written(metric, labels)} at the edges of {window.text}")
    return Measured(max(values))


@metric("")
def cpu_share(window: Window, service: Service | str) -> Measured:
    """CPU time that a service took in the phase: 1 is one core, all the time."""
    name = name_of(service)
    spent = _increase(window, name, ["process_cpu_seconds_total"], {})
    if spent.value is None:
        return spent
    elapsed_s = window.snapshot(name, "end")[0].at_s - window.snapshot(name, "start")[0].at_s
    if elapsed_s <= 0:
        return Measured(None, why=f"the snapshots of {name} at the edges of {window.text} are not apart")
    return Measured(spent.value / elapsed_s, spent.censored, spent.why)


@metric("")
def panel_max(window: Window, panel: str) -> Measured:
    """The highest value of any series of a panel (by its title) in the phase, sampled once a second."""
    values = window.panel(panel)
    return (
        Measured(max(values)) if values else Measured(None, why=f'the panel "{panel}" has no values in {window.text}')
    )


def _sum(parts: Sequence[Measured]) -> Measured:
    """All together; the first reason against it, where there is one."""
    for part in parts:
        if part.value is None:
            return part
    why = next((part.why for part in parts if part.why), "")
    return Measured(sum(part.value or 0.0 for part in parts), any(part.censored for part in parts), why)


def _increase(window: Window, service: str, counted: Sequence[str], labels: dict[str, str]) -> Measured:
    """Sum of the named metrics at the end of the phase less at its start."""
    before, after = window.snapshot(service, "start"), window.snapshot(service, "end")
    for edge, samples in (("start", before), ("end", after)):
        if not samples:
            return Measured(None, why=f"{service} was not heard at the {edge} of {window.text}")
    if not window.exposes(service, counted[0], labels):
        return Measured(None, why=f"{service} never showed {_written(counted[0], labels)}")
    grown_to = sum(sample.value for sample in _matching(after, counted, labels))
    grown_from = sum(sample.value for sample in _matching(before, counted, labels))
    if _restarted(before, after) or grown_to < grown_from:
        return Measured(
            grown_to, censored=True, why=f"{service} was restarted in {window.text}, and counted from 0 again"
        )
    return Measured(grown_to - grown_from)


def _matching(samples: Sequence[Sample], metrics: Sequence[str], labels: dict[str, str]) -> list[Sample]:
    return [s for s in samples if s.metric in metrics and labels.items() <= s.labels.items()]


def _restarted(before: Sequence[Sample], after: Sequence[Sample]) -> bool:
    began = [{s.value for s in samples if s.metric == STARTED_AT} for samples in (before, after)]
    return began[0] != began[1]


def _written(metric: str, labels: dict[str, str]) -> str:
    return metric + ("{" + ", ".join(f'{k}="{v}"' for k, v in labels.items()) + "}" if labels else "")
