import pytest
from proxy_fakes import Clock, Pair, Wire, toxic

from lab.proxy.flow import Counter, Flow


@pytest.fixture
def clock():
    """Time that passes when told."""
    return Clock()


def test_without_toxics_bytes_go_straight_through(clock):
    """With no stage at work, what is read on one socket is written to the other at once, and counted."""
    pair = Pair(clock)
    pair.up.data_received(b"ask")
    pair.down.data_received(b"answer")
    assert (pair.server.written, pair.client.written) == (b"ask", b"answer")
    assert (pair.up.counter, pair.down.counter) == (Counter(3, 3), Counter(6, 6))
    assert pair.up.head is None


def test_without_counters_nothing_stands_between_the_sockets(clock):
    """Uncounted and without a toxic, the peer's write itself receives; a toxic steps in and out of the way."""
    pair = Pair(clock, counted=False)
    assert pair.server.deliver == pair.client.write
    pair.server.deliver(b"1")
    pair.down.add(toxic("latency", latency=100))
    pair.server.deliver(b"2")
    assert pair.client.written == b"1"
    pair.down.update(0, toxic("latency", toxicity=0, latency=100))
    assert pair.server.deliver == pair.client.write
    pair.down.remove(0)
    pair.server.deliver(b"3")
    assert pair.client.written == b"123"
    pair.down.add(toxic("limit_data", bytes=1))
    pair.server.deliver(b"45")
    pair.down.remove(0)
    pair.server.deliver(b"6")
    assert pair.client.written == b"1234"


def test_a_flow_whose_socket_is_gone_does_not_take_it_back(clock):
    """Toxics may come and go while a lost connection winds up; its socket stays forgotten."""
    pair = Pair(clock, downstream=[toxic("noop")], counted=False)
    pair.server.deliver = None
    pair.down.connection_lost(None)
    pair.down.remove(0)
    assert pair.server.deliver is None


def test_what_comes_before_the_upstream_is_kept(clock):
    """A client that speaks before its upstream is there is paused, and heard first when it is."""
    flow = Flow(clock.timers, Counter(), lambda _: None, lambda _: None)
    client, server = Wire(), Wire()
    flow.connection_made(client)
    flow.data_received(b"early")
    assert not client.reading
    flow.eof_received()
    other = Flow(clock.timers, Counter(), lambda _: None, lambda _: None)
    other.connection_made(server)
    other.peer = flow
    flow.wire(other, [toxic("latency", latency=100)], "seed")
    other.wire(flow, [], "seed")
    assert server.written == b""
    clock.run(0.1)
    assert (server.written, server.ended) == (b"early", True)


@pytest.mark.parametrize("toxics", [[], [toxic("noop", name="a"), toxic("noop", name="b")]])
def test_a_slow_receiver_pauses_the_sender(clock, toxics):
    """While the receiver's socket is full the sender is not read; held bytes are bounded; then all goes on."""
    pair = Pair(clock, downstream=toxics)
    pair.up.pause_writing()
    for _ in range(5):
        if pair.server.reading:
            pair.down.data_received(b"x" * 10)
    assert not pair.server.reading
    held = 50 - len(pair.client.written)
    assert held <= 50
    pair.up.resume_writing()
    assert pair.server.reading
    total = pair.down.counter.received_bytes
    assert pair.client.written == b"x" * total
    assert pair.client.reading


def test_half_close_keeps_the_other_way(clock):
    """One side's end is passed on; the other way still works; the second end closes both sockets."""
    pair = Pair(clock)
    pair.up.data_received(b"ask")
    assert pair.up.eof_received() is True
    assert (pair.server.ended, pair.server.closed, pair.client.closed) == (True, False, False)
    pair.down.data_received(b"answer")
    assert pair.client.written == b"answer"
    pair.down.eof_received()
    assert pair.client.closed
    assert pair.server.closed


def test_the_end_waits_for_the_data(clock):
    """An end does not overtake the data that a toxic holds."""
    pair = Pair(clock, downstream=[toxic("latency", latency=100)])
    pair.down.data_received(b"late")
    pair.down.eof_received()
    clock.run(0.05)
    assert (pair.client.written, pair.client.ended) == (b"", False)
    clock.run(0.05)
    assert (pair.client.written, pair.client.ended) == (b"late", True)


def test_a_lost_sender_closes_the_receiver_behind_its_data(clock):
    """A socket that is gone cannot receive either: its peer is closed, after what was sent."""
    pair = Pair(clock, upstream=[toxic("latency", latency=100)])
    pair.up.data_received(b"last words")
    pair.up.connection_lost(None)
    pair.down.sever()
    pair.up.finish()
    assert not pair.server.closed
    clock.run(0.1)
    assert (pair.server.written, pair.server.closed) == (b"last words", True)


def test_a_severed_flow_drops_everything(clock):
    """When the receiver is gone, nothing is held, nothing is read and nothing is written."""
    pair = Pair(clock, downstream=[toxic("latency", latency=100)])
    pair.down.data_received(b"for nobody")
    pair.down.sever()
    assert len(clock.timers) == 0
    assert not pair.server.reading
    pair.down.data_received(b"more")
    clock.run(1)
    assert pair.client.written == b""


def test_a_cut_closes_and_stops_reading(clock):
    """A toxic that cuts closes the receiver and stops reading the sender, whose own end comes from the other way."""
    pair = Pair(clock, downstream=[toxic("limit_data", bytes=2), toxic("latency", latency=100)])
    pair.down.data_received(b"abc")
    assert not pair.server.reading
    assert not pair.client.closed
    clock.run(0.1)
    assert (pair.client.written, pair.client.closed, pair.server.closed) == (b"ab", True, False)
    pair.up.connection_lost(None)
    pair.down.sever()
    pair.up.finish()
    assert pair.server.closed


def test_removing_a_toxic_that_has_cut_opens_nothing(clock):
    """After a cut the connection stays cut, even if the toxic goes before the cut has arrived."""
    pair = Pair(clock, downstream=[toxic("limit_data", bytes=2), toxic("latency", latency=100)])
    pair.down.data_received(b"abc")
    pair.down.remove(0)
    assert not pair.server.reading
    pair.down.data_received(b"never")
    clock.run(1)
    assert (pair.client.written, pair.client.closed) == (b"ab", True)


def test_removing_a_timeout_closes(clock):
    """A connection that has swallowed data cannot go on: removing the timeout closes it, struck or spared."""
    for toxicity in (1, 0):
        pair = Pair(clock, downstream=[toxic("timeout", toxicity=toxicity)])
        pair.down.remove(0)
        assert pair.client.closed


def test_adding_and_removing_on_a_live_flow(clock):
    """A toxic added acts on the next bytes, one removed lets go of what it holds in order, and then all is direct."""
    pair = Pair(clock)
    pair.down.data_received(b"1")
    pair.down.add(toxic("latency", latency=1_000))
    pair.down.add(toxic("slow_close", delay=10))
    pair.down.data_received(b"2")
    assert pair.client.written == b"1"
    pair.down.update(0, toxic("latency", latency=2_000))
    clock.run(1.5)
    assert pair.client.written == b"1"
    pair.down.data_received(b"3")
    pair.down.remove(0)
    assert pair.client.written == b"123"
    pair.down.remove(0)
    assert pair.down.head is None
    pair.down.data_received(b"4")
    assert pair.client.written == b"1234"


def test_a_spared_connection_is_direct(clock):
    """Where the dice spare a connection, no stage stands in its way; when an update strikes it, one does."""
    pair = Pair(clock, downstream=[toxic("timeout", toxicity=0)])
    assert pair.down.head is None
    pair.down.data_received(b"through")
    pair.down.update(0, toxic("timeout", toxicity=1))
    pair.down.data_received(b" not")
    assert pair.client.written == b"through"
    pair.down.update(0, toxic("timeout", toxicity=0))
    pair.down.data_received(b" again")
    assert pair.client.written == b"through again"


def test_dice_are_thrown_again_when_a_neighbour_changes(clock):
    """Adding or removing the toxic behind throws the dice of the one before anew, as Toxiproxy does."""
    pair = Pair(clock, downstream=[toxic("timeout", toxicity=0.5)])
    seen = set()
    for _ in range(64):
        pair.down.add(toxic("noop", name="x"))
        seen.add(pair.down.head is pair.down._chain.last)
        pair.down.remove(1)
        seen.add(pair.down.head is None)
    assert seen == {True, False}


def test_a_full_receiver_stays_respected_when_toxics_come_and_go(clock):
    """Back-pressure survives changes of the chain."""
    pair = Pair(clock)
    pair.up.pause_writing()
    assert not pair.server.reading
    pair.down.add(toxic("noop"))
    pair.down.remove(0)
    assert not pair.server.reading
    pair.down.add(toxic("bandwidth", rate=1))
    pair.up.resume_writing()
    assert pair.server.reading
