"""Single operations in a report: those of a cell of the heat map, and those that break an invariant."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import numpy as np
import pytest

from lab.report import cells
from lab.report.aggregate import bin_s, heat
from lab.report.lanes import MOST, _label, timeline
from lab.report.sections import trials
from lab.report.view import View

ViewOf = Callable[[str], View]


def test_each_cell_of_a_heat_map_lists_operations_of_its_own(view_of: ViewOf) -> None:
    """Every cell that is drawn can be asked for, and what it lists was due and waited as its place says."""
    view = view_of("pass")
    width_s = bin_s(view.end_s)
    found = json.loads(cells.cells(view, width_s))
    for variant in view.variants:
        ops, own = view.run.operations(variant), found["variants"][variant]["cells"]
        drawn = heat(ops, view.spec.load.timeout_s, view.ended_s(variant), width_s)
        assert len(own) == len(drawn)
        for place, listed in own.items():
            column, row = place.split(":")
            for _, due_s, wait_ms, *_ in listed:
                assert int(column) * width_s <= due_s < (int(column) + 1) * width_s
                low_ms = 10 ** (int(row) / found["decade"]) if row != "lost" else None
                assert (wait_ms is None) is (low_ms is None)
                if low_ms is not None:
                    assert low_ms * 0.99 <= wait_ms <= low_ms * 10 ** (1 / found["decade"]) * 1.01


def test_an_operation_of_a_cell_has_its_trace(view_of: ViewOf) -> None:
    """Its spans come from the logs of its variant, placed from when it was due."""
    found = json.loads(cells.cells(view_of("pass"), 1.0))
    off, names = found["variants"]["off"], found["names"]
    traced = [one for listed in off["cells"].values() for one in listed if one[6] in off["traces"]]
    assert traced
    spans = off["traces"][traced[0][6]]
    assert names[spans[0][1]] == "exchange"
    assert all(span[3] >= 0 and span[4] >= 0 for span in spans)


def test_cells_are_kept_within_their_bytes(view_of: ViewOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """More cells than may be listed: the slowest are."""
    monkeypatch.setattr(cells, "MOST_OPERATIONS", 20)
    found = json.loads(cells.cells(view_of("pass"), 1.0))
    for own in found["variants"].values():
        assert sum(map(len, own["cells"].values())) <= 10
    assert all(key.endswith(":lost") for key in found["variants"]["off"]["cells"])


def test_a_timeline_has_a_line_for_each_client_and_the_culprits_in_colour(view_of: ViewOf) -> None:
    """Operations that overlap stand below each other, those that do not share a line; the bad ones are marked."""
    ops = view_of("pass").run.operations("off")
    fault = ops.n[ops.being("phase", "fault")]
    found = timeline(ops, fault[:6].tolist(), 10.0)
    assert found is not None
    bars = [bar for client in found.clients for bar in client]
    assert sum(bar.kind == "bad" for bar in bars) == 6
    for client in found.clients:
        for before, after in itertools.pairwise(client):
            assert before.left + before.width <= after.left + 1.0
    assert all(bar.left >= 0 and bar.left + bar.width <= 100.01 for bar in bars)
    assert timeline(ops, [10**6], 10.0) is None
    crowd = timeline(ops, fault.tolist(), 10.0)
    assert crowd is not None
    assert sum(map(len, crowd.clients)) <= MOST
    assert sum(map(len, crowd.clients)) + crowd.left_out >= len(fault) - 1


def test_a_bar_says_what_was_written_or_read(view_of: ViewOf) -> None:
    """The operation where its name is short, its value, or the value of its answer; a path would leave no room."""
    ops = view_of("pass").run.operations("off").take(np.array([0, 1, 2]))
    told = ops.having(
        operation=np.array(["write", "read", "POST /trades"], dtype=object),
        value=np.array(["303", None, "17"], dtype=object),
        response=np.array([None, '{"key":"k0","value":null}', "{"], dtype=object),
    )
    assert [_label(told, k) for k in range(3)] == ["write 303", "read None", "17"]


def test_trials_are_drawn_beside_each_other(view_of: ViewOf) -> None:
    """A chart a variant and measure with a line for each trial; of one trial there is no such section."""
    data = trials.build(view_of("quick trials"))
    assert data is not None
    assert [chart.name for chart in data.charts] == [
        "trials-ms-off", "trials-ms-on", "trials-percent-off", "trials-percent-on",
    ]  # fmt: skip
    layers = data.waits[0].definition.to_dict(validate=False)["layer"]
    thin = [layer for layer in layers if layer.get("mark", {}).get("strokeWidth") == 0.8]
    assert len(thin) == data.trials == 3
    assert trials.build(view_of("pass")) is None
