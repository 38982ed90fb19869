"""Finds every mistake in a scenario before anything starts, each as one sentence that says what would be right."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from lab import checkers, handbook, metrics
from lab.model import (
    Backing,
    Claim,
    Env,
    Fault,
    Invariant,
    Link,
    Load,
    Member,
    Metric,
    Operation,
    Panel,
    Peers,
    Phase,
    Readback,
    Scenario,
    Service,
    Variant,
)
from lab.optional import links_of, members_of

NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
VERB_PATH = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE) /\S*")
Problems = Iterator[str]


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


def _one_of(word: str, known: Iterable[str]) -> str:
    known = list(known)
    close = get_close_matches(word, known, n=1)
    return f'did you mean "{close[0]}"?' if close else f"this scenario has {', '.join(known) or 'none'}."


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


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


def _load(scenario: Scenario) -> Problems:
    load = scenario.load
    if (load.per_s is None) == (load.users is None):
        yield "load needs either per_s (open model) or users (closed model), not both and not neither."
    if load.per_s is not None and not _positive(load.per_s):
        yield f"load has per_s={load.per_s!r}; it takes arrivals a second, above 0."
    if load.users is not None and not (isinstance(load.users, int) and load.users >= 1):
        yield f"load has users={load.users!r}; it takes a whole number from 1."
    if load.arrivals not in ("uniform", "poisson"):
        yield f'load has arrivals="{load.arrivals}"; it takes "uniform" or "poisson".'
    if not _positive(load.timeout_s):
        yield f"load has timeout_s={load.timeout_s!r}; it takes seconds, above 0."
    if not isinstance(load.think_s, int | float) or load.think_s < 0:
        yield f"load has think_s={load.think_s!r}; it takes seconds, 0 or more."
    yield from _mix(load)


def _mix(load: Load) -> Problems:
    parts = [load.mix] if isinstance(load.mix, str | Operation) else list(load.mix)
    if not parts:
        yield 'load has an empty mix; give it "POST /path" or an Operation.'
    for part in parts:
        if isinstance(part, str) and not VERB_PATH.fullmatch(part):
            yield f'load has the operation "{part}"; it takes a verb and a path, such as "POST /trades".'
        elif isinstance(part, Operation) and not _positive(part.weight):
            yield f'load operation "{part.name}" has weight={part.weight!r}; it takes a number above 0.'
        elif not isinstance(part, str | Operation):
            yield f'load has {part!r} in its mix; it takes "POST /path" or Operation(name, make).'
    operations = [part if isinstance(part, str) else part.name for part in parts if isinstance(part, str | Operation)]
    for name in _repeated(operations):
        yield f'load has two operations called "{name}"; give each a name of its own.'


def _topology(scenario: Scenario) -> Problems:
    for link in scenario.links:
        if not isinstance(link.caller, Service | Peers):
            yield f"link {link.name}: the caller is not a Service; servers we did not write call their Peers at most."
        if isinstance(link.caller, Peers) and not isinstance(link.callee, Backing):
            yield f"link {link.name}: {link.callee.name} is a Service; name the one that calls it."
        if link.caller == link.callee:
            yield f"link {link.name} goes from a service to itself; a link needs two ends."
        if not isinstance(link.distance_ms, int) or link.distance_ms < 0:
            yield f"link {link.name} has distance_ms={link.distance_ms!r}; it takes whole milliseconds, 0 or more."
    for name in _repeated(link.name for link in scenario.links):
        yield f"link {name} is there twice; one link is one proxy."
    for name in _repeated(member.name for member in scenario.members):
        yield f'two different services are called "{name}"; use one object for one service.'
    for member in scenario.members:
        if not NAME.fullmatch(member.name):
            yield f'"{member.name}" is no name for a service; use a-z, 0-9 and -, a letter first.'
        yield from _env(f"service {member.name}", member.env if isinstance(member, Service) else member.settings)
    variables = [(link.caller.name, link.env_name) for link in scenario.links]
    for (caller, variable), count in Counter(variables).items():
        if count > 1 and len({link.name for link in scenario.links if link.caller.name == caller}) > 1:
            yield f"{caller} would get {variable} from {count} links; name the callees apart."


def _env(where: str, env: Env) -> Problems:
    for key, value in env.items():
        if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", str(key)):
            yield f'{where} sets "{key}"; environment variables are A-Z, 0-9 and _.'
        if not isinstance(value, str | int | float):
            yield f"{where} sets {key}={value!r}; it takes text, a number or a truth value."


def _sent_in(scenario: Scenario) -> Problems:
    """Operations that are sent in some phases only."""
    mix = scenario.load.mix
    parts = [mix] if isinstance(mix, str | Operation) else list(mix)
    choosy = [part for part in parts if isinstance(part, Operation) and part.phases]
    phases = [phase.name for phase in scenario.phases]
    for operation in choosy:
        if not scenario.load.is_open:
            yield f'operation "{operation.name}" names phases; users (closed model) send the whole mix in all of them.'
        for name in operation.phases:
            if name not in phases:
                yield f'operation "{operation.name}" is sent in phase "{name}"; {_one_of(name, phases)}'
    for phase in phases:
        if parts and len(choosy) == len(parts) and not any(phase in operation.phases for operation in choosy):
            yield f'phase "{phase}" has nothing to send: each operation names other phases.'


def _phases(scenario: Scenario) -> Problems:
    if not scenario.phases:
        yield 'there are no phases; start with Phase("baseline", lasts_s=10).'
    for name in _repeated(phase.name for phase in scenario.phases):
        yield f'two phases are called "{name}"; a claim could not tell them apart.'
    links, members = set(scenario.links), set(scenario.members)
    for phase in scenario.phases:
        if not NAME.fullmatch(phase.name):
            yield f'"{phase.name}" is no name for a phase; use a-z, 0-9 and -, a letter first.'
        if not _positive(phase.lasts_s):
            yield f'phase "{phase.name}" has lasts_s={phase.lasts_s!r}; it takes seconds, above 0.'
        for fault in phase.faults:
            yield from _fault(phase, fault, links, members)


def _fault(phase: Phase, fault: Fault, links: set[Link], members: set[Member]) -> Problems:
    for target in dict.fromkeys(target for one in fault.candidates for target in one.targets):
        if isinstance(target, Link) and target not in links:
            names = ", ".join(sorted(link.name for link in links)) or "none"
            yield f'phase "{phase.name}" breaks link {target.name}, which is not in links; they are {names}.'
        elif not isinstance(target, Link) and target not in members:
            names = ", ".join(sorted(member.name for member in members))
            yield f'phase "{phase.name}" breaks {target.name}, which is not in this scenario; it has {names}.'


def _variants(scenario: Scenario) -> Problems:
    if len(scenario.variants) < 2:
        yield f"variants holds {len(scenario.variants)}; it takes two or more, the control first."
    for name in _repeated(variant.name for variant in scenario.variants):
        yield f'two variants are called "{name}"; a claim could not tell them apart.'
    members = set(scenario.members)
    for variant in scenario.variants:
        if not NAME.fullmatch(variant.name):
            yield f'"{variant.name}" is no name for a variant; use a-z, 0-9 and -, a letter first.'
        for member, env in variant.env.items():
            if member not in members:
                known = ", ".join(m.name for m in scenario.members)
                name = str(getattr(member, "name", member))
                yield f'variant "{variant.name}" changes {name}, which is not in this scenario; it has {known}.'
            yield from _env(f'variant "{variant.name}"', env)


def _needs(scenario: Scenario) -> Problems:
    """Members that only some variants use: each is there, and nothing is asked of it where it is not."""
    for variant in scenario.variants:
        for member in variant.needs:
            if member not in scenario.members:
                yield f'variant "{variant.name}" needs {member.name}, which no link leads to.'
        members, links = members_of(scenario, variant), links_of(scenario, variant)
        missing = {*scenario.members, *scenario.links} - {*members, *links}
        for phase in scenario.phases:
            for fault in phase.faults:
                if all(missing & set(one.targets) for one in fault.candidates):
                    yield f'phase "{phase.name}" breaks {fault.where}, which variant "{variant.name}" does not have.'
        asked = [*scenario.load.services, *scenario.profile, *(readback.service for readback in scenario.readbacks)]
        for service in dict.fromkeys(asked):
            if service in scenario.members and service not in members:
                yield f'variant "{variant.name}" does not have {service.name}, which is asked in each.'


def _claims(scenario: Scenario) -> Problems:
    if not scenario.claims:
        yield "there are no claims; without one there is nothing to judge."
        return
    control = scenario.variants[0].name if scenario.variants else ""
    for text in _repeated(claim.text for claim in scenario.claims):
        yield f'two claims read "{text}"; say what sets them apart.'
    if all(claim.control for claim in scenario.claims) and not scenario.invariants:
        yield "every claim is about the control; add one that says what the pattern does for it."
    hurts = any(claim.control for claim in scenario.claims) or any(i.broken_in for i in scenario.invariants)
    if not hurts:
        yield f'no claim says that the control "{control}" hurts; add one with control=True, or nothing is proved.'
    for claim in scenario.claims:
        for problem in _claim(claim, scenario, control):
            yield f'claim "{claim.text}" {problem}'


def _claim(claim: Claim, scenario: Scenario, control: str) -> Problems:
    variants = [variant.name for variant in scenario.variants]
    phases = [phase.name for phase in scenario.phases]
    if not claim.text.strip():
        yield "has no text; say in a few words what must hold."
    if claim.variant not in variants:
        yield f'names variant "{claim.variant}"; {_one_of(claim.variant, variants)}'
    if claim.phase not in phases:
        yield f'names phase "{claim.phase}"; {_one_of(claim.phase, phases)}'
    if claim.of is not None and claim.of not in variants:
        yield f'is held against variant "{claim.of}"; {_one_of(claim.of, variants)}'
    if claim.of == claim.variant:
        yield f'is held against its own variant "{claim.of}"; the ratio is always 1.'
    if claim.control and claim.variant != control:
        yield f'is a control claim about "{claim.variant}"; the control is the first variant, "{control}".'
    if claim.at_least is None and claim.at_most is None:
        yield "has no bound; give at_least, at_most or both."
    for field in ("at_least", "at_most"):
        bound = getattr(claim, field)
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int | float) or math.isnan(bound)):
            yield f"has {field}={bound!r}; it takes a number."
            return
    if claim.at_least is not None and claim.at_most is not None and claim.at_least > claim.at_most:
        yield f"asks at_least {claim.at_least:g} and at_most {claim.at_most:g}; nothing is both."
    yield from _metric(claim.metric, scenario)


def _metric(metric: Metric, scenario: Scenario) -> Problems:
    known = metrics.names()
    if metric.name not in known:
        yield f'takes the metric "{metric.name}"; {_one_of(metric.name, known)}'
    links = [link.name for link in scenario.links]
    services = [member.name for member in scenario.members]
    variants = [variant.name for variant in scenario.variants]
    readbacks = [readback.name for readback in scenario.readbacks]
    known_as = (("link", links), ("service", services), ("since", variants), ("readback", readbacks))
    for arg, there in known_as:
        asked = metric.args.get(arg)
        for name in str(asked).split(", ") if asked is not None else []:
            if name not in there:
                yield f"measures {arg} {name}, which is not in this scenario; {_one_of(name, there)}"


def _invariants(scenario: Scenario) -> Problems:
    variants = [variant.name for variant in scenario.variants]
    for invariant in scenario.invariants:
        if invariant.check.name not in checkers.names():
            yield f'invariant "{invariant.text}" takes the checker "{invariant.check.name}"; ' + _one_of(
                invariant.check.name, checkers.names()
            )
        names = [readback.name for readback in scenario.readbacks]
        args = invariant.check.args
        several = [name.strip() for name in str(args["readbacks"]).split(",")] if "readbacks" in args else []
        for asked in [*(str(args[one]) for one in ("readback",) if one in args), *several]:
            if asked not in names:
                yield f'invariant "{invariant.text}" needs the readback "{asked}"; {_one_of(asked, names)}'
        for name in [*invariant.variants, *invariant.broken_in]:
            if name not in variants:
                yield f'invariant "{invariant.text}" names variant "{name}"; {_one_of(name, variants)}'
    for name in _repeated(readback.name for readback in scenario.readbacks):
        yield f'two readbacks are called "{name}"; a checker could not tell them apart.'
    for readback in scenario.readbacks:
        if readback.service not in scenario.members:
            yield f'readback "{readback.name}" asks {readback.service.name}, which is not in this scenario.'
        if not readback.path.startswith("/"):
            yield f'readback "{readback.name}" asks "{readback.path}"; a path begins with /.'


def _panels(scenario: Scenario) -> Problems:
    for title in _repeated(panel.title for panel in scenario.panels):
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
    _topology,
    _load,
    _phases,
    _sent_in,
    _variants,
    _needs,
    _claims,
    _invariants,
    _panels,
)
