"""Measures the built-in fault proxy against the real Toxiproxy: the same work, in the same run, in alternating order.

`python -m benchmarks.proxy` needs `wrk` (apt-get install wrk) and `toxiproxy-server` (make toxiproxy). Client, proxy
and upstream share this machine's cores, so CPU seconds per 1,000 requests stand beside each rate. There are yardsticks:
`no proxy` is the same client straight to the upstream, the limit of the machine; `haproxy`, where it is installed, a
relay in C with a thread per core and no faults. `others_cores` is how many cores were busy with anything else
meanwhile: where that is not near 0, the figures say little. All of it is in a network namespace of its own where the
system has such a thing, since a container engine has the kernel follow every connection of the machine's loopback. A
first run of each target, while the machine gets up to speed, is not counted. It exits with 1 if a target is missed.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.accounting import cpu_s, firewall_follows_loopback, machine_cpu_s, own_cpu_s, resident_kb
from benchmarks.namespace import own_network

ROOT = Path(__file__).resolve().parents[1]
BUILTIN, TOXIPROXY, HAPROXY, DIRECT = "builtin", "toxiproxy", "haproxy", "no proxy"
GIGABYTE = 1_000_000_000
DELAY_MS = 50
RATE_KB_PER_S = 1_000
IDLE_CONNECTIONS = 1_000

HAPROXY_CFG = """
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
listen edge
  bind 127.0.0.1:{port}
  server upstream 127.0.0.1:{upstream_port}
"""

REPORT_LUA = """
done = function(summary, latency, requests)
  local errors = summary.errors
  io.stderr:write(string.format(
    '{"requests": %d, "lasted_s": %f, "p50_ms": %f, "p99_ms": %f, "errors": %d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""

Sample = dict[str, float]


@dataclass(frozen=True)
class Target:
    """Something to send requests to: a proxy of one kind, or the upstream itself."""

    kind: str
    address: tuple[str, int]
    api_port: int
    pid: int

    def toxic(self, kind: str | None, **attributes: int) -> None:
        """Leave exactly this toxic on the proxy, or none."""
        if self.kind in (DIRECT, HAPROXY):
            return
        call(self.api_port, "POST", "/reset")
        if kind is not None:
            call(self.api_port, "POST", "/proxies/edge/toxics", {"type": kind, "attributes": attributes})


@dataclass(frozen=True)
class Goal:
    """What the built-in proxy is held to: the median of a unit, or of its ratio to Toxiproxy's, within bounds."""

    unit: str
    at_least: float = float("-inf")
    at_most: float = float("inf")
    of_toxiproxy: bool = True


@dataclass(frozen=True)
class Measurement:
    """One table: what each target is put through in each round, and what must come of it."""

    name: str
    once: Callable[[Target], Sample]
    goals: tuple[Goal, ...]
    with_yardsticks: bool = False
    warm_up: bool = False


@dataclass(frozen=True)
class Bench:
    """The programs that do the work."""

    wrk: str
    script: Path
    seconds: int
    server: str
    upstream_port: int
    upstream_pid: int = 0


def main(argv: list[str]) -> int:
    """Run every measurement and print its table; returns the exit code."""
    options = arguments(argv)
    if not own_network():
        print("No network namespace could be made here: what goes on in the machine's network goes on beside this.")
    if firewall_follows_loopback():
        print("The firewall here follows the loopback's connections, as with rules that Docker leaves: each packet")
        print("costs more, behind either proxy, and the ratios of rates come nearer to 1.")
    measured, missed = {}, []
    with ExitStack() as stack:
        bench = prepare(stack, options.seconds)
        bench = replace(bench, upstream_pid=stack.enter_context(upstream(bench.upstream_port)))
        yardsticks = [Target(DIRECT, ("127.0.0.1", bench.upstream_port), 0, bench.upstream_pid)]
        if program := shutil.which("haproxy", path=os.defpath + ":/usr/sbin"):
            yardsticks.append(stack.enter_context(haproxy(bench, program)))
        proxies = [stack.enter_context(started(bench, kind)) for kind in (BUILTIN, TOXIPROXY)]
        for measurement in chosen(bench, options):
            targets = (yardsticks if measurement.with_yardsticks else []) + proxies
            samples = rounds(measurement, options.rounds, targets)
            missed += report(measurement, samples)
            measured[measurement.name] = samples
    if options.json:
        options.json.write_text(json.dumps(measured, indent=1))
    print("\nEvery target met." if not missed else "\nMissed:\n  " + "\n  ".join(missed))
    return 1 if missed else 0


def arguments(argv: list[str]) -> argparse.Namespace:
    """Rounds and lengths; the defaults are those of the published figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10, help="length of one wrk run")
    parser.add_argument("--connections", type=int, nargs="+", default=[32, 256])
    parser.add_argument("--only", nargs="+", choices=["plain", "latency", "bandwidth", "bulk", "idle"], default=[])
    parser.add_argument("--json", type=Path, help="also write every sample to this file")
    return parser.parse_args(argv)


def chosen(bench: Bench, options: argparse.Namespace) -> Iterator[Measurement]:
    """What is measured, in order."""

    def wanted(group: str) -> bool:
        return not options.only or group in options.only

    for connections in options.connections:
        if wanted("plain"):
            yield plain(bench, connections)
        if wanted("latency"):
            yield latency(bench, connections)
    if wanted("bandwidth"):
        bounds = Goal("rate_kb_per_s", RATE_KB_PER_S * 0.98, RATE_KB_PER_S * 1.02, of_toxiproxy=False)
        yield Measurement(f"bandwidth {RATE_KB_PER_S} KB/s", bandwidth, (bounds,))
    if wanted("bulk"):
        yield Measurement("1 GB through one connection", bulk, (Goal("mb_per_s", at_least=1),), with_yardsticks=True)
    if wanted("idle"):
        goal = Goal("kb_per_connection", at_most=1)
        yield Measurement(f"memory of {IDLE_CONNECTIONS} idle connections", lambda target: idle(bench, target), (goal,))


def plain(bench: Bench, connections: int) -> Measurement:
    """Requests as fast as they go, through a proxy without toxics."""

    def once(target: Target) -> Sample:
        target.toxic(None)
        return run_wrk(bench, target, connections)

    goals = (Goal("rate_per_s", at_least=1.2), Goal("p99_ms", at_most=1))
    return Measurement(f"no toxic, {connections} connections", once, goals, with_yardsticks=True, warm_up=True)


def latency(bench: Bench, connections: int) -> Measurement:
    """The same through a latency; the error is what was measured beyond the delay asked for."""

    def once(target: Target) -> Sample:
        target.toxic("latency", latency=DELAY_MS)
        sample = run_wrk(bench, target, connections)
        return sample | {f"{name}_error_ms": sample[f"{name}_ms"] - DELAY_MS for name in ("p50", "p99")}

    goals = (Goal("rate_per_s", at_least=1), Goal("p50_error_ms", at_most=1), Goal("p99_error_ms", at_most=1))
    return Measurement(f"latency {DELAY_MS} ms, {connections} connections", once, goals, warm_up=True)


def prepare(stack: ExitStack, seconds: int) -> Bench:
    """Find the programs; names everything that is missing at once."""
    wrk, server = shutil.which("wrk"), real_server()
    if wrk is None or server is None:
        missing = {"wrk (apt-get install wrk)": wrk, "toxiproxy-server (make toxiproxy)": server}
        sys.exit(f"benchmarks.proxy: missing: {', '.join(name for name, found in missing.items() if not found)}")
    script = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "report.lua"
    script.write_text(REPORT_LUA)
    return Bench(wrk, script, seconds, server, free_port())


@contextmanager
def upstream(port: int) -> Iterator[int]:
    """The server behind the proxies; gives its pid."""
    with process([sys.executable, "benchmarks/raw_upstream.py", str(port)]) as pid:
        wait_for(port)
        yield pid


@contextmanager
def started(bench: Bench, kind: str) -> Iterator[Target]:
    """A proxy of this kind in front of the upstream."""
    program = [sys.executable, "-m", "lab.proxy"] if kind == BUILTIN else [bench.server]
    port = free_port()
    with process([*program, "-host", "127.0.0.1", "-port", str(port)]) as pid:
        wait_for(port)
        body = {"name": "edge", "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{bench.upstream_port}"}
        listen = call(port, "POST", "/proxies", body)["listen"]
        yield Target(kind, ("127.0.0.1", int(listen.rpartition(":")[2])), port, pid)


@contextmanager
def haproxy(bench: Bench, program: str) -> Iterator[Target]:
    """HAProxy as a plain relay in front of the upstream, with a thread per core."""
    port = free_port()
    config = bench.script.with_name("haproxy.cfg")
    config.write_text(HAPROXY_CFG.format(port=port, upstream_port=bench.upstream_port))
    with process([program, "-f", str(config)]) as pid:
        wait_for(port)
        yield Target(HAPROXY, ("127.0.0.1", port), 0, pid)


def run_wrk(bench: Bench, target: Target, connections: int) -> Sample:
    """One wrk run: rate, quantiles, errors, and the target's CPU seconds per 1,000 requests."""
    host, port = target.address
    argv = [bench.wrk, "-t1", f"-c{connections}", f"-d{bench.seconds}s", "-s", str(bench.script)]
    pids = {target.pid, bench.upstream_pid}
    start_s, before_s, ours_s, all_s = time.monotonic(), cpu_s(target.pid), own_cpu_s(pids), machine_cpu_s()
    done = subprocess.run([*argv, f"http://{host}:{port}/"], capture_output=True, text=True, check=True)
    used_s = cpu_s(target.pid) - before_s
    others_s = (machine_cpu_s() - all_s) - (own_cpu_s(pids) - ours_s)
    others_cores = max(others_s, 0) / (time.monotonic() - start_s)
    sample: Sample = json.loads(done.stderr)
    requests, lasted_s = sample.pop("requests"), sample.pop("lasted_s")
    return (
        {"rate_per_s": requests / lasted_s}
        | sample
        | {"cpu_s_per_1000": used_s / requests * 1000, "others_cores": others_cores}
    )


def bandwidth(target: Target) -> Sample:
    """Three seconds' worth of bytes through the toxic; the rate reached, first byte to last."""
    target.toxic("bandwidth", rate=RATE_KB_PER_S)
    size_bytes = 3 * RATE_KB_PER_S * 1000
    with connected(target) as sock:
        start_s = time.monotonic()
        sock.sendall(b"POUR %d\n" % size_bytes)
        drain(sock, size_bytes)
        return {"rate_kb_per_s": size_bytes / 1000 / (time.monotonic() - start_s)}


def bulk(target: Target) -> Sample:
    """A gigabyte downstream through one connection."""
    target.toxic(None)
    with connected(target) as sock:
        before_s, start_s = cpu_s(target.pid), time.monotonic()
        sock.sendall(b"POUR %d\n" % GIGABYTE)
        drain(sock, GIGABYTE)
        lasted_s = time.monotonic() - start_s
    return {"mb_per_s": GIGABYTE / 1e6 / lasted_s, "cpu_s": cpu_s(target.pid) - before_s}


def idle(bench: Bench, target: Target) -> Sample:
    """What a fresh proxy's resident memory grows by for each connection that rests after one request."""
    with ExitStack() as stack:
        fresh = stack.enter_context(started(bench, target.kind))
        ask(stack.enter_context(connected(fresh)))
        before_kb = resident_kb(fresh.pid)
        for _ in range(IDLE_CONNECTIONS):
            ask(stack.enter_context(connected(fresh)))
        after_kb = resident_kb(fresh.pid)
        return {"kb_per_connection": (after_kb - before_kb) / IDLE_CONNECTIONS, "all_kb": after_kb}


def ask(sock: socket.socket) -> None:
    """One request and its answer."""
    sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
    sock.recv(4096)


def rounds(measurement: Measurement, count: int, targets: list[Target]) -> dict[str, list[Sample]]:
    """Measure each target in each round, every second round in the opposite order."""
    samples: dict[str, list[Sample]] = {target.kind: [] for target in targets}
    for target in targets if measurement.warm_up else ():
        measurement.once(target)
    for number in range(count):
        for target in targets if number % 2 == 0 else reversed(targets):
            samples[target.kind].append(measurement.once(target))
    return samples


def report(measurement: Measurement, samples: dict[str, list[Sample]]) -> list[str]:
    """Print medians, ranges and ratios; gives the goals that were missed."""
    print(f"\n{measurement.name} (rounds: {len(samples[BUILTIN])}; median [least .. most])")
    missed = []
    for unit in samples[BUILTIN][0]:
        values = {kind: [sample[unit] for sample in found] for kind, found in samples.items()}
        pairs = zip(values[BUILTIN], values[TOXIPROXY], strict=True)
        ratios = [mine / theirs for mine, theirs in pairs if theirs]
        for kind, found in (values | {"ratio": ratios}).items():
            if found:
                print(f"  {unit:<18} {kind:<10} {spread(found)}")
        for goal in (goal for goal in measurement.goals if goal.unit == unit):
            reached = median(ratios if goal.of_toxiproxy else values[BUILTIN])
            if not goal.at_least <= reached <= goal.at_most:
                bounds = f"{goal.at_least:g} .. {goal.at_most:g}"
                of = " of Toxiproxy's" if goal.of_toxiproxy else ""
                missed.append(f"{measurement.name}: {unit} is {reached:.3f}{of}; it must be in {bounds}")
    sys.stdout.flush()
    return missed


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{median(values):>12,.3f}  [{min(values):,.3f} .. {max(values):,.3f}]"


@contextmanager
def process(argv: list[str]) -> Iterator[int]:
    """A child process that is ended with us; gives its pid."""
    environment = os.environ | {"LOG_LEVEL": "error"}
    child = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield child.pid
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait()


@contextmanager
def connected(target: Target) -> Iterator[socket.socket]:
    """A connection to a target."""
    with socket.create_connection(target.address, timeout=60) as sock:
        yield sock


def drain(sock: socket.socket, size_bytes: int) -> None:
    """Read and forget this many bytes."""
    buffer = bytearray(1024 * 1024)
    while size_bytes:
        got = sock.recv_into(buffer)
        if not got:
            raise ConnectionError(f"the connection ended {size_bytes} bytes too early")
        size_bytes -= got


def real_server() -> str | None:
    """Where toxiproxy-server is, if anywhere."""
    places = os.pathsep.join([os.environ.get("PATH", ""), str(ROOT / ".lab" / "bin")])
    return os.environ.get("TOXIPROXY_SERVER") or shutil.which("toxiproxy-server", path=places)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Until somebody accepts connections there."""
    for _ in range(1000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    sys.exit(f"benchmarks.proxy: nothing listens on port {port} after 10 s")


def call(port: int, method: str, path: str, body: object = None) -> dict[str, str]:
    """One request to a proxy's API; gives the JSON of the answer."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    client.request(method, path, None if body is None else json.dumps(body))
    answer = client.getresponse()
    text = answer.read()
    client.close()
    if answer.status >= 300:
        sys.exit(f"benchmarks.proxy: {method} {path}: {answer.status} {text!r}")
    found: dict[str, str] = json.loads(text) if text else {}
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
