import json
import math
from dataclasses import replace
from itertools import islice, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import ScenarioError
from lab.load.arrivals import schedule, stream
from lab.load.wire import render
from lab.model import Load, Operation, Request, Service

EXCHANGE = Service("exchange")


def trade(rng: Random, n: int) -> Request:
    """Make a trade of a random amount."""
    amount = rng.randrange(1_000)
    return Request("POST", "/trades", {"amount": amount}, key=f"k{n}", value=str(amount))


def load(per_s: float = 50, arrivals="uniform", mix=None) -> Load:
    """Ask for trades."""
    return Load(mix or Operation("trade", trade), to=EXCHANGE, per_s=per_s, arrivals=arrivals)


def wires(load: Load, seed: int, lasts_s: float = 10, salt: str = "") -> list[tuple[float, bytes]]:
    """Give the instants and bytes of a schedule."""
    return [(arrival.due_s, render(arrival, "host:80")) for arrival in schedule(load, lasts_s, seed, salt)]


def test_uniform_count():
    """Uniform arrivals come one gap apart, exactly as many in each second as were asked for, none on its edge."""
    due_s = [arrival.due_s for arrival in schedule(load(50), 10, seed=1)]
    assert len(due_s) == 500
    assert [sum(int(at) == second for at in due_s) for second in range(10)] == [50] * 10
    assert due_s[0] == 0.01
    assert all(math.isclose(b - a, 0.02) for a, b in pairwise(due_s))


@pytest.mark.parametrize(("per_s", "lasts_s", "count"), [(0.1, 30, 3), (3, 0.2, 1), (500, 10, 5_000), (1 / 3, 9, 3)])
def test_uniform_rounding(per_s, lasts_s, count):
    """Rates that binary fractions cannot hold still give the right number of arrivals."""
    assert len(schedule(load(per_s), lasts_s, seed=1)) == count


def test_poisson_is_poisson():
    """Poisson arrivals have the asked rate, and gaps whose spread equals their mean."""
    due_s = [arrival.due_s for arrival in schedule(load(100, "poisson"), 200, seed=7)]
    gaps = [b - a for a, b in pairwise(due_s)]
    mean = sum(gaps) / len(gaps)
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert mean == pytest.approx(0.01, rel=0.03)
    assert spread == pytest.approx(mean, rel=0.03)


@given(seed=st.integers(), per_s=st.floats(0.5, 200), arrivals=st.sampled_from(["uniform", "poisson"]))
def test_same_seed(seed, per_s, arrivals):
    """The same seed gives the same instants and the same bytes, in order and within the time."""
    asked = load(per_s, arrivals)
    first = wires(asked, seed, lasts_s=3)
    assert first == wires(asked, seed, lasts_s=3)
    assert [due_s for due_s, _ in first] == sorted(due_s for due_s, _ in first)
    assert all(0 <= due_s < 3 for due_s, _ in first)


def test_seed_matters():
    """Another seed gives other requests and other Poisson instants."""
    assert wires(load(), 1) != wires(load(), 2)
    due_1, due_2 = ([a.due_s for a in schedule(load(50, "poisson"), 10, seed)] for seed in (1, 2))
    assert due_1 != due_2


def test_requests_keep_still():
    """Another rate or another pattern of arrivals leaves the n-th request as it was."""
    slow = [arrival.request for arrival in schedule(load(5), 10, seed=3)]
    quick = [arrival.request for arrival in schedule(load(50, "poisson"), 10, seed=3)]
    assert slow == quick[: len(slow)]


def test_mix_follows_weights():
    """Operations of a mix come in the proportion of their weights."""
    mix = [Operation("read", lambda rng, n: Request("GET", "/a"), weight=3), "POST /b"]
    names = [arrival.operation for arrival in schedule(load(1_000, mix=mix), 10, seed=5)]
    assert set(names) == {"read", "POST /b"}
    assert names.count("read") / len(names) == pytest.approx(0.75, abs=0.02)


def test_trace_ids():
    """Every arrival has a valid trace of its own; the salt tells runs with one seed apart and changes nothing else."""
    one, other = (schedule(load(), 2, seed=1, salt=salt) for salt in ("run 1 off", "run 1 on"))
    ids = [arrival.trace_id for arrival in one + other]
    assert len(set(ids)) == len(ids) == 200
    assert all(len(i) == 32 and int(i, 16) for i in ids)
    assert one[3].traceparent == f"00-{one[3].trace_id}-0000000000000004-01"
    assert [arrival.request for arrival in one] == [arrival.request for arrival in other]


def test_stream_is_the_schedule():
    """A closed model's users get the same requests, in the same order, without due times."""
    closed = list(islice(stream(load(), seed=4), 100))
    assert [a.request for a in closed] == [a.request for a in schedule(load(), 2, seed=4)]
    assert all(math.isnan(arrival.due_s) for arrival in closed)


def test_operations_are_sent_in_their_phases():
    """An operation that names phases is sent in those alone, and leaves the requests of the others as they were."""
    script = Operation("script", lambda rng, n: Request("POST", f"/script/{n}"), phases=["script"])
    other = Operation("other", lambda rng, n: Request("GET", f"/other/{rng.random()}"))
    ends = [("script", 0.5), ("load", 2.0), ("script-again", 2.5)]
    sent = schedule(load(20, mix=[script, other]), 2.5, 3, ends=ends)
    assert {arrival.operation for arrival in sent if arrival.due_s < 0.5} == {"script", "other"}
    assert {arrival.operation for arrival in sent if arrival.due_s >= 0.5} == {"other"}
    assert len(sent) == len(schedule(load(20, mix=[script, other]), 2.5, 3))
    alone = schedule(load(20, mix=[script, replace(other, phases=["load", "script-again"])]), 2.5, 3, ends=ends)
    assert [arrival.request.path for arrival in alone][:10] == [f"/script/{n}" for n in range(10)]


def test_closed_has_no_schedule():
    """A closed model cannot be scheduled."""
    with pytest.raises(ValueError, match="closed model"):
        schedule(Load("GET /", to=EXCHANGE, users=3), 10, seed=1)


def test_failing_mix():
    """A mix whose function fails is reported with its operation, the arrival and the error."""

    def make(rng: Random, n: int) -> Request:
        return Request("GET", {0: "/a"}[n])

    with pytest.raises(ScenarioError, match='operation "odd": its function failed at arrival 1: KeyError: 1'):
        schedule(load(mix=Operation("odd", make)), 10, seed=1)


def test_mix_without_request():
    """A mix whose function returns something else is told to return a Request."""
    with pytest.raises(ScenarioError, match="must return a Request; it gave 'GET /'"):
        schedule(load(mix=Operation("odd", lambda rng, n: "GET /")), 10, seed=1)  # type: ignore[arg-type,return-value]


def test_body_is_json():
    """The request's body travels as compact JSON with its length."""
    arrival = schedule(load(), 1, seed=1)[0]
    head, _, body = render(arrival, "host:80").partition(b"\r\n\r\n")
    assert json.loads(body) == arrival.request.body
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert head.startswith(b"POST /trades HTTP/1.1\r\nHost: host:80\r\n")
