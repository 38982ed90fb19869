"""The knobs of services and servers: their settings, in all variants or in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from lab.catalogue.knobs.knob import Knob, as_text, scalar
from lab.catalogue.knobs.offered import Setting, ask, settings_of
from lab.model import Backing, Member, Scenario, Service, Variant
from lab.model.optional import links_of, members_of

ALL = "*"


def setting_knobs(scenario: Scenario) -> Iterator[Knob]:
    """Those of each service, of all services that run one target, and of all; of a server those that are set."""
    services = [member for member in scenario.members if isinstance(member, Service)]
    offered = settings_of([service.target for service in services])
    own = {service: offered[service.target] for service in services}
    for owner, members in _owners(services, own).items():
        names = dict.fromkeys(name for member in members for name in own[member])
        for name in names:
            having = [member for member in members if name in own[member]]
            if owner != ALL or len({member.target for member in having}) > 1:
                yield from _in_variants(scenario, owner, having, own[having[0]][name])
    for owner, servers in _servers(scenario).items():
        for name, value in _set(scenario, servers[0]).items():
            yield from _in_variants(scenario, owner, servers, Setting(name, _like(value), None))


def _servers(scenario: Scenario) -> dict[str, list[Backing]]:
    """Servers by name, and those of one kind that are several and set alike by their kind."""
    servers = [member for member in scenario.members if isinstance(member, Backing)]
    found = {server.name: [server] for server in servers}
    names = {member.name for member in scenario.members}
    for kind in dict.fromkeys(server.kind for server in servers):
        same = [server for server in servers if server.kind == kind]
        alike = all(_set(scenario, each).keys() == _set(scenario, same[0]).keys() for each in same)
        if len(same) > 1 and kind not in names and alike:
            found[kind] = same
    return found


def _owners(services: Sequence[Service], own: Mapping[Service, object]) -> dict[str, list[Service]]:
    owners = {service.name: [service] for service in services}
    for target in dict.fromkeys(service.target for service in services):
        same = [service for service in services if service.target == target]
        if len(same) > 1 and target not in owners:
            owners[target] = same
    return {**owners, ALL: list(own)}


def _set(scenario: Scenario, server: Backing) -> dict[str, object]:
    """What the experiment sets of a server."""
    found: dict[str, object] = {}
    for variant in reversed(scenario.variants):
        found.update(scenario.settings_of(server, variant))
    return found


def _like(value: object) -> str:
    return "a number" if isinstance(value, int | float) and not isinstance(value, bool) else "a text"


def _in_variants(scenario: Scenario, owner: str, members: Sequence[Member], setting: Setting) -> Iterator[Knob]:
    """The knob for all variants, and one for each."""
    name, every = f"{owner}.{setting.name}", tuple(variant.name for variant in scenario.variants)
    values = {variant.name: _now(scenario, members, setting, variant) for variant in scenario.variants}
    setters = [v.name for v in scenario.variants if any(setting.name in v.env.get(each, {}) for each in members)]
    same = set(values.values())
    now = same.pop() if len(same) == 1 else ""
    apply = partial(_for_all, members, setting.name)
    yield Knob(name, setting.takes, now, every, apply, _set_by(setters, name) if setters else "")
    for variant in scenario.variants:
        there = [each for each in members if each in members_of(scenario, variant)]
        if there:
            turn = partial(_for_one, there, setting.name, variant.name)
            yield Knob(f"{variant.name}:{name}", setting.takes, values[variant.name], (variant.name,), turn)


def _set_by(variants: Sequence[str], name: str) -> str:
    those = " or ".join(f"{variant}:{name}=..." for variant in variants)
    return f"set in {', '.join(variants)} by itself; turn {those}"


def _now(scenario: Scenario, members: Sequence[Member], setting: Setting, variant: Variant) -> str:
    """The value in a variant, empty where members differ or have none."""
    values = {scenario.settings_of(member, variant).get(setting.name, setting.default) for member in members}
    value = values.pop() if len(values) == 1 else None
    return "" if value is None else as_text(value)


def _for_all(members: Sequence[Member], name: str, scenario: Scenario, text: str) -> Scenario:
    changed = {member: {**scenario.settings.get(member, {}), name: scalar(text)} for member in members}
    return replace(scenario, settings={**scenario.settings, **changed})


def _for_one(members: Sequence[Member], name: str, variant: str, scenario: Scenario, text: str) -> Scenario:
    def told(of: Variant) -> Variant:
        changed = {member: {**of.env.get(member, {}), name: scalar(text)} for member in members}
        return replace(of, env={**of.env, **changed})

    return replace(scenario, variants=[told(each) if each.name == variant else each for each in scenario.variants])


def misfits(scenario: Scenario, before: Scenario) -> Iterator[str]:
    """What the targets would refuse of the settings that were turned, each as a sentence; what servers would, too."""
    changed = [
        (member, variant)
        for variant, old in zip(scenario.variants, before.variants, strict=True)
        for member in members_of(scenario, variant)
        if scenario.settings_of(member, variant) != before.settings_of(member, old)
    ]
    services = [(member, variant) for member, variant in changed if isinstance(member, Service)]
    now = ask([(service.target, _env(scenario, service, variant)) for service, variant in services])
    for (service, variant), problems in zip(services, now, strict=True):
        yield from (f'{service.name} in variant "{variant.name}" would refuse it: {problem}.' for problem in problems)
    for member, variant in changed:
        if isinstance(member, Backing):
            yield from _unlike(member, scenario.settings_of(member, variant), _set(before, member))


def _env(scenario: Scenario, service: Service, variant: Variant) -> dict[str, str]:
    """What the service is told: its settings, and what it gets when a run starts (of addresses the names alone)."""
    own = [link for link in links_of(scenario, variant) if link.caller == service]
    links = {link.env_name: "" for link in own}
    folders = {link.data_name: "/data" for link in own if isinstance(link.callee, Backing)}
    told = {name: str(value) for name, value in scenario.settings_of(service, variant).items()}
    return {"SERVICE_NAME": service.name, "DATA_DIR": "/data", **links, **folders, **told}


def _unlike(server: Backing, told: Mapping[str, object], before: Mapping[str, object]) -> Iterator[str]:
    for name, value in told.items():
        if _like(before[name]) == "a number" and _like(value) != "a number":
            yield f"{server.name} takes a number for {name}; it is {as_text(before[name])} in the file."
