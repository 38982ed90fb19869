"""An experiment's page as it is read: what to know, to guess, to look at and to try, and what the pattern costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """What to guess before the run, which claims (by text) or metrics (by name) answer it, and what paper says."""

    text: str
    answered_by: Sequence[str] = ()
    worked_out: str = ""


@dataclass(frozen=True)
class Try:
    """Something to try: the setting or line to change, what to think about, and the answer, which stays folded."""

    text: str
    knob: str = ""
    answer: str = ""


@dataclass(frozen=True)
class Page:
    """The Markdown file beside a scenario; all texts are inline Markdown. `idea` holds paragraphs."""

    idea: Sequence[str] = ()
    predict: Sequence[Question] = ()
    look_at: Sequence[str] = ()
    tries: Sequence[Try] = ()
    price: Sequence[str] = ()
