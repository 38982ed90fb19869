"""Removes what dead runs left, wherever their services were."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lab.errors import LabError
from lab.kit.places import ROOT, STATE
from lab.observe import which_grafana
from lab.observe.marks import end_left_open, in_time, left_open
from lab.record.unfinished import sweep
from lab.runtime.compose.heal import heal_containers
from lab.runtime.heal import dead_runs, heal
from lab.runtime.journal import JOURNAL, read

HEAL_PATIENCE_S = 10.0  # for a Grafana in which dead runs have drawn


async def heal_everything(reports: Path) -> list[str]:
    """Clean up after runs whose lab is gone, wherever their services were; a sentence for each thing done.

    `reports` is where folders of runs may lie that will never have a record.
    """
    dead = dead_runs(STATE)
    return [*await _end_annotations(dead), *heal(STATE), *sweep(reports), *await heal_containers(dead)]


async def _end_annotations(dead: Sequence[str]) -> list[str]:
    """Done first, since `heal` removes the journals that tell of them."""
    if not any(left_open(read(STATE / run / JOURNAL)) for run in dead):
        return []
    try:
        places = [which_grafana.named(ROOT).place, await which_grafana.of_compose(ROOT)]
        return await in_time(partial(end_left_open, STATE, dead, [p for p in places if p]), HEAL_PATIENCE_S)
    except TimeoutError:
        return ["Grafana takes too long to answer: annotations of dead runs stay without an end"]
    except LabError as error:
        return [f"annotations of dead runs stay without an end: {error}"]
