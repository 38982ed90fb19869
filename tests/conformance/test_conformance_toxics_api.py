import pytest
from proxy_harness import Edge

pytestmark = pytest.mark.e2e

TOXICS = "/proxies/edge/toxics"

ATTRIBUTES = {
    "latency": {"latency": 5, "jitter": 2},
    "bandwidth": {"rate": 7},
    "slow_close": {"delay": 3},
    "timeout": {"timeout": 4},
    "reset_peer": {"timeout": 9},
    "slicer": {"average_size": 10, "size_variation": 1, "delay": 8},
    "limit_data": {"bytes": 6},
    "noop": {},
}


@pytest.mark.parametrize("kind", ATTRIBUTES)
def test_every_toxic_is_known(edge: Edge, kind):
    """Each of the eight types is made with its attributes, downstream, named after both, and always on."""
    reply = edge.server.call("POST", TOXICS, {"type": kind, "attributes": ATTRIBUTES[kind] | {"unknown": 1}})
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    made = reply.json()
    assert made == {
        "attributes": ATTRIBUTES[kind],
        "name": f"{kind}_downstream",
        "type": kind,
        "stream": "downstream",
        "toxicity": 1,
    }
    assert edge.server.ok("GET", f"{TOXICS}/{kind}_downstream") == made
    assert edge.server.ok("GET", TOXICS) == [made]


def test_absent_attributes_are_zero(edge: Edge):
    """What is not asked for is 0, also without `attributes`, and with null."""
    assert edge.add("latency", name="a", latency=3)["attributes"] == {"latency": 3, "jitter": 0}
    assert edge.server.ok("POST", TOXICS, {"type": "latency"})["attributes"] == {"latency": 0, "jitter": 0}
    made = edge.server.ok("POST", TOXICS, b'{"type":"timeout","attributes":{"TIMEOUT":5,"timeout":null}}')
    assert made["attributes"] == {"timeout": 5}


def test_upstream_toxics_are_listed_first(edge: Edge):
    """The list is an array: the upstream chain in order of creation, then the downstream one."""
    edge.add("noop", "downstream", name="c")
    edge.add("noop", "upstream", name="b")
    edge.add("noop", "upstream", name="a")
    assert [toxic["name"] for toxic in edge.server.ok("GET", TOXICS)] == ["b", "a", "c"]
    assert [toxic["name"] for toxic in edge.server.ok("GET", "/proxies/edge")["toxics"]] == ["b", "a", "c"]


def test_the_stream_is_echoed_as_spelt(edge: Edge):
    """A stream in capitals is accepted, echoed and made part of the name."""
    made = edge.server.ok("POST", TOXICS, {"type": "noop", "stream": "UPSTREAM"})
    assert (made["stream"], made["name"]) == ("UPSTREAM", "noop_UPSTREAM")
    edge.add("noop", "downstream")
    assert [toxic["name"] for toxic in edge.server.ok("GET", TOXICS)] == ["noop_UPSTREAM", "noop_downstream"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "bad request body: EOF"),
        (b"[]", 400, "bad request body: json: cannot unmarshal array"),
        ({"type": "nonsense"}, 400, "invalid toxic type"),
        ({}, 400, "invalid toxic type"),
        ({"type": "latency", "stream": "sideways"}, 400, "stream was invalid, can be either upstream or downstream"),
        ({"type": "latency", "stream": ""}, 400, "stream was invalid, can be either upstream or downstream"),
        ({"type": "noop", "name": "taken"}, 409, "toxic already exists"),
        ({"type": "latency", "name": "taken", "stream": "upstream"}, 409, "toxic already exists"),
        (
            {"type": "latency", "attributes": {"latency": 100.5}},
            400,
            "number 100.5 into Go struct field LatencyToxic",
        ),
        (b'{"type":"latency","attributes":{"latency":1e2}}', 400, "bad request body: json: cannot unmarshal number"),
        ({"type": "latency", "attributes": {"latency": "5"}}, 400, "bad request body: json: cannot unmarshal string"),
        ({"type": "latency", "attributes": {"latency": True}}, 400, "bad request body: json: cannot unmarshal bool"),
        ({"type": "latency", "attributes": {"latency": 2**63}}, 400, "bad request body: json: cannot unmarshal number"),
        ({"type": "latency", "attributes": [1]}, 400, "bad request body: json: cannot unmarshal array"),
        ({"type": "latency", "toxicity": "1"}, 400, "struct field ToxicWrapper.toxicity of type float32"),
    ],
)
def test_refused_toxics(edge: Edge, body, status, words):
    """What cannot be added is refused with the reason, and nothing changes."""
    edge.add("noop", name="taken")
    reply = edge.server.call("POST", TOXICS, body)
    assert reply.status == status
    assert words in reply.error()
    assert [toxic["name"] for toxic in edge.server.ok("GET", TOXICS)] == ["taken"]


@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_update(edge: Edge, method):
    """An update merges attributes and replaces toxicity; name, type and stream in it are ignored."""
    edge.add("latency", latency=5, jitter=2)
    body = {"name": "x", "type": "noop", "stream": "upstream", "attributes": {"jitter": 1}, "toxicity": 0.25}
    changed = edge.server.ok(method, f"{TOXICS}/latency_downstream", body)
    assert changed == {
        "attributes": {"latency": 5, "jitter": 1},
        "name": "latency_downstream",
        "type": "latency",
        "stream": "downstream",
        "toxicity": 0.25,
    }
    assert edge.server.ok("PATCH", f"{TOXICS}/latency_downstream", {}) == changed
    assert edge.server.call("PATCH", f"{TOXICS}/latency_downstream", b"").status == 400
    assert edge.server.call("PATCH", f"{TOXICS}/latency_downstream", {"attributes": {"latency": 0.5}}).status == 400
    assert edge.server.ok("GET", f"{TOXICS}/latency_downstream") == changed


def test_toxicity_is_a_float32(edge: Edge):
    """Toxicity is kept in 32 bits and answered in the fewest digits that mean it."""
    assert edge.add("noop", name="a", toxicity=0.3)["toxicity"] == 0.3
    assert edge.add("noop", name="b", toxicity=0.123456789)["toxicity"] == 0.12345679
    assert edge.add("noop", name="c", toxicity=0)["toxicity"] == 0


def test_delete(edge: Edge):
    """A removed toxic answers 204 and is gone; the others stay in order."""
    for name in "abc":
        edge.add("noop", name=name)
    assert edge.server.call("DELETE", f"{TOXICS}/b").status == 204
    assert [toxic["name"] for toxic in edge.server.ok("GET", TOXICS)] == ["a", "c"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "POST", "DELETE"])
def test_what_is_not_there(edge: Edge, method):
    """An unknown toxic, or any toxic of an unknown proxy, is a 404."""
    reply = edge.server.call(method, f"{TOXICS}/none", {})
    assert (reply.status, reply.error()) == (404, "toxic not found")
    reply = edge.server.call(method, "/proxies/none/toxics/none", {})
    assert (reply.status, reply.error()) == (404, "proxy not found")
    assert edge.server.call("GET", "/proxies/none/toxics").error() == "proxy not found"
    assert edge.server.call("POST", "/proxies/none/toxics", {}).error() == "proxy not found"


def test_a_toxic_name_may_need_quoting(edge: Edge):
    """A toxic's name is free text; quoted, it is found."""
    edge.add("noop", name="50% slow")
    assert edge.server.ok("GET", f"{TOXICS}/50%25%20slow")["name"] == "50% slow"
