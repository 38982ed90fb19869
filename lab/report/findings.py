"""One sentence for each chart: what it shows this time, worked out from the numbers that it draws."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lab.record import MetricSpec, PanelSpec
from lab.report.aggregate import ProbeBin
from lab.report.numbers import at, duration, panel_value, percent
from lab.report.view import View

Samples = Mapping[str, Sequence[tuple[float, float]]]
ALIKE = 2  # times: waits closer than this tell no difference of the kind that is looked for
MOST_NAMED = 3  # variants named in a sentence


@dataclass(frozen=True)
class _Taken:
    """A metric of one variant."""

    variant: str
    value: float
    text: str


def outcomes(view: View) -> str:
    """Where the variants differ most in the share of requests that succeeded."""
    spec = MetricSpec("success_ratio", "")
    found = [(phase.name, _taken(view, spec, phase.name)) for phase in view.spec.phases]
    found = [(phase, taken) for phase, taken in found if taken]
    if not found:
        return ""
    if min(one.value for _, taken in found for one in taken) == 1:
        return "Every request succeeded, in each phase and variant."
    phase, taken = max(found, key=lambda each: (_spread(each[1]), -min(one.value for one in each[1])))
    if _spread(taken) < 0.005:
        phase, taken = min(found, key=lambda each: min(one.value for one in each[1]))
        worst = min(taken, key=lambda one: one.value)
        return (
            f"Variants agree within 0.5 percentage points; fewest succeed in {phase} of {worst.variant}: {worst.text}."
        )
    return f"Of the requests due in {phase}, {_beside(taken, 'succeed ')}."


def latency(view: View) -> str:
    """Where the variants' waits differ most, by the median or by p99."""
    found: list[tuple[float, str, str, list[_Taken]]] = []
    for phase in view.spec.phases:
        for name, word in (("p50_ms", "half of the requests wait"), ("p99_ms", "p99 is")):
            taken = _taken(view, MetricSpec(name, "ms"), phase.name)
            values = [one.value for one in taken if one.value > 0]
            if values:
                found.append((max(values) / min(values), phase.name, word, taken))
    if not found:
        return ""
    ratio, where, word, taken = max(found, key=lambda each: each[0])
    if len(view.variants) > 1 and ratio < ALIKE:
        _, where, _, taken = max(found, key=lambda each: max(one.value for one in each[3]))
        slowest = max(taken, key=lambda one: one.value)
        return f"In no phase do waits differ by a factor of {ALIKE:g}; the longest, {slowest.text}, are in {where}."
    most = "at most " if word.startswith("half") else ""
    return f"In {where}, {word} {most}{_beside(taken)}."


def panel(view: View, spec: PanelSpec, samples: Mapping[str, Samples], names: Sequence[str]) -> str:
    """The highest value of each variant, with its series and its time; of states the share of the time in each."""
    if spec.values:
        several = len(names) > 1
        say = _who_longest if several else _states
        told = [f"{v}: {text}" for v in view.variants if (text := say(spec, samples[v], names))]
        return f"{'; '.join(told[:MOST_NAMED])}." if told else ""
    tops = {v: top for v in view.variants if (top := _top(samples[v], names)) is not None}
    if not tops:
        return ""
    if is_flat(samples, names):
        return f"It stays at {panel_value(next(iter(tops.values()))[2], spec.unit, {})} in every variant."
    shown = list(tops.items())
    if len(shown) > MOST_NAMED:
        ordered = sorted(shown, key=lambda each: each[1][2])
        shown = [ordered[-1], ordered[0]]
    parts = []
    for variant, (name, at_s, value) in shown:
        series = f" ({name})" if name and len(names) > 1 else ""
        where = f" at {at(at_s)}" if value else " throughout"
        parts.append(f"{panel_value(value, spec.unit, {})}{series} in {variant}{where}")
    return f"Highest: {', '.join(parts)}."


def is_flat(samples: Mapping[str, Samples], names: Sequence[str]) -> bool:
    """Whether a panel has one value only, in every variant: it says nothing this time."""
    return len({value for found in samples.values() for name in names for _, value in found.get(name, ())}) == 1


def canary(bins: Mapping[str, Sequence[ProbeBin]]) -> str:
    """How many probes went unanswered on either path, in each variant."""
    parts = []
    for variant, found in bins.items():
        lost, sent = {}, {}
        for path in ("through", "beside"):
            mine = [b for b in found if b.path == path]
            lost[path] = sum(sum(b.unanswered.values()) for b in mine)
            sent[path] = lost[path] + sum(b.answered for b in mine)
        if sent["through"] or sent["beside"]:
            parts.append(
                f"{lost['through']:,} of {sent['through']:,} through the link and "
                f"{lost['beside']:,} of {sent['beside']:,} beside it in {variant}"
            )
    return f"Probes without an answer: {'; '.join(parts[:MOST_NAMED])}." if parts else ""


def _who_longest(spec: PanelSpec, samples: Samples, names: Sequence[str]) -> str:
    """Of several members, who was in the highest state, such as leading, and for what share of their samples' time."""
    state = max(spec.values)
    shares = []
    for name in names:
        lasted = [(b - a, value) for (a, value), (b, _) in pairwise(samples.get(name, ()))]
        whole_s = sum(s for s, _ in lasted)
        in_it_s = sum(s for s, value in lasted if value == state)
        if in_it_s:
            shares.append((in_it_s / whole_s, name))
    shares.sort(reverse=True)
    told = [f"{name} {percent(round(share, 3))}" for share, name in shares[:MOST_NAMED]]
    return f"{spec.values[state]}: {', '.join(told)} of the time" if told else ""


def _states(spec: PanelSpec, samples: Samples, names: Sequence[str]) -> str:
    """The share of the time in each state, over all series; a sample holds until the next."""
    lasted_s: dict[float, float] = {}
    for name in names:
        for (at_s, value), (next_s, _) in pairwise(samples.get(name, ())):
            lasted_s[value] = lasted_s.get(value, 0.0) + next_s - at_s
    whole_s = sum(lasted_s.values())
    if not whole_s:
        return ""
    shares = sorted(lasted_s.items(), key=lambda each: -each[1])
    return ", ".join(f"{panel_value(value, '', spec.values)} {percent(round(s / whole_s, 3))}" for value, s in shares)


def _top(samples: Samples, names: Sequence[str]) -> tuple[str, float, float] | None:
    found = [(value, -at_s, name) for name in names for at_s, value in samples.get(name, ())]
    if not found:
        return None
    value, minus_s, name = max(found)
    return name, -minus_s, value


def _taken(view: View, spec: MetricSpec, phase: str) -> list[_Taken]:
    return list(_each(view, spec, phase))


def _each(view: View, spec: MetricSpec, phase: str) -> Iterator[_Taken]:
    for variant in view.variants:
        measured = view.measure(spec, variant, phase)
        if measured.value is None or not math.isfinite(measured.value):
            continue
        text = percent(measured.value) if spec.unit == "" else duration(measured.value / 1000)
        yield _Taken(variant, measured.value, ("at least " if measured.censored else "") + text)


def _spread(taken: Sequence[_Taken]) -> float:
    return max(one.value for one in taken) - min(one.value for one in taken)


def _beside(taken: Sequence[_Taken], verb: str = "") -> str:
    """`2.3 % in off and 98 % in on`; of many variants the lowest and the highest."""
    if len(taken) > MOST_NAMED:
        ordered = sorted(taken, key=lambda one: one.value)
        return f"{verb}between {ordered[0].text} ({ordered[0].variant}) and {ordered[-1].text} ({ordered[-1].variant})"
    parts = [f"{one.text} {verb if k == 0 else ''}in {one.variant}" for k, one in enumerate(taken)]
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
