"""Errors that the lab raises on purpose: each says what is wrong, where, and what to do."""

from __future__ import annotations


class LabError(Exception):
    """Something the user can act on; the command line prints its text and no traceback (exit 3)."""


class ScenarioError(LabError):
    """A scenario file that cannot run. `problems` holds one sentence for each mistake found."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class WordError(TypeError, ValueError):
    """A word of a scenario file (`Link`, `faults.latency`) given what it does not take; its text says what it takes."""


class MissingPart(LabError):
    """Servers or programs that the run needs and the machine lacks, all of them, with the ways to get each."""


class StartError(LabError):
    """A service, server or the load generator that did not come up; carries its last log lines."""


class ProxyError(LabError):
    """The fault proxy refused or did not answer; carries its own words."""


class RecordError(LabError):
    """A run on disk that cannot be read."""


class Interrupted(Exception):
    """The lab was asked to stop (`number` is the signal's) and did so in order; the text says with what success."""

    def __init__(self, number: int, text: str = "interrupted; everything was stopped") -> None:
        self.number = number
        super().__init__(text)
