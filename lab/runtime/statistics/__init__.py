"""
What the servers that we did not write count of themselves, one kind a file: a witness that is not judged.

A target may miscount, or be broken on purpose; the server that it calls counts on its own. Each module here has
`counting`, is named like its kind in `lab.runtime.backing`, and is found by that name. A kind without a module is not
asked; etcd is none of them, since it has `/metrics`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Count:
    """One number that a server counts, named and labelled as a metric would be."""

    metric: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)


class NoStatistics(Exception):
    """A server did not give its statistics, with the reason."""


# Asks a server once; raises NoStatistics, after which the connection is not used again.
Ask = Callable[[], Awaitable[list[Count]]]
# Connects to a server at the URL that its callers are told, so that each question is one trip; closes it again.
Counting = Callable[[str], AbstractAsyncContextManager[Ask]]


def counting_of(kind: str) -> Counting | None:
    """How a kind of server is asked; None for a kind that has no statistics here."""
    if kind not in {module.name for module in pkgutil.iter_modules(__path__)}:
        return None
    found: Counting = importlib.import_module(f"{__name__}.{kind}").counting
    return found
