"""What a history must hold before a checker may say that nothing in it is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lab.checkers.history import Finding
from lab.record import Anomaly

ENOUGH = 1  # without one nothing was seen; a scenario that knows how many there must be asks for more


def verdict(
    anomalies: Iterable[Anomaly], failed: str, missing: Iterable[str], held: str, checked: int, first: bool = True
) -> Finding:
    """
    FAIL where there are anomalies, which nothing that is missing takes back; UNKNOWN with the first thing that is
    missing; PASS otherwise. `failed` gets the first anomaly's text behind it, unless `first` is False.
    """
    found = tuple(anomalies)
    if found:
        return Finding("FAIL", f"{failed}: {found[0].text}" if first else failed, checked, found)
    lacking = next((why for why in missing if why), "")
    if lacking:
        return Finding("UNKNOWN", lacking, checked)
    return Finding("PASS", held, checked)


def too_little(phases: Iterable[str], things: str, least: int = ENOUGH, played_in: str = "") -> str:
    """
    Why so few `things` hold nothing, or "": there must be `least` in all, and in each phase that `played_in` names.

    `phases` has the phase of each of them; `played_in` is `"cut, killed"`, or empty where the whole run counts.
    """
    counts = Counter(str(phase) for phase in phases)
    for phase in [each.strip() for each in played_in.split(",") if each.strip()]:
        if counts[phase] < least:
            return f"{_how_many(counts[phase], things)} in {phase}; the checker takes at least {least:,} there"
    total = counts.total()
    if total < least:
        return f"{_how_many(total, things)}; the checker takes at least {least:,}"
    return ""


def _how_many(count: int, things: str) -> str:
    return f"only {count:,} {things}" if count else f"no {things}"
