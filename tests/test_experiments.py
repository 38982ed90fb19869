"""Every experiment of the catalogue, without code for any: its claims can fail, and a record of nothing proves nothing.

Pages are tested in test_pages.py, dashboards and the compose file in theirs, each over the whole catalogue too; its
systems are started in tests/e2e/test_experiments_start.py.
"""

from __future__ import annotations

import math
from itertools import accumulate, pairwise
from pathlib import Path

import pytest

from lab.catalogue import Entry, read_all
from lab.metrics import Measured
from lab.record import (
    RECORD_VERSION,
    ClaimSpec,
    Episode,
    LoadFacts,
    Machine,
    PhaseWindow,
    Record,
    Run,
    read_run,
    write_record,
    write_table,
)
from lab.verdict import judge
from lab.verdict.claims import hold

CATALOGUE = read_all()[0]
every_experiment = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)


def verdict_of(claim: ClaimSpec, value: float) -> str:
    """What is said where one trial measured this."""
    return hold(claim, [Measured(value)]).verdict


@every_experiment
def test_each_claim_can_fail(entry: Entry) -> None:
    """The bound itself holds; the next number beyond it does not, on either side."""
    for claim in entry.spec().claims:
        for bound, beyond in ((claim.at_least, -math.inf), (claim.at_most, math.inf)):
            if bound is not None:
                assert verdict_of(claim, bound) == "PASS", claim.text
                assert verdict_of(claim, math.nextafter(bound, beyond)) == "FAIL", claim.text


def of_nothing(entry: Entry, folder: Path) -> Run:
    """A run in which every phase of every variant passed, no request was sent and no fault put in."""
    spec = entry.spec()
    edges = accumulate((phase.lasts_s for phase in spec.phases), initial=0.0)
    windows = [PhaseWindow(phase.name, *edge) for phase, edge in zip(spec.phases, pairwise(edges), strict=True)]
    nothing = LoadFacts(0, 0, 0, 0, 0, 0)
    episodes = [Episode(1, variant.name, 7, 1.76e9, windows, nothing, []) for variant in spec.variants]
    for table in ("operations", "probes", "snapshots", "series"):
        write_table(folder, table, [])
    write_record(
        folder,
        Record(
            version=RECORD_VERSION, run="nothing", spec=spec, runtime="local", seed=7, trials=1, scale=1, command="",
            started_epoch_s=0, finished_epoch_s=0, machine=Machine("", "", "", 1, 1, ""), versions={}, proxy="",
            git_commit=None, git_dirty=False, episodes=episodes, overhead_s=0,
        ),
    )  # fmt: skip
    return read_run(folder)


@every_experiment
def test_a_record_of_nothing_proves_nothing(entry: Entry, tmp_path: Path) -> None:
    """UNKNOWN as a whole, and no claim passes: neither a rate of nothing nor a count of 0 is a success."""
    found = judge(of_nothing(entry, tmp_path))
    assert found.verdict == "UNKNOWN"
    assert [result.claim.text for result in found.claims if result.verdict != "UNKNOWN"] == []
