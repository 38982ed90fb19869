"""Makes runs on disk that look like real ones, so that reports can be drawn and tried without starting anything.

The circuit breaker, off and on: payments goes silent for the whole fault phase. `off` waits out its 1 s timeout for
every trade; `on` refuses at once after 1.2 s and lets one probe through every 5 s.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from report.fabricated_pass import (
    LINK,
    SILENCE,
    T0_EPOCH_S,
    Recipe,
    Row,
    one_pass,
    write_logs,
    write_profiles,
    write_readbacks,
)

from lab.record import (
    RECORD_VERSION,
    ClaimSpec,
    Episode,
    ExerciseSpec,
    InvariantSpec,
    LinkSpec,
    LoadSpec,
    Machine,
    MemberSpec,
    MetricSpec,
    PanelSpec,
    PhaseSpec,
    Record,
    Run,
    Spec,
    VariantSpec,
    read_run,
    write_record,
    write_table,
)
from lab.verdict import judge


def fabricate(reports: Path, recipe: Recipe | None = None) -> Run:
    """Write a whole run below `reports/circuit-breaker/` and open it."""
    recipe = recipe or Recipe()
    spec = _spec(recipe)
    path = reports / spec.name / recipe.run
    path.mkdir(parents=True, exist_ok=True)
    episodes: list[Episode] = []
    tables: dict[str, list[Row]] = {"operations": [], "probes": [], "snapshots": [], "series": []}
    for trial in range(1, recipe.trials + 1):
        for variant in ("off", "on"):
            cut = recipe.ends_in == (variant, trial)
            made = one_pass(recipe, spec, variant, trial, cut)
            episodes.append(made.episode)
            for name, rows in made.tables.items():
                tables[name] += rows
            write_logs(path, recipe, made)
            write_readbacks(path, recipe, made)
            write_profiles(path, variant, trial, cut, recipe.nasty)
            if cut:
                break
        if recipe.ends_in and recipe.ends_in[1] == trial:
            break
    for name, rows in tables.items():
        write_table(path, name, rows)
    record = _record(recipe, spec, episodes)
    write_record(path, record)
    run = read_run(path)
    judged = replace(record, judgement=judge(run))
    if recipe.nasty:
        judged = _plant(judged, recipe.nasty)
    write_record(path, judged)
    return read_run(path)


# --- what was asked ---------------------------------------------------------------------------------------------


def _spec(recipe: Recipe) -> Spec:
    baseline, fault, recovery = (s * recipe.scale for s in recipe.phases_s)
    attempts = MetricSpec("attempts", "", {"link": LINK})
    return Spec(
        name="circuit-breaker",
        file="scenarios/ch07_distributed/circuit_breaker.py",
        title="Circuit breaker",
        summary="Circuit breaker: stop calling a dependency that has stopped answering.\n\nPayments goes silent.",
        sections=["7.6.1.3", "8.5.5"],
        question="Does the exchange stay quick while payments is silent?",
        idea=(
            "A caller that keeps waiting for a dead dependency becomes a dead dependency itself. A breaker counts "
            "failures, and past a limit it refuses at once, rests, and lets a single probe ask whether the "
            "dependency is back.\n\nWhat it buys is time: threads, sockets and callers are not held hostage."
        ),
        predict=[
            "How long does a trade take while payments is silent, without a breaker?",
            "How many calls reach payments during the fault, with one?",
            "After payments answers again, how long until trades succeed?",
        ],
        look_at=["The heat map of `on`: one lonely slow trade every five seconds. That is the probe."],
        exercises=[
            ExerciseSpec("Rest for 1 s instead of 5 s. What does it cost payments?", "BREAKER_OPEN_S=1"),
            ExerciseSpec("Let ten probes through at once. When would that be wise?", "BREAKER_PROBES=10"),
        ],
        members=[MemberSpec("payments", "service"), MemberSpec("exchange", "service")],
        links=[LinkSpec(LINK, "exchange", "payments")],
        load=LoadSpec(["POST /trades"], "exchange", recipe.per_s, "uniform", None, 0.0, 10.0),
        phases=[
            PhaseSpec("baseline", baseline),
            PhaseSpec("fault", fault, [SILENCE]),
            PhaseSpec("recovery", recovery),
        ],
        variants=[
            VariantSpec("off", {"exchange": {"BREAKER": "off"}}),
            VariantSpec("on", {"exchange": {"BREAKER": "on", "BREAKER_OPEN_S": 5}}),
        ],
        claims=[
            ClaimSpec(
                "callers wait out the timeout", "off", "fault", MetricSpec("p90_ms", "ms"), at_least=950, control=True
            ),
            ClaimSpec("refusals are immediate", "on", "fault", MetricSpec("p90_ms", "ms"), at_most=50),
            ClaimSpec("payments is spared", "on", "fault", attempts, at_most=0.10, of="off"),
            ClaimSpec("payments is let back in", "on", "recovery", MetricSpec("recovery_s", "s"), at_most=6),
            ClaimSpec("health costs nothing", "on", "baseline", MetricSpec("success_ratio", ""), at_least=0.999),
        ],
        invariants=[
            InvariantSpec("no trade takes effect twice", "exactly_once", {"readback": "charges"}, ["off", "on"])
        ],
        panels=[
            PanelSpec(
                "Breaker state", "max by (peer) (breaker_state)", "short", "{{peer}}",
                {0: "closed", 1: "half-open", 2: "open"},
            ),
            PanelSpec("Requests in flight", "sum by (service) (http_server_active_requests)", "short", "{{service}}"),
            PanelSpec(
                "Event-loop lag, p99",
                "histogram_quantile(0.99, rate(event_loop_lag_seconds_bucket[2s]))", "s", "{{service}}",
            ),
        ][: recipe.panels],
        profile=["exchange"],
    )  # fmt: skip


# --- what was judged --------------------------------------------------------------------------------------------


def _record(recipe: Recipe, spec: Spec, episodes: list[Episode]) -> Record:
    notes = []
    if recipe.scale != 1.0:
        notes.append(f"phases were {recipe.scale:g} times as long as the scenario asks")
    if recipe.ends_in:
        notes.append("interrupted by Ctrl-C; everything was stopped and the faults taken out")
    return Record(
        version=RECORD_VERSION,
        run=recipe.run,
        spec=spec,
        runtime="local",
        seed=recipe.seed,
        trials=recipe.trials,
        scale=recipe.scale,
        command=f"lab run circuit-breaker --seed {recipe.seed}" + (f" --trials {recipe.trials}" * (recipe.trials > 1)),
        started_epoch_s=T0_EPOCH_S,
        finished_epoch_s=T0_EPOCH_S + 108.3,
        machine=Machine("Linux", "6.1.0-18-amd64", "AMD EPYC 7B13", 2, 25_000_000_000, "3.11.7", 0.61),
        versions={"lab": "0.1.0", "locust": "2.47.0", "prometheus": "2.42.0", "py-spy": "0.4.3", "aiohttp": "3.14.5"},
        proxy="built-in fault proxy (Toxiproxy 2.12 API)",
        git_commit="7aad735c1d2e3f405162738495a6b7c8d9e0f102",
        git_dirty=False,
        episodes=episodes,
        overhead_s=8.3,
        notes=notes,
    )


_STRUCTURAL = {"variant", "phase", "name", "of", "run", "verdict", "kind", "caller", "callee", "target", "to"}


def _plant(record: Record, nasty: str) -> Record:
    """Put `nasty` behind every text that a user or a server could have written (names that tie parts stay)."""

    def walk(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: walk(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [walk(v, key) for v in value]
        if isinstance(value, str) and key not in _STRUCTURAL | {
            "variants",
            "broken_in",
            "profile",
            "unit",
            "path",
            "arrivals",
        }:
            return value + nasty
        return value

    return msgspec.convert(walk(msgspec.to_builtins(record)), Record)
