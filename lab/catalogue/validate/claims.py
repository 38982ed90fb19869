"""Mistakes in what is claimed, and in what is checked."""

from __future__ import annotations

from collections.abc import Mapping

from lab import metrics
from lab.catalogue.validate.said import Problems, one_of, repeated
from lab.model import Claim, Scalar, Scenario
from lab.model.parts import Disk


def claim_mistakes(scenario: Scenario) -> Problems:
    """Claims that say nothing, or name what is not there."""
    if not scenario.claims:
        yield "there are no claims; without one there is nothing to judge."
        return
    control = scenario.variants[0].name if scenario.variants else ""
    for text in repeated(claim.text for claim in scenario.claims):
        yield f'two claims read "{text}"; say what sets them apart.'
    if all(claim.control for claim in scenario.claims) and not scenario.every_invariant:
        yield "every claim is about the control; add one that says what the pattern does for it."
    hurts = any(claim.control for claim in scenario.claims) or any(i.broken_in for i in scenario.every_invariant)
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
        yield f'names variant "{claim.variant}"; {one_of(claim.variant, variants)}'
    if claim.phase not in phases:
        yield f'names phase "{claim.phase}"; {one_of(claim.phase, phases)}'
    if claim.of is not None and claim.of not in variants:
        yield f'is held against variant "{claim.of}"; {one_of(claim.of, variants)}'
    if claim.of == claim.variant:
        yield f'is held against its own variant "{claim.of}"; the ratio is always 1.'
    if claim.control and claim.variant != control:
        yield f'is a control claim about "{claim.variant}"; the control is the first variant, "{control}".'
    if claim.at_least is None and claim.at_most is None:
        yield "has no bound; give at_least, at_most or both."
    if claim.at_least is not None and claim.at_most is not None and claim.at_least > claim.at_most:
        yield f"asks at_least {claim.at_least:g} and at_most {claim.at_most:g}; nothing is both."
    yield from _share(claim)
    yield from _metric(claim, scenario)


def _share(claim: Claim) -> Problems:
    """A share is 0 to 1: a bound beyond that can not fail, or not hold."""
    if not claim.metric.name.endswith(("_ratio", "_share")) or claim.of is not None or claim.metric.name == "cpu_share":
        return
    for field in ("at_least", "at_most"):
        bound = getattr(claim, field)
        if bound is not None and not 0 <= bound <= 1:
            yield f"asks {field} {bound:g} of a share; it is 0 to 1."


def _metric(claim: Claim, scenario: Scenario) -> Problems:
    metric, known = claim.metric, metrics.names()
    if metric.name not in known:
        yield f'takes the metric "{metric.name}"; {one_of(metric.name, known)}'
        return
    own = metrics.parameters(metric.name)  # labels of a counter may be called as they like
    for problem in _names({arg: value for arg, value in metric.args.items() if arg in own}, scenario):
        yield f"measures {problem}"
    operation = str(metric.args.get("operation", ""))
    for sent in (each for each in scenario.load.operations if each.name == operation and "operation" in own):
        if sent.phases and claim.phase not in sent.phases:
            yield f"measures operation {operation} in {claim.phase}; it is sent in {', '.join(sent.phases)} alone."


LISTS = ("over", "played_in", "readbacks", "service")  # arguments that hold names with commas between them


def _names(args: Mapping[str, Scalar], scenario: Scenario) -> Problems:
    """Arguments that name something which the scenario does not have."""
    operations = [operation.name for operation in scenario.load.operations]
    verbs = list(dict.fromkeys(name.partition(" ")[0].lower() for name in operations))
    readbacks = [readback.name for readback in scenario.every_readback]
    known: dict[str, list[str]] = {
        "link": [link.name for link in scenario.links],
        "service": [*(member.name for member in scenario.members), *(Disk(member).name for member in scenario.disks)],
        "since": [variant.name for variant in scenario.variants],
        "readback": readbacks,
        "readbacks": readbacks,
        "panel": [panel.title for panel in scenario.panels],
        "operation": operations,
        "over": [phase.name for phase in scenario.phases],
        "played_in": [phase.name for phase in scenario.phases],
    }
    for arg, there in known.items():
        asked = str(args.get(arg, ""))
        for name in [each.strip() for each in asked.split(",")] if arg in LISTS else [asked]:
            if name and name not in there:
                what = "phase" if arg in ("over", "played_in") else arg.removesuffix("s")
                yield f"{what} {name}, which is not in this scenario; {one_of(name, there)}"
    for arg in ("read", "write"):  # by the first word of an operation's name; compare-and-sets may be left out
        asked = str(args.get(arg, ""))
        if asked and asked.lower() not in verbs:
            yield f"operations whose first word is {asked}, of which there are none; {one_of(asked, verbs)}"


def invariant_mistakes(scenario: Scenario) -> Problems:
    """Invariants and readbacks that nothing can be held against."""
    variants = [variant.name for variant in scenario.variants]
    for invariant in scenario.every_invariant:
        for problem in _names(invariant.check.args, scenario):
            yield f'invariant "{invariant.text}" looks at {problem}'
        for name in [*invariant.variants, *invariant.broken_in]:
            if name not in variants:
                yield f'invariant "{invariant.text}" names variant "{name}"; {one_of(name, variants)}'
    for name in repeated(readback.name for readback in scenario.every_readback):
        yield f'two readbacks are called "{name}"; a checker could not tell them apart.'
    for readback in scenario.every_readback:
        if readback.service not in scenario.members:
            yield f'readback "{readback.name}" asks {readback.service.name}, which is not in this scenario.'
        if not readback.path.startswith("/"):
            yield f'readback "{readback.name}" asks "{readback.path}"; a path begins with /.'
