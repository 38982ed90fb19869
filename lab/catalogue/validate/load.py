"""Mistakes in what is sent, and when."""

from __future__ import annotations

import re

from lab.catalogue.validate.said import Problems, one_of, positive, repeated
from lab.model import Load, Operation, Scenario

MOST_USERS = 10_000  # each has a connection of its own
MOST_ARRIVALS = 5_000_000  # a million take 1.8 GB to judge
VERB_PATH = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE) /\S*")


def load_mistakes(scenario: Scenario) -> Problems:
    """A load that cannot be sent."""
    load = scenario.load
    if (load.per_s is None) == (load.users is None):
        yield "load needs either per_s (open model) or users (closed model), not both and not neither."
    if load.per_s is not None and not positive(load.per_s):
        yield f"load has per_s={load.per_s!r}; it takes arrivals a second, above 0."
    if load.users is not None and not 1 <= load.users <= MOST_USERS:
        yield f"load has users={load.users!r}; it takes a whole number from 1 to {MOST_USERS:,}."
    if not positive(load.timeout_s):
        yield f"load has timeout_s={load.timeout_s!r}; it takes seconds, above 0."
    if load.think_s < 0:
        yield f"load has think_s={load.think_s!r}; it takes seconds, 0 or more."
    if not load.services:
        yield "load goes to no service; name one, or several that take turns."
    if load.per_s is not None and load.per_s * scenario.lasts_s > MOST_ARRIVALS:
        yield (
            f"load has {load.per_s:g} arrivals a second for {scenario.lasts_s:g} s; "
            f"a record holds at most {MOST_ARRIVALS:,} in all."
        )
    yield from _mix(load)


def _mix(load: Load) -> Problems:
    parts = [load.mix] if isinstance(load.mix, str | Operation) else list(load.mix)
    if not parts:
        yield 'load has an empty mix; give it "POST /path" or an Operation.'
    for part in parts:
        if isinstance(part, str) and not VERB_PATH.fullmatch(part):
            yield f'load has the operation "{part}"; it takes a verb and a path, such as "POST /trades".'
        elif isinstance(part, Operation) and not positive(part.weight):
            yield f'load operation "{part.name}" has weight={part.weight!r}; it takes a number above 0.'
    operations = [part if isinstance(part, str) else part.name for part in parts]
    for name in repeated(operations):
        yield f'load has two operations called "{name}"; give each a name of its own.'


def sent_in_mistakes(scenario: Scenario) -> Problems:
    """Operations that are sent in some phases only."""
    mix = scenario.load.mix
    parts = [mix] if isinstance(mix, str | Operation) else list(mix)
    choosy = [part for part in parts if isinstance(part, Operation) and part.phases]
    phases = [phase.name for phase in scenario.phases]
    for operation in choosy:
        if not scenario.load.is_open:
            yield f'operation "{operation.name}" names phases; users (closed model) send the whole mix in all of them.'
        for name in operation.phases:
            if name not in phases:
                yield f'operation "{operation.name}" is sent in phase "{name}"; {one_of(name, phases)}'
    for phase in phases:
        if parts and len(choosy) == len(parts) and not any(phase in operation.phases for operation in choosy):
            yield f'phase "{phase}" has nothing to send: each operation names other phases.'
