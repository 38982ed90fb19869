"""What one pass of a run that never was leaves: an episode, its tables, and the files beside them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lab.record import (
    Dose,
    Episode,
    Event,
    FaultSpec,
    FiredAlert,
    LoadFacts,
    PhaseWindow,
    Receipt,
    Spec,
)

T0_EPOCH_S = 1_760_000_000.0
LINK = "exchange->payments"
SILENCE = FaultSpec("silence", LINK, "payments silent", {"link": LINK})
Row = dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """What kind of run to make."""

    trials: int = 1
    per_s: float = 50
    phases_s: tuple[float, float, float] = (10, 20, 20)
    breaker_ignored: bool = False  # `on` behaves like `off`
    fault_missing: bool = False  # the toxic was never added
    charged_twice: bool = False  # two trades of `on` take effect twice
    ends_in: tuple[str, int] | None = None  # variant and trial in which the run was interrupted
    panels: int = 1
    nasty: str = ""  # planted in every text of the run
    run: str = "2026-10-20T14-03-11"
    seed: int = 7
    scale: float = 1.0


@dataclass(frozen=True)
class Made:
    """An episode and the rows of its tables."""

    episode: Episode
    tables: dict[str, list[Row]]


def one_pass(recipe: Recipe, spec: Spec, variant: str, trial: int, cut: bool) -> Made:
    """One variant in one trial, interrupted in its fault phase with `cut`."""
    rng = np.random.default_rng([recipe.seed, trial, 1 if variant == "on" else 0])
    windows, at = [], 0.0
    for phase in spec.phases:
        windows.append(PhaseWindow(phase.name, at, at + phase.lasts_s, busy_share=0.31))
        at += phase.lasts_s
    if cut:
        windows = [windows[0], PhaseWindow("fault", windows[1].start_s, windows[1].start_s + 7.4)]
    end_s = windows[-1].end_s
    breaker = variant == "on" and not recipe.breaker_ignored and not recipe.fault_missing
    fault = (windows[1].start_s, windows[1].end_s)
    rows = list(_operations(recipe, rng, windows, fault, breaker, variant, trial))
    receipts = []
    if not recipe.fault_missing:
        seen = "through: 0 of 199 probes answered, 199 timed out; beside: 199 of 199, median 0.9 ms"
        receipts.append(
            Receipt(
                SILENCE,
                "fault",
                fault[0] + 0.012,
                None if cut else fault[1] + 0.009,
                {"toxic": "silence_downstream", "type": "timeout", "timeout": 0, "toxicity": 1.0},
                Dose("no answer through the link, all the time", seen, in_force=True),
            )
        )
    episode = Episode(
        trial=trial,
        variant=variant,
        seed=recipe.seed + trial - 1,
        t0_epoch_s=T0_EPOCH_S + 60 * (2 * trial + (variant == "on")),
        phases=windows,
        load=LoadFacts(int(recipe.per_s * at), len(rows), sum(r["end_s"] is not None for r in rows), 1.9, 42.5, 1.84),
        receipts=receipts,
        overhead_s={"start": 1.61, "stop": 0.38, "collect": 0.42},
        notes=["py-spy fell behind once; its samples are still spread evenly"] if variant == "on" else [],
        alerts=[FiredAlert("ExchangeAvailability", "page", "availability", "exchange", windows[1].start_s + 3.0, None)],
        events=[_opened(windows[1].start_s + 1.2, recipe.nasty)] if variant == "on" else [],
    )
    tables = {
        "operations": rows,
        "probes": list(_probes(rng, end_s, fault, variant, trial, recipe.fault_missing)),
        "snapshots": list(_snapshots(windows, rows, variant, trial)),
        "series": list(_series(spec, rng, end_s, fault, breaker, variant, trial, recipe.fault_missing)),
    }
    return Made(episode, tables)


def _opened(at_s: float, nasty: str) -> Event:
    return Event(at_s, "exchange", "breaker opened" + nasty, "told", {"peer": "payments" + nasty})


def _operations(
    recipe: Recipe,
    rng: np.random.Generator,
    windows: list[PhaseWindow],
    fault: tuple[float, float],
    breaker: bool,
    variant: str,
    trial: int,
) -> Iterator[Row]:
    opened, next_probe, closed_again = fault[0] + 1.2, fault[0] + 6.2, math.inf
    for n in range(round(windows[-1].end_s * recipe.per_s)):
        due = (n + 0.5) / recipe.per_s
        late = float(abs(rng.normal(0, 0.0004))) + (0.04 if 31.0 <= due < 31.06 else 0.0)
        wait, outcome, status, error = float(rng.lognormal(-5.6, 0.35)), "ok", 201, None
        silent = fault[0] <= due < fault[1] and not recipe.fault_missing
        if breaker and opened <= due < closed_again:
            if due >= next_probe:
                next_probe = due + 6.0
                if silent:
                    wait, outcome, status, error = 1.001 + float(rng.exponential(0.002)), "info", 504, "http 504"
                else:
                    closed_again = due
            else:
                wait, outcome, status, error = float(rng.lognormal(-6.5, 0.3)), "fail", 503, "http 503"
        elif silent:
            wait, outcome, status, error = 1.001 + float(rng.exponential(0.004)), "info", 504, "http 504"
        lost = silent and not breaker and n % 97 == 0
        phase = next((w.name for w in windows if w.start_s <= due < w.end_s), windows[-1].name)
        yield {
            "trial": trial, "variant": variant, "phase": phase, "n": n, "due_s": due, "start_s": due + late,
            "end_s": None if lost else due + late + wait, "operation": "POST /trades",
            "outcome": outcome, "status": None if lost else status, "error": "timeout" if lost else error,
            "key": f"trade-{n}", "value": f"{n * 7 % 1000}.00 EUR", "response": None,
            "trace_id": f"{trial:02x}{(variant == 'on'):02x}{n:028x}",
        }  # fmt: skip


def _probes(
    rng: np.random.Generator, end_s: float, fault: tuple[float, float], variant: str, trial: int, missing: bool
) -> Iterator[Row]:
    for k in range(int(end_s * 10)):
        at = k / 10
        for path in ("through", "beside"):
            silent = path == "through" and fault[0] <= at < fault[1] and not missing
            yield {
                "trial": trial, "variant": variant, "target": LINK, "path": path, "at_s": at,
                "outcome": "timeout" if silent else "answered",
                "latency_ms": None if silent else float(rng.lognormal(0.3 if path == "through" else -0.2, 0.25)),
            }  # fmt: skip


def _snapshots(windows: list[PhaseWindow], rows: list[Row], variant: str, trial: int) -> Iterator[Row]:
    labels = json.dumps({"method": "POST", "peer": "payments", "route": "/charges", "status": "2xx"}, sort_keys=True)
    for window in windows:
        for edge, at in (("start", window.start_s), ("end", window.end_s)):
            calls = sum(r["due_s"] < at and r["outcome"] != "fail" for r in rows)
            for metric, value in (
                ("http_client_request_duration_seconds_count", calls),
                ("http_client_active_requests", 0),
            ):
                yield {
                    "trial": trial, "variant": variant, "at_s": at, "phase": window.name, "edge": edge,
                    "service": "exchange", "metric": metric, "labels": labels, "value": float(value),
                }  # fmt: skip


def _series(
    spec: Spec, rng: np.random.Generator, end_s: float, fault: tuple[float, float], breaker: bool, variant: str,
    trial: int, missing: bool,
) -> Iterator[Row]:  # fmt: skip
    for at in np.arange(0.0, end_s, 1.0):
        silent = fault[0] <= at < fault[1] and not missing
        is_open = breaker and fault[0] + 1.2 <= at < fault[1] + 4.2
        state = (1 if (at - fault[0] - 1.2) % 6 > 5 else 2) if is_open else 0
        waiting = 50 * min(1.0, at - fault[0]) if silent and not is_open else float(rng.integers(0, 2))
        for panel, series, value in (
            ("Breaker state", "payments", float(state)),
            ("Requests in flight", "exchange", waiting),
            ("Requests in flight", "payments", float(rng.integers(0, 2))),
            ("Event-loop lag, p99", "exchange", float(rng.lognormal(-7.2, 0.4))),
            ("Event-loop lag, p99", "payments", float(rng.lognormal(-7.6, 0.3))),
        ):
            if panel in {p.title for p in spec.panels} and not (panel == "Breaker state" and variant == "off"):
                yield {
                    "trial": trial, "variant": variant, "panel": panel, "series": series,
                    "at_s": float(at), "value": value,
                }  # fmt: skip


# --- files beside the tables ------------------------------------------------------------------------------------


def write_logs(path: Path, recipe: Recipe, made: Made) -> None:
    """What both services said, a span for each call, and a line that is none."""
    folder = path / "logs" / f"{made.episode.trial}-{made.episode.variant}"
    folder.mkdir(parents=True, exist_ok=True)
    exchange, payments = [], []
    for row in made.tables["operations"]:
        start = made.episode.t0_epoch_s + row["start_s"]
        took_ms = ((row["end_s"] or row["start_s"] + 1.0) - row["start_s"]) * 1000
        trace, n = row["trace_id"], row["n"]
        mine, call, theirs = f"{n:08x}aaaaaaaa", f"{n:08x}bbbbbbbb", f"{n:08x}cccccccc"

        def span(service: str, start: float, **facts: Any) -> str:
            return json.dumps(
                {"ts": start, "level": "info", "service": service, "event": "span", "start": start, **facts}
            )

        exchange.append(
            span("exchange", start, kind="server", name="POST /trades" + recipe.nasty, trace_id=trace, span_id=mine,
                 parent_id="0" * 16, duration_ms=took_ms, status=row["status"], error=row["error"])
        )  # fmt: skip
        if row["outcome"] != "fail":
            exchange.append(
                span("exchange", start + 0.0004, kind="client", name="POST /charges", trace_id=trace, span_id=call,
                     parent_id=mine, duration_ms=max(0.1, took_ms - 0.6), status=row["status"], peer="payments",
                     error="timeout" if row["outcome"] == "info" else None)
            )  # fmt: skip
        if row["outcome"] == "ok":
            payments.append(
                span("payments", start + 0.0011, kind="server", name="POST /charges", trace_id=trace, span_id=theirs,
                     parent_id=call, duration_ms=max(0.1, took_ms - 2.0), status=201)
            )  # fmt: skip
    exchange.append("this line is not JSON" + recipe.nasty)
    exchange.append(
        json.dumps({"ts": 1, "level": "error", "service": "exchange", "event": f"charge failed {recipe.nasty}"})
    )
    (folder / "exchange.log").write_text("\n".join(exchange) + "\n")
    (folder / "payments.log").write_text("\n".join(payments) + "\n")


def write_readbacks(path: Path, recipe: Recipe, made: Made) -> None:
    """Which trades payments has charged."""
    effects = [row["key"] for row in made.tables["operations"] if row["outcome"] == "ok"]
    if recipe.charged_twice and made.episode.variant == "on":
        effects += effects[:2]
    folder = path / "readbacks"
    folder.mkdir(exist_ok=True)
    file = folder / f"{made.episode.trial}-{made.episode.variant}.json"
    file.write_text(json.dumps({"charges": {"effects": effects}}))


_STACKS = {
    ("off", "baseline"): {"wait": 4, "breaker": 0, "json": 60, "client": 150, "server": 120, "log": 70, "time_out": 0},
    ("off", "fault"): {"wait": 9, "breaker": 0, "json": 30, "client": 210, "server": 90, "log": 120, "time_out": 160},
    ("on", "baseline"): {"wait": 4, "breaker": 9, "json": 62, "client": 147, "server": 121, "log": 71, "time_out": 0},
    ("on", "fault"): {"wait": 3, "breaker": 46, "json": 28, "client": 11, "server": 104, "log": 96, "time_out": 4},
}
_FRAMES = {
    "wait": "Runner._run_once (asyncio/base_events.py:1922);select (selectors.py:468)",
    "breaker": "_run (asyncio/events.py:80);start (aiohttp/web_protocol.py:480);trade (targets/exchange.py:71);"
    "admit (targets/patterns/breaker.py:88)",
    "json": "_run (asyncio/events.py:80);start (aiohttp/web_protocol.py:480);trade (targets/exchange.py:64);"
    "json (aiohttp/web_request.py:682);loads (json/__init__.py:346);decode (json/decoder.py:337)",
    "client": "_run (asyncio/events.py:80);start (aiohttp/web_protocol.py:480);trade (targets/exchange.py:77);"
    "_request (aiohttp/client.py:620);send (aiohttp/client_reqrep.py:710);write_headers (aiohttp/http_writer.py:120)",
    "server": "_run (asyncio/events.py:80);start (aiohttp/web_protocol.py:480);finish_response (aiohttp/web_protocol.py"
    ":690);prepare (aiohttp/web_response.py:391)",
    "log": "_run (asyncio/events.py:80);start (aiohttp/web_protocol.py:480);trade (targets/exchange.py:92);"
    "span (targets/kit/logs.py:48);emit (logging/__init__.py:1113)",
    "time_out": "_run (asyncio/events.py:80);start (aiohttp/web_protocol.py:480);trade (targets/exchange.py:77);"
    "_request (aiohttp/client.py:620);__exit__ (aiohttp/helpers.py:720);_do_timeout (asyncio/timeouts.py:151)",
}


def write_profiles(path: Path, variant: str, trial: int, cut: bool, nasty: str) -> None:
    """The stacks that the exchange was seen in, in each phase."""
    folder = path / "profiles" / f"{trial}-{variant}"
    folder.mkdir(parents=True, exist_ok=True)
    for phase in ("baseline", "fault") if cut else ("baseline", "fault", "recovery"):
        counts = _STACKS[variant, "baseline" if phase == "recovery" else phase]
        outermost = "<module> (runpy.py:198);main (targets/exchange.py:120);run_app (aiohttp/web.py:530)"
        lines = [f"{outermost};{_FRAMES[name]}{nasty} {count}" for name, count in counts.items() if count]
        (folder / f"exchange.{phase}.folded").write_text("\n".join(lines) + "\n")
