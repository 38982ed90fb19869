"""A run that can be changed: its record and tables as plain rows, written out as a run of its own to be judged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lab.record import TABLES, Episode, Record, Run, read_run, write_record, write_table

Row = dict[str, Any]
FILES = ("readbacks", "early", "profiles")  # what metrics and checkers read beside the tables


@dataclass
class Forgery:
    """A run in memory. Rows are those of the record's tables; `files` says whose files each variant shows.

    `unreceived` has, for the readbacks of a trial and variant, the ids of messages that they are to know nothing of;
    `listed` what they are to list beside what is there: readback, place in it, keys; and `unlisted` what they are not
    to list, before the fault either.
    """

    source: Path
    record: Record
    tables: dict[str, list[Row]]
    files: dict[str, str] = field(default_factory=dict)
    unreceived: dict[tuple[int, str], set[str]] = field(default_factory=dict)
    listed: dict[tuple[int, str], list[tuple[str, str, list[str]]]] = field(default_factory=dict)
    unlisted: dict[tuple[int, str], list[tuple[str, str, list[str]]]] = field(default_factory=dict)

    @staticmethod
    def of(run: Run) -> Forgery:
        """Open a run for changes; the run itself stays as it is."""
        return Forgery(run.path, run.record, {name: run.table(name).to_pylist() for name in TABLES})

    def copy(self) -> Forgery:
        """Another one, to be changed apart from this."""
        tables = {name: [dict(row) for row in rows] for name, rows in self.tables.items()}
        unreceived = {whose: set(ids) for whose, ids in self.unreceived.items()}
        listed = {whose: list(more) for whose, more in self.listed.items()}
        unlisted = {whose: list(less) for whose, less in self.unlisted.items()}
        return Forgery(self.source, self.record, tables, dict(self.files), unreceived, listed, unlisted)

    def rows(self, table: str, variant: str, phase: str | None = None) -> list[Row]:
        """The rows of one variant, in all trials; of one phase where the table has phases."""
        return [r for r in self.tables[table] if r["variant"] == variant and phase in (None, r.get("phase"))]

    def episodes(self, change: Callable[[Episode], Episode]) -> None:
        """Replace each episode by what `change` makes of it."""
        self.record = replace(self.record, episodes=[change(episode) for episode in self.record.episodes])

    def write(self, folder: Path) -> Run:
        """Write it as a run below `folder`, which is made, and open that."""
        folder.mkdir(parents=True)
        for name, rows in self.tables.items():
            write_table(folder, name, rows)
        write_record(folder, replace(self.record, judgement=None))
        for kind in FILES:
            if (self.source / kind).is_dir():
                self._copy_files(folder, kind)
        for (trial, variant), ids in self.unreceived.items():
            _forget(folder / "readbacks" / f"{trial}-{variant}.json", ids)
        for (trial, variant), more in self.listed.items():
            _list(folder / "readbacks" / f"{trial}-{variant}.json", more)
        for (trial, variant), less in self.unlisted.items():
            for kind in ("readbacks", "early"):
                _unlist(folder / kind / f"{trial}-{variant}.json", less)
        return read_run(folder)

    def _copy_files(self, folder: Path, kind: str) -> None:
        for found in sorted((self.source / kind).iterdir()):
            trial, _, variant = found.stem.partition("-") if found.is_file() else found.name.partition("-")
            shown = self.source / kind / f"{trial}-{self.files.get(variant, variant)}{found.suffix}"
            target = folder / kind / found.name
            target.parent.mkdir(exist_ok=True)
            if shown.is_dir():
                shutil.copytree(shown, target)
            elif shown.exists():
                shutil.copyfile(shown, target)


def _forget(file: Path, ids: set[str]) -> None:
    """Take the entries of these ids out of every list of a readback."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: without(each) for name, each in value.items()}
        if isinstance(value, list):
            return [without(each) for each in value if not (isinstance(each, dict) and each.get("id") in ids)]
        return value

    if file.exists():
        file.write_text(json.dumps(without(json.loads(file.read_text("utf-8")))), "utf-8")


def _list(file: Path, more: list[tuple[str, str, list[str]]]) -> None:
    """Add keys to lists, or to objects, of a variant's readbacks."""
    if not file.exists():
        return
    readbacks = json.loads(file.read_text("utf-8"))
    for name, at, keys in more:
        listed = readbacks.get(name, {}).get(at)
        if isinstance(listed, list):
            listed += keys
        elif isinstance(listed, dict):
            listed.update(dict.fromkeys(keys, 0))
    file.write_text(json.dumps(readbacks), "utf-8")


def _unlist(file: Path, less: list[tuple[str, str, list[str]]]) -> None:
    """Take keys out of lists, or of objects, of a variant's readbacks."""
    if not file.exists():
        return
    told = json.loads(file.read_text("utf-8"))
    readbacks = told["answers"] if file.parent.name == "early" else told
    for name, at, keys in less:
        listed = readbacks.get(name, {}).get(at)
        if isinstance(listed, list):
            readbacks[name][at] = [key for key in listed if key not in keys]
        elif isinstance(listed, dict):
            readbacks[name][at] = {key: value for key, value in listed.items() if key not in keys}
    file.write_text(json.dumps(told), "utf-8")


def phases_with_faults(record: Record) -> Iterator[str]:
    """Names of the phases that break something."""
    return (phase.name for phase in record.spec.phases if phase.faults)


def protected(record: Record) -> list[str]:
    """The variants that promise something: not the control, and with a claim that is no control's."""
    promised = {claim.variant for claim in record.spec.claims if not claim.control}
    return [variant.name for variant in record.spec.variants[1:] if variant.name in promised]
