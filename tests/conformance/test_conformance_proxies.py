import socket

import pytest
from proxy_harness import Edge, Toxiproxy, echo, free_port, round_trip_s, running

pytestmark = pytest.mark.e2e

UP = "127.0.0.1:1"


def shown(proxy):
    """A proxy without the Logger that the real server may add."""
    return {name: value for name, value in proxy.items() if name != "Logger"}


def refuses(address):
    """Whether nobody accepts connections there."""
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


def test_version(server: Toxiproxy):
    """The version is JSON, and the built-in server's says that it is the lab's."""
    reply = server.call("GET", "/version")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json;charset=utf-8")
    assert reply.body.endswith(b"}\n")
    assert ("lab" in reply.json()["version"]) is server.builtin


def test_create(server: Toxiproxy):
    """A created proxy is answered whole, with the port it really took, and enabled."""
    reply = server.call("POST", "/proxies", {"name": "a", "listen": "127.0.0.1:0", "upstream": "nowhere.invalid:80"})
    assert (reply.status, reply.headers["content-type"]) == (201, "application/json")
    made = shown(reply.json())
    host, _, port = made.pop("listen").rpartition(":")
    assert (host, int(port) > 0) == ("127.0.0.1", True)
    assert made == {"name": "a", "upstream": "nowhere.invalid:80", "enabled": True, "toxics": []}


def test_listen_is_resolved(server: Toxiproxy):
    """`listen` is echoed as the address it stands for."""
    assert server.proxy(UP, listen="localhost:0").listen.startswith("127.0.0.1:")


def test_listen_may_be_empty(server: Toxiproxy):
    """An empty `listen` takes a free port."""
    made = server.ok("POST", "/proxies", {"name": "a", "upstream": UP})
    port = int(made["listen"].rpartition(":")[2])
    assert not refuses(f"127.0.0.1:{port}")


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", ":0"])
def test_a_wildcard_is_both_families(server: Toxiproxy, listen):
    """Every way to write all addresses listens on IPv4 and IPv6, and is echoed as `[::]`."""
    made = server.ok("POST", "/proxies", {"name": "a", "listen": listen, "upstream": UP})
    host, _, port = made["listen"].rpartition(":")
    assert host == "[::]"
    assert not refuses(f"127.0.0.1:{port}")
    socket.create_connection(("::1", int(port))).close()


@pytest.mark.parametrize(("written", "stays"), [("0.0.0.0:{}", False), ("[::]:{}", True), (":{}", False)])
def test_populating_a_wildcard_twice(server: Toxiproxy, written, stays):
    """A proxy is left alone, with its toxics, only where `listen` is written as the server echoes it."""
    body = [{"name": "a", "listen": written.format(free_port()), "upstream": UP}]
    server.ok("POST", "/populate", body)
    server.ok("POST", "/proxies/a/toxics", {"type": "noop"})
    server.ok("POST", "/populate", body)
    assert bool(server.ok("GET", "/proxies/a")["toxics"]) is stays


def test_a_name_with_a_line_break(server: Toxiproxy):
    """It is created, and can be read and deleted like any other, as can a toxic's."""
    server.ok("POST", "/proxies", {"name": "a\nb", "upstream": UP})
    server.ok("POST", "/proxies/a%0Ab/toxics", {"type": "noop", "name": "c\nd"})
    assert server.ok("GET", "/proxies/a%0Ab")["name"] == "a\nb"
    assert server.call("DELETE", "/proxies/a%0Ab/toxics/c%0Ad").status == 204
    assert server.call("DELETE", "/proxies/a%0Ab").status == 204


def test_created_disabled(server: Toxiproxy):
    """A proxy created disabled does not listen, and keeps its address as given."""
    port = free_port()
    made = server.ok("POST", "/proxies", {"name": "a", "listen": f"localhost:{port}", "upstream": UP, "enabled": False})
    assert (made["enabled"], made["listen"]) == (False, f"localhost:{port}")
    assert refuses(f"127.0.0.1:{port}")
    assert server.ok("PATCH", "/proxies/a", {"enabled": True})["listen"] == f"127.0.0.1:{port}"
    assert not refuses(f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"upstream": UP}, 400, "missing required field: name"),
        ({"name": "", "upstream": UP}, 400, "missing required field: name"),
        ({"name": "b"}, 400, "missing required field: upstream"),
        (b"null", 400, "missing required field: name"),
        (b"", 400, "bad request body: EOF"),
        (b"{", 400, "bad request body: unexpected EOF"),
        (b'"abc', 400, "bad request body: unexpected EOF"),
        (b"nonsense", 400, "bad request body: "),
        (b'{"name": NaN}', 400, "bad request body: "),
        (b"[]", 400, "bad request body: json: cannot unmarshal array into Go value of type toxiproxy.Proxy"),
        ({"name": 5, "upstream": UP}, 400, "cannot unmarshal number into Go struct field Proxy.name"),
        ({"name": "b", "upstream": UP, "enabled": "yes"}, 400, "bad request body: json: cannot unmarshal string"),
        ({"name": "b", "upstream": UP, "listen": "nonsense"}, 500, "missing port in address"),
        ({"name": "b", "upstream": UP, "listen": "127.0.0.1:99999"}, 500, "invalid port"),
        ({"name": "b", "upstream": UP, "listen": "nowhere.invalid:0"}, 500, "lookup nowhere.invalid"),
        ({"name": "taken", "upstream": UP}, 409, "proxy already exists"),
    ],
)
def test_refused_creations(server: Toxiproxy, body, status, words):
    """What cannot be created is refused with the reason, and nothing is left behind."""
    server.proxy(UP, "taken")
    reply = server.call("POST", "/proxies", body)
    assert reply.status == status
    assert words in reply.error()
    assert list(server.ok("GET", "/proxies")) == ["taken"]


def test_a_taken_port(server: Toxiproxy):
    """A port that somebody else has is a 500 in the words of the system."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        reply = server.call("POST", "/proxies", {"name": "a", "listen": f"127.0.0.1:{port}", "upstream": UP})
    assert reply.status == 500
    assert reply.error() == f"listen tcp 127.0.0.1:{port}: bind: address already in use"
    assert server.ok("GET", "/proxies") == {}


def test_bodies_are_read_as_go_reads_them(server: Toxiproxy):
    """Keys match in any case, null means the default, and what follows the first value is not looked at."""
    made = server.ok("POST", "/proxies", b'{"NAME":"a","Upstream":"127.0.0.1:1","listen":null,"more":[1]} trailing')
    assert (made["name"], made["upstream"], made["enabled"]) == ("a", UP, True)


def test_list_and_show(server: Toxiproxy):
    """The list is an object keyed by name, whose values are what each proxy shows for itself."""
    for name in ("b", "a"):
        server.proxy(UP, name).add("latency", latency=1)
    listed = server.ok("GET", "/proxies")
    assert list(listed) == ["a", "b"]
    assert shown(listed["a"]) == shown(server.ok("GET", "/proxies/a"))
    assert [toxic["name"] for toxic in listed["a"]["toxics"]] == ["latency_downstream"]
    assert server.call("GET", "/proxies/c").error() == "proxy not found"


def test_names_need_quoting(server: Toxiproxy):
    """A name with a space is reached when quoted; markup in it is escaped."""
    server.proxy(UP, "a b&<é>")
    assert server.ok("GET", "/proxies/a%20b&%3C%C3%A9%3E")["name"] == "a b&<é>"
    assert b"a b\\u0026\\u003c\xc3\xa9\\u003e" in server.call("GET", "/proxies").body
    server.ok("DELETE", "/proxies/a%20b&%3C%C3%A9%3E")


def test_a_slash_hides_a_proxy(kind):
    """A proxy whose name has a slash is listed, but its own path is not found."""
    with running(kind) as server:
        server.proxy(UP, "x/y")
        assert "x/y" in server.ok("GET", "/proxies")
        reply = server.call("DELETE", "/proxies/x%2Fy")
        assert (reply.status, reply.body) == (404, b"404 page not found\n")


@pytest.mark.parametrize("verb", ["PATCH", "POST"])
def test_update(edge: Edge, verb):
    """A changed upstream drops connections and keeps toxics, whichever verb asks."""
    edge.add("latency", latency=1)
    sock = edge.connect()
    round_trip_s(sock)
    changed = edge.server.ok(verb, f"/proxies/{edge.name}", {"upstream": UP, "name": "other"})
    assert (changed["name"], changed["upstream"], changed["listen"]) == (edge.name, UP, edge.listen)
    assert [toxic["type"] for toxic in changed["toxics"]] == ["latency"]
    assert sock.recv(1) == b""


def test_update_without_change(edge: Edge):
    """An update that changes nothing leaves connections alone."""
    with edge.connect() as sock:
        round_trip_s(sock)
        edge.change(listen=edge.listen, enabled=True)
        round_trip_s(sock)


def test_update_moves_the_listener(edge: Edge):
    """A changed `listen` is taken at once and the old one given up."""
    port = free_port()
    assert edge.change(listen=f"localhost:{port}")["listen"] == f"127.0.0.1:{port}"
    assert refuses(edge.listen)
    edge.listen = f"127.0.0.1:{port}"
    with edge.connect() as sock:
        round_trip_s(sock)


def test_enabling_on_a_taken_port(edge: Edge):
    """Enabling where somebody else listens is a 500, and the proxy stays disabled."""
    edge.change(enabled=False)
    host, _, port = edge.listen.rpartition(":")
    with socket.create_server((host, int(port))):
        reply = edge.server.call("POST", f"/proxies/{edge.name}", {"enabled": True})
        assert (reply.status, "address already in use" in reply.error()) == (500, True)
        assert edge.server.ok("GET", f"/proxies/{edge.name}")["enabled"] is False
    assert edge.change(enabled=True)["enabled"] is True


@pytest.mark.parametrize(("body", "status"), [(b"", 400), ({"enabled": 1}, 400), ({"listen": "nonsense"}, 500)])
def test_refused_updates(edge: Edge, body, status):
    """A refused update changes nothing."""
    before = edge.server.ok("GET", f"/proxies/{edge.name}")
    assert edge.server.call("PATCH", f"/proxies/{edge.name}", body).status == status
    assert edge.server.ok("GET", f"/proxies/{edge.name}") == before
    assert edge.server.call("PATCH", "/proxies/none", body).error() == "proxy not found"


def test_delete(edge: Edge):
    """A deleted proxy answers 204 without a body, listens no more, and has closed its connections."""
    sock = edge.connect()
    round_trip_s(sock)
    reply = edge.server.call("DELETE", f"/proxies/{edge.name}")
    assert (reply.status, reply.body, "content-type" in reply.headers) == (204, b"", False)
    assert sock.recv(1) == b""
    assert refuses(edge.listen)
    assert edge.server.call("DELETE", f"/proxies/{edge.name}").error() == "proxy not found"


def test_populate(server: Toxiproxy):
    """Populating makes all proxies, in order, and ignores toxics."""
    wanted = [
        {"name": "b", "upstream": UP, "listen": "127.0.0.1:0", "toxics": [{"type": "latency"}]},
        {"name": "a", "upstream": UP, "listen": "127.0.0.1:0", "enabled": False},
    ]
    reply = server.call("POST", "/populate", wanted)
    assert (reply.status, reply.headers["content-type"]) == (201, "application/json")
    made = reply.json()["proxies"]
    assert [(one["name"], one["enabled"], one["toxics"]) for one in made] == [("b", True, []), ("a", False, [])]
    assert server.call("POST", "/populate", []).json() == {"proxies": None}
    assert server.call("POST", "/populate", b"null").json() == {"proxies": None}


def test_populate_again(edge: Edge, upstream):
    """The same addresses leave a proxy untouched, even a disabled one; others replace it, and its toxics are lost."""
    edge.add("latency", latency=1)
    edge.change(enabled=False)
    address = edge.server.ok("GET", "/proxies/edge")["upstream"]
    same = {"name": "edge", "listen": edge.listen, "upstream": address, "enabled": True}
    (kept,) = edge.server.ok("POST", "/populate", [same])["proxies"]
    assert (kept["enabled"], len(kept["toxics"])) == (False, 1)
    (new,) = edge.server.ok("POST", "/populate", [same | {"upstream": upstream(echo).address}])["proxies"]
    assert (new["enabled"], new["toxics"]) == (True, [])
    with edge.connect() as sock:
        round_trip_s(sock)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([{"name": "a", "upstream": UP}, {"name": "b", "upstream": UP}, {"upstream": UP}], "name at proxy 3"),
        ([{"name": "a", "upstream": UP}, {"name": "b"}], "upstream at proxy 2"),
        ({"name": "a", "upstream": UP}, "cannot unmarshal object"),
        (b"", "EOF"),
    ],
)
def test_populate_checks_all_first(server: Toxiproxy, body, words):
    """One fault anywhere in the body and nothing is made."""
    reply = server.call("POST", "/populate", body)
    assert (reply.status, reply.headers["content-type"]) == (400, "application/json")
    assert (reply.json()["status"], reply.json()["proxies"]) == (400, None)
    assert words in reply.json()["error"]
    assert server.ok("GET", "/proxies") == {}


def test_populate_fails_midway(server: Toxiproxy):
    """A failure midway answers what is wrong beside the proxies made so far, which stay."""
    wanted = [
        {"name": "a", "upstream": UP, "listen": "127.0.0.1:0"},
        {"name": "b", "upstream": UP, "listen": "nonsense"},
        {"name": "c", "upstream": UP, "listen": "127.0.0.1:0"},
    ]
    reply = server.call("POST", "/populate", wanted)
    assert reply.status == reply.json()["status"] == 500
    assert "missing port in address" in reply.json()["error"]
    assert [one["name"] for one in reply.json()["proxies"]] == ["a"]
    assert list(server.ok("GET", "/proxies")) == ["a"]


def test_reset(server: Toxiproxy, edge: Edge):
    """A reset enables every proxy and removes every toxic; live connections stay."""
    other = server.proxy(UP, "other")
    other.change(enabled=False)
    edge.add("latency", latency=60_000)
    edge.add("bandwidth", "upstream", rate=1)
    with edge.connect() as sock:
        assert server.call("POST", "/reset").status == 204
        round_trip_s(sock)
    assert [(one["enabled"], one["toxics"]) for one in server.ok("GET", "/proxies").values()] == [(True, [])] * 2


@pytest.mark.parametrize("path", ["/", "/nothing", "/proxies/", "/proxies/a/toxics/b/c", "/version/x"])
def test_unknown_routes(server: Toxiproxy, path):
    """A path that is no route is not found, in plain words."""
    reply = server.call("GET", path)
    assert (reply.status, reply.body) == (404, b"404 page not found\n")
    assert "x-toxiproxy-request-id" not in reply.headers


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/proxies"), ("DELETE", "/proxies"), ("GET", "/reset"), ("HEAD", "/version")]
)
def test_wrong_verbs(server: Toxiproxy, method, path):
    """A route asked with the wrong verb is a 405 without a word."""
    reply = server.call(method, path)
    assert (reply.status, reply.body) == (405, b"")


def test_every_matched_route_is_numbered(server: Toxiproxy):
    """Answers of matched routes carry a request id of their own, refusals too, and none says what serves them."""
    replies = [server.call("GET", path) for path in ("/version", "/version", "/proxies/none")]
    ids = {reply.headers["x-toxiproxy-request-id"] for reply in replies}
    assert (len(ids), {len(one) for one in ids}) == (3, {20})
    assert not any("server" in reply.headers for reply in replies)


def test_browsers_are_turned_away(server: Toxiproxy):
    """A browser gets 403, so that no web page can drive the server."""
    reply = server.call("GET", "/proxies", headers={"User-Agent": "Mozilla/5.0"})
    assert (reply.status, reply.body) == (403, b"User agent not allowed\n")
