"""What was found, kept in docs/sabotage.json after each result, so that a broken-off sabotage goes on where it was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from lab.errors import LabError
from lab.kit.files import put_in_place
from lab.kit.places import ROOT
from lab.record import Verdict

FILE = ROOT / "docs" / "sabotage.json"
Kind = Literal["forged", "mutant"]


class Result(msgspec.Struct, frozen=True):
    """One sabotage and its answer. `reason` is the first reason of the verdict; `digest` says of which code."""

    kind: Kind
    experiment: str
    name: str  # of the edit or the mutant
    where: str  # variant, phase or operation; for a mutant what it breaks
    right: list[Verdict]
    verdict: Verdict
    reason: str
    caught: bool
    took_s: float
    digest: str = ""
    commit: str = ""
    excuse: str = ""  # why it may pass


class Ledger:
    """All results, by kind, experiment, name and place; written to disk with every change."""

    def __init__(self, file: Path = FILE) -> None:
        self._file = file
        self._results: dict[tuple[str, str, str, str], Result] = {}
        if file.exists():
            try:
                for result in msgspec.json.decode(file.read_bytes(), type=list[Result]):
                    self._results[_key(result)] = result
            except msgspec.DecodeError as error:
                raise LabError(f"{file}: {error}; restore it from git, or remove it to begin anew") from error

    def results(self, kind: Kind | None = None, experiment: str | None = None) -> list[Result]:
        """Those of a kind and an experiment, in order of name and place."""
        return sorted(
            (r for r in self._results.values() if kind in (None, r.kind) and experiment in (None, r.experiment)),
            key=_key,
        )

    def mutant(self, name: str) -> Result | None:
        """The last result of a mutant."""
        return next((r for r in self._results.values() if r.kind == "mutant" and r.name == name), None)

    def add(self, *results: Result) -> None:
        """Keep results, in place of older ones of the same."""
        self._results |= {_key(result): result for result in results}
        self._write()

    def replace(self, kind: Kind, experiment: str, results: Sequence[Result]) -> None:
        """Keep these as all that is known of a kind and an experiment."""
        self._results = {key: r for key, r in self._results.items() if (r.kind, r.experiment) != (kind, experiment)}
        self.add(*results)

    def keep_mutants(self, names: set[str]) -> None:
        """Forget mutants that are there no more."""
        self._results = {k: r for k, r in self._results.items() if r.kind != "mutant" or r.name in names}

    def _write(self) -> None:
        put_in_place(self._file, msgspec.json.format(msgspec.json.encode(self.results()), indent=1) + b"\n")


def _key(result: Result) -> tuple[str, str, str, str]:
    return (result.kind, result.experiment, result.name, "" if result.kind == "mutant" else result.where)
