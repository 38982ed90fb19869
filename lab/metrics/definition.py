"""What each metric measures, read from its docstring: the page docs/metrics.md and the report say it in these words."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import fill

FIELDS = ("Window", "Whose", "Censored", "Minimum")
_FIELD = re.compile(rf"^({'|'.join(FIELDS)}): ", re.MULTILINE)


@dataclass(frozen=True)
class Definition:
    """A metric in words. `what` may have several paragraphs; `arguments` as a scenario writes them.

    `window`: from when to when; `whose`: of which operations; `censored`: when the value is only "at least";
    `minimum`: the sample below which there is no value.
    """

    name: str
    unit: str
    arguments: str
    what: str
    window: str
    whose: str
    censored: str
    minimum: str

    @property
    def short(self) -> str:
        """Its first sentence."""
        return re.split(r"(?<=[.;])\s", self.what, maxsplit=1)[0]


def define(function: Callable[..., object], unit: str, arguments: str) -> Definition:
    """Read a metric's docstring. A field that it leaves out stands in the docstring of its module, for all in there.

    Raises ValueError where a field stands in neither.
    """
    general = _parts(inspect.getdoc(inspect.getmodule(function)) or "")
    own = _parts(inspect.getdoc(function) or "")
    missing = [name for name in FIELDS if name not in own and name not in general]
    if missing or not own.get(""):
        raise ValueError(
            f"metric {function.__name__}: its docstring and its module's say nothing of {', '.join(missing) or 'it'}; "
            f"write a line `{missing[0] if missing else 'What it measures'}: ...`"
        )
    fields = {name.lower(): own.get(name) or general[name] for name in FIELDS}
    return Definition(function.__name__, unit, arguments, own[""], **fields)


def _parts(text: str) -> dict[str, str]:
    """The fields of a docstring, each in one line; what stands before the first of them is ""."""
    pieces = _FIELD.split(text)
    paragraphs = [" ".join(part.split()) for part in pieces[0].split("\n\n")]
    found = {"": "\n\n".join(part for part in paragraphs if part)}
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        found[name] = " ".join(body.split())
    return found


def page_of(definitions: list[Definition]) -> str:
    """The page docs/metrics.md, in Markdown."""
    parts = [_HEAD]
    parts += [_section(each) for each in definitions]
    return "\n".join(parts)


def _section(each: Definition) -> str:
    unit = each.unit or "none (a count, a share or a quotient)"
    what = "\n\n".join(fill(paragraph, 118) for paragraph in each.what.split("\n\n"))
    rows = [
        ("Window", each.window), ("Whose", each.whose), ("Censored", each.censored), ("Minimum sample", each.minimum),
        ("Unit", unit),
    ]  # fmt: skip
    table = "\n".join(f"| {name} | {text[0].upper()}{text[1:]} |" for name, text in rows)
    return f"## {each.name}\n\n`metrics.{each.name}{each.arguments}`\n\n{what}\n\n| | |\n|---|---|\n{table}\n"


_HEAD = """# Metrics

<!-- Written by `make metrics` from the docstrings in lab/metrics; edit those. -->

A claim holds one number against a bound. This page says of each metric what it counts, from when to when, whose, when
the value is only known to be "at least" (censored), and the sample below which there is no value: the claim is UNKNOWN
then, and says how many there were.

- A **phase** is planned by the scenario. Its faults go in a little after its start and come out a little after its end;
  the receipts say when. A metric of waits or shares takes the operations due while exactly the phase's own faults were
  in force; a metric that counts losses takes the whole phase, so that the phases add up to the load.
- An operation **succeeded** (`ok`) if its answer says so; it was **refused** (`fail`) if it definitely did not take
  effect; otherwise it is **indeterminate** (`info`).
- Operations are told apart by the names that the scenario gives them: `metrics.p90_ms("read", of="ok")`.
"""
