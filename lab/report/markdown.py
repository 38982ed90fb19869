"""The report in short as Markdown, with its charts as SVG beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lab.report.charts.render import Chart
from lab.report.page import SYMBOLS, Part
from lab.report.sections import claims, predict, receipts, repeat, variants, verdict
from lab.report.view import View

_SPECIAL = re.compile(r"([\\`*_\[\]|~#])")


def escape(text: str) -> str:
    """Text that Markdown and HTML show as it is, on one line."""
    flat = " ".join(text.split())
    return _SPECIAL.sub(r"\\\1", flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def summary(view: View, sections: Sequence[Part]) -> str:
    """The whole of `summary.md`."""
    return "\n".join(_lines(view, {part.name: part.data for part in sections})) + "\n"


def _lines(view: View, data: dict[str, object]) -> Iterator[str]:
    head = data["verdict"]
    assert isinstance(head, verdict.Data)
    yield f"# {escape(view.spec.title)}: {SYMBOLS[head.verdict]} {head.verdict}"
    yield ""
    yield f"{escape(view.spec.question)} *{escape('; '.join(view.section_title(s) for s in view.spec.sections))}*"
    yield ""
    yield from (f"- {escape(reason)}" for reason in [*head.reasons, *head.warnings])
    yield ""
    guessed = data.get("predict")
    if isinstance(guessed, predict.Data) and guessed.guesses:
        yield from _guesses(guessed)
    yield " · ".join(f"{name.lower()} {escape(value)}" for name, value in head.facts)
    judged = data.get("claims")
    if isinstance(judged, claims.Data):
        yield from _claims(judged)
    shown = data.get("variants")
    if isinstance(shown, variants.Data):
        yield from _charts("Outcomes per second (blue: ok, red: failed, yellow: no answer)", shown.outcomes)
        yield from _charts("Latency by arrival (solid: p99, dashed: p50; the darker, the more)", shown.latencies)
    proof = data.get("receipts")
    if isinstance(proof, receipts.Data):
        yield from _receipts(proof)
    again = data["repeat"]
    assert isinstance(again, repeat.Data)
    yield from ["", "## Repeat", "", "```sh", _one_line(again.again), "```", "", "[The whole report](index.html)"]


def _claims(data: claims.Data) -> Iterator[str]:
    yield from ["", "## Claims", "", "| | claim | where | measured | bound |", "|---|---|---|---:|---:|"]
    for row in data.rows:
        mark = f"{SYMBOLS[row.result.verdict]} {row.result.verdict}"
        value = ", ".join(told for told in (row.value, row.late, row.interval, row.sample) if told)
        text = row.result.claim.text + (" (control)" if row.result.claim.control else "")
        yield "| " + " | ".join(escape(cell) for cell in (mark, text, row.where, value, row.bound)) + " |"
    for kept in data.invariants:
        result = kept.result
        mark = f"{SYMBOLS[result.verdict]} {result.verdict}"
        cells = (mark, result.invariant.text, f"{', '.join(kept.variants)} · invariant", result.why, "")
        yield "| " + " | ".join(escape(cell) for cell in cells) + " |"


def _guesses(data: predict.Data) -> Iterator[str]:
    yield from ["| predicted | guess | measured | between |", "|---|---:|---:|---|"]
    for guess in data.guesses:
        cells = (guess.text, guess.read_as or guess.typed, guess.measured, guess.far)
        yield "| " + " | ".join(escape(cell) for cell in cells) + " |"
    yield ""


def _charts(title: str, charts: Sequence[Chart]) -> Iterator[str]:
    yield from ["", f"## {escape(title)}"]
    for chart in charts:
        yield from ["", f"**{escape(chart.title)}**", "", f"![{escape(chart.alt_text)}](charts/{chart.name}.svg)"]


def _receipts(data: receipts.Data) -> Iterator[str]:
    yield from ["", "## Receipts", ""]
    yield from (f"- NOT IN FORCE: {escape(text)} was never added" for text in data.never)
    for row in data.rows:
        dose = row.receipt.dose
        force = "in force" if dose.in_force else f"NOT IN FORCE ({dose.why})"
        where = f"{escape(row.receipt.fault.text)}, {escape(row.variant)}, trial {row.trial}"
        yield f"- {where}: asked {escape(dose.asked)}; observed {escape(dose.observed)}; {escape(force)}"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("```", "'''")
