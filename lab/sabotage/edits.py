"""What a lying load generator, fault, service or pattern leaves in a record: each edit changes one thing of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from lab.record import Episode, PhaseWindow, Record, Spec, Verdict
from lab.sabotage.forgery import Forgery, Row, phases_with_faults, protected

LATE_S = 0.25  # beyond what a busy machine does by itself
EVERY = 40  # one arrival in so many is late: it moves a p99 and no median
LEFT_OUT = 25  # one arrival in so many is left out: 4 %
REFUSED_AFTER_S = 0.001
LATER_MS = 20.0  # later than before, a probe shows a fault rather than a busy machine
FAULT_SHARE = 0.6  # of its window for which a fault that is lost was there, or after which a late one comes

Answers = frozenset[Verdict]
INSTRUMENT: Answers = frozenset({"UNKNOWN"})  # the lab's own part failed: the run proves nothing
PATTERN: Answers = frozenset({"FAIL"})  # the pattern failed
EITHER: Answers = frozenset({"FAIL", "UNKNOWN"})


@dataclass(frozen=True)
class Forged:
    """One changed run: what was done, where, which verdicts are right, and what has to notice it."""

    edit: str
    where: str
    forgery: Forgery
    right: Answers
    by: Literal["any", "claim"] = "any"
    variant: str = ""  # whose claim has to fail, where one has to


Edit = Callable[[Forgery], Iterator[Forged]]
EDITS: dict[str, Edit] = {}


def edit(function: Edit) -> Edit:
    """Make a function of a run one of the edits; its docstring says what it does, its name is shown with spaces."""
    EDITS[function.__name__.replace("_", " ")] = function
    return function


def forged(run: Forgery) -> Iterator[Forged]:
    """Every edit of a run that its scenario has a place for."""
    for function in EDITS.values():
        yield from function(run)


# --- the load ---------------------------------------------------------------------------------------------------


@edit
def load_late(run: Forgery) -> Iterator[Forged]:
    """The generator sends every 40th arrival of one variant late."""
    if run.record.spec.load.per_s is None:
        return
    for variant in run.record.spec.variants:
        changed = run.copy()
        late_s = _late_s(run.record, variant.name)
        for row in changed.rows("operations", variant.name):
            if row["n"] % EVERY == 0:
                _move(row, late_s)
        yield Forged("load late", f"{variant.name}, {late_s * 1000:.0f} ms", changed, INSTRUMENT)


def _late_s(record: Record, variant: str) -> float:
    """Large against what is claimed in milliseconds of this variant: its strictest bound; else plainly late."""
    bounds = [
        bound
        for claim in record.spec.claims
        if claim.metric.unit == "ms" and variant in (claim.variant, claim.of) and claim.of is None
        for bound in (claim.at_least, claim.at_most)
        if bound
    ]
    return max(LATE_S, 1.5 * max(bounds, default=0.0) / 1000)


def _move(row: Row, late_s: float) -> None:
    row["start_s"] = (row["start_s"] if row["start_s"] is not None else row["due_s"]) + late_s
    if row["end_s"] is not None:
        row["end_s"] += late_s


@edit
def load_thinned(run: Forgery) -> Iterator[Forged]:
    """The generator leaves out one arrival in 25 of one variant and says nothing."""
    if run.record.spec.load.per_s is None:
        return
    for variant in run.record.spec.variants:
        changed = _thinned(run, variant.name)
        yield Forged("load thinned", variant.name, changed, INSTRUMENT)


@edit
def load_thinned_and_denied(run: Forgery) -> Iterator[Forged]:
    """The generator leaves out one arrival in 25 of one variant, and its count of what was due agrees."""
    if run.record.spec.load.per_s is None:
        return
    for variant in run.record.spec.variants:
        changed = _thinned(run, variant.name)
        left = {(r["trial"], phase.name): 0 for r in changed.tables["operations"] for phase in run.record.spec.phases}
        for row in changed.rows("operations", variant.name):
            left[row["trial"], row["phase"]] += 1

        def agree(episode: Episode, mine: str = variant.name, left: dict[tuple[int, str], int] = left) -> Episode:
            if episode.variant != mine:
                return episode
            windows = [replace(w, asked=left.get((episode.trial, w.name), 0)) for w in episode.phases]
            asked = sum(w.asked or 0 for w in windows)
            return replace(episode, phases=windows, load=replace(episode.load, asked=asked, started=asked))

        changed.episodes(agree)
        yield Forged("load thinned and denied", variant.name, changed, INSTRUMENT)


def _thinned(run: Forgery, variant: str) -> Forgery:
    changed = run.copy()
    changed.tables["operations"] = [
        row for row in changed.tables["operations"] if row["variant"] != variant or row["n"] % LEFT_OUT != LEFT_OUT - 1
    ]
    return changed


# --- what was played, and what still works ----------------------------------------------------------------------


@edit
def operation_not_played(run: Forgery) -> Iterator[Forged]:
    """The service answers 503 to one kind of operation, in every variant and phase."""
    for operation in run.record.spec.load.operations:
        changed = run.copy()
        rows = [row for row in changed.tables["operations"] if row["operation"] == operation]
        for row in rows:
            _refuse(row)
        if rows:
            yield Forged("operation not played", operation, changed, EITHER)


@edit
def pattern_refuses_everything(run: Forgery) -> Iterator[Forged]:
    """A protected variant answers 503 within a millisecond to all that is due in one phase: a claim has to fail."""
    for variant in protected(run.record):
        for phase in run.record.spec.phases:
            changed = run.copy()
            for row in changed.rows("operations", variant, phase.name):
                _refuse(row)
            where = f"{variant}, {phase.name}"
            yield Forged("pattern refuses everything", where, changed, EITHER, "claim", variant)


def _refuse(row: Row) -> None:
    start_s = row["start_s"] if row["start_s"] is not None else row["due_s"]
    row |= {"outcome": "fail", "status": 503, "error": None, "response": None, "end_s": start_s + REFUSED_AFTER_S}


# --- the fault --------------------------------------------------------------------------------------------------


@edit
def fault_lost(run: Forgery) -> Iterator[Forged]:
    """A fault ends by itself after 60 % of the time that it is to be there, while receipts say that it stayed."""
    for name in phases_with_faults(run.record):
        changed = run.copy()
        if _heal_probes(changed, name, since=FAULT_SHARE * _share_of_phase(run.record.spec, name), until=1.0):
            yield Forged("fault lost", name, changed, INSTRUMENT)


def _share_of_phase(spec: Spec, name: str) -> float:
    """For which share of a phase its faults are to be there: a kill may end before, by a restart."""
    phase = next(phase for phase in spec.phases if phase.name == name)
    each = [part for fault in phase.faults for part in (fault, *fault.among)]
    ends_s = [float(after_s) for part in each if isinstance(after_s := part.args.get("restart_after_s"), int | float)]
    return min(1.0, min(ends_s, default=phase.lasts_s) / phase.lasts_s)


@edit
def fault_late(run: Forgery) -> Iterator[Forged]:
    """A fault goes in after 40 % of its window, and its receipt says so."""
    for name in phases_with_faults(run.record):
        changed = run.copy()

        def later(episode: Episode, name: str = name) -> Episode:
            window = next((w for w in episode.phases if w.name == name), None)
            if window is None:
                return episode
            late_s = (1 - FAULT_SHARE) * (window.end_s - window.start_s)
            receipts = [
                replace(r, injected_s=r.injected_s + late_s) if r.phase == name else r for r in episode.receipts
            ]
            return replace(episode, receipts=receipts)

        changed.episodes(later)
        _heal_probes(changed, name, since=0.0, until=1 - FAULT_SHARE)
        yield Forged("fault late", name, changed, INSTRUMENT)


@edit
def fault_late_and_denied(run: Forgery) -> Iterator[Forged]:
    """A fault goes in after 40 % of its window, and its receipt says that it was on time."""
    for name in phases_with_faults(run.record):
        changed = run.copy()
        if _heal_probes(changed, name, since=0.0, until=1 - FAULT_SHARE):
            yield Forged("fault late and denied", name, changed, INSTRUMENT)


@edit
def fault_never_removed(run: Forgery) -> Iterator[Forged]:
    """A fault stays until the next one or the end, in every variant, while receipts say that it was removed."""
    for name in phases_with_faults(run.record):
        changed = run.copy()
        if _prolong_probes(changed, name):
            yield Forged("fault never removed", name, changed, INSTRUMENT)


def _windows(record: Record, phase: str) -> Iterator[tuple[Episode, PhaseWindow]]:
    for episode in record.episodes:
        for window in episode.phases:
            if window.name == phase:
                yield episode, window


def _heal_probes(run: Forgery, phase: str, since: float, until: float) -> bool:
    """Have probes of that share of a window answer as well ones do; whether any had not."""
    any_hurt = False
    for episode, window in _windows(run.record, phase):
        lasts_s = window.end_s - window.start_s
        rows = [r for r in run.rows("probes", episode.variant) if r["trial"] == episode.trial]
        healthy = _healthy(rows, window)
        for row in rows:
            if not window.start_s + since * lasts_s <= row["at_s"] < window.start_s + until * lasts_s:
                continue
            well = healthy.get((row["target"], row["path"])) or healthy.get((row["target"], "beside"))
            if well and (row["outcome"], row["latency_ms"]) != well:
                row["outcome"], row["latency_ms"] = well
                any_hurt = True
    return any_hurt


def _healthy(rows: list[Row], window: PhaseWindow) -> dict[tuple[str, str], tuple[str, float | None]]:
    """A well probe of each target and path: the first answered one outside of the window, else of the other path."""
    found: dict[tuple[str, str], tuple[str, float | None]] = {}
    for row in rows:
        outside = row["at_s"] < window.start_s or row["path"] == "beside"
        if outside and row["outcome"] == "answered":
            found.setdefault((row["target"], row["path"]), (row["outcome"], row["latency_ms"]))
    return found


def _prolong_probes(run: Forgery, phase: str) -> bool:
    """Have probes after a window end as those within it did, where a fault shows in those; whether it shows in any."""
    prolonged = False
    names = [p.name for p in run.record.spec.phases]
    again = [p.name for p in run.record.spec.phases[names.index(phase) + 1 :] if p.faults]
    for episode, window in _windows(run.record, phase):
        end_s = max(w.end_s for w in episode.phases)  # after the last phase nothing is judged
        stop_s = min((w.start_s for w in episode.phases if w.name in again), default=end_s)
        rows = [r for r in run.rows("probes", episode.variant) if r["trial"] == episode.trial]
        models = _hurt(rows, window)
        for n, row in enumerate(rows):
            inside = models.get((row["target"], row["path"]))
            if inside and window.end_s <= row["at_s"] < stop_s:
                model = inside[n % len(inside)]
                row["outcome"], row["latency_ms"] = model["outcome"], model["latency_ms"]
                prolonged = True
    return prolonged


def _hurt(rows: list[Row], window: PhaseWindow) -> dict[tuple[str, str], list[Row]]:
    """Copies of the probes of a window's later half, by target and path, where the half of them or more show a fault.

    One on a link delays them or leaves them without an answer; one on a process leaves all who ask it without.
    """
    middle_s = (window.start_s + window.end_s) / 2
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if middle_s <= row["at_s"] < window.end_s - 1:
            found.setdefault((row["target"], row["path"]), []).append(dict(row))
    healthy = _healthy(rows, window)

    def shows(row: Row) -> bool:
        _, well_ms = healthy.get((row["target"], row["path"]), ("", None))
        return row["latency_ms"] is None or (
            row["path"] == "through" and well_ms is not None and row["latency_ms"] > well_ms + LATER_MS
        )

    return {key: inside for key, inside in found.items() if 2 * sum(map(shows, inside)) >= len(inside)}


# --- control and pattern ----------------------------------------------------------------------------------------


@edit
def pattern_off(run: Forgery) -> Iterator[Forged]:
    """A protected variant has the control's settings, and so does what the control did."""
    for variant in protected(run.record):
        yield Forged("pattern off", variant, _as_control(run, variant, ("operations", "snapshots", "series")), PATTERN)


@edit
def pattern_off_and_denied(run: Forgery) -> Iterator[Forged]:
    """A protected variant does what the control did, and its own services' counters say that it did better."""
    services = {member.name for member in run.record.spec.members if member.kind == "service"}
    for variant in protected(run.record):
        changed = _as_control(run, variant, ("operations", "snapshots"))
        others = [r for r in changed.tables["snapshots"] if r["variant"] != variant or r["service"] not in services]
        own = [dict(r) for r in run.rows("snapshots", variant) if r["service"] in services]
        changed.tables["snapshots"] = others + own
        yield Forged("pattern off and denied", variant, changed, EITHER)


def _as_control(run: Forgery, variant: str, tables: tuple[str, ...]) -> Forgery:
    changed, control = run.copy(), run.record.spec.control
    for name in tables:
        kept = [row for row in changed.tables[name] if row["variant"] != variant]
        changed.tables[name] = kept + [{**row, "variant": variant} for row in run.rows(name, control)]
    changed.files[variant] = control
    return changed


@edit
def control_hurts_before(run: Forgery) -> Iterator[Forged]:
    """The control suffers before its fault as it does in it, so that the fault shows nothing."""
    spec = run.record.spec
    if not spec.phases or spec.phases[0].faults or not any(phase.faults for phase in spec.phases):
        return
    before = spec.phases[0].name
    for phase in dict.fromkeys(claim.phase for claim in spec.claims if claim.control):
        changed = run.copy()
        for trial in range(1, run.record.trials + 1):
            _suffer(changed, trial, spec.control, before, phase)
        yield Forged("control hurts before", phase, changed, INSTRUMENT)


LOST = ("acknowledged_lost", "listed_ratio")  # what a control loses is missed in a list


def _suffer(run: Forgery, trial: int, control: str, before: str, phase: str) -> None:
    """Give operations, messages and counters of one phase the waits, answers, losses and growth of another."""
    if any(c.metric.name == "messages_lost" and c.phase == phase for c in run.record.spec.claims if c.control):
        run.unreceived[trial, control] = {
            row["key"] for row in run.rows("operations", control, before) if row["trial"] == trial and row["key"]
        }
    mine = [r for r in run.rows("operations", control, before) if r["trial"] == trial]
    for claim in run.record.spec.claims:
        forge = {"keys_listed": run.listed, **dict.fromkeys(LOST, run.unlisted)}.get(claim.metric.name)
        if claim.control and claim.phase == phase and forge is not None:
            place = str(claim.metric.args["readback"]), str(claim.metric.args.get("at", "effects"))
            forge.setdefault((trial, control), []).append((*place, [r["key"] for r in mine if r["key"]]))
    models = [dict(r) for r in run.rows("operations", control, phase) if r["trial"] == trial]
    for n, row in enumerate(mine):
        model = models[n % len(models)]
        shift_s = row["due_s"] - model["due_s"]
        for moment in ("start_s", "end_s"):
            row[moment] = None if model[moment] is None else model[moment] + shift_s
        row |= {name: model[name] for name in ("outcome", "status", "error", "response")}
    snapshots = [r for r in run.rows("snapshots", control) if r["trial"] == trial]
    values = {(r["phase"], r["edge"], r["service"], r["metric"], r["labels"]): r["value"] for r in snapshots}
    for row in snapshots:
        if (row["phase"], row["edge"]) == (before, "start"):
            name = (row["service"], row["metric"], row["labels"])
            grown = values.get((phase, "end", *name), 0.0) - values.get((phase, "start", *name), 0.0)
            row["value"] = values.get((before, "end", *name), row["value"]) - grown
