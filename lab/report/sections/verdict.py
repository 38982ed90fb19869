"""The verdict, large, with the reasons in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab.record import ClaimSpec, Condition, MetricSpec
from lab.record.words import what_of_whom
from lab.report.numbers import clock, duration, link_text, metric_value
from lab.report.view import View
from lab.verdict.trials import Typical, typical

TITLE = "Verdict"

MOST_GAINS = 4  # of what got worse nothing is left out
MEANING = {
    "PASS": "The pattern off hurt, the pattern on helped, by the numbers asked for.",
    "FAIL": "The experiment was sound, and a claim or an invariant did not hold.",
    "UNKNOWN": "Nothing is proved either way: the experiment itself did not come off as asked.",
    "NOT JUDGED": "This run was recorded and never judged; `bin/lab judge` does that.",
}


@dataclass(frozen=True)
class Contrast:
    """A claim's metric in the control and in the claim's variant, the medians of all trials."""

    text: str
    metric: str
    control: str
    control_value: str
    variant: str
    value: str


@dataclass(frozen=True)
class Data:
    """Shown in the head of the page."""

    verdict: str
    meaning: str
    reasons: Sequence[str]
    unmet: Sequence[Condition]
    met: Sequence[Condition]
    facts: Sequence[tuple[str, str]]
    warnings: Sequence[str]
    gained: Sequence[Contrast]
    paid: Sequence[Contrast]


def build(view: View) -> Data:
    """Always there."""
    record, judged = view.record, view.judgement
    verdict = judged.verdict if judged else "NOT JUDGED"
    conditions = judged.conditions if judged else []
    facts = [
        ("Run", record.run),
        ("When", clock(record.started_epoch_s)),
        ("Took", duration(record.finished_epoch_s - record.started_epoch_s)),
        ("Runtime", record.runtime),
        ("Seed", str(record.seed)),
        ("Trials", str(record.trials) if record.trials == 1 else f"{record.trials}; charts draw trial {view.trial}"),
    ]
    contrasts = list(_contrasts(view))
    return Data(
        verdict=verdict,
        meaning=MEANING[verdict],
        reasons=judged.reasons if judged else [],
        unmet=[c for c in conditions if not c.met],
        met=[c for c in conditions if c.met],
        facts=facts,
        warnings=_warnings(view),
        gained=[contrast for contrast, costs in contrasts if not costs][:MOST_GAINS],
        paid=[contrast for contrast, costs in contrasts if costs],
    )


def _contrasts(view: View) -> Iterator[tuple[Contrast, bool]]:
    """Claims on another variant than the control, where both were measured, and whether they say what it costs."""
    control = view.spec.control
    for claim in view.spec.claims:
        if claim.variant == control or claim.control:
            continue
        before, after = (_typical(view, claim, variant) for variant in (control, claim.variant))
        if before is None or after is None or before.value == after.value:
            continue
        # Such as time to recover: a control that never rejected has nothing to let back in.
        worse = after.value > before.value if claim.at_most is not None else after.value < before.value
        texts = [("≥ " if one.censored else "") + metric_value(one.value, claim.metric) for one in (before, after)]
        words = _words(claim.metric)
        where = words if words == claim.phase else f"{words} in {claim.phase}"
        yield Contrast(claim.text, where, control, texts[0], claim.variant, texts[1]), worse or claim.price


def _typical(view: View, claim: ClaimSpec, variant: str) -> Typical | None:
    """The median of the trials in which it could be measured."""
    trials = sorted({episode.trial for episode in view.record.episodes if episode.variant == variant})
    taken = [view.measure(claim.metric, variant, claim.phase, trial) for trial in trials]
    known = [one for one in taken if one.value is not None]
    return typical(known) if known else None


def _words(metric: MetricSpec) -> str:
    name = what_of_whom(metric)
    return name + (f" on {link_text(str(metric.args['link']))}" if "link" in metric.args else "")


def _warnings(view: View) -> list[str]:
    found = []
    if view.record.turned:
        knobs = ", ".join(each.text for each in view.record.turned)
        found.append(
            f"Knobs were turned: {knobs}. The bounds are those of the file, so a claim may fail; "
            "this verdict does not count for the catalogue."
        )
    for variant, run in view.record.lent.items():
        found.append(f"{variant} was not run here: its episodes are those of run {run}, of the same sweep.")
    if view.record.scale != 1.0:
        found.append(f"A quick look: every phase was {view.record.scale:g} times as long as the scenario asks.")
    found += [note for note in view.record.notes if note.startswith("Left out: ")]
    if view.missing:
        found.append(f"The run ended early: trial {view.trial} has nothing of {', '.join(view.missing)}.")
    return found
