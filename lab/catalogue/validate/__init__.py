"""Finds every mistake in a scenario before anything starts, each as one sentence that says what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from lab.catalogue import handbook
from lab.catalogue.validate.claims import claim_mistakes, invariant_mistakes
from lab.catalogue.validate.load import load_mistakes, sent_in_mistakes
from lab.catalogue.validate.reach import reach_mistakes
from lab.catalogue.validate.said import Problems, repeated
from lab.catalogue.validate.system import need_mistakes, phase_mistakes, topology_mistakes, variant_mistakes
from lab.model import Scenario, Service
from lab.model.typed import misfits


def problems(scenario: Scenario, targets: Path) -> list[str]:
    """Every mistake of a scenario, in the order a reader meets them; `targets` is the folder with the services."""
    wrong = list(misfits(scenario))
    if wrong:  # a list that was changed after its word was made; each look below relies on the types
        return wrong
    found: list[str] = []
    for look in _LOOKS:
        found.extend(look(scenario))
    found.extend(_targets(scenario, targets))
    return found


def _words(scenario: Scenario) -> Problems:
    for field in ("title", "question"):
        if not getattr(scenario, field).strip():
            yield f"{field} is empty; say in a sentence what the reader gets."
    known = handbook.sections()
    if not scenario.sections:
        yield 'handbook names no section; name the one it serves, such as "7.6.1.3".'
    for number in scenario.sections:
        if number not in known:
            close = get_close_matches(number, known, n=1)
            hint = f'"{close[0]}" is {known[close[0]].title}.' if close else "see lab/catalogue/handbook.toml."
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
                yield f"service {member.name} runs targets/{member.target}.py, which does not exist; " + _instead(
                    member, sorted(p.stem for p in targets.glob("*.py") if not p.stem.startswith("_"))
                )


def _instead(member: Service, have: list[str]) -> str:
    """One of several instances of a target takes `module`; anything else is one of those there are."""
    several = [name for name in have if re.fullmatch(rf"{name}_?\d+", member.target)]
    if several and not member.module:
        return f'for one of several instances write Service("{member.name}", module="{several[0]}").'
    return f"there are {', '.join(have)}."


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
