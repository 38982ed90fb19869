"""Members that only some variants use: what a variant starts, and a scenario without servers that cannot be had."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from lab.model import Backing, Invariant, Link, Member, Peers, Scenario, Variant


def optional(scenario: Scenario) -> list[Backing]:
    """Servers that a variant names in `needs`, and that the control does without."""
    named = dict.fromkeys(server for variant in scenario.variants for server in variant.needs)
    return [each for each in named if isinstance(each, Backing) and each not in scenario.variants[0].needs]


def members_of(scenario: Scenario, variant: Variant) -> list[Member]:
    """What a variant starts, callees first: all, but for those that only other variants need."""
    others = {member for each in scenario.variants for member in each.needs} - set(variant.needs)
    return [member for member in scenario.members if member not in others]


def links_of(scenario: Scenario, variant: Variant) -> list[Link]:
    """The links between them."""
    members = set(members_of(scenario, variant))
    there = [link for link in scenario.links if link.callee in members]
    return [link for link in there if isinstance(link.caller, Peers) or link.caller in members]


def without(scenario: Scenario, missing: Collection[Backing]) -> Scenario:
    """The scenario less these servers, the variants that need them, and what is claimed of those alone."""
    variants = [variant for variant in scenario.variants if not set(variant.needs) & set(missing)]
    names = {variant.name for variant in variants}
    load = scenario.load
    return replace(
        scenario,
        variants=variants,
        links=[link for link in scenario.links if link.callee not in missing],
        settings={member: env for member, env in scenario.settings.items() if member not in missing},
        claims=[claim for claim in scenario.claims if claim.variant in names and claim.of in {None, *names}],
        load=replace(load, invariants=_of_those(names, load.invariants)),
        invariants=_of_those(names, scenario.invariants),
    )


def _of_those(names: Collection[str], invariants: Iterable[Invariant]) -> tuple[Invariant, ...]:
    """The invariants that are about these variants, and about no other."""
    return tuple(
        replace(
            invariant,
            variants=[name for name in invariant.variants if name in names],
            broken_in=[name for name in invariant.broken_in if name in names],
        )
        for invariant in invariants
        if not invariant.variants or set(names) & set(invariant.variants)
    )
