"""Finds the servers that a run needs, and fetches into `.lab/` those the machine lacks; never needs root."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import LabError, MissingPart
from lab.kit.streams import tell
from lab.runtime import debian
from lab.runtime.debian import FetchError
from lab.runtime.parts import PARTS, Part
from lab.runtime.programs import ask

# Where distributions put servers that are not on a person's PATH.
PLACES = (
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
    "/usr/lib/postgresql/*/bin",
    "/opt/homebrew/bin",
    "/opt/homebrew/opt/*/bin",
    "/usr/local/opt/*/bin",
)
GO_S, VERSION_S = 900, 10


@dataclass(frozen=True)
class Program:
    """A program that is there. `env` is what it needs in its environment (libraries fetched for it alone).

    `tree` is the folder that it was unpacked in, which has all that it needs; None where it is installed.
    """

    name: str
    path: Path
    env: Mapping[str, str] = field(default_factory=dict, hash=False)
    tree: Path | None = None


@dataclass(frozen=True)
class ProxyProgram:
    """The fault proxy that stands in the links: how to start it, and which it is."""

    argv: tuple[str, ...]
    text: str


def aside(sentence: str) -> None:
    """Progress for a person, where results are not printed."""
    tell(sentence, aside=True)


class Tools:
    """The servers on this machine and in `home` (`.lab/`). `say` is told what is being fetched."""

    def __init__(self, home: Path = Path(".lab"), say: Callable[[str], None] = aside) -> None:
        self.home = home.absolute()
        self.say = say
        self._found: dict[str, dict[str, Program]] = {}
        self._needed: set[str] = set()

    def find(self, wanted: str) -> dict[str, Program] | None:
        """The programs of a part by name, without fetching; None where one of them is missing.

        `nats>=2.10` takes the first on PATH, in the places of distributions and in `home` that is no older.
        """
        if wanted not in self._found:
            name, _, oldest = wanted.partition(">=")
            found = [self._program(PARTS[name], program, oldest) for program in PARTS[name].programs]
            if None in found:
                return None
            self._found[wanted] = {program.name: program for program in found if program}
        return self._found[wanted]

    def need(self, *wanted: str) -> dict[str, Program]:
        """The programs of several parts by name, fetched where missing; each as `find` takes it.

        Raises one MissingPart that names all that cannot be had, why, and the ways to get each.
        """
        programs: dict[str, Program] = {}
        problems: list[str] = []
        for each in wanted:
            name, _, oldest = each.partition(">=")
            part = PARTS[name]
            try:
                programs |= self.find(each) or self._fetched(part, each)
                self._needed.add(each)
            except FetchError as error:
                which = f"{part.title} {oldest} or newer" if oldest else part.title
                problems.append(f"{which} ({part.what_for}): {error}. Get it with {part.ways_to(oldest)}.")
        if problems:
            count = "1 part is" if len(problems) == 1 else f"{len(problems)} parts are"
            raise MissingPart("\n  ".join([f"{count} missing:", *problems]))
        return programs

    def version(self, wanted: str) -> str:
        """What the first program of a part says of its version; `missing` or `unknown` where it says none."""
        programs, part = self.find(wanted), PARTS[wanted.partition(">=")[0]]
        return version_of(programs[part.programs[0]]) if programs else "missing"

    def versions(self) -> dict[str, str]:
        """Version of each part that was needed so far, by its title."""
        return {PARTS[each.partition(">=")[0]].title: self.version(each) for each in sorted(self._needed)}

    def fault_proxy(self) -> ProxyProgram:
        """The one to use: `TOXIPROXY=builtin|/path`, else Toxiproxy where it is there, else the built-in one."""
        asked = os.environ.get("TOXIPROXY", "")
        if asked == "builtin":
            return _builtin()
        if asked:
            path = shutil.which(asked)
            if not path:
                raise LabError(f"TOXIPROXY={asked}: no such program; give `builtin` or the path of a toxiproxy-server")
            return _toxiproxy(Path(path))
        found = self._program(PARTS["toxiproxy"], "toxiproxy-server")
        return _toxiproxy(found.path) if found else _builtin()

    def _program(self, part: Part, name: str, oldest: str = "") -> Program | None:
        there = self._programs(part, name)
        return next((each for each in there if not oldest or is_as_new(version_of(each), oldest)), None)

    def _programs(self, part: Part, name: str) -> Iterator[Program]:
        """All of that name on this machine, as they are preferred."""
        for folder in (*os.get_exec_path(), *_places(), str(self.home / "bin")):
            if path := shutil.which(name, path=folder):
                yield Program(name, Path(path))
        root = self._root(part)
        if fetched := debian.programs_in(root).get(name):
            libraries = debian.library_path(root)
            yield Program(name, fetched, {"LD_LIBRARY_PATH": libraries} if libraries else {}, root)

    def _root(self, part: Part) -> Path:
        return self.home / "debian" / part.debian[0].split("-[")[0] if part.debian else self.home / "none"

    def _fetched(self, part: Part, wanted: str) -> dict[str, Program]:
        """Fetch a part; of several labs at the same time one fetches and the others wait for it."""
        oldest = wanted.partition(">=")[2]
        with alone_in(self.home):
            if already := self.find(wanted):
                return already
            if part.go and shutil.which("go") and (oldest or not (part.debian and debian.available())):
                build(part, self.home / "bin", self.say)
            elif part.debian and debian.available() and not (oldest and self.find(part.name)):
                debian.fetch(part.title, part.debian, part.programs, self._root(part), self.home / "apt", self.say)
            elif oldest and self.find(part.name):
                raise FetchError(f"here is {self.version(part.name)}, and nothing here can fetch a newer one")
            else:
                raise FetchError("not on this machine, and nothing here can fetch it")
            found = self.find(wanted)
        if not found and oldest:
            raise FetchError(f"{self.version(part.name)} was fetched, and is too old")
        if not found:
            raise FetchError(f"fetched, and still there is no {' or '.join(part.programs)}")
        return found


def is_as_new(version: str, oldest: str) -> bool:
    """Whether a version (`2.9.10`, `3.6.16-1+b2`) is no older than another; `unknown` is not."""
    numbers, least = ([int(n) for n in re.findall(r"\d+", text.split("-")[0])] for text in (version, oldest))
    return numbers[: len(least)] >= least


def version_of(program: Program, flag: str = "--version") -> str:
    """What a program says of its version."""
    try:
        said = ask([program.path, flag], VERSION_S, env={**os.environ, **program.env})
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    match = re.search(r"\d+\.\d+[\w.+~-]*", said.stdout + said.stderr)
    return match.group() if match else go_version(program.path) or "unknown"


def go_version(path: Path) -> str:
    """The version of its main module that Go wrote into a program; empty where there is none."""
    match = re.search(rb"\nmod\t\S+\tv(\d\S*)\t", path.read_bytes())
    return match.group(1).decode() if match else ""


def _builtin() -> ProxyProgram:
    from lab.proxy.api import VERSION  # not above: only labs that use it load it

    return ProxyProgram((sys.executable, "-m", "lab.proxy"), f"built-in fault proxy {VERSION}")


def _toxiproxy(path: Path) -> ProxyProgram:
    version = version_of(Program("toxiproxy-server", path), "-version")
    return ProxyProgram((str(path),), f"Toxiproxy {version} ({_shown(path)})")


def _shown(path: Path) -> str:
    """A path as a report may show it to others: without the folders above the project."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else path.name


def _places() -> list[str]:
    found = []
    for pattern in PLACES:
        folders = Path("/").glob(pattern.removeprefix("/"))
        found += sorted((str(folder) for folder in folders), key=debian.natural, reverse=True)
    return found


def build(part: Part, into: Path, say: Callable[[str], None]) -> None:
    """Build the programs of a part with Go, at the pinned versions. Raises FetchError."""
    draft = into / f".{part.name}.{os.getpid()}"
    try:
        for program, module in part.go.items():
            say(f"building {program} with Go ({module}, once)")
            draft.mkdir(parents=True, exist_ok=True)
            environment = {**os.environ, "GOBIN": str(draft), "CGO_ENABLED": "0"}
            done = ask(["go", "install", module], GO_S, env=environment)
            if done.returncode:
                raise FetchError(
                    f"`go install {module}` failed: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}"
                )
            next(draft.iterdir()).rename(into / program)
    except (subprocess.TimeoutExpired, OSError) as error:
        raise FetchError(f"building {part.title} with Go failed: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def alone_in(home: Path) -> Iterator[None]:
    """Hold the lock of a `.lab` folder; the kernel lets go of it however this process ends."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
