"""
Says what is wrong with variables that the Makefile does not take: silently ignored, one would seem to have worked.

    python3 scripts/make_variables.py BREAKER_OPEN_S name -- NAME SEED SET

Nothing but Python is needed: make asks before anything is set up.
"""

from __future__ import annotations

import sys
from difflib import get_close_matches

CLOSE = 0.75


def sentence(name: str, takes: list[str]) -> str:
    """What to type instead of a variable: the one that was probably meant, or a knob."""
    close = get_close_matches(name.upper(), takes, n=1, cutoff=CLOSE)
    if close:
        return f'lab: make takes no "{name}"; did you mean {close[0]}=?'
    knob = f'SET="SERVICE.{name.upper()}=..."'
    return f'lab: make takes no "{name}"; turn a knob with {knob} (make show NAME=... lists them)'


def main(words: list[str]) -> int:
    """A sentence for each variable before `--`; those that make takes stand behind it."""
    end = words.index("--")
    for name in words[:end]:
        print(sentence(ascii(name)[1:-1], words[end + 1 :]), file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
