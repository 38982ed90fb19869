from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.record import Run
from lab.report import flame
from lab.report.flame import Flames, Frame, flames
from lab.report.sections.flames import Data
from lab.report.view import View

pytestmark = pytest.mark.e2e

ViewOf = Callable[[str], View]


def found_in(frame: Frame, names: list[str], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], list[int]]:
    """Samples of every frame by its path from the root."""
    here = (*path, names[frame[0]])
    found = {here: frame[1]}
    for child in frame[2]:
        found |= found_in(child, names, here)
    return found


def profiled(tmp_path: Path, view: View, **folded: str) -> Flames | None:
    """Flame graphs of profiles written as `variant="stack count;..."` in the fault phase."""
    for variant, text in folded.items():
        folder = tmp_path / "profiles" / f"1-{variant}"
        folder.mkdir(parents=True)
        (folder / "exchange.fault.folded").write_text(text)
    return flames(View(Run(tmp_path, view.record), {}))


def test_one_tree_holds_every_variant(tmp_path: Path, view_of: ViewOf) -> None:
    """A frame has its samples in each variant, 0 where it was never seen; the root has them all."""
    graphs = profiled(tmp_path, view_of("pass"), off="main;work 30\nmain;wait 10\n", on="main;work 5\nmain;refuse 15\n")
    assert graphs is not None
    (graph,) = graphs.graphs
    assert graph.samples == [40, 20]
    assert found_in(graph.root, graphs.names) == {
        ("all",): [40, 20],
        ("all", "main"): [40, 20],
        ("all", "main", "work"): [30, 5],
        ("all", "main", "wait"): [10, 0],
        ("all", "main", "refuse"): [0, 15],
    }


def test_the_functions_that_took_the_time_come_first(tmp_path: Path, view_of: ViewOf) -> None:
    """The table has own shares by function, the greatest first, and what changed between the variants."""
    graphs = profiled(tmp_path, view_of("pass"), off="m (a.py:1);f (a.py:2) 75\nm (a.py:1) 25\n", on="m (a.py:9) 10\n")
    assert graphs is not None
    first, second = graphs.graphs[0].top
    assert (first.name, first.shares, first.change) == ("m", [0.25, 1.0], 0.75)
    assert (second.name, second.shares) == ("f", [0.75, 0.0])


def test_a_variant_without_a_profile_has_no_samples(tmp_path: Path, view_of: ViewOf) -> None:
    """One side alone is drawn too."""
    graphs = profiled(tmp_path, view_of("pass"), on="main 10\n")
    assert graphs is not None
    assert graphs.graphs[0].samples == [0, 10]
    assert graphs.graphs[0].top[0].shares == [0.0, 1.0]


def test_frames_too_narrow_to_see_are_left_to_their_callers(tmp_path: Path, view_of: ViewOf) -> None:
    """A frame under the least share is dropped; its caller keeps its samples."""
    graphs = profiled(tmp_path, view_of("pass"), off="main;tiny 1\nmain;big 999\n", on="main;big 10\n")
    assert graphs is not None
    paths = found_in(graphs.graphs[0].root, graphs.names)
    assert ("all", "main", "tiny") not in paths
    assert paths["all", "main"] == [1000, 10]


def test_many_profiles_are_drawn_more_coarsely(
    tmp_path: Path, view_of: ViewOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are too many frames for one page, narrower ones go first, and the report says from where."""
    monkeypatch.setattr(flame, "MAX_FRAMES", 4)
    text = "main;a 4\nmain;b 12\nmain;c 984\n"
    graphs = profiled(tmp_path, view_of("pass"), off=text, on=text)
    assert graphs is not None
    assert graphs.min_share == 0.005
    assert ("all", "main", "a") not in found_in(graphs.graphs[0].root, graphs.names)


def test_no_profile_is_no_graph(tmp_path: Path, view_of: ViewOf) -> None:
    """A run whose services could not be profiled has none, and says which they were."""
    from lab.report.sections import flames as section

    view = View(Run(tmp_path, view_of("pass").record), {})
    assert flames(view) is None
    data = section.build(view)
    assert data is not None
    assert (data.flames, data.services, data.json) == (None, ["exchange"], "")
    assert data.notes == ["on: py-spy fell behind once; its samples are still spread evenly"]
    spec = replace(view.spec, profile=[])
    assert section.build(View(Run(tmp_path, replace(view.record, spec=spec)), {})) is None


def test_the_function_that_changed_most_is_named(tmp_path: Path, view_of: ViewOf) -> None:
    """One sentence over the graphs; where no function changed by a hundredth, it says that."""
    graphs = profiled(tmp_path, view_of("pass"), off="main;work 30\nmain;wait 10\n", on="main;work 5\nmain;refuse 15\n")
    says = Data(graphs, ["exchange"], []).says.replace("\u202f", " ")
    assert says == "Most changed: refuse of exchange in fault, 0 % of the samples in off and 75 % in on."
    same = profiled(tmp_path / "same", view_of("pass"), off="main;work 30\n", on="main;work 5\n")
    assert Data(same, ["exchange"], []).says.startswith("No function's own share")
    assert Data(None, ["exchange"], []).says == ""
