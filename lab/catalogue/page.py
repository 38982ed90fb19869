"""
Reads the page beside a scenario: `circuit_breaker.md` for `circuit_breaker.py`.

    # Circuit breaker                       the scenario's title
    ## Idea                                 paragraphs
    ## Predict                              a list: a question, then `Claim "its text".` or `` Metric `recovery_s`. ``,
                                            then what paper says: <details><summary>Worked out</summary>...</details>
    ## Look at                              a list
    ## Try                                  a list: `` `SET=KNOB=VALUE`: ``, or the line to edit; what to think about,
                                            then <details><summary>Answer</summary>...</details>
    ## Price                                a list

All of it is Markdown (CommonMark) that reads well by itself. A section may be left out, but for the idea.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lab.catalogue.markdown import items, paragraphs, sections, title
from lab.model import Scenario, typed
from lab.model.page import Page, Question, Try

IDEA, PREDICT, LOOK_AT, TRY, PRICE = SECTIONS = ("Idea", "Predict", "Look at", "Try", "Price")
_ANSWERED_BY = re.compile(r'\s*(?:Claims? ((?:"[^"]+"(?:, | and )?)+)|Metric `([a-z0-9_]+)`)\.?$')
_KNOB = re.compile(r"`([^`]+)`: ")
_FOLDED = re.compile(r"\s*<details><summary>(?:Answer|Worked out)</summary>\s*(.*?)\s*</details>$")

Problems = Iterator[str]


def read(text: str) -> Page:
    """The page that `text` holds; what is not there stays empty (see `problems`)."""
    found = sections(text)
    return Page(
        idea=tuple(paragraphs(found.get(IDEA, ()))),
        predict=tuple(_question(item) for item in items(found.get(PREDICT, ()))),
        look_at=tuple(items(found.get(LOOK_AT, ()))),
        tries=tuple(_try(item) for item in items(found.get(TRY, ()))),
        price=tuple(items(found.get(PRICE, ()))),
    )


def problems(text: str, scenario: Scenario, metrics: Sequence[str]) -> Problems:
    """What does not fit: headings that no reader of pages knows, questions that nothing answers. One sentence each."""
    if title(text) != scenario.title:
        yield f'it begins with "{title(text)}"; its first line is "# {scenario.title}", as the scenario is called.'
    for heading in sections(text):
        if heading not in SECTIONS:
            yield f'it has a section "{heading}"; {typed.meant(heading, SECTIONS)}'
    page = read(text)
    if not page.idea:
        yield 'it has no text below "## Idea".'
    yield from _predict_mistakes(page, scenario, metrics)
    for each in page.tries:
        if not each.knob:
            yield f'"{each.text}" turns nothing; begin it with what to change: `SETTING=value`: ...'
    folded = [(each.text, each.worked_out) for each in page.predict] + [(each.text, each.answer) for each in page.tries]
    for shown, behind in folded:
        if "details>" in shown + behind:
            yield f'"{shown}" folds more than its one answer, at its end; is a </details> missing?'


def _predict_mistakes(page: Page, scenario: Scenario, metrics: Sequence[str]) -> Problems:
    claims = [claim.text for claim in scenario.claims] + [each.text for each in scenario.every_invariant]
    for question in page.predict:
        if not question.answered_by:
            yield f'nothing answers "{question.text}"; end it with: Claim "...". or: Metric `...`.'
        for name in question.answered_by:
            if name not in claims and name not in metrics:
                yield f'"{question.text}" is answered by "{name}"; {typed.meant(name, [*claims, *metrics])}'


def _question(text: str) -> Question:
    text, folded = _unfolded(text)
    found = _ANSWERED_BY.search(text)
    if not found:
        return Question(text, (), folded)
    claims = re.findall(r'"([^"]+)"', found[1] or "")
    return Question(text[: found.start()], tuple(claims or [found[2]]), folded)


def _try(text: str) -> Try:
    text, folded = _unfolded(text)
    knob = _KNOB.match(text)
    return Try(text[knob.end() :] if knob else text, knob[1] if knob else "", folded)


def _unfolded(text: str) -> tuple[str, str]:
    """What is shown, and what is folded behind it."""
    found = _FOLDED.search(text)
    return (text[: found.start()], found[1]) if found else (text, "")
