import pytest
from proxy_fakes import toxic

from lab.proxy import bodies
from lab.proxy.bodies import ApiError, ProxyInput


def refusal(read, *arguments):
    """The words and status of a refusal."""
    with pytest.raises(ApiError) as caught:
        read(*arguments)
    return caught.value.message, caught.value.status


def test_a_proxy_is_read_with_its_defaults():
    """Only name and upstream are needed; other keys are ignored."""
    body = b' {"name":"a","upstream":"b:1","toxics":[1],"Logger":{}}'
    assert bodies.new_proxy(body) == ProxyInput("a", "", "b:1", True)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b" \n", "bad request body: EOF"),
        (b'{"name":', "bad request body: unexpected EOF"),
        (b"{'", "bad request body: invalid character"),
        (b"[" * 100_000, "bad request body: exceeded max depth"),
        (b'{"name":-Infinity}', "bad request body: invalid character"),
        (b"true", "bad request body: json: cannot unmarshal bool into Go value of type toxiproxy.Proxy"),
        (
            b'{"name":{}}',
            "cannot unmarshal object into Go struct field Proxy.name of type string",
        ),
        (
            b'{"enabled":0}',
            "bad request body: json: cannot unmarshal number into Go struct field Proxy.enabled of type bool",
        ),
        (b'{"name":""}', "missing required field: name"),
    ],
)
def test_refused_proxies(body, words):
    """Each fault of a body has its words, and 400."""
    said, status = refusal(bodies.new_proxy, body)
    assert words in said
    assert status == 400


def test_text_is_always_answerable():
    """Bytes that are no UTF-8 and lone surrogates become the replacement character."""
    made = bodies.new_proxy(b'{"name":"a\xff\\ud800\\ud83d\\ude00","upstream":"b:1"}')
    assert made.name == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}\N{GRINNING FACE}"


def test_a_toxic_is_read_with_its_defaults():
    """Type alone makes a toxic."""
    assert bodies.new_toxic(b'{"type":"latency"}', []) == toxic("latency")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"type":"bandwidth","attributes":{"rate":-5}}', "bandwidth: rate is -5; it must be 0 or more"),
        (b'{"type":"slicer","attributes":{"size_variation":-1}}', "size_variation is -1; it must be 0 or more"),
        (b'{"type":"slicer"}', "slicer: average_size is 0; with size_variation 0 it must be 1 or more"),
        (b'{"type":"noop","toxicity":1e400}', "toxicity is 1e400; it must be from 0 to 1"),
        (b'{"type":"noop","toxicity":-0.5}', "toxicity is -0.5; it must be from 0 to 1"),
        (b'{"type":"timeout","attributes":{"timeout":-9223372036854775809}}', "cannot unmarshal number"),
        (b'{"type":"timeout","attributes":{"timeout":' + b"9" * 5000 + b"}}", "cannot unmarshal number 999"),
        (
            b'{"type":"timeout","attributes":5}',
            "struct field ToxicWrapper.attributes of type toxics.TimeoutToxic",
        ),
    ],
)
def test_refused_settings(body, words):
    """What would crash Toxiproxy or mean nothing is refused with attribute, value and range."""
    said, status = refusal(bodies.new_toxic, body, [])
    assert words in said
    assert status == 400


def test_extreme_integers_are_taken():
    """All of int64 is an integer."""
    for number in (2**63 - 1, -(2**63), 0, -0):
        made = bodies.new_toxic(b'{"type":"timeout","attributes":{"timeout":%d}}' % number, [])
        assert made.values == {"timeout": number}


def test_a_change_merges():
    """What an update does not name stays."""
    before = toxic("latency", 0.5, latency=5, jitter=3)
    after = bodies.changed_toxic(b'{"attributes":{"jitter":1},"name":"x"}', before)
    assert after == toxic("latency", 0.5, latency=5, jitter=1)
    assert bodies.changed_toxic(b'{"toxicity":0.1}', before).toxicity == 0.1
