"""Reasons why a fault was not in force all the time, each from what the canary saw; no reason, and it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from lab.faults.kit.throughout import STRAY, UNSTEADY, broken_off
from lab.faults.kit.window import Window, window
from lab.model import Link
from lab.record import Dose, Probe, ProbeOutcome

MIN_PROBES = 10  # below this, "none answered" and "one in five answered" are too easily told apart by luck
NOISE_MS = 5.0  # what a busy machine adds to a probe by itself

WhyNot = Callable[[Window], str | None]


def judge(asked: str, observed: str, *reasons: str | None) -> Dose:
    """In force unless a reason speaks against it; the first one is told."""
    against = next((reason for reason in reasons if reason), None)
    return Dose(asked, observed, in_force=against is None, why=against or "")


def link_dose(asked: str, probes: Sequence[Probe], link: Link, why_not: WhyNot) -> Dose:
    """Judge a fault by what one link did to probes: `why_not` gives the reason against it, if any."""
    seen = window(probes, link)
    few = too_few(seen)
    return judge(asked, seen.counts, few or why_not(seen))


def too_few(seen: Window) -> str | None:
    """Against any judgement of a link where the canary saw too little on either path."""
    through, beside = seen.through, seen.beside
    if min(len(through), len(beside)) < MIN_PROBES:
        return (
            f"too few probes: {len(through)} through the link and {len(beside)} beside it; "
            f"{MIN_PROBES} of each are needed (a longer phase gives more)"
        )
    if len(beside.answered) < MIN_PROBES:
        return (
            f"beside the link only {len(beside.answered)} of {len(beside)} probes answered: the callee itself was "
            "out of reach, so nothing is shown about the link"
        )
    for path, side in (("through the link", through), ("beside it", beside)):
        if side.gap:
            return f"{side.gap} {path}, so nothing is shown about that time"
    return None


def passes(seen: Window) -> str | None:
    """Against a fault that should leave answers alone: fewer came through than beside it, in all or for long."""
    through, beside = (len(side.answered) / len(side) for side in (seen.through, seen.beside))
    if through < beside - STRAY:
        return f"something else broke the link: {seen.counts}"
    return _no_answer(seen)


def _no_answer(seen: Window) -> str | None:
    """Against a link that lets answers pass: for longer than luck none came, while beside it they did."""
    pairs = seen.pairs
    lost = [through.latency_ms is None for through, _ in pairs]
    return broken_off([through for through, _ in pairs], lost, STRAY, "had no answer through the link")


def stays_silent(seen: Window) -> str | None:
    """Against a silent link: a probe was answered, or closed while nothing should have come.

    The end of the fault closes all that wait, and rightly so: only those begun before one that waited in vain count.
    """
    through = seen.through
    if through.answered:
        return f"{len(through.answered)} of {len(through)} probes through the link were answered"
    waited = [p.at_s for p in through.probes if p.outcome == "timeout"]
    closed = [p for p in through.probes if p.outcome != "timeout" and (not waited or p.at_s < waited[-1])]
    if len(closed) > STRAY * len(through):
        return f"{len(closed)} of {len(through)} probes through the link ended ({closed[0].outcome}) instead of waiting"
    ended = [p in closed for p in through.probes]
    return broken_off(through.probes, ended, STRAY, "through the link ended instead of waiting")


def mostly(outcome: ProbeOutcome) -> WhyNot:
    """Against a fault that should have ended probes through the link so: one answered, or too few ended so."""

    def why_not(seen: Window) -> str | None:
        through, hits = seen.through, seen.through.count(outcome)
        if through.answered:
            return f"{len(through.answered)} of {len(through)} probes through the link were answered"
        if hits < (1 - STRAY) * len(through):
            return f"only {hits} of {len(through)} probes through the link were {outcome}"
        other = [probe.outcome != outcome for probe in through.probes]
        return broken_off(through.probes, other, STRAY, f"through the link were not {outcome}")

    return why_not


def about(ms: float) -> tuple[float, float]:
    """From how much to how much counts as `ms`: 20 % off, or what a busy machine adds by itself."""
    off_ms = max(NOISE_MS, 0.2 * ms)
    return ms - off_ms, ms + off_ms


def later_dose(
    asked: str, seen: Window, least_ms: float, most_ms: float = inf, *, quickest_ms: float | None = None
) -> Dose:
    """Judge a fault that makes probes take so much longer through the link than beside it.

    Medians are compared, and no part may be without it: no probe can be answered sooner than in `quickest_ms` (where it
    differs from `least_ms`), however busy the machine, and not many in a row less than half of that later than beside.
    """
    through_ms, beside_ms = seen.through.median_ms, seen.beside.median_ms
    if inf in (through_ms, beside_ms):
        few = too_few(seen)
        return judge(asked, seen.counts, few or "most probes had no answer, so nothing shows how late they are")
    more_ms = through_ms - beside_ms
    observed = (
        f"+{more_ms:.1f} ms: median {through_ms:.1f} ms through the link ({len(seen.through)} probes), "
        f"{beside_ms:.1f} ms beside it ({len(seen.beside)})"
    )
    due = f"{least_ms:.0f} ms at least" if most_ms == inf else f"{least_ms:.0f} to {most_ms:.0f} ms"
    wrong = None if least_ms <= more_ms <= most_ms else f"the link added {more_ms:.1f} ms where {due} were due"
    quickest_ms = least_ms if quickest_ms is None else quickest_ms
    return judge(asked, observed, too_few(seen), wrong, _too_quick(seen, quickest_ms, least_ms / 2), _no_answer(seen))


def _too_quick(seen: Window, quickest_ms: float, half_ms: float) -> str | None:
    """Against a link that delays answers all the time: some came as if it did not."""
    probes, pairs = seen.through.probes, seen.pairs
    quick = [p.latency_ms is not None and p.latency_ms < quickest_ms for p in probes]
    early = [t.latency_ms is not None and t.latency_ms - (b.latency_ms or 0.0) < half_ms for t, b in pairs]
    return broken_off(
        probes, quick, 0.0, f"were answered in less than {quickest_ms:.0f} ms through the link"
    ) or broken_off([t for t, _ in pairs], early, UNSTEADY, f"were less than {half_ms:.0f} ms later through the link")


def blind_dose(asked: str, seen: Window, but: str) -> Dose:
    """Judge a fault of which the canary sees only that the link still passes; `but` says what it cannot see."""
    few = too_few(seen)
    return judge(asked, f"{seen.counts}; {but}", few or passes(seen))


def gone_dose(asked: str, seen: Window, needed: int = MIN_PROBES) -> Dose:
    """Judge a fault of a process that should have answered nobody, from `needed` probes or more."""
    side = seen.beside
    observed = f"{len(side.answered)} of {len(side)} probes answered{side.failures}"
    few = f"too few probes: {len(side)}; {needed} are needed (a longer phase gives more)"
    return judge(
        asked,
        observed,
        few if len(side) < needed else None,
        f"{seen.target} answered {len(side.answered)} of {len(side)} probes" if side.answered else None,
        f"{side.gap}, so nothing is shown about that time" if side.gap else None,
    )
