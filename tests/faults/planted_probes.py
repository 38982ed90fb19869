"""Probe lists as a canary would bring them home, planted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lab.model import Disk, Link, Service
from lab.record import Probe

caller, callee = Service("exchange"), Service("payments")
link = Link(caller, callee)

Plan = Callable[[int], "float | str"]  # the n-th probe's latency in ms, or how it failed


def always(what: float | str) -> Plan:
    """The same for each probe."""
    return lambda n: what


HEALTHY = always(1.0)


def probes(
    through: Plan | None = None,
    beside: Plan | None = HEALTHY,
    *,
    target: str = link.name,
    lasts_s: float = 5.0,
    start_s: float = 10.0,
) -> list[Probe]:
    """Probes at 10 Hz over a window of `lasts_s`."""
    return [*_path("through", through, target, lasts_s, start_s), *_path("beside", beside, target, lasts_s, start_s)]


def of_process(plan: Plan, lasts_s: float = 5.0) -> list[Probe]:
    """Probes of the callee itself."""
    return probes(None, plan, target=callee.name, lasts_s=lasts_s)


def of_disk(plan: Plan, lasts_s: float = 5.0) -> list[Probe]:
    """Syncs of the disk under the callee's data."""
    return probes(plan, None, target=Disk(callee).name, lasts_s=lasts_s)


def _path(path: str, plan: Plan | None, target: str, lasts_s: float, start_s: float) -> Iterator[Probe]:
    for n in range(round(lasts_s * 10) + 1 if plan else 0):
        what = plan(n)
        at_s = start_s + n / 10
        if isinstance(what, str):
            yield Probe(target, path, at_s, what)
        else:
            yield Probe(target, path, at_s, "answered", what)
