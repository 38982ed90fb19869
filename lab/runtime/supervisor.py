"""
Starts every process of a run and answers for its end.

Each child leads a session of its own, so that Ctrl-C in a terminal reaches only the lab, which then stops them in
order. Three things end them when the lab can't: the kernel (PR_SET_PDEATHSIG, Linux), the leash, and `lab heal`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from lab.errors import LabError, StartError
from lab.kit.limits import raise_open_files
from lab.kit.tasks import awaiting, surely
from lab.runtime import leash, outside, processes
from lab.runtime.journal import JOURNAL, Journal
from lab.runtime.unprivileged import in_reach

HERE = Path(__file__).parent
KEPT = (
    *("HOME", "LANG", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "SHELL", "SSL_CERT_FILE"),
    *("TERM", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV"),
)
KILLED_S = 10.0  # how long the kernel may take over a killed process
LEASH_S = leash.PATIENCE_S + 10.0  # it gives up after its patience; the rest is its look at all processes
KEPT_PREFIXES = ("COVERAGE_", "LC_", "PYTHON")


def base_environment() -> dict[str, str]:
    """What children inherit: enough to run, and nothing of a person's shell that could change an experiment."""
    return {k: v for k, v in os.environ.items() if k in KEPT or k.startswith(KEPT_PREFIXES)}


def last_lines(log: Path, lines: int = 20) -> str:
    """The end of a log file; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 64 * 1024))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def ending(returncode: int) -> str:
    """A return code in words: `exit code 3`, `killed by SIGKILL`."""
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"killed by signal {-returncode}"


class Managed:
    """A child of the lab, and whatever that child starts in its process group."""

    def __init__(
        self, name: str, popen: subprocess.Popen[bytes], log: Path, started: str, polite: signal.Signals
    ) -> None:
        self.name = name
        self.pid = popen.pid
        self.log = log
        self.started = started
        self.asked_to_end = False
        self._polite = polite
        self._popen = popen
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def returncode(self) -> int | None:
        """Exit code, minus the signal's number where it was killed, None while it runs."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Wait for its end."""
        return await asyncio.shield(self._ended)

    async def stop(self, grace_s: float = 5.0) -> int:
        """Ask it to end, also when paused, and kill its group after `grace_s`; returns when it is gone."""
        self.ask_to_end()
        with contextlib.suppress(TimeoutError), awaiting(f"{self.name} (process {self.pid})"):
            return await asyncio.wait_for(self.wait(), grace_s)
        return await self.kill()

    def ask_to_end(self) -> None:
        """Send the signal it ends at, and let it go on if it is paused, without waiting."""
        self.asked_to_end = True
        self.signal(self._polite)
        self.signal(signal.SIGCONT)

    async def kill(self) -> int:
        """Kill its whole group at once; returns when it is gone. Raises StartError where the kernel does not end it."""
        self.asked_to_end = True
        if self.returncode is None:
            leash.kill_group(self.pid)
        try:
            with awaiting(f"{self.name} (process {self.pid}), which was killed"):
                return await asyncio.wait_for(self.wait(), KILLED_S)
        except TimeoutError:
            raise StartError(
                f"{self.name} (process {self.pid}) did not end within {KILLED_S:g} s of SIGKILL; "
                "it hangs in the kernel (`ps` shows it as D), and ends when what it waits for does"
            ) from None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it alone; one that has ended is no error."""
        if self.returncode is None:  # so it is not collected yet, and its id is still its own
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)

    def tail(self, lines: int = 20) -> str:
        """The end of its log."""
        return last_lines(self.log, lines)

    def block_until_ended(self) -> None:
        """Wait in this thread."""
        self._popen.wait()

    def collect(self) -> int:
        """Take leave of one that has ended: the rest of its group goes first, while its id cannot be reused."""
        leash.kill_group(self.pid)
        returncode = self._popen.wait()
        if not self._ended.done():
            self._ended.set_result(returncode)
        return returncode


class Supervisor:
    """All processes of one run. `scratch` is a folder for their data that goes with the run.

    `left` gets a sentence for each that could not be ended.
    """

    def __init__(
        self,
        state_dir: Path,
        run_id: str,
        journal: Journal,
        leash_process: subprocess.Popen[bytes],
        left: list[str] | None = None,
    ) -> None:
        self.run_id = run_id
        self.state_dir = state_dir
        self.scratch = state_dir / "scratch"
        self.journal = journal
        self._leash = leash_process
        self._children: dict[int, Managed] = {}
        self._left = [] if left is None else left
        self._outside: Path | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, state_dir: Path, run_id: str, left: list[str] | None = None) -> AsyncIterator[Supervisor]:
        """Begin a run; on exit, however that comes about, end all its processes and remove `state_dir`."""
        supervisor = _begin(state_dir, run_id, left)
        try:
            yield supervisor
        finally:
            await surely(supervisor.close())

    def for_servers(self) -> Path:
        """A folder like `scratch` for servers that run as another user, who may not get as far as there."""
        if in_reach(self.scratch / "any"):
            return self.scratch
        if self._outside is None:
            self._outside = outside.make(self.run_id)
            self._tell_leash(f"={self._outside}")
        return self._outside

    def spawn(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        log: Path,
        cwd: Path | None = None,
        polite: signal.Signals = signal.SIGTERM,
    ) -> Managed:
        """Start a program with `base_environment()` plus `env`; its output is appended to `log`.

        `polite` is the signal that asks it to end. Raises StartError where there is no such program. Call
        it from the main thread: Linux ties the child's life to the thread that started it.
        """
        program = shutil.which(str(argv[0]), path=(env or {}).get("PATH"))
        if program is None:
            raise StartError(f"{name}: there is no program {argv[0]}; `lab doctor` shows what is missing")
        words = [str(Path(program).absolute()), *(str(word) for word in argv[1:])]
        log.parent.mkdir(parents=True, exist_ok=True)
        self.journal.write("process starts", name=name, program=program)
        with log.open("ab") as output:
            popen = subprocess.Popen(
                [*_wrapper(), *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**base_environment(), **(env or {}), leash.MARKER: self.run_id},
                cwd=cwd,
                start_new_session=True,
            )
        self._tell_leash(f"+{popen.pid}")
        process = processes.look(popen.pid)
        child = Managed(name, popen, log, process.started if process else "", polite)
        self._children[child.pid] = child
        self._watch(child)
        self.journal.write("process started", name=name, pid=child.pid, started=child.started)
        return child

    async def close(self) -> None:
        """End everything, the newest first, and remove the run's folder. Never raises for what is already gone."""
        children = list(reversed(self._children.values()))
        for child in children:
            child.ask_to_end()
        ends = await asyncio.gather(*(child.stop() for child in children), return_exceptions=True)
        self._left += [str(end) for end in ends if isinstance(end, StartError)]
        if self._leash.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._leash.stdin.close()
        with awaiting("the leash, which ends what the others have started"):
            ended = await asyncio.to_thread(_wait_for, self._leash)
        if not ended:
            self._left += await asyncio.to_thread(self._end_instead)
        if self._outside:
            shutil.rmtree(self._outside, ignore_errors=True)
        self.journal.write_if_possible("run ends")
        self.journal.close()
        shutil.rmtree(self.state_dir, ignore_errors=True)

    def _end_instead(self) -> list[str]:
        """Do what the leash, which hangs, was to do; a sentence for each process that stays."""
        more = [self._outside] if self._outside else []
        return [f"process {pid} cannot be killed" for pid in leash.end(self.run_id, self.state_dir, more=more)]

    def _watch(self, child: Managed) -> None:
        """Have `_forget` called when it ends: by the kernel's word on Linux, else by a thread that waits."""
        loop = asyncio.get_running_loop()
        # Not on macOS nor before Linux 5.3; a sandbox may forbid it; and too many files may be open.
        with contextlib.suppress(AttributeError, OSError):
            descriptor = os.pidfd_open(child.pid)
            loop.add_reader(descriptor, self._on_end, child, descriptor)
            return

        def wait() -> None:
            child.block_until_ended()
            with contextlib.suppress(RuntimeError):  # the loop has closed; so has the run
                loop.call_soon_threadsafe(self._forget, child)

        threading.Thread(target=wait, daemon=True, name=f"wait for {child.name}").start()

    def _on_end(self, child: Managed, descriptor: int) -> None:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
        self._forget(child)

    def _forget(self, child: Managed) -> None:
        returncode = child.collect()
        del self._children[child.pid]
        self._tell_leash(f"-{child.pid}")
        self.journal.write_if_possible("process ended", name=child.name, pid=child.pid, returncode=returncode)

    def _tell_leash(self, line: str) -> None:
        assert self._leash.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # somebody killed the leash; the kernel and `lab heal` remain
            self._leash.stdin.write(line.encode() + b"\n")
            self._leash.stdin.flush()


def _wait_for(leash_process: subprocess.Popen[bytes]) -> bool:
    """Wait until it is through; one that hangs is killed. Whether it did its work."""
    try:
        leash_process.wait(LEASH_S)
    except subprocess.TimeoutExpired:
        leash_process.kill()
        leash_process.wait()
        return False
    return True


def _begin(state_dir: Path, run_id: str, left: list[str] | None) -> Supervisor:
    raise_open_files()
    state_dir = state_dir.absolute()
    try:
        state_dir.mkdir(parents=True)
    except OSError as error:
        raise LabError(
            f"{state_dir}: cannot be made ({error.strerror}); free disk space or fix its permissions, or set "
            "LAB_HOME to another folder for what the lab keeps for itself"
        ) from error
    try:
        journal = Journal(state_dir / JOURNAL)
        me = processes.look(os.getpid())
        here = processes.here()
        journal.write("run begins", run=run_id, pid=os.getpid(), started=me.started if me else None, **here)
        (state_dir / "scratch").mkdir()
        return Supervisor(state_dir, run_id, journal, _start_leash(run_id, state_dir), left)
    except BaseException:
        shutil.rmtree(state_dir, ignore_errors=True)
        raise


def _start_leash(run_id: str, state_dir: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(HERE / "leash.py"), run_id, str(state_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**base_environment(), leash.MARKER: run_id},
        cwd="/",
        start_new_session=True,
    )


def _wrapper() -> list[str]:
    """What stands before a command so that the kernel ends it with the lab; nothing where no kernel offers that."""
    if sys.platform != "linux":
        return []
    return [sys.executable, "-I", "-S", str(HERE / "child.py"), str(os.getpid())]
