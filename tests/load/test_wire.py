import pytest

from lab.errors import ScenarioError
from lab.load.arrivals import Arrival
from lab.load.wire import render
from lab.model import Request


def lines(request: Request) -> list[str]:
    """Give the head of a rendered request, line by line."""
    head = render(Arrival(0, 0.0, "op", request, "a" * 32), "host:80").partition(b"\r\n\r\n")[0]
    return head.decode("latin-1").split("\r\n")


def test_bodyless_post():
    """A POST without a body says that it has none; a GET need not."""
    assert "Content-Length: 0" in lines(Request("POST", "/trades"))
    assert not [line for line in lines(Request("GET", "/trades")) if line.startswith("Content-Length")]


def test_own_headers():
    """A scenario's header is sent, and takes the place of one the lab would have sent, whatever its case."""
    sent = lines(Request("GET", "/", headers={"Idempotency-Key": "7", "accept": "text/plain"}))
    assert "Idempotency-Key: 7" in sent
    assert [line for line in sent if line.lower().startswith("accept:")] == ["accept: text/plain"]


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request("GET IT", "/"), "not an HTTP method"),
        (Request("", "/"), "not an HTTP method"),
        (Request("GET", "trades"), "not a path"),
        (Request("GET", "/a b"), "not a path"),
        (Request("GET", "/\nX: 1"), "not a path"),
        (Request("GET", "/é"), "not a path"),
        (Request("GET", "/", headers={"X": "a\nY: b"}), "cannot be sent"),
        (Request("GET", "/", headers={"X Y": "a"}), "cannot be sent"),
        (Request("GET", "/", headers={"X": "5 €"}), "cannot be sent"),
        (Request("POST", "/", {}, headers={"content-length": "3"}), "set by the lab"),
        (Request("POST", "/", {"a": object()}), "cannot be sent as JSON"),
        (Request("POST", "/", {"a": float("nan")}), "cannot be sent as JSON"),
    ],
)
def test_refused(request_, says):
    """What HTTP cannot carry is refused before the run, with the operation's name."""
    with pytest.raises(ScenarioError, match=f'operation "op" \\(arrival 0\\): .*{says}'):
        lines(request_)
