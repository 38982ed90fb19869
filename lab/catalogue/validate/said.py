"""What the looks at a scenario share: the form of their answer, and words for it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
Problems = Iterator[str]


def one_of(word: str, known: Iterable[str]) -> str:
    """The name that was meant, or all that there are."""
    known = list(known)
    close = get_close_matches(word, known, n=1)
    return f'did you mean "{close[0]}"?' if close else f"this scenario has {', '.join(known) or 'none'}."


def positive(value: object) -> bool:
    """Whether it is a finite number above 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0


def repeated(names: Iterable[str]) -> list[str]:
    """Those that are there more than once."""
    return [name for name, count in Counter(names).items() if count > 1]
