import pytest
from proxy_fakes import Clock, feed, stage

from lab.proxy import toxics
from lab.proxy.stage import Close
from lab.proxy.toxics import behaviours

END, CUT, RESET = Close.END, Close.CUT, Close.RESET


@pytest.fixture
def clock():
    """Time that passes when told."""
    return Clock()


def test_the_eight_types_are_found():
    """Every file of the folder is a toxic type, and there are Toxiproxy's eight."""
    names = "bandwidth latency limit_data noop reset_peer slicer slow_close timeout"
    assert sorted(behaviours()) == names.split()


def test_noop(clock):
    """noop passes data and the end at once."""
    made, sink = stage(clock, "noop")
    feed(made, clock, b"a", b"b", END)
    assert sink.out == [(0, b"a"), (0, b"b"), (0, END)]


def test_a_stage_waits_for_a_slow_receiver(clock):
    """While the receiver is full, a stage holds; then it goes on in order and asks for more."""
    made, sink = stage(clock, "noop")
    sink.full = True
    feed(made, clock, b"a", b"b")
    assert (sink.out, made.full) == ([], True)
    sink.full = False
    pumped = sink.pumped
    made.pump()
    assert [piece for _, piece in sink.out] == [b"a", b"b"]
    assert not made.full
    assert sink.pumped > pumped


def test_latency_counts_from_arrival(clock):
    """Each chunk leaves its latency after it came, and the end right behind the last."""
    made, sink = stage(clock, "latency", latency=100)
    for number in range(3):
        feed(made, clock, b"%d" % number)
        clock.run(0.03)
    feed(made, clock, END)
    clock.run(1)
    assert sink.out == [(0.1, b"0"), (0.13, b"1"), (0.16, b"2"), (0.16, END)]


def test_latency_does_not_delay_a_bare_end(clock):
    """With no data waiting, the end passes at once."""
    made, sink = stage(clock, "latency", latency=100)
    feed(made, clock, END)
    assert sink.out == [(0, END)]


def test_latency_holds_1024_chunks(clock):
    """The 1,025th chunk finds the stage full."""
    made, _ = stage(clock, "latency", latency=100)
    feed(made, clock, *[b"x"] * 1023)
    assert not made.full
    feed(made, clock, b"x")
    assert made.full
    clock.run(1)
    assert not made.full


def test_latency_holds_a_bounded_number_of_bytes(clock):
    """Large chunks fill the stage before there are 1,024 of them."""
    made, _ = stage(clock, "latency", latency=100)
    feed(made, clock, *[bytes(1024 * 1024)] * 32)
    assert made.full


def test_jitter_is_uniform_around_latency_and_keeps_order(clock):
    """Draws lie in latency +- jitter, spread over it; chunks never pass one another."""
    made, sink = stage(clock, "latency", latency=100, jitter=50)
    draws = [made.delay_s() for _ in range(2_000)]
    assert 0.05 <= min(draws) < 0.06
    assert 0.14 < max(draws) < 0.15
    for number in range(200):
        feed(made, clock, b"%03d" % number)
        clock.run(0.001)
    clock.run(1)
    assert [piece for _, piece in sink.out] == [b"%03d" % number for number in range(200)]
    assert all(at_s - number / 1000 >= 0.05 for number, (at_s, _) in enumerate(sink.out))


def test_negative_settings_hold_nothing(clock):
    """Toxiproxy takes negative times; they mean none."""
    for kind, values in (("latency", {"latency": -5, "jitter": -5}), ("slow_close", {"delay": -1})):
        made, sink = stage(clock, kind, **values)
        feed(made, clock, b"a", END)
        assert sink.out == [(clock.now_s, b"a"), (clock.now_s, END)]


def test_enormous_settings_are_no_error(clock):
    """The largest integers the API takes only mean a long time."""
    for kind, name in (("latency", "latency"), ("latency", "jitter"), ("bandwidth", "rate"), ("slicer", "delay")):
        most = {"average_size": 1} if kind == "slicer" else {}
        made, _ = stage(clock, kind, **most | {name: 2**63 - 1})
        feed(made, clock, b"abc", END)
        clock.run(1)
        made.release()


def test_bandwidth_is_the_rate_exactly(clock):
    """50,000 bytes at 100 KB/s are on their way half a second, in pieces of 20 ms, and the end follows."""
    made, sink = stage(clock, "bandwidth", rate=100)
    feed(made, clock, bytes(30_000), bytes(20_000), END)
    clock.run(2)
    assert [len(piece) for _, piece in sink.out[:-1]] == [2_000] * 25
    assert [at_s for at_s, _ in sink.out] == [round(0.02 * number, 6) for number in range(1, 26)] + [0.5]


def test_bandwidth_gives_no_credit_for_idleness(clock):
    """After a rest the next bytes take as long as the first."""
    made, sink = stage(clock, "bandwidth", rate=1)
    clock.run(100)
    feed(made, clock, b"x" * 20)
    clock.run(1)
    assert sink.out == [(100.02, b"x" * 20)]


def test_bandwidth_gives_no_credit_for_a_slow_receiver(clock):
    """While the receiver is full the wire stands still; then it goes on at its rate, without a burst."""
    made, sink = stage(clock, "bandwidth", rate=1)
    feed(made, clock, b"x" * 60)
    clock.run(0.01)
    sink.full = True
    clock.run(100)
    sink.full = False
    made.pump()
    clock.run(1)
    assert [at_s for at_s, _ in sink.out] == [100.01, 100.03, 100.05]


def test_bandwidth_makes_up_for_lateness(clock):
    """A wake-up that comes late does not slow the rate."""
    made, sink = stage(clock, "bandwidth", rate=1)
    feed(made, clock, b"x" * 60)
    clock.now_s = 0.023
    clock.timers.fire()
    clock.run(1)
    assert [at_s for at_s, _ in sink.out] == [0.023, 0.04, 0.06]


def test_bandwidth_of_nothing_holds_until_removed(clock):
    """At rate 0 nothing passes and nothing is lost."""
    made, sink = stage(clock, "bandwidth", rate=0)
    feed(made, clock, b"abc", END)
    clock.run(1_000)
    assert (sink.out, made.full) == ([], True)
    made.release()
    assert sink.out == [(1_000, b"abc"), (1_000, END)]


def test_bandwidth_takes_a_new_rate_at_once(clock):
    """What waits goes on at the new rate."""
    made, sink = stage(clock, "bandwidth", rate=1)
    feed(made, clock, bytes(1_000))
    clock.run(0.1)
    made.configure({"rate": 1_000_000})
    made.pump()
    clock.run(0.01)
    assert sum(len(piece) for _, piece in sink.out) == 1_000


def test_slow_close_delays_only_the_end(clock):
    """Data passes, the end waits, and an update counts from when it was asked for."""
    made, sink = stage(clock, "slow_close", delay=1_000)
    feed(made, clock, b"a", END)
    assert sink.out == [(0, b"a")]
    clock.run(0.5)
    made.configure({"delay": 700})
    made.pump()
    clock.run(5)
    assert sink.out[1:] == [(0.7, END)]


def test_timeout_swallows_and_cuts_after_silence(clock):
    """Data restarts the silence; when it has lasted, the connection is cut."""
    made, sink = stage(clock, "timeout", timeout=100)
    for _ in range(3):
        clock.run(0.08)
        feed(made, clock, b"x")
    clock.run(1)
    assert sink.out == [(0.34, CUT)]
    assert made.full
    feed(made, clock, b"more")
    assert len(sink.out) == 1


def test_timeout_starts_with_the_connection(clock):
    """A connection on which nothing ever comes is cut as well."""
    _, sink = stage(clock, "timeout", timeout=100)
    clock.run(1)
    assert sink.out == [(0.1, CUT)]


def test_timeout_lets_the_end_pass(clock):
    """The sender's end goes through and stops the clock."""
    made, sink = stage(clock, "timeout", timeout=100)
    feed(made, clock, b"x", END)
    clock.run(1)
    assert sink.out == [(0, END)]


def test_reset_peer_waits_from_the_first_data(clock):
    """The first data is swallowed and the connection cut after the timeout; what comes meanwhile changes nothing."""
    made, sink = stage(clock, "reset_peer", timeout=100)
    clock.run(5)
    feed(made, clock, b"x")
    assert made.full
    clock.run(0.05)
    feed(made, clock, b"y")
    made.configure({"timeout": 80})
    made.pump()
    clock.run(1)
    assert sink.out == [(5.08, RESET)]


def test_reset_peer_removed(clock):
    """Removed, it cuts what it has struck and leaves the others alone."""
    made, sink = stage(clock, "reset_peer", timeout=10_000)
    made.release()
    assert sink.out == []
    feed(made, clock, b"x")
    made.release()
    assert sink.out == [(0, RESET)]


def test_limit_data_passes_exactly_so_many(clock):
    """The chunk that crosses the limit is cut short, and so is the connection."""
    made, sink = stage(clock, "limit_data", bytes=5)
    feed(made, clock, b"abc", b"defg", b"h")
    assert sink.out == [(0, b"abc"), (0, b"de"), (0, CUT)]


@pytest.mark.parametrize("limit", [0, -1])
def test_limit_data_of_nothing(clock, limit):
    """With nothing allowed the first data cuts."""
    made, sink = stage(clock, "limit_data", bytes=limit)
    clock.run(1)
    assert sink.out == []
    feed(made, clock, b"a")
    assert sink.out == [(1, CUT)]


def test_limit_data_remembers_across_updates(clock):
    """What has passed counts against a new limit; the sender's end passes before it."""
    made, sink = stage(clock, "limit_data", bytes=5)
    feed(made, clock, b"abc")
    made.configure({"bytes": 4})
    feed(made, clock, b"def")
    assert sink.out == [(0, b"abc"), (0, b"d"), (0, CUT)]
    other, sink = stage(clock, "limit_data", bytes=5)
    feed(other, clock, b"abc", END)
    assert sink.out == [(0, b"abc"), (0, END)]


def test_slicer_rests_after_each_piece(clock):
    """Ten bytes in pieces of three leave one delay apart, and the end one delay after the last."""
    made, sink = stage(clock, "slicer", average_size=3, delay=1_000)
    feed(made, clock, b"0123456789", END)
    clock.run(1)
    assert sink.out == [(0, b"012"), (0.001, b"345"), (0.002, b"678"), (0.003, b"9"), (0.004, END)]


def test_slicer_varies(clock):
    """Pieces lie within the variation and use all of it, never empty, even where it exceeds the average."""
    for average, variation in ((10, 4), (2, 5), (0, 3)):
        made, sink = stage(clock, "slicer", average_size=average, size_variation=variation)
        feed(made, clock, bytes(5_000))
        clock.run(1)
        sizes = [len(piece) for _, piece in sink.out]
        assert sum(sizes) == 5_000
        assert set(sizes[:-1]) == set(range(max(average - variation, 1), average + variation + 1))


def test_slicer_lets_others_in(clock):
    """A chunk of many pieces without delay is not cut in one go."""
    made, sink = stage(clock, "slicer", average_size=1)
    feed(made, clock, bytes(1_000))
    assert 0 < len(sink.out) < 1_000
    clock.run(0.01)
    assert len(sink.out) == 1_000


def test_the_seed_decides_the_dice(clock):
    """Two stages of one seed throw alike; toxicity is the share that is struck."""
    make = behaviours()["slicer"]
    one, same, other = (make(clock.timers, seed) for seed in ("a", "a", "b"))
    throws = [[made.random().random() for _ in range(20)] for made in (one, same, other)]
    assert throws[0] == throws[1] != throws[2]
    spared = 0
    for number in range(2_000):
        made = make(clock.timers, str(number))
        made.throw(0.3)
        spared += made.spared
    assert 0.65 < spared / 2_000 < 0.75
    for toxicity, expected in ((0, True), (1, False)):
        one.throw(toxicity)
        assert one.spared is expected


def test_a_toxic_file_holds_one_stage(monkeypatch):
    """A file in the folder that defines no Stage is an error that names the file."""
    toxics._behaviour("noop")
    monkeypatch.setattr(toxics, "import_module", lambda _: toxics)
    with pytest.raises(TypeError, match=r"toxics/__init__\.py: .* one Stage subclass; this one defines 0"):
        toxics._behaviour("noop")
