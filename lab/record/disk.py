"""Runs on disk: written once, opened as often as wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from lab.errors import RecordError
from lab.kit.files import put_in_place
from lab.model.dose import Probe
from lab.record import parquet, sound
from lab.record.columns import Columns
from lab.record.facts import Early, Episode, Judgement, Record
from lab.record.operations import Operations
from lab.record.parquet import first_line

if TYPE_CHECKING:
    import pyarrow as pa

RECORD_VERSION = 1
OLDEST_VERSION = 1  # the oldest that this lab still reads
T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """A run on disk, opened: the record and its tables, each read when first asked for."""

    path: Path
    record: Record

    def table(self, name: str) -> pa.Table:
        """One of TABLES as an Arrow table; empty where the run has none. Raises RecordError where it is damaged."""
        return parquet.read(self.path / f"{name}.parquet", name)

    @cached_property
    def _columns(self) -> Columns:
        return Columns(self.path / "operations.parquet")

    def sharing(self, other: Run) -> Self:
        """The same, with what another reading of the same run has read."""
        self.__dict__["_columns"] = other._columns
        return self

    def forget(self) -> None:
        """Let go of the operations that were read; asked for again, they are read again."""
        if columns := self.__dict__.pop("_columns", None):
            columns.forget()

    @cached_property
    def snapshots(self) -> list[dict[str, Any]]:
        """Rows of SNAPSHOTS as dictionaries."""
        rows: list[dict[str, Any]] = self.table("snapshots").to_pylist()
        return rows

    @cached_property
    def _snapshots_at(self) -> dict[tuple[int, str, str, str, str], list[dict[str, Any]]]:
        found: dict[tuple[int, str, str, str, str], list[dict[str, Any]]] = {}
        for row in self.snapshots:
            key = (row["trial"], row["variant"], row["phase"], row["edge"], row["service"])
            found.setdefault(key, []).append(row)
        return found

    def snapshot(self, variant: str, phase: str, edge: str, service: str, trial: int = 1) -> list[dict[str, Any]]:
        """Rows of one service at one edge (`start`, `end`) of a phase; empty where it did not answer then."""
        return self._snapshots_at.get((trial, variant, phase, edge, service), [])

    def operations(self, variant: str, trial: int = 1, phase: str | None = None) -> Operations:
        """Operations of one variant in one trial (trials count from 1), of one phase by due time or of all."""
        everything = self._columns.of(variant, trial)
        return everything if phase is None else everything.where(everything.being("phase", phase))

    def probes(self, variant: str, trial: int = 1, target: str | None = None) -> list[Probe]:
        """Canary probes of one variant in one trial, in order of time."""
        rows = self.table("probes").sort_by("at_s").to_pylist()
        return [
            Probe(row["target"], row["path"], row["at_s"], row["outcome"], row["latency_ms"])
            for row in rows
            if row["variant"] == variant and row["trial"] == trial and target in (None, row["target"])
        ]

    def readbacks(self, variant: str, trial: int = 1) -> dict[str, Any]:
        """What the services answered after the load, by the readback's name."""
        return _decoded(self.path / "readbacks" / f"{trial}-{variant}.json", dict[str, Any]) or {}

    def early(self, variant: str, trial: int = 1) -> Early | None:
        """What they answered shortly before the first fault; None where nobody asked."""
        return _decoded(self.path / "early" / f"{trial}-{variant}.json", Early)

    def episode(self, variant: str, trial: int = 1) -> Episode | None:
        """That variant's pass in that trial, or None where the run ended before."""
        for episode in self.record.episodes:
            if episode.variant == variant and episode.trial == trial:
                return episode
        return None

    @property
    def logs(self) -> Path:
        """Folder `logs/<trial>-<variant>/<service>.log`."""
        return self.path / "logs"

    @property
    def profiles(self) -> Path:
        """Folder `profiles/<trial>-<variant>/<service>.<phase>.folded` (collapsed stacks)."""
        return self.path / "profiles"


def _decoded(file: Path, type_: type[T]) -> T | None:
    """A file beside the record, or None where there is none. Raises RecordError where it is damaged."""
    if not file.exists():
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=type_)
    except (msgspec.DecodeError, ValueError, RecursionError, OSError) as error:
        raise RecordError(f"{file}: cannot be read ({first_line(error)}); the run is damaged") from error


def write_table(path: Path, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write `<name>.parquet` from rows shaped as TABLES says."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from lab.record.tables import TABLES

    table = pa.Table.from_pylist([dict(row) for row in rows], schema=TABLES[name])
    options = {"compression": "zstd", "write_page_checksum": True, "row_group_size": parquet.PART_ROWS}
    pq.write_table(table, path / f"{name}.parquet", **options)


def write_record(path: Path, record: Record) -> None:
    """Write `record.json` so that a reader sees the old or the new one, never half of either.

    Raises RecordError where it cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        put_in_place(path / "record.json", msgspec.json.format(msgspec.json.encode(record), indent=2))
    except OSError as error:
        raise RecordError(f"{path}: the record cannot be written there ({error.strerror})") from error


def point_to_latest(path: Path) -> str:
    """Have `latest`, beside a run that is written to its end, lead to it; it never leads nowhere in between.

    Gives a sentence where it cannot be a link; else an empty text. The run is whole without it.
    """
    draft, latest = path.parent / f".latest-{path.name}", path.parent / "latest"
    try:
        draft.unlink(missing_ok=True)
        draft.symlink_to(path.name)
        draft.replace(latest)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        why = "it is a folder; move it away" if latest.is_dir() and not latest.is_symlink() else error.strerror
        return f"{latest} could not be made a link to this run ({why})"
    return ""


def read_run(path: Path) -> Run:
    """Open a run's folder. Raises RecordError, in a sentence, where it is missing, damaged, too old or too new."""
    file = path / "record.json"
    try:
        sound.refuse_links(path)
        data = file.read_bytes()
    except FileNotFoundError as error:
        raise RecordError(_no_record(path)) from error
    except OSError as error:
        raise RecordError(f"{file}: cannot be read ({error.strerror})") from error
    _check_version(file, data)
    try:
        record = msgspec.json.decode(data, type=Record)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        raise RecordError(f"{file}: {first_line(error)}; the run is damaged or was edited") from error
    hollow = [name for name in ("variants", "phases") if not getattr(record.spec, name)]
    if hollow or record.trials < 1:
        what = f"its spec has no {hollow[0]}" if hollow else f"it has {record.trials} trials"
        raise RecordError(f"{file}: {what}; the run is damaged or was edited")
    sound.check(file, record)
    return Run(path, record)


def _no_record(path: Path) -> str:
    if path.is_dir() and any(path.iterdir()):
        return f"{path}: has no record.json; the run is still going on, or it was killed: run it again"
    return f"{path}: no run there (no record.json); `make list RUNS=1` shows the runs"


def _check_version(file: Path, data: bytes) -> None:
    try:
        whole = msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise RecordError(f"{file}: not valid JSON ({first_line(error)}); the run is damaged") from error
    version = whole.get("version") if isinstance(whole, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise RecordError(f"{file}: names no version; it is not a record of a run, or was edited")
    if version > RECORD_VERSION:
        raise RecordError(f"{file}: written as version {version}; this lab reads up to {RECORD_VERSION}: update it")
    if version < OLDEST_VERSION:
        raise RecordError(
            f"{file}: written as version {version}; this lab reads from {OLDEST_VERSION}: "
            "read it with an older lab, or run the experiment again"
        )


def with_judgement(record: Record, judgement: Judgement) -> Record:
    """The same run, judged (again)."""
    return replace(record, judgement=judgement)


def runs_of(reports: Path, scenario: str) -> Sequence[Path]:
    """Folders of a scenario's runs, oldest first."""
    folder = reports / scenario
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if not p.is_symlink() and (p / "record.json").exists())
