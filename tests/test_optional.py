"""Servers that only some variants use, and a scenario without them."""

from __future__ import annotations

from dataclasses import replace

from lab import faults
from lab.catalogue.validate import problems
from lab.kit.places import TARGETS
from lab.model import (
    Backing,
    Check,
    Claim,
    Invariant,
    Link,
    Load,
    Metric,
    Peers,
    Phase,
    Readback,
    Role,
    Scenario,
    Service,
    Variant,
)
from lab.model.optional import links_of, members_of, optional, without
from lab.run.episode import plan_of

SHOP, FIRST, SECOND, CACHE = Service("exchange"), Backing("postgres"), Backing("mariadb"), Backing("redis")
P90 = Metric("p90_ms", "ms")
SCENARIO = Scenario(
    title="Two servers",
    handbook="7.4",
    question="Which?",
    links=[Link(SHOP, FIRST), Link(SHOP, SECOND), Link(SHOP, CACHE)],
    load=Load("GET /", to=SHOP, per_s=1),
    phases=[Phase("load", 1)],
    variants=[
        Variant("first-weak", needs=[FIRST]),
        Variant("first", needs=[FIRST]),
        Variant("second", needs=[SECOND]),
    ],
    claims=[
        Claim("it hurts", "first-weak", "load", P90, at_least=1, control=True),
        Claim("second is quick", "second", "load", P90, at_most=1),
        Claim("first is like second", "first", "load", P90, at_most=1, of="second"),
        Claim("first is like the weak", "first", "load", P90, at_most=1, of="first-weak"),
    ],
    invariants=[
        Invariant("everywhere", Check("exactly_once")),
        Invariant("both", Check("exactly_once"), variants=["first", "second"], broken_in=["first-weak", "second"]),
        Invariant("second only", Check("exactly_once"), variants=["second"]),
    ],
)


def test_a_variant_starts_its_own_servers_and_those_of_all() -> None:
    """What only others need is not started, nor is a link to it."""
    weak, _, second = SCENARIO.variants
    assert members_of(SCENARIO, weak) == [FIRST, CACHE, SHOP]
    assert members_of(SCENARIO, second) == [SECOND, CACHE, SHOP]
    assert links_of(SCENARIO, second) == [Link(SHOP, SECOND), Link(SHOP, CACHE)]
    assert optional(SCENARIO) == [SECOND], "the control's servers must be there"


def test_what_is_left_without_a_server() -> None:
    """Its variants go, with the claims and invariants that are about them; the others stay, and are sound."""
    left = without(SCENARIO, [SECOND])
    assert [variant.name for variant in left.variants] == ["first-weak", "first"]
    assert SECOND not in left.members
    assert [claim.text for claim in left.claims] == ["it hurts", "first is like the weak"]
    assert [(i.text, list(i.variants), list(i.broken_in)) for i in left.invariants] == [
        ("everywhere", [], []),
        ("both", ["first"], ["first-weak"]),
    ]
    assert without(SCENARIO, []) == replace(SCENARIO, invariants=without(SCENARIO, []).invariants)


def test_a_fault_must_find_its_server_in_each_variant() -> None:
    """What not every variant has cannot be broken in all."""
    link = SCENARIO.links[1]
    broken = replace(SCENARIO, phases=[Phase("load", 1, [faults.silence(link)])])
    assert any('variant "first" does not have' in problem for problem in problems(broken, TARGETS))


OURS, THEIRS = Service("kv-1", module="payments"), Backing("etcd", "kv-2")
LEADER = Role("leader", [OURS, THEIRS], gauge=["ours_leads", "etcd_server_is_leader"])
RIVALS = replace(
    SCENARIO,
    links=[Link(SHOP, OURS), Link(OURS, CACHE), Link(SHOP, THEIRS), Link(Peers(), THEIRS)],
    phases=[Phase("load", 1, [faults.at(LEADER, faults.kill, "leader killed")])],
    variants=[Variant("first", needs=[OURS]), Variant("second", needs=[THEIRS])],
    claims=[Claim("it hurts", "first", "load", P90, at_least=1, control=True)],
    invariants=[Invariant("everywhere", Check("as_expected"))],
)


def test_services_may_be_for_some_variants_too() -> None:
    """They are started for those alone, with the links to and from them; a role is played by whoever is there."""
    first, second = RIVALS.variants
    assert problems(RIVALS, TARGETS) == []
    assert members_of(RIVALS, first) == [CACHE, OURS, SHOP]
    assert links_of(RIVALS, first) == [Link(SHOP, OURS), Link(OURS, CACHE)]
    assert members_of(RIVALS, second) == [CACHE, THEIRS, SHOP]
    assert links_of(RIVALS, second) == [Link(SHOP, THEIRS), Link(Peers(), THEIRS)]
    assert optional(RIVALS) == [THEIRS], "a service can always be had"


def test_nothing_is_asked_of_whom_a_variant_does_not_have() -> None:
    """A readback, a profile and a fault need somebody in each variant."""
    asked = replace(RIVALS, readbacks=[Readback("log", OURS, "/log")])
    assert 'variant "second" does not have kv-1, which is asked in each.' in problems(asked, TARGETS)
    leader = Role("leader", [OURS], gauge="ours_leads")
    broken = replace(RIVALS, phases=[Phase("load", 1, [faults.at(leader, faults.kill, "leader killed")])])
    assert problems(broken, TARGETS) == ['phase "load" breaks leader, which variant "second" does not have.']


def test_only_servers_of_others_have_peers() -> None:
    """Whom a service of ours calls is said by name."""
    wrong = replace(RIVALS, links=[*RIVALS.links, Link(Peers(), OURS)])
    assert problems(wrong, TARGETS) == ["link peers->kv-1: kv-1 is a Service; name the one that calls it."]


def test_what_comes_with_the_load_is_left_out_likewise() -> None:
    """Invariants of the workload lose the variants that go, and settings the servers that go."""
    told = {SHOP: {"A": 1}, SECOND: {"B": 2}}
    whole = replace(SCENARIO, load=replace(SCENARIO.load, invariants=SCENARIO.invariants), invariants=(), settings=told)
    left = without(whole, [SECOND])
    assert left.every_invariant == without(SCENARIO, [SECOND]).invariants
    assert dict(left.settings) == {SHOP: {"A": 1}}


def test_the_plan_of_an_episode_has_all_that_a_variant_needs() -> None:
    """Its members and links, what each is told (by the engine, the scenario, the variant), phases as long as asked."""
    held = faults.kill(SHOP, at="between-work-and-ack")
    phases = [Phase("calm", 2), Phase("fault", 4, [held])]
    settings = {SHOP: {"A": 1, "B": 1}, FIRST: {"max_connections": 9}}
    scenario = replace(SCENARIO, settings=settings, phases=phases)
    scenario = replace(scenario, variants=[replace(scenario.variants[1], env={SHOP: {"B": 2}})])
    plan = plan_of(scenario, scenario.variants[0], scale=0.5)
    assert (plan.members, plan.links) == ([FIRST, SECOND, CACHE, SHOP], list(scenario.links))
    assert plan.env[SHOP] == {"ALLOW_PTRACE": 1, "BARRIERS": 1, "A": 1, "B": 2}
    assert plan.env[FIRST] == {"max_connections": 9}
    assert plan.ends == [("calm", 1.0), ("fault", 3.0)]
    assert (plan.lasts_s, plan.faults) == (3.0, [held])
    assert plan_of(SCENARIO, SCENARIO.variants[2]).members == [SECOND, CACHE, SHOP]
