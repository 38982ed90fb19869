"""Finds every mistake in a scenario before anything starts, each as one sentence that says what would be right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path

from lab import handbook
from lab.model import (
    Backing,
    Claim,
    Fault,
    Invariant,
    Link,
    Load,
    Metric,
    Panel,
    Phase,
    Readback,
    Scenario,
    Service,
    Variant,
)
from lab.validate.claims import claim_mistakes, invariant_mistakes
from lab.validate.load import load_mistakes, sent_in_mistakes
from lab.validate.reach import reach_mistakes
from lab.validate.said import Problems, repeated
from lab.validate.system import need_mistakes, phase_mistakes, topology_mistakes, variant_mistakes


def problems(scenario: Scenario, targets: Path) -> list[str]:
    """Every mistake of a scenario, in the order a reader meets them; `targets` is the folder with the services."""
    shapes = list(_shapes(scenario))
    if shapes:  # looking further would only stumble over the same mistakes
        return shapes
    found: list[str] = []
    for look in _LOOKS:
        found.extend(look(scenario))
    found.extend(_targets(scenario, targets))
    return found


def _shapes(scenario: Scenario) -> Problems:
    """Things of the wrong kind: dataclasses do not check types, and a tuple is easily left out."""
    fields: list[tuple[str, type | tuple[type, ...], str]] = [
        ("links", Link, "Link(caller, callee)"),
        ("services", (Service, Backing), 'Service("name")'),
        ("phases", Phase, 'Phase("baseline", lasts_s=10)'),
        ("variants", Variant, 'Variant("off", {service: {...}})'),
        ("claims", Claim, "Claim(text, variant, phase, metric, at_most=...)"),
        ("panels", Panel, "Panel(title, expr)"),
        ("invariants", Invariant, "Invariant(text, checkers....)"),
        ("readbacks", Readback, "Readback(name, service, path)"),
        ("profile", Service, "the services to profile"),
    ]
    for field, kind, example in fields:
        value = getattr(scenario, field)
        if not isinstance(value, Sequence) or isinstance(value, str):
            yield f"{field} is {value!r}; it takes a list: [{example}]."
            continue
        for item in value:
            if not isinstance(item, kind):
                yield f"{field} holds {item!r}; each must be {example}."
    if not isinstance(scenario.load, Load):
        yield f'load is {scenario.load!r}; it takes Load("POST /path", to=service, per_s=50).'
    elif not _is_services(scenario.load.to):
        yield f"load goes to {scenario.load.to!r}; it takes a Service, or a list of them that take turns."
    for phase in (p for p in scenario.phases if isinstance(p, Phase)):
        for fault in phase.faults if isinstance(phase.faults, Sequence) else [phase.faults]:
            if not isinstance(fault, Fault):
                yield f'phase "{phase.name}" has the fault {fault!r}; write it as a call, such as faults.silence(link).'
    for claim in (c for c in scenario.claims if isinstance(c, Claim)):
        if not isinstance(claim.metric, Metric):
            yield f'claim "{claim.text}" has the metric {claim.metric!r}; write it as a call, such as metrics.p90_ms().'


def _is_services(to: object) -> bool:
    if isinstance(to, Service):
        return True
    return isinstance(to, Sequence) and bool(to) and all(isinstance(service, Service) for service in to)


def _words(scenario: Scenario) -> Problems:
    for field in ("title", "question"):
        if not str(getattr(scenario, field)).strip():
            yield f"{field} is empty; say in a sentence what the reader gets."
    known = handbook.sections()
    if not scenario.sections:
        yield 'handbook names no section; name the one it serves, such as "7.6.1.3".'
    for number in scenario.sections:
        if number not in known:
            close = get_close_matches(str(number), known, n=1)
            hint = f'"{close[0]}" is {known[close[0]].title}.' if close else "see lab/handbook.toml."
            yield f'handbook section "{number}" does not exist; {hint}'


def _panels(scenario: Scenario) -> Problems:
    for title in repeated(panel.title for panel in scenario.panels):
        yield f'two panels are called "{title}"; give each a title of its own.'
    for panel in scenario.panels:
        if not panel.expr.strip():
            yield f'panel "{panel.title}" has no expression; give it PromQL.'
    for service in scenario.profile:
        if service not in scenario.members:
            yield f"profile names {service.name}, which is not in this scenario."


def _targets(scenario: Scenario, targets: Path) -> Problems:
    for member in scenario.members:
        if isinstance(member, Service) and not (targets / f"{member.target}.py").exists():
            package = (targets / member.target / "__main__.py").exists()
            if not package:
                have = ", ".join(sorted(p.stem for p in targets.glob("*.py") if not p.stem.startswith("_")))
                yield f"service {member.name} runs targets/{member.target}.py, which does not exist; there are {have}."


_LOOKS: tuple[Callable[[Scenario], Problems], ...] = (
    _words,
    topology_mistakes,
    load_mistakes,
    phase_mistakes,
    sent_in_mistakes,
    variant_mistakes,
    need_mistakes,
    claim_mistakes,
    reach_mistakes,
    invariant_mistakes,
    _panels,
)
