"""
Knobs: what of an experiment can be turned for one run, without an edit of its file.

    on:exchange.BREAKER_OPEN_S=10    a setting of a service in one variant
    exchange.PAYMENTS_TIMEOUT_S=1    the same in all variants
    raft.RAFT_HEARTBEAT_MS=50        of all services that run this target, or of all servers of this kind
    budget:*.RETRY_BUDGET=0.1        of all services that have such a setting
    load.per_s=80                    the load
    fault.lasts_s=30                 a phase's length
    fault.latency.ms=200             a number of a phase's fault

Names are those of the scenario, settings those of the targets, which are asked for them. What a run turned stands in
its record; the bounds of the claims stay what they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

from lab.catalogue import Entry
from lab.catalogue.knobs.knob import Knob
from lab.catalogue.knobs.parts import load_knobs, phase_knobs
from lab.catalogue.knobs.settings import ALL, misfits, setting_knobs
from lab.catalogue.validate.load import load_mistakes, sent_in_mistakes
from lab.catalogue.validate.system import phase_mistakes, variant_mistakes
from lab.errors import LabError
from lab.model import Member, Scenario, Service
from lab.record import Turned

__all__ = ["Knob", "knobs_of", "listed", "split", "turn"]

_LOOKS = (load_mistakes, phase_mistakes, sent_in_mistakes, variant_mistakes)
EXAMPLE = "on:exchange.BREAKER_OPEN_S=10"


def knobs_of(scenario: Scenario) -> list[Knob]:
    """Every knob of a scenario: settings in all variants and in one, load, phases. Asks the targets."""
    return [*setting_knobs(scenario), *load_knobs(scenario), *phase_knobs(scenario)]


def listed(scenario: Scenario) -> list[Knob]:
    """Knobs for a reader: where all variants share a setting, none of one variant; of instances the whole group."""
    kinds = Counter(_kind(member) for member in scenario.members)
    names = {member.name for member in scenario.members}
    grouped = {each.name for each in scenario.members if kinds[_kind(each)] > 1 and _kind(each) not in names}
    knobs = knobs_of(scenario)
    shared = {knob.name for knob in knobs if ":" not in knob.name and not knob.instead}
    return [
        knob
        for knob in knobs
        if not knob.instead
        and knob.name.partition(":")[2] not in shared
        and knob.name.rpartition(":")[2].partition(".")[0] not in {*grouped, ALL}
    ]


def _kind(member: Member) -> str:
    """The target that it runs, or the kind of server that it is."""
    return member.target if isinstance(member, Service) else member.kind


def split(asked: Sequence[str]) -> list[tuple[str, str]]:
    """Name and value of each `NAME=VALUE`; several may stand in one text. Raises LabError."""
    words = [word for text in asked for word in text.split()]
    for word in words:
        if not re.fullmatch(r"[^=]+=.+", word):
            raise LabError(f'"{word}" turns no knob; write it as NAME=VALUE, such as {EXAMPLE}')
    pairs = [(name, value) for name, _, value in (word.partition("=") for word in words)]
    for name in (name for n, (name, _) in enumerate(pairs) if name in dict(pairs[:n])):
        raise LabError(f"{name} is given two values; leave one out")
    return pairs


def turn(entry: Entry, asked: Sequence[str]) -> Entry:
    """The experiment with its knobs turned as `NAME=VALUE` texts say. Raises LabError with one sentence."""
    if not (pairs := split(asked)):
        return entry
    scenario, turned = entry.scenario, list(entry.turned)
    known = {knob.name: knob for knob in knobs_of(scenario)}
    for name, value in pairs:
        knob = known.get(name)
        if knob is None:
            raise LabError(f'{entry.name} has no knob "{name}"; {_meant(name, known, entry.name)}')
        if knob.instead:
            raise LabError(f"{name}: {knob.instead}")
        scenario = knob.apply(scenario, value)
        turned.append(Turned(name, value, knob.now))
    told = " ".join(f"{name}={value}" for name, value in pairs)
    for wrong in (*(problem for look in _LOOKS for problem in look(scenario)), *misfits(scenario, entry.scenario)):
        raise LabError(f"{told}: {wrong}")
    return replace(entry, scenario=scenario, turned=tuple(turned))


def _meant(name: str, known: dict[str, Knob], experiment: str) -> str:
    """The knobs that were probably meant: those that end with the same setting first."""
    last = re.split(r"[.:]", name)[-1].lower()
    same = [each for each, knob in known.items() if each.rpartition(".")[2].lower() == last and not knob.instead]
    near = get_close_matches(name, same, n=1, cutoff=0) if same else get_close_matches(name, known, n=1, cutoff=0.7)
    lists = f"make show NAME={experiment} lists them"
    if not near and (words := get_close_matches(last.upper(), {each.rpartition(".")[2] for each in known}, n=1)):
        near = get_close_matches(name, [k for k in known if k.endswith(f".{words[0]}")], n=1, cutoff=0)
    return f'did you mean "{near[0]}"? ({lists})' if near else f"{lists}."
