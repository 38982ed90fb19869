"""
Bounds that a run cannot reach, or cannot miss, with phases of this length and this load.

A claim that can only fail says nothing of the system, and one that can only pass says less. What is so at full length
is a mistake in the file; what is so at a scale is told before the run.
"""

from __future__ import annotations

import math

from lab.catalogue.validate.said import Problems, positive
from lab.load.arrivals import operations_in
from lab.metrics.counts import COUNTS
from lab.model import Claim, Phase, Scenario

LIKELY = 4.0  # standard errors: a Poisson count is higher than its mean and so many once in 30,000
MIN_SAMPLES = 20  # operations that a claim rests on, as the judge asks
_WITHIN_A_PHASE = ("catch_up_s", "detect_s", "longest_gap_s", "recovery_s")
_CUT_AT_ITS_END = ("catch_up_s", "recovery_s")  # "at least the whole phase" is the most that they can say
_OF_ARRIVALS = ("messages_lost", "requests", "requests_lost", "stale_reads")
_NEEDS = {"p95_ms": 20, "p99_ms": 100, "p999_ms": 1000, "naive_p99_ms": 100}


def reach_mistakes(scenario: Scenario) -> Problems:
    """Bounds that the scenario's own lengths, load and timeout leave nothing to decide about."""
    for claim, phase in _claimed(scenario):
        for problem in (*_against_the_length(claim, phase), *_against_the_load(claim, phase, scenario)):
            yield f'claim "{claim.text}" {problem}'
        for problem in _against_the_timeout(claim, scenario):
            yield f'claim "{claim.text}" {problem}'


def out_of_reach(scenario: Scenario, scale: float, turned: bool = False) -> list[str]:
    """What a run at this scale, or with knobs turned, cannot decide, each as a sentence.

    Empty for a run of the catalogue's own, where that is a mistake in the file.
    """
    if scale == 1.0 and not turned:
        return []
    where = " ".join([f"at scale {scale:g}"] * (scale != 1.0) + ["with these knobs"] * turned)
    where = where[:1].upper() + where[1:]
    found: list[str] = []
    for claim, phase in _claimed(scenario):
        scaled = Phase(phase.name, phase.lasts_s * scale)
        problems = [*_against_the_length(claim, scaled), *_against_the_load(claim, scaled, scenario)]
        problems += _against_the_timeout(claim, scenario) if turned else []
        problems = problems or [*_counted(claim, phase, scale), *_too_few(claim, scaled, scenario)]
        found += [f'{where} claim "{claim.text}" {problem}' for problem in problems]
    return found


def _claimed(scenario: Scenario) -> list[tuple[Claim, Phase]]:
    """Claims with their phases, where both are well-formed: other looks tell what is not."""
    phases = {phase.name: phase for phase in scenario.phases if positive(phase.lasts_s)}
    return [(claim, phases[claim.phase]) for claim in scenario.claims if claim.phase in phases]


def _against_the_length(claim: Claim, phase: Phase) -> Problems:
    if claim.of is not None or claim.metric.name not in _WITHIN_A_PHASE:
        return
    lasts = f'"{phase.name}" lasts {phase.lasts_s:g} s'
    if claim.at_least is not None and claim.at_least >= phase.lasts_s:
        yield f"asks for at least {claim.at_least:g} s, and {lasts}: it cannot hold."
    if claim.at_most is not None and claim.at_most >= phase.lasts_s and claim.metric.name in _CUT_AT_ITS_END:
        yield f"asks for at most {claim.at_most:g} s, and {lasts}: it cannot fail."


def _against_the_load(claim: Claim, phase: Phase, scenario: Scenario) -> Problems:
    expected = _expected(claim, phase, scenario)
    if expected is None or claim.of is not None or claim.at_least is None or claim.metric.name not in _OF_ARRIVALS:
        return
    most = expected + (LIKELY * math.sqrt(expected) if scenario.load.arrivals == "poisson" else 1)
    if claim.at_least > most:
        due = f'some {expected:.0f} are due in "{phase.name}"'
        yield f"asks for at least {claim.at_least:g}, and {due}: it cannot hold."


def _counted(claim: Claim, phase: Phase, scale: float) -> Problems:
    """A count grows with its phase, and how many the system makes in a shorter one is not known before."""
    if claim.metric.name not in {*COUNTS, "highest_rise"} or claim.of is not None:
        return
    if scale < 1 and claim.at_least is not None and claim.at_least > 1:
        lasts = f'"{phase.name}" lasts {phase.lasts_s * scale:g} s instead of {phase.lasts_s:g} s'
        yield f"counts at least {claim.at_least:g}, and {lasts}: it may not hold."


def _against_the_timeout(claim: Claim, scenario: Scenario) -> Problems:
    if claim.metric.unit != "ms" or claim.of is not None or not positive(scenario.load.timeout_s):
        return
    timeout_ms = scenario.load.timeout_s * 1000
    for side, bound in (("at least", claim.at_least), ("at most", claim.at_most)):
        if bound is not None and bound > timeout_ms:
            yield (
                f"asks for {side} {bound:g} ms, and the load waits for {timeout_ms:g} ms: more is never known. "
                f"Give the load a longer timeout_s, or the claim a lower bound."
            )


def _too_few(claim: Claim, phase: Phase, scenario: Scenario) -> Problems:
    expected = _expected(claim, phase, scenario)
    needed = max(MIN_SAMPLES, _NEEDS.get(claim.metric.name, 0))
    if expected is not None and expected < needed:
        yield f'rests on some {expected:.0f} operations in "{phase.name}"; it takes {needed}.'


def _expected(claim: Claim, phase: Phase, scenario: Scenario) -> float | None:
    """Arrivals of the claim's kind that are due in the phase, on average; None in the closed model."""
    load = scenario.load
    if not load.per_s or not positive(load.per_s):
        return None
    args = claim.metric.args
    sent = operations_in(load, phase.name)
    weight = sum(each.weight for each in sent)
    if "operation" in args:
        mine = sum(each.weight for each in sent if each.name == args["operation"])
    elif claim.metric.name == "stale_reads":
        mine = sum(each.weight for each in sent if each.name.partition(" ")[0].lower() == args.get("read", "read"))
    else:
        mine = weight
    return load.per_s * phase.lasts_s * mine / weight if weight else None
