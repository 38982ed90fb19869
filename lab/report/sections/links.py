"""The data behind the page, and where to go next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.observe.grafana import ALL, dashboard_url
from lab.record import Episode
from lab.report.numbers import bytes_of
from lab.report.view import Neighbour, View

TITLE = "Data and neighbours"
AROUND_S = 2.0  # shown in Grafana before the load begins and after it ends

FILES = {
    "record.json": "what was asked, what happened, what was judged",
    "operations.parquet": "one row an operation: due, start, end, outcome",
    "probes.parquet": "one row a canary probe",
    "series.parquet": "the panels' samples",
    "snapshots.parquet": "counters and gauges at every phase boundary",
    "profiles": "collapsed stacks by variant, service and phase",
    "logs": "what each service wrote",
    "readbacks": "what the services answered after the load",
    "early": "what they answered shortly before the first fault, where it is to take something",
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
    return Data(files, [*_dashboards(view), *view.neighbours])


def _dashboards(view: View) -> list[Neighbour]:
    """The experiment's dashboard over the whole run and over each variant, where the run was drawn in a Grafana."""
    spans = {variant: _span(view.episode(variant)) for variant in view.variants if view.phases(variant)}
    if not spans or not view.record.grafana.startswith(("http://", "https://")):
        return []
    firsts, lasts = zip(*spans.values(), strict=True)
    wanted = [("the whole run", ALL, (min(firsts), max(lasts))), *((name, name, span) for name, span in spans.items())]
    return [
        Neighbour(
            "in Grafana", title, dashboard_url(view.record.grafana, view.spec.name, view.record.run, variant, span)
        )
        for title, variant, span in wanted
    ]


def _span(episode: Episode) -> tuple[float, float]:
    """From before the load to after it, in seconds since the epoch."""
    return episode.t0_epoch_s - AROUND_S, episode.t0_epoch_s + episode.phases[-1].end_s + AROUND_S
