"""Runs of two variants and two phases whose every operation takes as long as a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from lab.model import Scalar
from lab.record import (
    RECORD_VERSION,
    ClaimSpec,
    Dose,
    Episode,
    FaultSpec,
    InvariantSpec,
    LoadFacts,
    LoadSpec,
    Machine,
    MetricSpec,
    PhaseSpec,
    PhaseWindow,
    Receipt,
    Record,
    Run,
    Spec,
    VariantSpec,
    WorkerFacts,
    read_run,
    write_record,
    write_table,
)

SILENCE = FaultSpec("silence", "exchange->payments", "payments silent")
ARRIVED = Dose("silence", "no answer", True)
PER_S = 10.0
PHASES = (PhaseWindow("baseline", 0, 10), PhaseWindow("fault", 10, 20))
P50 = MetricSpec("p50_ms", "ms")
HURTS = ClaimSpec("it hurts", "off", "fault", P50, at_least=900, control=True)
HELPS = ClaimSpec("it helps", "on", "fault", P50, at_most=50)


def _itself(row: dict[str, object]) -> list[dict[str, object]]:
    return [row]


@dataclass(frozen=True)
class Story:
    """What happened: latency in ms during the fault, by variant, one value a trial; everything else is well."""

    off_ms: Sequence[float] = (1000,)
    on_ms: Sequence[float] = (5,)
    claims: Sequence[ClaimSpec] = (HURTS, HELPS)
    invariants: Sequence[InvariantSpec] = ()
    readbacks: Mapping[str, object] = field(default_factory=dict)
    early: Mapping[str, object] | None = None  # the readbacks at 9.7 s, before the fault; None: nobody asked
    calm_ms: float = 2  # latency in the baseline
    lost: Mapping[tuple[str, int], int] = field(default_factory=dict)  # by variant and trial: failures in the fault
    lost_calm: int = 0  # failures in every baseline
    skip_every: int = 0  # drop every n-th operation
    also: Callable[[dict[str, object]], Sequence[dict[str, object]]] = _itself  # what becomes of each row
    asked: tuple[int, int] | None = None  # what the schedule had due in each phase
    per_s: float = PER_S
    dose: Dose | None = ARRIVED
    read_back: Mapping[str, Scalar] = field(default_factory=dict)
    deaths: Sequence[str] = ()
    late_ms: float = 0.0  # how late everything was sent,
    late_every: int = 1  # or every n-th operation,
    late_in: str = ""  # in one variant, or in both
    lost_worker: str = ""  # how the second of two load workers ended
    busy_share: float | None = None
    hiccup_p99_ms: float | None = None
    stolen_share: float | None = None
    missing_variant: str = ""
    never_answered: str = ""  # the variant whose operations in the fault were not


def tell(path: Path, story: Story) -> Run:
    """Write the run, and open it."""
    path.mkdir(parents=True, exist_ok=True)
    rows, episodes = [], []
    for variant, latencies in (("off", story.off_ms), ("on", story.on_ms)):
        if variant == story.missing_variant:
            continue
        for trial, latency_ms in enumerate(latencies, 1):
            rows += _operations(story, variant, trial, latency_ms)
            episodes.append(_episode(story, variant, trial))
            readbacks = path / "readbacks"
            readbacks.mkdir(exist_ok=True)
            (readbacks / f"{trial}-{variant}.json").write_bytes(msgspec.json.encode(story.readbacks))
            if story.early is not None:
                (path / "early").mkdir(exist_ok=True)
                early = msgspec.json.encode({"at_s": 9.7, "answers": story.early})
                (path / "early" / f"{trial}-{variant}.json").write_bytes(early)
    write_table(path, "operations", rows)
    write_record(path, _record(story, episodes))
    return read_run(path)


def _operations(story: Story, variant: str, trial: int, latency_ms: float) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for n in range(int(20 * story.per_s)):
        if story.skip_every and n % story.skip_every == 0:
            continue
        due_s = (n + 0.5) / story.per_s
        in_fault = due_s >= 10
        never = in_fault and variant == story.never_answered
        late = n % story.late_every == 0 and story.late_in in ("", variant)
        start_s = due_s + (story.late_ms / 1000 if late else 0)
        failures = story.lost.get((variant, trial), 0) if in_fault else story.lost_calm
        failed = n - (10 * story.per_s if in_fault else 0) < failures
        outcome = "info" if never else "fail" if failed else "ok"
        rows += story.also(
            {
                "trial": trial, "variant": variant, "phase": "fault" if in_fault else "baseline", "n": n,
                "due_s": due_s, "start_s": start_s,
                "end_s": None if never else start_s + (latency_ms if in_fault else story.calm_ms) / 1000,
                "operation": "POST /trades", "outcome": outcome, "status": None if never else 503 if failed else 201,
                "error": "timeout" if never else None, "key": f"k{n}",
            }
        )  # fmt: skip
    return rows


def _episode(story: Story, variant: str, trial: int) -> Episode:
    receipts = [Receipt(SILENCE, "fault", 10.01, 20.0, dict(story.read_back), story.dose)] if story.dose else []
    lost = (
        [WorkerFacts(1, "far", 100, 100, 100, 1, 2, 0.1, 0, 0.1, lost=story.lost_worker)] if story.lost_worker else []
    )
    facts = LoadFacts(200, 200, 200, story.late_ms, story.late_ms, 0.1, lost)
    phases = [
        replace(
            phase,
            asked=story.asked[n] if story.asked else None,
            busy_share=story.busy_share,
            hiccup_p99_ms=story.hiccup_p99_ms,
            stolen_share=story.stolen_share,
        )
        for n, phase in enumerate(PHASES)
    ]
    return Episode(trial, variant, 7, 1.76e9, phases, facts, receipts, deaths=list(story.deaths))


def _record(story: Story, episodes: list[Episode]) -> Record:
    spec = Spec(
        name="planted", file="", title="", summary="", sections=[], question="", idea="", predict=[], look_at=[],
        exercises=[], members=[], links=[],
        load=LoadSpec(["POST /trades"], "exchange", story.per_s, "uniform", None, 0, 4),
        phases=[PhaseSpec("baseline", 10), PhaseSpec("fault", 10, [SILENCE])],
        variants=[VariantSpec("off"), VariantSpec("on")], claims=list(story.claims),
        invariants=list(story.invariants), panels=[], profile=[],
    )  # fmt: skip
    return Record(
        version=RECORD_VERSION, run="planted", spec=spec, runtime="local", seed=7, trials=len(story.off_ms), scale=1,
        command="", started_epoch_s=0, finished_epoch_s=0, machine=Machine("", "", "", 1, 1, ""), versions={},
        proxy="", git_commit=None, git_dirty=False, episodes=episodes, overhead_s=0,
    )  # fmt: skip
