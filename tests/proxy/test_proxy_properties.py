"""What holds for every input: no JSON breaks the API, and no chain of harmless toxics changes a stream."""

import asyncio
import json

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from proxy_fakes import Clock, Pair, toxic
from proxy_inside import connect, echo_server, inside

pytestmark = pytest.mark.e2e

KEYS = st.sampled_from(
    ["name", "Name", "listen", "upstream", "enabled", "type", "stream", "toxicity", "attributes", "latency", "rate"]
)
KINDS = ["latency", "bandwidth", "slicer", "timeout", "reset_peer", "limit_data", "slow_close", "noop"]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from([*KINDS, "upstream", "downstream", "127.0.0.1:0", "127.0.0.1:1", "[::1]:0", "localhost:0"]),
)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(), inner, max_size=6)
)
INTEGERS = st.integers(-(2**63) - 1, 2**63) | st.integers(-1, 3)
TOXICS = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)},
    optional={
        "stream": st.sampled_from(["upstream", "downstream", "Upstream", 1]),
        "toxicity": st.floats(-0.5, 1.5) | ANYTHING,
        "attributes": st.dictionaries(
            st.sampled_from(
                ["latency", "jitter", "rate", "timeout", "delay", "average_size", "size_variation", "bytes"]
            ),
            INTEGERS | LEAVES,
        ),
    },
)
BODIES = st.one_of(ANYTHING.map(lambda value: json.dumps(value).encode()), st.binary())
CALLS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["POST", "PATCH"]), st.sampled_from(["/proxies", "/populate", "/proxies/a"]), BODIES),
        st.tuples(
            st.sampled_from(["POST", "PATCH"]),
            st.sampled_from(["/proxies/a/toxics", "/proxies/a/toxics/noop_downstream"]),
            BODIES | TOXICS.map(lambda value: json.dumps(value).encode()),
        ),
        st.tuples(st.sampled_from(["POST"]), st.just("/reset"), BODIES),
    ),
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(CALLS)
def test_no_json_breaks_the_api(calls):
    """Whatever is sent, no answer is a 5xx save for addresses that cannot be had, and the server still serves."""

    async def check():
        async with inside() as lab, echo_server() as upstream:
            await lab.proxy(upstream, "a")
            for method, path, body in calls:
                status, text = await lab.call(method, path, body)
                assert status < 500 or any(word in text for word in ("listen tcp", "address", "lookup")), text
                assert status == 204 or status == 405 or json.loads(text)
            assert (await lab.call("POST", "/populate", b"[]"))[0] == 201
            proxy = await lab.proxy(upstream, "still serving")
            reader, writer = await connect(proxy)
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"ping"
            writer.close()

    uvloop.run(check())


HARMLESS = st.one_of(
    st.builds(
        lambda ms, jitter: ("latency", {"latency": ms, "jitter": jitter}), st.integers(0, 50), st.integers(0, 30)
    ),
    st.builds(lambda rate: ("bandwidth", {"rate": rate}), st.integers(1, 50)),
    st.builds(
        lambda size, variation, delay: ("slicer", {"average_size": size, "size_variation": variation, "delay": delay}),
        st.integers(1, 20),
        st.integers(0, 25),
        st.integers(0, 900),
    ),
    st.builds(lambda ms: ("slow_close", {"delay": ms}), st.integers(0, 50)),
    st.just(("noop", {})),
)
TOXICITY = st.sampled_from([1, 1, 0.5])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("data"), st.binary(min_size=1, max_size=200)),
        st.tuples(st.just("wait"), st.floats(0, 0.2)),
        st.tuples(st.just("add"), st.tuples(HARMLESS, TOXICITY)),
        st.tuples(st.just("update"), st.tuples(st.integers(0, 5), TOXICITY)),
        st.tuples(st.just("remove"), st.integers(0, 5)),
        st.tuples(st.just("slow"), st.booleans()),
    ),
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(HARMLESS, max_size=4), STEPS)
def test_what_goes_in_comes_out(chain, steps):
    """For every chain of toxics that lose nothing, every chunking, every change on the way and every pause of the
    receiver, the bytes come out whole, in order, and before the end.
    """
    clock = Clock()
    toxics = [toxic(kind, name=str(number), **values) for number, (kind, values) in enumerate(chain)]
    pair = Pair(clock, downstream=toxics)
    sent = bytearray()
    for what, value in steps:
        if what == "data" and pair.server.reading:
            pair.down.data_received(value)
            sent += value
        elif what == "wait":
            clock.run(value)
        elif what == "slow":
            pair.up.pause_writing() if value else pair.up.resume_writing()
        elif what == "add":
            (kind, values), toxicity = value
            toxics.append(toxic(kind, toxicity, name=f"more {len(toxics)}", **values))
            pair.down.add(toxics[-1])
        elif toxics and what == "update":
            position, toxicity = value[0] % len(toxics), value[1]
            old = toxics[position]
            toxics[position] = toxic(old.type, toxicity, name=old.name, **old.values)
            pair.down.update(position, toxics[position])
        elif toxics and what == "remove":
            position = value % len(toxics)
            del toxics[position]
            pair.down.remove(position)
        assert sent.startswith(pair.client.written)
    pair.down.eof_received()
    pair.up.resume_writing()
    clock.run(10_000)
    assert pair.client.written == sent
    assert pair.client.ended
    assert pair.down.counter.received_bytes == pair.down.counter.sent_bytes == len(sent)
    assert len(clock.timers) == 0


@settings(max_examples=15, deadline=None)
@given(
    st.lists(HARMLESS, min_size=1, max_size=3),
    st.lists(st.binary(min_size=1, max_size=3_000), min_size=1, max_size=6),
    st.sampled_from(["upstream", "downstream"]),
)
def test_what_goes_into_a_socket_comes_out(chain, pieces, stream):
    """The same over real sockets, through an echo, and the end arrives after the last byte."""

    async def check():
        async with inside() as lab, echo_server() as upstream:
            proxy = await lab.proxy(upstream)
            for number, (kind, values) in enumerate(chain):
                values = values | {"rate": 1_000} if kind == "bandwidth" else values
                values = values | {"delay": 0, "average_size": 100} if kind == "slicer" else values
                body = {"type": kind, "name": str(number), "stream": stream, "attributes": values}
                assert (await lab.call("POST", "/proxies/edge/toxics", body))[0] == 200
            reader, writer = await connect(proxy)
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 20) == b"".join(pieces)
            writer.close()

    uvloop.run(check())
