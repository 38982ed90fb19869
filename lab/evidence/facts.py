"""What is kept of each run that counts, and what the runs of one experiment in one runtime say together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import median

import msgspec

from lab.record import ClaimSpec, Judgement, Machine, Record, Verdict

DECIDED = ("PASS", "FAIL")


class Taken(msgspec.Struct, frozen=True, array_like=True):
    """A claim in one run: its verdict, and its value, None where there is none; `censored`: at least that much."""

    verdict: Verdict
    value: float | None
    censored: bool = False


class Looked(msgspec.Struct, frozen=True, array_like=True):
    """An invariant in one run: its verdict, how many violations were found, in how many operations."""

    verdict: Verdict
    found: int
    checked: int


class Seen(msgspec.Struct, frozen=True):
    """One run that counts. `reason` is the first of its verdict; `when` a date, UTC; claims in the body's order."""

    run: str
    seed: int
    trials: int
    verdict: Verdict
    reason: str
    commit: str
    when: str
    machine: str
    proxy: str
    claims: list[Taken]
    invariants: list[Looked]


class Invariance(msgspec.Struct, frozen=True):
    """An invariant in one variant; `to_break`: the experiment says that it is broken there."""

    text: str
    variant: str
    to_break: bool = False


class Body(msgspec.Struct, frozen=True):
    """All that is known of one experiment in one runtime, of one code (`digest`); runs in order of time."""

    experiment: str
    runtime: str
    digest: str
    claims: list[ClaimSpec]
    invariants: list[Invariance]
    runs: list[Seen]

    def of(self, seed: int) -> list[Seen]:
        """The runs of a seed."""
        return [run for run in self.runs if run.seed == seed]

    def count(self, verdict: Verdict) -> int:
        """How many runs ended so."""
        return sum(run.verdict == verdict for run in self.runs)


@dataclass(frozen=True)
class Row:
    """A claim over all runs: how many of them held, failed and were UNKNOWN, and its values in those that decided.

    Values are None where no run that ended PASS or FAIL has one; `censored`: the median, and what is above it, are
    known to be at least that much.
    """

    claim: ClaimSpec
    runs: int
    held: int
    failed: int
    unknown: int
    median: float | None
    low: float | None
    high: float | None
    censored: bool


@dataclass(frozen=True)
class Count:
    """An invariant over all runs: violations found in so many operations checked."""

    invariance: Invariance
    runs: int
    held: int
    failed: int
    unknown: int
    found: int
    checked: int


def rows(body: Body) -> Iterator[Row]:
    """Each claim of a body over its runs."""
    for at, claim in enumerate(body.claims):
        taken = [(_verdict(run, run.claims[at].verdict), run.claims[at]) for run in body.runs]
        values = sorted(
            (one.value, one.censored)
            for run, (_, one) in zip(body.runs, taken, strict=True)
            if run.verdict in DECIDED and one.value is not None
        )
        numbers = [value for value, _ in values]
        yield Row(
            claim,
            len(taken),
            *_counts([verdict for verdict, _ in taken]),
            median=median(numbers) if numbers else None,
            low=numbers[0] if numbers else None,
            high=numbers[-1] if numbers else None,
            censored=any(censored for _, censored in values),
        )


def counts(body: Body) -> Iterator[Count]:
    """Each invariant of a body over its runs."""
    for at, invariance in enumerate(body.invariants):
        looked = [(_verdict(run, run.invariants[at].verdict), run.invariants[at]) for run in body.runs]
        found = sum(one.found for _, one in looked)
        checked = sum(one.checked for _, one in looked)
        yield Count(invariance, len(looked), *_counts([verdict for verdict, _ in looked]), found, checked)


def _verdict(run: Seen, own: Verdict) -> Verdict:
    """A claim that held in a run which proved nothing did not hold."""
    return "UNKNOWN" if run.verdict == "UNKNOWN" else own


def _counts(verdicts: Sequence[Verdict]) -> tuple[int, int, int]:
    return verdicts.count("PASS"), verdicts.count("FAIL"), verdicts.count("UNKNOWN")


def body_of(record: Record, judgement: Judgement, digest: str) -> Body:
    """A body of one run."""
    seen = Seen(
        run=record.run,
        seed=record.seed,
        trials=record.trials,
        verdict=judgement.verdict,
        reason=judgement.reasons[0] if judgement.reasons else "",
        commit=record.git_commit or "",
        when=datetime.fromtimestamp(record.started_epoch_s, UTC).strftime("%Y-%m-%d"),
        machine=machine_text(record.machine),
        proxy=record.proxy.split(" (")[0],
        claims=[Taken(result.verdict, result.value, result.censored) for result in judgement.claims],
        invariants=[Looked(result.verdict, result.violations, result.checked) for result in judgement.invariants],
    )
    invariants = [
        Invariance(result.invariant.text, result.variant, result.variant in result.invariant.broken_in)
        for result in judgement.invariants
    ]
    claims = [result.claim for result in judgement.claims]
    return Body(record.spec.name, record.runtime, digest, claims, invariants, [seen])


def machine_text(machine: Machine) -> str:
    """A machine in a line: `AMD EPYC, 2 cores, 8 GB, Debian GNU/Linux 12`."""
    memory = f"{machine.memory_bytes / 1e9:.0f} GB"
    return f"{machine.cpu}, {machine.cores} cores, {memory}, {machine.system}"


def joined(known: Body, new: Body) -> Body:
    """Both, of the same experiment, runtime and code: every run once, claims in the words of the newest run."""
    runs = {run.run: run for run in [*known.runs, *new.runs]}
    ordered = [runs[run] for run in sorted(runs)]
    words = new if new.runs[-1].run == ordered[-1].run else known
    return msgspec.structs.replace(words, runs=ordered)


def alike(one: Body, other: Body) -> bool:
    """Whether two bodies have the same claims and invariants in the same order, whatever they are called."""
    mine, theirs = ([replace(claim, text="", price=False) for claim in body.claims] for body in (one, other))
    return mine == theirs and [i.variant for i in one.invariants] == [i.variant for i in other.invariants]
