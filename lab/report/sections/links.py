"""The data behind the page, and where to go next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.report.numbers import bytes_of
from lab.report.view import Neighbour, View

TITLE = "Data and neighbours"

FILES = {
    "record.json": "what was asked, what happened, what was judged",
    "operations.parquet": "one row an operation: due, start, end, outcome",
    "probes.parquet": "one row a canary probe",
    "series.parquet": "the panels' samples",
    "snapshots.parquet": "counters and gauges at every phase boundary",
    "profiles": "collapsed stacks by variant, service and phase",
    "logs": "what each service wrote",
    "readbacks": "what the services answered after the load",
    "junit.xml": "the verdicts for a continuous-integration server",
    "summary.md": "this report in short, with its charts as SVG",
}
WRITTEN_WITH_THE_REPORT = {"junit.xml", "summary.md"}


@dataclass(frozen=True)
class File:
    """A file or folder of the run."""

    name: str
    what: str
    size: str


@dataclass(frozen=True)
class Data:
    """Files that are there, and pages to go to."""

    files: Sequence[File]
    neighbours: Sequence[Neighbour]


def build(view: View) -> Data:
    """Always there."""
    files = []
    for name, what in FILES.items():
        path = view.run.path / name
        if path.is_file() and name not in WRITTEN_WITH_THE_REPORT:
            files.append(File(name, what, bytes_of(path.stat().st_size)))
        elif path.is_dir():
            files.append(File(name + "/", what, ""))
        elif name in WRITTEN_WITH_THE_REPORT:
            files.append(File(name, what, ""))
    return Data(files, view.neighbours)
