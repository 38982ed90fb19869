"""Fetches Debian packages without root: apt downloads with lists of its own, dpkg unpacks into a folder of ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import LabError
from lab.runtime.programs import ask

Say = Callable[[str], None]
UPDATE_S, DOWNLOAD_S, QUICK_S = 180, 900, 60
PLACES = ("usr/bin", "usr/sbin", "bin", "sbin", "usr/lib/postgresql/*/bin")


class FetchError(LabError):
    """A part that could not be fetched, with the reason."""


def available() -> bool:
    """Whether this machine has apt and dpkg."""
    return bool(shutil.which("apt-get") and shutil.which("dpkg"))


def programs_in(root: Path) -> dict[str, Path]:
    """Programs of an unpacked tree by name; of several versions the highest."""
    found = (file for place in PLACES for folder in sorted(root.glob(place), key=natural) for file in folder.iterdir())
    return {file.name: file for file in found if os.access(file, os.X_OK)}


def library_path(root: Path) -> str:
    """LD_LIBRARY_PATH for programs of an unpacked tree; empty where it holds no shared libraries."""
    folders = (folder for place in ("usr/lib", "lib") for folder in (root / place).glob("*-linux-*"))
    return ":".join(str(folder) for folder in folders if any(folder.glob("*.so*")))


def fetch(
    title: str,
    packages: Sequence[str],
    programs: Sequence[str],
    into: Path,
    apt_home: Path,
    say: Say,
    *,
    fresh: bool = False,
) -> None:
    """Unpack packages into the folder `into`, with the libraries that its programs lack on this machine.

    The folder appears complete or not at all; one that was there stays until then. With `fresh` the package lists are
    fetched first, so that it is the newest. Raises FetchError with the reason.
    """
    draft, old = (into.with_name(f".{into.name}.{os.getpid()}{what}") for what in ("", ".old"))
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        apt = _Apt(apt_home)
        if fresh:
            apt.use_private_lists()
        names = [apt.newest(package) for package in packages]
        say(f"fetching {title} (Debian package, {apt.megabytes(names)} MB, once)")
        apt.unpack(names, draft)
        _add_libraries(apt, title, names, programs, draft, say)
        if into.exists():  # damaged, or to be renewed
            into.rename(old)
        draft.rename(into)
    finally:
        shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(apt_home / "cache", ignore_errors=True)  # 90 MB that the lists make again in a second
        shutil.rmtree(draft, ignore_errors=True)


def _add_libraries(apt: _Apt, title: str, names: Sequence[str], programs: Sequence[str], root: Path, say: Say) -> None:
    """Add packages that the first ones depend on, nearest first, until no program lacks a library."""
    seen, level = set(names), list(names)
    while missing := _missing_libraries(root, programs):
        level = [name for name in apt.dependencies(level) if name not in seen]
        if not level:
            raise FetchError(f"libraries are missing and no package has them: {', '.join(missing)}")
        seen.update(level)
        libraries = [name for name in level if name.startswith("lib") and not _installed(name)]
        if libraries:
            say(f"fetching {', '.join(libraries)} for {title} ({apt.megabytes(libraries)} MB)")
            apt.unpack(libraries, root)


def _missing_libraries(root: Path, programs: Sequence[str]) -> list[str]:
    there = programs_in(root)
    lacking = [name for name in programs if name not in there]
    if lacking:
        raise FetchError(f"the packages hold no {', '.join(lacking)}")
    environment = {**os.environ, "LD_LIBRARY_PATH": library_path(root)}
    said = "".join(_run(["ldd", str(there[name])], QUICK_S, env=environment, check=False) for name in programs)
    return sorted({line.split()[0] for line in said.splitlines() if "not found" in line})


def _installed(name: str) -> bool:
    return "ok installed" in _run(["dpkg-query", "-W", "-f=${Status}", name], QUICK_S, check=False)


@dataclass
class _Apt:
    """apt with the machine's package lists; with lists of its own once those turn out empty or stale."""

    home: Path
    options: list[str] = field(
        default_factory=lambda: [
            "-q",
            "-oAPT::Sandbox::User=root",
            "-oAcquire::Retries=2",
            "-oAcquire::http::Timeout=20",
        ]
    )
    private: bool = False

    def newest(self, package: str) -> str:
        """The package itself, or the one with the highest version in its name where it is a regular expression."""
        if "[" not in package:
            return package
        said = self._ask(["apt-cache", *self.options, "search", "--names-only", f"^{package}$"])
        names = sorted((line.split()[0] for line in said.splitlines()), key=natural)
        if not names:
            raise FetchError(f"apt knows no package {package}")
        return names[-1]

    def megabytes(self, names: Sequence[str]) -> int:
        """Size of the download, rounded up."""
        said = self._ask(["apt-get", *self.options, "download", "--print-uris", *names])
        return -(-sum(int(line.split()[2]) for line in said.splitlines() if line.startswith("'")) // 1_000_000)

    def unpack(self, names: Sequence[str], root: Path) -> None:
        """Download packages and unpack them."""
        folder = root / "packages"
        folder.mkdir()
        self._ask(["apt-get", *self.options, "download", *names], DOWNLOAD_S, cwd=folder)
        for file in sorted(folder.glob("*.deb")):
            _run(["dpkg", "-x", str(file), str(root)], DOWNLOAD_S)
        shutil.rmtree(folder)

    def dependencies(self, names: Sequence[str]) -> list[str]:
        """What packages depend on, one step away."""
        kinds = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
        said = self._ask(["apt-cache", *self.options, "depends", *(f"--no-{kind}" for kind in kinds), *names])
        return sorted(set(re.findall(r"(?:Pre)?Depends: ([a-z0-9][a-z0-9.+-]*)", said)))

    def _ask(self, command: list[str], limit_s: float = QUICK_S, cwd: Path | None = None) -> str:
        """Run it; where the machine's lists don't know the package or its file is gone, again with fresh ones."""
        try:
            said = _run(command, limit_s, cwd=cwd)
            if said.strip() or self.private:
                return said
        except FetchError:
            if self.private:
                raise
        fresh = self.use_private_lists()
        return _run([command[0], *fresh, *command[1:]], limit_s, cwd=cwd)

    def use_private_lists(self) -> list[str]:
        """Fetch package lists into a folder of ours; gives the options that make apt use them."""
        for folder in ("lists/partial", "cache/archives/partial"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        own = [f"-oDir::State::Lists={self.home}/lists", f"-oDir::Cache={self.home}/cache", "-oDebug::NoLocking=1"]
        self.private = True
        self.options += own
        lean = ["-oAcquire::Languages=none", "-oAcquire::IndexTargets::deb::DEP-11::DefaultEnabled=false"]
        # It fails as a whole when one source of several does, or a hook of this machine's; what counts is whether
        # the package can be had afterwards.
        _run(["apt-get", *self.options, *lean, "update"], UPDATE_S, check=False)
        return own


def _run(
    command: list[str],
    limit_s: float,
    *,
    check: bool = True,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
) -> str:
    """Standard output of a command; FetchError with its last line of complaint where it fails and `check` is set."""
    environment = {**(env or os.environ), "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = ask(command, limit_s, cwd=cwd, env=environment)
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"`{command[0]}` took more than {limit_s:g} s") from error
    except OSError as error:
        raise FetchError(f"`{command[0]}` cannot be run: {error.strerror}") from error
    if check and done.returncode:
        complaints = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        errors = [line for line in complaints if line.startswith("E:")] or complaints
        raise FetchError(f"`{command[0]}` failed: {errors[0].removeprefix('E: ')}")
    return done.stdout


def natural(name: object) -> list[tuple[int, str]]:
    """A key that sorts 9 before 15."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(name))]
