import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager

import pytest

from lab.proxy.__main__ import arguments, main

pytestmark = pytest.mark.e2e


@contextmanager
def process(*flags, **environment):
    """`python -m lab.proxy` on a free port; gives the process and the port it names on stderr."""
    argv = [sys.executable, "-m", "lab.proxy", "-host=127.0.0.1", "--port=0", *flags]
    env = os.environ | environment
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=env) as child:
        try:
            said = []
            while not (said and " listens on " in said[-1]):
                said.append(child.stderr.readline())
                assert said[-1], "it ended without listening"
            yield child, int(said[-1].rsplit(":", 1)[1]), said
        finally:
            child.terminate()
            child.wait(10)


def get(port, path):
    """The JSON that the API answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.load(answer)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_asked(number):
    """SIGTERM and SIGINT close every listener and connection, and the exit code is 0."""
    with process() as (child, port, _), socket.create_server(("127.0.0.1", 0)) as upstream:
        body = {"name": "a", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:{1}".format(*upstream.getsockname())}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/proxies", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            edge = int(json.load(answer)["listen"].rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", edge), timeout=10) as client:
            upstream.settimeout(10)
            upstream.accept()[0].close()
            child.send_signal(number)
            assert child.wait(10) == 0
            assert client.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", edge))


def test_a_config_file_is_read(tmp_path):
    """-config makes the proxies of a file; one that is wrong is said to be so and the server starts all the same."""
    config = tmp_path / "proxies.json"
    config.write_text(
        '[{"name":"a","listen":"127.0.0.1:0","upstream":"b:1"},{"name":"b","listen":"x","upstream":"b:1"}]'
    )
    with process("-config", str(config), "-seed", "5") as (_, port, said):
        assert list(get(port, "/proxies")) == ["a"]
        assert any("missing port in address" in line for line in said)
    for wrong in (tmp_path / "none.json", tmp_path):
        with process("-config", str(wrong)) as (_, port, said):
            assert get(port, "/proxies") == {}
            assert any(str(wrong) in line for line in said)


def test_metrics_only_when_asked():
    """Without a metrics flag there is no /metrics."""
    with process() as (_, port, _), pytest.raises(urllib.error.HTTPError, match="404"):
        get(port, "/metrics")


def test_a_taken_port(capsys):
    """If the API's port is taken the process says so and exits with 1."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        argv = [sys.executable, "-m", "lab.proxy", "-host", "127.0.0.1", "-port", str(port)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert f"listen tcp 127.0.0.1:{port}: bind: address already in use" in done.stderr


def test_flags_are_gos(capsys):
    """One dash or two, with a space or an equals sign; the version names the lab; nonsense is an error."""
    for argv in (["-port", "5"], ["--port", "5"], ["-port=5"], ["--port=5"]):
        assert arguments(argv).port == 5
    made = arguments(["-proxy-metrics", "--runtime-metrics", "-seed=3"])
    assert (made.proxy_metrics, made.runtime_metrics, made.seed, made.host) == (True, True, 3, "localhost")
    for argv, code in ((["-version"], 0), (["-nonsense"], 2)):
        with pytest.raises(SystemExit) as caught:
            main(argv)
        assert caught.value.code == code
    assert "+lab" in capsys.readouterr().out


@pytest.mark.parametrize(("text", "on"), [("", True), ("=true", True), ("=1", True), ("=F", False), ("=false", False)])
def test_a_boolean_flag_is_written_as_in_go(text, on):
    """`-proxy-metrics` and `-proxy-metrics=true` say the same."""
    assert arguments([f"-proxy-metrics{text}"]).proxy_metrics is on
    assert arguments([f"--runtime-metrics{text}", "-port", "1"]).runtime_metrics is on


def test_a_boolean_flag_that_is_none_is_refused(capsys):
    """In a sentence that names the value."""
    with pytest.raises(SystemExit):
        arguments(["-proxy-metrics=maybe"])
    assert "'maybe' is neither true nor false" in capsys.readouterr().err
