"""Experiments in the terminal: all of them in the handbook's order, or one before it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from rich.text import Text

from lab.catalogue import Entry, handbook
from lab.catalogue.knobs import Knob
from lab.cli.console.data import last_judged, last_verdict
from lab.cli.console.shapes import NARROW, Cell, dim, lines, list_of, mark, put, table
from lab.errors import RecordError
from lab.kit.screen import console
from lab.model import Scalar
from lab.record import LinkSpec, Spec, read_run, runs_of
from lab.record.words import bounds
from lab.run.arithmetic import arithmetic


def catalogue(entries: Sequence[Entry], reports: Path, runs: bool) -> None:
    """Print the catalogue, chapter by chapter."""
    to = console()
    rows: list[list[Cell]] = []
    for chapter, group in groupby(entries, key=lambda entry: entry.scenario.sections[0].split(".")[0]):
        if to.width >= NARROW:
            rows.append([Text(chapter, "bold"), "", Text(handbook.sections()[chapter].title, "bold"), ""])
        for entry in group:
            last = last_verdict(reports, entry.name)
            made = [_run(path) for path in runs_of(reports, entry.name)] if runs else []
            question = lines(entry.scenario.question, _since(reports, entry.name), *made)
            rows.append([entry.scenario.sections[0], entry.name, question, mark(last) if last else dim("not run yet")])
    put(to, table(to, ["section", "name", "question", "last verdict"], rows, fixed=(0, 1, 3)))
    if entries:
        name = entries[0].name
        hints = [("see one", f"make show NAME={name}"), ("run it", f"make scenario NAME={name}")]
        hints += [("compare", f'make compare RUNS="{name}/<run> {name}/<run>"')] if runs else []
        put(to, "", list_of([(dim(what), dim(how)) for what, how in hints]))


def _since(reports: Path, name: str) -> Text | None:
    """The newest run, where it is none of the catalogue's own."""
    run = last_judged(reports, name)
    if run is None or run.record.judgement is None or run.record.is_full:
        return None
    return dim(f"last run: {run.record.judgement.verdict} {run.record.unlike}")


def _run(path: Path) -> Text:
    try:
        record = read_run(path).record
    except RecordError:
        return dim(f"{path.name} (damaged)")
    verdict = mark(record.judgement.verdict) if record.judgement else dim("not judged")
    unlike = f"  {record.unlike}" if record.unlike else ""
    return Text.assemble((f"{path.name}  ", "dim"), verdict, (unlike, "dim"))


def show(spec: Spec, knobs: Sequence[Knob] = ()) -> None:
    """Print one experiment before it runs: summary, topology, timeline, claims, knobs, how long it takes."""
    to = console()
    titles = handbook.sections()
    put(to, Text.assemble((spec.title, "bold"), (f"  {spec.name}", "dim")), dim(spec.file))
    put(to, *(dim(f"handbook {number} {titles[number].title}") for number in spec.sections if number in titles))
    put(to, "", Text(spec.question), "")
    for paragraph in spec.summary.split("\n\n"):
        put(to, Text(" ".join(paragraph.split())), "")
    load = spec.load.text.replace(f" to {spec.load.to}:", ",")
    edges: list[tuple[Cell, Cell]] = [(f"load -> {spec.load.to}", load), *(_edge(spec, link) for link in spec.links)]
    put(to, Text("Topology", "bold"), list_of(edges, 2), "")
    put(to, Text("Timeline of each variant", "bold"), list_of(_timeline(spec), 2), "")
    put(to, Text("Variants", "bold"), list_of(_variants(spec), 2), "")
    put(to, table(to, ["claim", "metric", "asked"], _claims(spec), fixed=(1,)), "")
    if knobs:
        rows: list[list[Cell]] = [[knob.name, knob.now, dim(knob.takes)] for knob in knobs]
        put(to, table(to, ["knob", "value", "takes"], rows, fixed=(0,)))
        put(to, dim(f"turn it: make scenario NAME={spec.name} SET={_example(knobs)}"))
        put(to, dim(f"in one variant alone: SET={spec.variants[-1].name}:SERVICE.SETTING=..."), "")
    put(to, list_of([("takes", arithmetic(spec)), ("run it", f"make scenario NAME={spec.name}")]))


def _example(knobs: Sequence[Knob]) -> str:
    """A knob of one variant, as most are that the pattern has."""
    knob = next((each for each in reversed(knobs) if ":" in each.name), knobs[0])
    return f"{knob.name}={knob.now or '...'}"


def _edge(spec: Spec, link: LinkSpec) -> tuple[Cell, Cell]:
    broken = [phase.name for phase in spec.phases for fault in phase.faults if link.name in fault.target.split(", ")]
    apart = f", {link.distance_ms} ms" if link.distance_ms else ""
    return f"{link.caller} -> (link{apart}) -> {link.callee}", f"broken in {', '.join(broken)}" if broken else ""


def _timeline(spec: Spec) -> list[tuple[Cell, Cell]]:
    rows: list[tuple[Cell, Cell]] = []
    at_s, width = 0.0, max(len(phase.name) for phase in spec.phases)
    for phase in spec.phases:
        done = [f"{each.text} after {each.after_s:g} s" for each in spec.actions if each.phase == phase.name]
        what = ", ".join([*(fault.text for fault in phase.faults), *done])
        head = f"{at_s:4g} s  {phase.name:<{width}}  {phase.lasts_s:4g} s"
        rows.append((head, Text(what, "bold red") if what else "nothing broken"))
        at_s += phase.lasts_s
    return rows


def _variants(spec: Spec) -> list[tuple[Cell, Cell]]:
    rows: list[tuple[Cell, Cell]] = [("all", dim(_told(spec.settings)))] if spec.settings else []
    for variant in spec.variants:
        name = variant.name + (" (control)" if variant.name == spec.control else "")
        rows.append((name, _told(variant.env) or "as it is"))
    return rows


def _told(env: Mapping[str, Mapping[str, Scalar]]) -> str:
    return "; ".join(f"{member}: " + " ".join(f"{k}={v}" for k, v in told.items()) for member, told in env.items())


def _claims(spec: Spec) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for claim in spec.claims:
        where = dim(f"{claim.variant}, {claim.phase}{' (control: must hurt)' if claim.control else ''}")
        rows.append([lines(claim.text, where), claim.metric.name, bounds(claim)])
    for invariant in spec.invariants:
        where = dim(f"{', '.join(invariant.variants) or 'all variants'}, whole run")
        broken = f"no violation, but to be broken in {', '.join(invariant.broken_in)}"
        rows.append([lines(invariant.text, where), invariant.check, broken if invariant.broken_in else "no violation"])
    return rows
