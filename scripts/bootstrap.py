"""
Set up the project's environment in `.venv` from the lock file, with nothing but Python's standard library.

    python3 scripts/bootstrap.py [--dev]

Does nothing where the environment already matches the lock file; makes it anew where its Python is gone. Works where
`python3 -m venv` does not (a bare Debian leaves ensurepip out): then pip comes from a Debian package, unpacked without
root below `.lab/`. Of several at the same time one sets up, and the others wait for it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows, where nobody waits for anybody
    fcntl = None

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
SCRATCH = ROOT / ".lab" / "bootstrap"
STAMP = ".lock-sha256"
WHEELS = Path("/usr/share/python-wheels")  # where Debian keeps them
OLDEST = (3, 11)
EVERY_S = 5.0


class SetupError(Exception):
    """Set-up that cannot go on; its text says what to do."""


def main(arguments: list[str]) -> int:
    """Set up, or say in a sentence why not (exit 3)."""
    if sys.version_info < OLDEST:
        have = ".".join(map(str, sys.version_info[:3]))
        return _fail(
            f"Python 3.11 or newer is needed, and this is {have}; name one that you have: make PYTHON=python3.12"
        )
    lock = ROOT / ("requirements-dev.lock" if "--dev" in arguments else "requirements.lock")
    try:
        if up_to_date(lock):
            return 0
        with alone():
            if not up_to_date(lock):
                set_up(lock)
    except SetupError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.filename or ROOT}: {error.strerror}; fix that, and run the same command again.")
    except KeyboardInterrupt:
        _fail("interrupted; the same command goes on with it.")
        return 130
    return 0


def up_to_date(lock: Path) -> bool:
    """Whether the environment has what the lock file names, and its Python is still there."""
    digest, stamp = _digest(lock), VENV / STAMP
    return python().exists() and stamp.exists() and digest in stamp.read_text().split()


def set_up(lock: Path) -> None:
    """Install the lock file, and note down that it is installed."""
    began = time.monotonic()
    print(f"Setting up .venv from {lock.name} (once, about a minute) ...", file=sys.stderr, flush=True)
    (VENV / STAMP).unlink(missing_ok=True)  # what is half installed is not up to date with anything
    install(lock)
    # The larger lock holds everything of the smaller at the same versions, so that installing one keeps the other.
    (VENV / STAMP).write_text(f"{_digest(lock)} {_digest(ROOT / 'requirements.lock')}\n")
    print(f"Set up in {time.monotonic() - began:.0f} s.", file=sys.stderr, flush=True)


@contextmanager
def alone():
    """Wait until nobody else sets up here; the kernel lets go of the lock however this process ends."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    with (SCRATCH / "lock").open("w") as file:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _fail(text: str) -> int:
    print(f"set-up: {text}", file=sys.stderr)
    return 3


def python() -> Path:
    """The environment's own interpreter."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(lock: Path) -> None:
    """Make the environment and install the lock file into it, by uv where it is there and by pip elsewhere."""
    uv = shutil.which("uv")
    if uv:
        if not python().exists():
            remove_venv()
            _run([uv, "venv", "-q", "--python", sys.executable, str(VENV)], "uv could not make .venv")
        _run(
            [uv, "pip", "install", "--python", str(python()), "--require-hashes", "-r", str(lock)],
            f"uv could not install {lock.name}",
        )
        return
    pip = make_venv()
    _run(
        [*pip, "install", "--no-input", "--disable-pip-version-check", "--require-hashes", "-r", str(lock)],
        f"pip could not install {lock.name}; is the network there?",
    )


def make_venv() -> list[str]:
    """Make the environment; gives the command that runs a pip installing into it."""
    try:
        import ensurepip  # noqa: F401  Debian leaves it out of python3 and puts it into python3-venv

        bare = []
    except ImportError:
        bare = ["--without-pip"]
    if not python().exists():
        remove_venv()
        _run([sys.executable, "-m", "venv", *bare, str(VENV)], "Python could not make .venv")
    return [str(python()), str(pip_wheel()) + "/pip"] if bare else [str(python()), "-m", "pip"]


def remove_venv() -> None:
    """Take away what is left of an environment whose Python is gone: it leads to the old one."""
    shutil.rmtree(VENV, ignore_errors=True)


def pip_wheel() -> Path:
    """A pip that runs from its wheel, out of Debian's python3-pip-whl, fetched and unpacked without root."""
    found = sorted(WHEELS.glob("pip-*.whl"))
    if found:
        return found[-1]
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise SetupError(
            "this Python has no ensurepip, so it cannot make an environment with pip. Install it "
            "(Debian, Ubuntu: apt-get install python3-venv; Fedora: dnf install python3-pip) or install uv, "
            "and run the same command again."
        )
    print("This Python has no pip; fetching Debian's python3-pip-whl, without root ...", file=sys.stderr, flush=True)
    lists, cache, unpacked = SCRATCH / "lists", SCRATCH / "cache", SCRATCH / "pip"
    for folder in (lists / "partial", cache / "archives" / "partial", unpacked):
        folder.mkdir(parents=True, exist_ok=True)
    private = ["-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={cache}", "-o", "APT::Sandbox::User="]
    advice = "install it with: apt-get install python3-venv"
    _run(["apt-get", "-q", "-q", *private, "update"], f"apt-get update failed; {advice}")
    _run(["apt-get", "-q", "-q", *private, "download", "python3-pip-whl"], f"download failed; {advice}", cwd=unpacked)
    for package in unpacked.glob("*.deb"):
        _run(["dpkg", "-x", str(package), str(unpacked)], f"unpacking failed; {advice}")
    wheels = sorted(unpacked.glob("usr/share/python-wheels/pip-*.whl"))
    if not wheels:
        raise SetupError(f"Debian's python3-pip-whl holds no pip; {advice}")
    return wheels[-1]


def _run(command: list[str], failure: str, cwd: Path | None = None) -> None:
    """Run it to its end, with a word every few seconds of how far it is; raises SetupError with its last lines."""
    began, said = time.monotonic(), []
    with subprocess.Popen(
        command, cwd=cwd, text=True, errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        reader = threading.Thread(target=said.extend, args=(process.stdout,), daemon=True)
        reader.start()
        while reader.is_alive():
            reader.join(EVERY_S)
            if reader.is_alive():
                print(_so_far(time.monotonic() - began, said), file=sys.stderr, flush=True)
    if process.returncode != 0:
        tail = "\n".join([line.rstrip() for line in said if line.strip()][-15:])
        raise SetupError(f"{failure}\n{tail}")


def _so_far(seconds: float, said: list[str]) -> str:
    """A line: for how long, how many packages, and what is being done."""
    packages = sum(line.startswith("Collecting ") for line in said)
    count = f"{packages} packages, " if packages else ""
    last = next((line.strip() for line in reversed(said) if line.strip()), "no word yet")
    return f"  {seconds:.0f} s: {count}{last[:70]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
