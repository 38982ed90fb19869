"""The question, the idea, and where the handbook treats it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.report.view import View

TITLE = "Question and idea"


@dataclass(frozen=True)
class Data:
    """`sections` are numbers with titles, the main one first."""

    question: str
    paragraphs: Sequence[str]
    price: Sequence[str]
    sections: Sequence[tuple[str, str]]
    load: str
    settings: Sequence[str]
    variants: Sequence[tuple[str, str]]
    phases: Sequence[tuple[str, float, str]]


def build(view: View) -> Data:
    """Always there: a scenario has a question."""
    spec = view.spec
    return Data(
        question=spec.question,
        paragraphs=[part.strip() for part in (spec.idea or spec.summary).split("\n\n") if part.strip()],
        price=spec.price,
        sections=[(number, view.section_title(number)) for number in spec.sections],
        load=spec.load.text,
        settings=[_environment({member: told}) for member, told in spec.settings.items()],
        variants=[(variant.name, _environment(variant.env)) for variant in spec.variants],
        phases=[(p.name, p.lasts_s, ", ".join(fault.text for fault in p.faults)) for p in spec.phases],
    )


def _environment(env: dict[str, dict[str, str | int | float | bool]]) -> str:
    parts = [f"{service} {name}={value}" for service, values in env.items() for name, value in values.items()]
    return ", ".join(parts)
