"""The clients that people use, toxiproxy-python and toxiproxy-cli, against both servers."""

import json
import subprocess
import sys

import pytest
from proxy_harness import PATIENCE_S, Toxiproxy, echo, real_cli, round_trip_s

pytestmark = pytest.mark.e2e

# The library keeps host and port in class globals, so it gets a process of its own.
THROUGH_THE_LIBRARY = """
import json, sys
from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

upstream = sys.argv[2]
server = Toxiproxy()
server.update_api_consumer("127.0.0.1", int(sys.argv[1]))
seen = {"running": server.running(), "version": json.loads(server.version())["version"]}
proxy = server.create(upstream=upstream, name="edge")
seen["made"] = [proxy.name, proxy.upstream, proxy.enabled, proxy.listen.split(":")[0]]
proxy.add_toxic(type="latency", attributes={"latency": 5})
proxy.add_toxic(name="mute", type="timeout", stream="upstream", toxicity=0.5)
seen["toxics"] = {name: [t.type, t.stream, t.toxicity, t.attributes] for name, t in proxy.toxics().items()}
refused = {}
for what, attempt in {
    "again": lambda: server.create(upstream=upstream, name="edge"),
    "unknown": lambda: proxy.destroy_toxic("none"),
    "nonsense": lambda: proxy.add_toxic(type="nonsense"),
}.items():
    try:
        attempt()
    except (InvalidToxic, NotFound, ProxyExists) as error:
        refused[what] = type(error).__name__
seen["refused"] = refused
proxy.destroy_toxic("mute")
seen["left"] = list(proxy.toxics())
with proxy.down():
    seen["down"] = server.get_proxy("edge").enabled
seen["up"] = server.get_proxy("edge").enabled
server.reset()
seen["after reset"] = list(proxy.toxics())
server.populate([{"name": "edge", "upstream": upstream, "listen": proxy.listen},
                 {"name": "other", "upstream": upstream, "listen": "127.0.0.1:0"}])
seen["names"] = sorted(server.proxies())
server.destroy_all()
seen["none"] = server.proxies()
print(json.dumps(seen))
"""


def test_toxiproxy_python(server: Toxiproxy):
    """Everything that toxiproxy-python offers works, and it recognises each refusal."""
    argv = [sys.executable, "-c", THROUGH_THE_LIBRARY, str(server.port), "127.0.0.1:1"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen.pop("version")
    assert seen == {
        "running": True,
        "made": ["edge", "127.0.0.1:1", True, "127.0.0.1"],
        "toxics": {
            "latency_downstream": ["latency", "downstream", 1, {"latency": 5, "jitter": 0}],
            "mute": ["timeout", "upstream", 0.5, {"timeout": 0}],
        },
        "refused": {"again": "ProxyExists", "unknown": "NotFound", "nonsense": "InvalidToxic"},
        "left": ["latency_downstream"],
        "down": False,
        "up": True,
        "after reset": [],
        "names": ["edge", "other"],
        "none": {},
    }


@pytest.fixture
def cli(server: Toxiproxy):
    """Runs toxiproxy-cli against the server; gives what it prints."""
    program = real_cli()
    if program is None:
        pytest.skip("no toxiproxy-cli on PATH or in .lab/bin: `make toxiproxy` gets it")

    def run(*arguments, fails=False):
        argv = [program, "--host", f"http://127.0.0.1:{server.port}", *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert (done.returncode != 0) is fails, done
        return done.stdout + done.stderr

    return run


def test_toxiproxy_cli(cli, server: Toxiproxy, upstream):
    """toxiproxy-cli creates, lists, inspects, toggles and deletes, and adds, updates and deletes toxics."""
    address = upstream(echo).address
    assert "Created new proxy edge" in cli("create", "--listen", "127.0.0.1:0", "--upstream", address, "edge")
    listed = cli("list")
    assert "edge" in listed
    assert address in listed
    added = cli(
        "toxic", "add", "-t", "latency", "-n", "slow", "-a", "latency=20", "-a", "jitter=5", "--upstream", "edge"
    )
    assert "Added upstream latency toxic 'slow' on proxy 'edge'" in added
    cli("toxic", "add", "-t", "bandwidth", "--toxicity", "0.5", "-a", "rate=1000", "edge")
    inspected = cli("inspect", "edge")
    assert "slow" in inspected
    assert "bandwidth_downstream" in inspected
    cli("toxic", "update", "-n", "slow", "-a", "latency=1", "edge")
    assert server.ok("GET", "/proxies/edge/toxics/slow")["attributes"] == {"latency": 1, "jitter": 5}
    cli("toxic", "delete", "-n", "slow", "edge")
    assert [toxic["name"] for toxic in server.ok("GET", "/proxies/edge")["toxics"]] == ["bandwidth_downstream"]
    cli("toggle", "edge")
    assert server.ok("GET", "/proxies/edge")["enabled"] is False
    cli("toggle", "edge")
    assert server.ok("GET", "/proxies/edge")["enabled"] is True
    cli("delete", "edge")
    assert server.ok("GET", "/proxies") == {}


def test_toxiproxy_cli_shows_refusals(cli, server: Toxiproxy, upstream):
    """The words of a refusal reach the person at the terminal."""
    edge = server.proxy(upstream(echo).address)
    assert "proxy not found" in cli("inspect", "none", fails=True)
    assert "invalid toxic type" in cli("toxic", "add", "-t", "nonsense", "edge", fails=True)
    assert "proxy already exists" in cli("create", "-l", "127.0.0.1:0", "-u", "127.0.0.1:1", "edge", fails=True)
    with edge.connect() as sock:
        round_trip_s(sock)
