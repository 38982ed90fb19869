"""Series of a panel as a reader wants them: short names, and samples where in time they belong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lab.observe import promql
from lab.record import Event, PanelSpec
from lab.report.numbers import quantity
from lab.report.view import View

_LABELS = re.compile(r"\w+=[^=,]*(?:, \w+=[^=,]*)*")
Samples = Mapping[str, Sequence[tuple[float, float]]]
NO_ERROR = "answered"  # an attempt whose `error_type` is empty


def shown(names: Sequence[str], title: str) -> dict[str, str]:
    """What each series is called in a legend, by its name in the record: `201` for `http_response_status_code=201`.

    Labels that are the same in all series are left out where others tell them apart. A series without labels among
    such that have one is `answered` where that label says why a call failed.
    """
    labels = {name: dict(part.split("=", 1) for part in name.split(", ")) for name in names if _LABELS.fullmatch(name)}
    plain = [name for name in names if name not in labels]
    if not labels or any(name not in ("", title) for name in plain):
        return {name: name for name in names}
    keys = list(dict.fromkeys(key for found in labels.values() for key in found))
    telling = [key for key in keys if len({found.get(key) for found in labels.values()}) > 1] or keys
    called = {name: " · ".join(found[key] for key in telling if key in found) for name, found in labels.items()}
    called |= {name: NO_ERROR if keys == ["error_type"] else "without" for name in plain}
    return called if len(set(called.values())) == len(called) else {name: name for name in names}


def looks_back_s(panel: PanelSpec) -> float:
    """Over how many seconds a panel's expression takes a mean; 0 where it shows the moment."""
    return promql.looks_back_s(panel.expr)


def window(panel: PanelSpec) -> str:
    """What a panel's points stand for, in a few words; empty where each shows its moment."""
    over_s = looks_back_s(panel)
    if not over_s:
        return ""
    blurred = quantity(over_s / 2, "s")
    return f"mean over {quantity(over_s, 's')}, drawn in its middle: edges are blurred by {blurred}"


def placed(panel: PanelSpec, samples: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Samples in the middle of the time they are a mean of: at its end they would seem to lag behind what happened.

    Those that are mostly of the time before the load are left out.
    """
    back_s = looks_back_s(panel) / 2
    return [(at_s - back_s, value) for at_s, value in samples if at_s >= back_s]


def is_exact(panel: PanelSpec, view: View) -> bool:
    """Whether a panel shows a breaker whose caller told when it moved."""
    return "breaker_state" in panel.expr and any("breaker" in e.facts for v in view.variants for e in view.events(v))


def exact(panel: PanelSpec, samples: Samples, events: Sequence[Event], until_s: float) -> Samples:
    """A breaker's states as its caller told them, where it did: scrapes miss what is shorter than a second."""
    if "breaker_state" not in panel.expr or not samples:
        return samples
    numbers = {name: float(value) for value, name in panel.values.items()}
    found = dict(samples)
    for peer in {str(event.facts["peer"]) for event in events if {"breaker", "peer"} <= set(event.facts)}:
        name = next((name for name in samples if name in (f"peer={peer}", peer)), None)
        mine = [e for e in events if e.facts.get("peer") == peer and e.facts.get("breaker") in numbers]
        if name is None or not mine or not samples[name]:
            continue
        before = [(at_s, value) for at_s, value in samples[name] if at_s < mine[0].at_s][:1]
        moves = [(e.at_s, numbers[str(e.facts["breaker"])]) for e in mine]
        found[name] = [*before, *moves, (until_s, moves[-1][1])]
    return found


def renamed(samples: Samples, names: Mapping[str, str]) -> dict[str, Sequence[tuple[float, float]]]:
    """The samples by the names that a legend has for them."""
    return {names[name]: found for name, found in samples.items() if name in names}
