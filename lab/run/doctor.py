"""What this machine has for the lab, what it lacks, and how to get it; plain data, nothing is fetched."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.kit.limits import raise_open_files
from lab.kit.places import HOME, ROOT
from lab.observe import which_grafana
from lab.observe.annotations import Grafana
from lab.observe.grafana import TAG, Place
from lab.observe.marks import in_time
from lab.runtime import backing, debian, renew
from lab.runtime.compose import exposed
from lab.runtime.compose.endpoint import endpoint
from lab.runtime.compose.engine import Engine
from lab.runtime.compose.found import HELP, lacking, why_not
from lab.runtime.compose.shared import NEEDED, READY
from lab.runtime.disk import DEVICE, REMEDY, why_no_disk
from lab.runtime.parts import PARTS, Part
from lab.runtime.tools import Program, Tools, version_of

GIB = 1024**3
ENOUGH_MEMORY_BYTES = 1 * GIB
ENOUGH_DISK_BYTES = 1 * GIB
ENOUGH_FILES = 4_096
LATE_WAKE_MS = 5.0
ASK_S = 10.0
# A process like a target: it lets py-spy attach where Linux asks for that.
PROFILED = """
import ctypes, sys, time
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(0x59616D61, -1, 0, 0, 0)
print("up", flush=True)
time.sleep(30)
"""


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    `found` says where and which version, or what is wrong; `purpose` what it is for; `remedy` what to do where it
    is not `ok`. Without what is `needed` no experiment can run, or its numbers cannot be trusted.
    """

    name: str
    ok: bool
    found: str
    purpose: str
    remedy: str = ""
    needed: bool = False


def examine(tools: Tools | None = None) -> list[Finding]:
    """Look at everything; takes a few seconds and never raises."""
    tools = tools or Tools(HOME)
    looks: list[Callable[[], Finding]] = [
        _python,
        lambda: _program(
            "make", "make", "the short commands", "`apt-get install make`, on macOS `xcode-select --install`"
        ),
        lambda: _program("git", "git", "the record says which commit was measured", "`apt-get install git`"),
        *(lambda part=part: _part(part, tools) for part in PARTS.values()),
        lambda: _fetched(tools),
        lambda: _fault_proxy(tools),
        _profiler,
        _docker,
        _compose,
        _images,
        _runs,
        _grafana,
        _disk_that_forgets,
        _chromium,
        lambda: _program("Go", "go", "building Toxiproxy, newer NATS", "https://go.dev/dl/", ("version",)),
        _cleanup,
        _cores,
        _memory,
        lambda: _disk(tools.home),
        _files,
        _clock,
    ]
    return [look() for look in looks]


def _python() -> Finding:
    version = platform.python_version()
    good = sys.version_info >= (3, 11)
    remedy = "install Python 3.11 or newer and set up again"
    return Finding("Python", good, f"{version} ({sys.executable})", "everything", remedy, needed=True)


def _program(name: str, program: str, purpose: str, remedy: str, ask: tuple[str, ...] = ("--version",)) -> Finding:
    path = shutil.which(program)
    if path is None:
        return Finding(name, False, "not on PATH", purpose, remedy)
    return Finding(name, True, f"{_version(_said(path, *ask))} ({path})", purpose)


def _part(part: Part, tools: Tools) -> Finding:
    programs = tools.find(part.name)
    if programs:
        path = programs[part.programs[0]].path
        return Finding(part.title, True, f"{tools.version(part.name)} ({_short(path)})", part.what_for)
    if part.debian and debian.available():
        return Finding(part.title, True, "fetched when first needed", part.what_for, part.ways)
    return Finding(part.title, False, "not on this machine", part.what_for, part.ways, part.name == "prometheus")


def _fetched(tools: Tools) -> Finding:
    """What the system's package manager does not keep up to date, with the age of each."""
    name, purpose = "fetched servers", "security fixes reach them only when they are fetched anew, by `make renew`"
    now_epoch_s, there = time.time(), renew.fetched(tools)
    if not there:
        return Finding(name, True, "none", purpose)
    ages = ", ".join(f"{each.part.title} {each.version} ({_days(each.days(now_epoch_s))})" for each in there)
    old = max(each.days(now_epoch_s) for each in there) > renew.OLD_DAYS
    return Finding(name, not old, f"{_short(tools.home)}: {ages}", purpose, "`make renew`")


def _days(days: float) -> str:
    return "of today" if days < 1 else "1 day old" if days < 2 else f"{days:.0f} days old"


def _fault_proxy(tools: Tools) -> Finding:
    name, purpose = "fault proxy", "stands in every link, to break it"
    try:
        return Finding(name, True, tools.fault_proxy().text, purpose)
    except LabError as error:
        return Finding(name, False, str(error), purpose, "unset TOXIPROXY", needed=True)


def _profiler() -> Finding:
    """Tried for real: whether py-spy may read another process depends on the system, the kernel and the container."""
    name, purpose = "py-spy", "flame graphs of the services"
    program = shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if program is None:
        return Finding(name, False, "not installed", purpose, "set up again: it is one of our dependencies")
    with subprocess.Popen([sys.executable, "-c", PROFILED], stdout=subprocess.PIPE) as target:
        try:
            assert target.stdout is not None
            target.stdout.readline()
            said = subprocess.run(
                [program, "dump", "--pid", str(target.pid)], capture_output=True, text=True, timeout=ASK_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Finding(name, False, f"cannot be run: {error}", purpose, "set up again")
        finally:
            target.kill()
    if said.returncode == 0:
        return Finding(name, True, f"{_version(_said(program, '--version'))}, may read our processes", purpose)
    return Finding(name, False, "may not read our processes", purpose, _profiler_remedy())


def _profiler_remedy() -> str:
    if sys.platform == "darwin":
        return (
            "macOS lets only root do this: `sudo make scenario ...`; without it reports say that they have no profile"
        )
    scope = _read("/proc/sys/kernel/yama/ptrace_scope")
    if scope in ("2", "3"):
        return f"kernel.yama.ptrace_scope is {scope}: `sudo sysctl kernel.yama.ptrace_scope=1`"
    return "in a container start it with `--cap-add SYS_PTRACE`"


def _docker() -> Finding:
    name, purpose = "Docker engine", "the compose runtime, with Grafana; the local runtime needs none"
    path = shutil.which("docker")
    if path is None:
        return Finding(name, False, "no docker on PATH", purpose, "https://docs.docker.com/engine/install/")
    said = _said(path, "version", "--format", "{{.Server.Version}}").strip()
    if re.match(r"\d+", said):
        return Finding(name, True, "; ".join(filter(None, [f"{said} ({path})", exposed.warning(said)])), purpose)
    return Finding(name, False, "docker is there, but no engine answers", purpose, "start Docker")


def _compose() -> Finding:
    name, purpose = "Docker Compose", "the compose runtime"
    path = shutil.which("docker")
    said = _said(path, "compose", "version", "--short").strip() if path else ""
    if re.fullmatch(r"\S+", said):  # one built from source says `dev`; a `docker` without it may print a page of help
        return Finding(name, True, said, purpose)
    return Finding(name, False, "no `docker compose`", purpose, "https://docs.docker.com/compose/install/")


def _images() -> Finding:
    name, purpose = "images", "the compose runtime: one for all targets, one for each server"
    try:
        lacks, count = asyncio.run(_lacking_images())
    except LabError as error:
        return Finding(name, False, f"not known: {error}", purpose, HELP)
    missing = sorted(set(lacks.values()))
    if not missing:
        return Finding(name, True, f"all {count}", purpose)
    return Finding(name, False, f"{len(missing)} of {count} are missing: {', '.join(missing)}", purpose, HELP)


def _runs() -> Finding:
    """What a run would do that names no runtime. No remedy is needed: local processes do for every experiment."""
    name, purpose = "runs", "where the services of an experiment run when no RUNTIME is given"
    if asked := os.environ.get("LAB_RUNTIME"):
        return Finding(name, True, f"LAB_RUNTIME asks for {asked}", purpose)
    try:
        lacks, _ = asyncio.run(_lacking_images())
    except LabError as error:
        return Finding(name, True, f"as local processes ({why_not(error)})", purpose)
    lacks = {service: image for service, image in lacks.items() if service not in READY or service in NEEDED}
    some = sorted(service for service in lacks if service in (*backing.kinds(), "profiler"))
    if of_all := sorted({image for service, image in lacks.items() if service not in some}):
        return Finding(name, True, f"as local processes (images are missing: {', '.join(of_all)})", purpose)
    rest = f", but as local processes where an experiment needs {', '.join(some)}: no image" if some else ""
    return Finding(name, True, f"in containers{rest}", purpose)


async def _lacking_images() -> tuple[dict[str, str], int]:
    engine = Engine(endpoint())
    try:
        return await lacking(ROOT, engine)
    finally:
        await engine.close()


def _grafana() -> Finding:
    """Which a run would draw in, and whether that lets us."""
    name, purpose = "Grafana", "dashboards, with a run's fault windows on them; no run needs it"
    ways = "`make up`, a `grafana` on PATH (https://grafana.com/grafana/download), or one named in .env: GRAFANA_URL"
    try:
        said = which_grafana.named(ROOT)
        if not said.wanted:
            return Finding(name, True, "GRAFANA_URL wants none", purpose)
        if said.place:
            return Finding(name, True, _drawn_in(said.place), purpose)
        place, program = asyncio.run(which_grafana.of_compose(ROOT)), which_grafana.on_path()
        found = [f"for runs in containers {_drawn_in(place)}"] if place else []
        found += [f"for each local run {version_of(Program('grafana', program))} ({program})"] if program else []
    except (LabError, TimeoutError) as error:
        why = str(error) or "it takes too long to answer"
        return Finding(name, False, why, purpose, "mend GRAFANA_URL and GRAFANA_TOKEN in .env, or GRAFANA_URL=none")
    if found:
        return Finding(name, True, "; ".join(found), purpose)
    return Finding(name, False, "none here", purpose, f"{ways} and GRAFANA_TOKEN")


def _drawn_in(place: Place) -> str:
    """A Grafana that lets us in, in words. Raises GrafanaError for one that does not, and TimeoutError."""
    grafana = Grafana(place)
    version, _ = asyncio.run(in_time(lambda: (grafana.version(), grafana.find([TAG])), ASK_S))
    return f"{version} at {place.url} ({place.origin})"


def _disk_that_forgets() -> Finding:
    name, purpose = "FUSE", "experiments with disks: power loss, slow fsync, full disk; the others do not need it"
    why = why_no_disk()
    return Finding(name, why is None, why.partition(":")[0] if why else f"{DEVICE}, libfuse 3", purpose, REMEDY)


def _chromium() -> Finding:
    name, purpose = "Chromium", "tests that look at a report in a browser"
    mac = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
    for program in ("chromium", "chromium-browser", "google-chrome", mac):
        if path := shutil.which(program):
            return Finding(name, True, f"{_version(_said(path, '--version'))} ({path})", purpose)
    return Finding(name, False, "not on PATH", purpose, "`apt-get install chromium`, `brew install chromium`")


def _cleanup() -> Finding:
    kernel = "by the kernel (PR_SET_PDEATHSIG) and " if sys.platform == "linux" else ""
    purpose = "no process outlives its run, even when the lab is killed; `lab heal` does the same later"
    return Finding("clean end", True, f"{kernel}by a leash process", purpose)


def _cores() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    purpose = "load generator and services side by side"
    if cores >= 2:
        return Finding("cores", True, str(cores), purpose)
    return Finding("cores", False, "1: the load generator disturbs what it measures", purpose, "2 or more", needed=True)


def _memory() -> Finding:
    free = _free_memory_bytes()
    purpose = "services, servers and load generator"
    if free is None:
        return Finding("free memory", True, "not known on this system", purpose)
    enough = free >= ENOUGH_MEMORY_BYTES
    return Finding("free memory", enough, f"{free / GIB:.1f} GiB", purpose, "1 GiB or more", needed=True)


def _free_memory_bytes() -> int | None:
    if match := re.search(r"MemAvailable:\s+(\d+) kB", _read("/proc/meminfo")):
        return int(match.group(1)) * 1024
    said = _said("vm_stat") if shutil.which("vm_stat") else ""  # macOS
    pages = re.findall(r"Pages (?:free|inactive|speculative):\s+(\d+)", said)
    return sum(map(int, pages)) * resource.getpagesize() if pages else None


def _disk(home: Path) -> Finding:
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    found, purpose = f"{free / GIB:.1f} GiB at {there}", "records, servers and their data"
    return Finding("free disk", free >= ENOUGH_DISK_BYTES, found, purpose, "1 GiB or more", needed=True)


def _files() -> Finding:
    name, purpose = "open files", "thousands of connections at once"
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    reach = raise_open_files()
    text = f"{max(soft, reach)} (now {soft}; a run raises it)" if reach > soft else str(soft)
    if max(soft, reach) >= ENOUGH_FILES:
        return Finding(name, True, text, purpose)
    return Finding(name, False, text, purpose, f"`ulimit -Hn {ENOUGH_FILES}` as root, or in limits.conf", needed=True)


def _clock() -> Finding:
    """How late a sleeper wakes: what no load generator can be better than."""
    late_ms = []
    for _ in range(50):
        began = time.monotonic()
        time.sleep(0.001)
        late_ms.append((time.monotonic() - began) * 1000 - 1)
    text = f"a sleeper wakes {statistics.median(late_ms):.2f} ms late (worst of 50: {max(late_ms):.1f} ms)"
    good, purpose = statistics.median(late_ms) < LATE_WAKE_MS, "requests that start when they are due"
    return Finding("clock", good, text, purpose, "stop what else keeps this machine busy", needed=True)


def _short(path: Path) -> Path:
    """As seen from here, where it is below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _said(program: str, *words: str) -> str:
    """What a program prints; empty where it fails or takes too long."""
    try:
        return subprocess.run(
            [program, *words], capture_output=True, text=True, timeout=ASK_S, check=True, stdin=subprocess.DEVNULL
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _version(said: str) -> str:
    match = re.search(r"\d+(\.\d+)+[\w.+~-]*", said)
    return match.group() if match else "unknown version"


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
