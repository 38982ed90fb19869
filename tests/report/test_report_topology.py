from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, permutations

import pytest

from lab.record import FaultSpec, LinkSpec, MemberSpec, PhaseSpec, Spec
from lab.report.topology import BOX, Drawing, drawing, faults_by_target
from lab.report.view import View

pytestmark = pytest.mark.e2e


@pytest.fixture
def spec(view_of: Callable[[str], View]) -> Spec:
    """The circuit breaker's scenario."""
    return view_of("pass").spec


def wired(spec: Spec, *links: str, **kinds: str) -> Spec:
    """The scenario with other links (`a->b`) and the members they name."""
    pairs = [link.split("->") for link in links]
    names = dict.fromkeys(name for pair in pairs for name in pair)
    return replace(
        spec,
        members=[MemberSpec(name, kinds.get(name, "service")) for name in names],
        links=[LinkSpec(f"{a}->{b}", a, b) for a, b in pairs],
        load=replace(spec.load, to=pairs[0][0]),
    )


def apart(found: Drawing) -> bool:
    """Whether no two boxes overlap."""
    return all(abs(a.x - b.x) >= BOX[0] or abs(a.y - b.y) >= BOX[1] for a, b in combinations(found.boxes, 2))


def inside(found: Drawing) -> bool:
    """Whether everything lies on the canvas."""
    boxes = all(BOX[0] / 2 <= b.x <= found.width - BOX[0] / 2 and BOX[1] / 2 <= b.y for b in found.boxes)
    return boxes and all(b.y <= found.height - BOX[1] / 2 for b in found.boxes)


@pytest.mark.parametrize("down", [False, True])
def test_callees_stand_behind_their_callers(spec: Spec, down: bool) -> None:
    """Load first, then services by their distance from it, across or downwards."""
    found = drawing(wired(spec, "a->b", "a->c", "c->d", "b->d", d="postgres"), down=down)
    place = {box.name: (box.y if down else box.x) for box in found.boxes}
    assert place["load"] < place["a"] < place["b"] == place["c"] < place["d"]
    assert apart(found)
    assert inside(found)
    assert {box.name: box.kind for box in found.boxes}["d"] == "postgres"
    assert {box.name: box.kind for box in found.boxes}["load"] == "50/s"


def test_the_broken_edge_is_marked(spec: Spec) -> None:
    """The link that the fault attaches to carries its name, the others none; a broken member too."""
    found = drawing(spec)
    assert {arrow.name: arrow.faults for arrow in found.arrows} == {
        "load->exchange": "",
        "exchange->payments": "payments silent",
    }
    arrow = found.arrows[1]
    assert (arrow.mx, arrow.my) == ((arrow.x1 + arrow.x2) / 2, (arrow.y1 + arrow.y2) / 2)
    killed = replace(spec, phases=[PhaseSpec("fault", 5, [FaultSpec("kill", "payments", "payments killed")])])
    assert {box.name: box.faults for box in drawing(killed).boxes}["payments"] == "payments killed"


def test_a_fault_on_several_links_marks_them_all(spec: Spec) -> None:
    """Targets are told apart by commas; the same fault twice is named once."""
    fault = FaultSpec("partition", "a->b, b->a", "cut off")
    twice = replace(spec, phases=[PhaseSpec("one", 5, [fault]), PhaseSpec("two", 5, [fault])])
    assert faults_by_target(twice) == {"a->b": "cut off", "b->a": "cut off"}


def test_a_mesh_is_drawn_as_a_ring(spec: Spec) -> None:
    """Five nodes that all call each other: one line a pair with an arrow at both ends, nothing overlapping."""
    names = [f"raft-{k}" for k in range(1, 6)]
    found = drawing(wired(spec, *(f"{a}->{b}" for a, b in permutations(names, 2))))
    assert apart(found)
    assert inside(found)
    assert sum(arrow.both for arrow in found.arrows) == 10
    assert len(found.arrows) == 11


def test_arrows_end_at_the_borders(spec: Spec) -> None:
    """A line never runs under the boxes that it joins."""
    for down in (False, True):
        found = drawing(wired(spec, "a->b", "a->c"), down=down)
        for arrow in found.arrows:
            for box in found.boxes:
                for x, y in ((arrow.x1, arrow.y1), (arrow.x2, arrow.y2)):
                    assert abs(x - box.x) > BOX[0] / 2 or abs(y - box.y) > BOX[1] / 2


def test_a_closed_model_says_its_users(spec: Spec) -> None:
    """The load's box tells users where there is no rate."""
    closed = replace(spec, load=replace(spec.load, per_s=None, users=20))
    assert drawing(closed).boxes[0].kind == "20 users"


def test_a_load_to_two_has_two_arrows(spec: Spec) -> None:
    """Each service that the load goes to is drawn behind it."""
    two = wired(spec, "a->db", "b->db", db="postgres")
    found = drawing(replace(two, load=replace(two.load, to="a, b")))
    assert {"load->a", "load->b"} <= {arrow.name for arrow in found.arrows}


def test_peers_call_each_other(spec: Spec) -> None:
    """A cluster's peers are no box: whom they call, each other member calls; what breaks that way is marked."""
    links = ["a->db-1", "a->db-2", "peers->db-1", "peers->db-2"]
    found = wired(spec, *links)
    fault = FaultSpec("down", "peers->db-2", "peers cannot reach db-2")
    members = [member for member in found.members if member.name != "peers"]
    drawn = drawing(replace(found, members=members, phases=[PhaseSpec("cut", 5, [fault])]))
    assert {box.name for box in drawn.boxes} == {"load", "a", "db-1", "db-2"}
    (between,) = [arrow for arrow in drawn.arrows if arrow.both]
    assert between.faults == "peers cannot reach db-2"
