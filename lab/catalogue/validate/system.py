"""Mistakes in the services and links, in what breaks when, and in the variants."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from lab.catalogue.validate.said import NAME, Problems, repeated
from lab.model import Backing, Env, Fault, Link, Member, Peers, Phase, Scenario, Service, Variant
from lab.model.optional import links_of, members_of

FARTHEST_MS = 60_000  # beyond this a question and its answer take two minutes, and every timeout has passed
MOST_MEMBERS, MOST_LINKS = 100, 500  # processes of one machine, proxies of one process
LONGEST_S = 86_400
# What the lab itself starts beside a stack, or draws in a topology, by these names.
RESERVED = (
    *("canary", "grafana", "lab", "load", "load-entry", "locust", "peers", "profiler"),
    *("prometheus", "reports", "toxiproxy"),
)


def topology_mistakes(scenario: Scenario) -> Problems:
    """Services and links that cannot be started."""
    for link in scenario.links:
        yield from _caller(link, scenario)
        if isinstance(link.caller, Peers) and not isinstance(link.callee, Backing):
            yield f"link {link.name}: {link.callee.name} is a Service; name the one that calls it."
        if link.caller == link.callee:
            yield f"link {link.name} goes from a service to itself; a link needs two ends."
        if not 0 <= link.distance_ms <= FARTHEST_MS:
            yield f"link {link.name} has distance_ms={link.distance_ms}; it takes 0 to {FARTHEST_MS:,} milliseconds."
    for name in repeated(link.name for link in scenario.links):
        yield f"link {name} is there twice; one link is one proxy."
    yield from _member_mistakes(scenario)
    variables = [(link.caller.name, link.env_name) for link in scenario.links]
    for (caller, variable), count in Counter(variables).items():
        if count > 1 and len({link.name for link in scenario.links if link.caller.name == caller}) > 1:
            yield f"{caller} would get {variable} from {count} links; rename one of the callees."


def _caller(link: Link, scenario: Scenario) -> Problems:
    """A caller that calls nothing of the kind."""
    if isinstance(link.caller, Backing):
        other = link.callee
        if not isinstance(other, Backing) or other.kind != link.caller.kind:
            yield f"link {link.name}: {link.caller.name} is a server; it may call only a primary of its kind."
        elif any(each.caller == other and isinstance(each.callee, Backing) for each in scenario.links):
            yield f"link {link.name}: {other.name} is a standby itself; let {link.caller.name} follow the primary."
        elif [each for each in scenario.links if each.caller == link.caller].index(link) == 1:  # told once
            yield f"{link.caller.name} follows several servers; a standby has one primary."
    elif not isinstance(link.caller, Service | Peers):
        yield f"link {link.name}: the caller is neither a Service nor a server that follows another."


def _member_mistakes(scenario: Scenario) -> Problems:
    if len(scenario.members) > MOST_MEMBERS:
        yield f"there are {len(scenario.members):,} services and servers; a run starts at most {MOST_MEMBERS}."
    if len(scenario.links) > MOST_LINKS:
        yield f"there are {len(scenario.links):,} links; each is a fault proxy, and a run starts at most {MOST_LINKS}."
    for name in repeated(member.name for member in scenario.members):
        yield f'two different services are called "{name}"; use one object for one service.'
    for member in scenario.members:
        if not NAME.fullmatch(member.name):
            yield f'"{member.name}" is no name for a service; use a-z, 0-9 and -, a letter first, at most 40.'
        if member.name in RESERVED:
            yield f'"{member.name}" is what the lab calls a part of its own; call the service something else.'
        yield from _env(f"service {member.name}", scenario.shared_settings(member))
    for member in scenario.settings:
        if member not in scenario.members:
            known = ", ".join(each.name for each in scenario.members)
            name = str(getattr(member, "name", member))
            yield f"settings changes {name}, which is not in this scenario; it has {known}."


def _env(where: str, env: Env) -> Problems:
    for key in env:
        if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", key):
            yield f'{where} sets "{key}"; environment variables are A-Z, 0-9 and _.'


def phase_mistakes(scenario: Scenario) -> Problems:
    """Phases and faults that cannot happen."""
    if not scenario.phases:
        yield 'there are no phases; start with Phase("baseline", lasts_s=10).'
    for name in repeated(phase.name for phase in scenario.phases):
        yield f'two phases are called "{name}"; a claim could not tell them apart.'
    links, members = set(scenario.links), set(scenario.members)
    for phase in scenario.phases:
        if not NAME.fullmatch(phase.name):
            yield f'"{phase.name}" is no name for a phase; use a-z, 0-9 and -, a letter first.'
        if not 0 < phase.lasts_s <= LONGEST_S:
            yield f'phase "{phase.name}" has lasts_s={phase.lasts_s!r}; it takes seconds, above 0, up to {LONGEST_S:,}.'
        for fault in phase.faults:
            yield from _fault(phase, fault, links, members)
        for action in phase.actions:
            there = f'phase "{phase.name}" has "{action.text}"'
            for target in set(action.targets) - members:
                yield f"{there}, and {target.name} is not in this scenario."
            if not 0 <= action.after_s < phase.lasts_s:
                yield f"{there} after {action.after_s:g} s; the phase lasts {phase.lasts_s:g} s."
    yield from _late_returns(scenario.phases)


def _late_returns(phases: Sequence[Phase]) -> Problems:
    for phase, following in pairwise(phases):
        for fault in phase.faults if following.faults else ():
            if any(one.starts_again_at_the_end for one in fault.candidates):
                yield (
                    f'phase "{phase.name}" has "{fault.text}", which starts again when the phase ends, and the faults '
                    f'of "{following.name}" would wait for it; '
                    "put a phase without faults between, or give it restart_after_s if it takes that."
                )


def _fault(phase: Phase, fault: Fault, links: set[Link], members: set[Member]) -> Problems:
    for target in dict.fromkeys(target for one in fault.candidates for target in (*one.targets, *one.disks)):
        if isinstance(target, Link) and target not in links:
            names = ", ".join(sorted(link.name for link in links)) or "none"
            yield f'phase "{phase.name}" breaks link {target.name}, which is not in links; they are {names}.'
        elif not isinstance(target, Link) and target not in members:
            names = ", ".join(sorted(member.name for member in members))
            yield f'phase "{phase.name}" breaks {target.name}, which is not in this scenario; it has {names}.'


def variant_mistakes(scenario: Scenario) -> Problems:
    """Variants that cannot be started, or do not differ."""
    if len(scenario.variants) < 2:
        yield f"variants holds {len(scenario.variants)}; it takes two or more, the control first."
    for name in repeated(variant.name for variant in scenario.variants):
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
    yield from _alike(scenario)


def _alike(scenario: Scenario) -> Problems:
    """Variants that start the same members with the same environment: whatever differs between them is chance."""
    seen: dict[object, str] = {}
    for variant in scenario.variants:
        key = _effective(scenario, variant)
        if key in seen:
            yield f'variants "{seen[key]}" and "{variant.name}" have the same environment: what do they compare?'
        seen.setdefault(key, variant.name)


def _effective(scenario: Scenario, variant: Variant) -> object:
    """What each member is started with, as the text that it gets."""
    return frozenset(
        (member.name, frozenset((key, str(value)) for key, value in scenario.settings_of(member, variant).items()))
        for member in members_of(scenario, variant)
    )


def need_mistakes(scenario: Scenario) -> Problems:
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
        read_back = [readback.service for readback in scenario.every_readback]
        asked = [*scenario.load.services, *scenario.profile, *read_back]
        for service in dict.fromkeys(asked):
            if service in scenario.members and service not in members:
                yield f'variant "{variant.name}" does not have {service.name}, which is asked in each.'
