"""docs/evidence.json: all counted runs, written after each, so that evidence goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lab.errors import LabError
from lab.evidence.facts import Body, alike, counts, joined, rows
from lab.kit.files import put_in_place
from lab.kit.places import ROOT

FILE = ROOT / "docs" / "evidence.json"


class Ledger:
    """A body for each experiment and runtime; written to disk with every change."""

    def __init__(self, file: Path = FILE) -> None:
        self._file = file
        self._bodies: dict[tuple[str, str], Body] = {}
        if file.exists():
            try:
                bodies = msgspec.json.decode(file.read_bytes(), type=list[Body])
            except msgspec.MsgspecError as error:
                raise LabError(f"{file}: {error}; restore it from git, or remove it to begin anew") from error
            self._bodies = {(body.experiment, body.runtime): body for body in bodies}

    def bodies(self, experiment: str | None = None) -> list[Body]:
        """Those of an experiment, or all, by name and runtime; local comes first."""
        found = [body for body in self._bodies.values() if experiment in (None, body.experiment)]
        return sorted(found, key=lambda body: (body.experiment, body.runtime != "local", body.runtime))

    def of(self, experiment: str, runtime: str, digest: str) -> Body | None:
        """What is known of an experiment in a runtime, of this code."""
        body = self._bodies.get((experiment, runtime))
        return body if body and body.digest == digest else None

    def add(self, new: Body, anew: bool = False) -> None:
        """Keep a run beside those of the same code; those of other code go, with `anew` all."""
        key = (new.experiment, new.runtime)
        known = self.of(*key, new.digest)
        self._bodies[key] = joined(known, new) if known and not anew and alike(known, new) else new
        self._write()

    def keep(self, experiments: Sequence[str]) -> None:
        """Forget experiments that are there no more; the file is there from then on, whatever comes."""
        self._bodies = {key: body for key, body in self._bodies.items() if key[0] in experiments}
        self._write()

    def _write(self) -> None:
        told = [{**msgspec.to_builtins(body), "summary": list(summary(body))} for body in self.bodies()]
        put_in_place(self._file, b"[\n" + b",\n".join(_lines(body) for body in told) + b"\n]\n")


def summary(body: Body) -> Iterator[dict[str, Any]]:
    """What the runs say together, for a machine: a claim or an invariant each; it is read back from the runs."""
    for row in rows(body):
        claim, metric = row.claim, row.claim.metric
        yield {
            "claim": claim.text,
            "variant": claim.variant,
            "phase": claim.phase,
            "unit": f"x {claim.of}" if claim.of else metric.unit,
            "runs": row.runs,
            "PASS": row.held,
            "FAIL": row.failed,
            "UNKNOWN": row.unknown,
            "median": row.median,
            "low": row.low,
            "high": row.high,
            "censored": row.censored,
        }
    for count in counts(body):
        yield {
            "invariant": count.invariance.text,
            "variant": count.invariance.variant,
            "runs": count.runs,
            "PASS": count.held,
            "FAIL": count.failed,
            "UNKNOWN": count.unknown,
            "violations": count.found,
            "checked": count.checked,
        }


def _lines(body: dict[str, Any]) -> bytes:
    """A body with a line for each run, claim and summary, so that git shows what changed."""
    parts = []
    for name, value in body.items():
        text = msgspec.json.encode(value)
        if isinstance(value, list) and value:
            text = b"[\n  " + b",\n  ".join(msgspec.json.encode(each) for each in value) + b"\n ]"
        parts.append(b' "%s": %s' % (name.encode(), text))
    return b"{\n" + b",\n".join(parts) + b"\n}"
