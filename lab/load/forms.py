"""The files through which the lab and its Locust process talk: their names, their shapes, reading and appending.

setup.json          what to send to, for how long, in which model
requests-0.msgpack  the requests as bytes, in chunks (appended to while a closed model runs); one file a worker
ready.json          Locust is up and has read both, and who carries the load where that is several workers
go.json             when the load begins
operations.jsonl    one row an operation that ended, appended
beats.jsonl         counts and CPU time, four a second, appended
exits.jsonl         how each worker exited, appended

Where several workers carry the load, their master reads and writes these files, and passes what stands in them on over
Locust's own connections.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

import msgspec

SETUP, READY, GO = "setup.json", "ready.json", "go.json"
OPERATIONS, BEATS, EXITS = "operations.jsonl", "beats.jsonl", "exits.jsonl"
FLUSH_EVERY_S = 0.25
_LENGTH_BYTES = 4


class Setup(msgspec.Struct, frozen=True):
    """What the Locust process must know beside the operations. `users` is None in the open model."""

    addresses: list[tuple[str, int]]
    lasts_s: float
    timeout_s: float
    drain_s: float
    users: int | None
    think_s: float


class PreparedRequest(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One operation ready to be sent, to the address number `at`."""

    n: int
    due_s: float
    name: str
    method: str
    wire: bytes
    keep: bool
    at: int = 0


class Member(msgspec.Struct, frozen=True):
    """A worker that is up: where it runs, and its wall clock beside the master's, known `within_ms` either way."""

    worker: int
    host: str
    pid: int
    clock_ahead_ms: float
    clock_within_ms: float


class WorkerExit(msgspec.Struct, frozen=True):
    """A worker that is done or lost. `recorded` is how many operations it says it has sent; None where it was lost.

    `drift_ms` is by how much its clock ran ahead of the master's from the first look to the last. `why` says what it
    did where it was given up though it still spoke.
    """

    worker: int
    recorded: int | None
    arrived: int
    drift_ms: float | None = None
    why: str = ""


class Ready(msgspec.Struct, frozen=True):
    """Locust is up."""

    pid: int
    locust: str
    crew: list[Member] = []


class Go(msgspec.Struct, frozen=True):
    """The instant that all times in seconds count from, on the steady clock (perf_counter) of the lab's machine."""

    t0_s: float


class Row(msgspec.Struct, array_like=True, gc=False):
    """How one operation went; times in seconds since the load began. `end_s` is None if it was never answered."""

    n: int
    due_s: float
    start_s: float
    end_s: float | None
    outcome: str
    status: int | None
    error: str | None
    response: str | None


class Beat(msgspec.Struct, frozen=True):
    """Counts so far of one worker. `dry_s` is how long users of a closed model had no request to take."""

    at_s: float
    started: int
    finished: int
    cpu_s: float
    dry_s: float = 0.0
    worker: int = 0


Form = TypeVar("Form")


def requests_file(worker: int) -> str:
    """The file of one worker's requests."""
    return f"requests-{worker}.msgpack"


def worker_of(n: int, workers: int) -> int:
    """Which worker sends the n-th operation: they take turns, so that each has the same mix at the same rate."""
    return n % workers


def write(path: Path, form: msgspec.Struct) -> None:
    """Write a small file as a whole: whoever sees it sees all of it."""
    unfinished = path.with_suffix(".tmp")
    unfinished.write_bytes(msgspec.json.encode(form))
    unfinished.replace(path)


def read(path: Path, kind: type[Form]) -> Form:
    """Read a file written by write()."""
    return msgspec.json.decode(path.read_bytes(), type=kind)


def append_requests(file: BinaryIO, requests: Sequence[PreparedRequest]) -> None:
    """Add a chunk of requests and hand it to the operating system."""
    chunk = msgspec.msgpack.encode(requests)
    file.write(len(chunk).to_bytes(_LENGTH_BYTES, "big") + chunk)
    file.flush()


class ChunkReader:
    """Reads chunks from a file that may still grow."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._rest = b""

    def more(self) -> list[bytes]:
        """Give all chunks that are complete by now and were not given before."""
        data = self._rest + self._file.read()
        chunks: list[bytes] = []
        at = 0
        while len(data) - at >= _LENGTH_BYTES:
            begin = at + _LENGTH_BYTES
            end = begin + int.from_bytes(data[at:begin], "big")
            if end > len(data):
                break
            chunks.append(data[begin:end])
            at = end
        self._rest = data[at:]
        return chunks


class RequestReader:
    """Reads requests from a file of chunks that may still grow."""

    def __init__(self, path: Path) -> None:
        self._chunks = ChunkReader(path)
        self._decoder = msgspec.msgpack.Decoder(list[PreparedRequest])

    def more(self) -> list[PreparedRequest]:
        """Give the requests of all chunks that are complete by now and were not given before."""
        return [one for chunk in self._chunks.more() for one in self._decoder.decode(chunk)]


class LineReader(Generic[Form]):
    """Reads the lines of a file that may still grow, or not be there yet; a torn last line waits for its end."""

    def __init__(self, path: Path, kind: type[Form]) -> None:
        self._path = path
        self._at = 0
        self._decoder = msgspec.json.Decoder(kind)

    def more(self) -> list[Form]:
        """Give what the complete lines since the last time hold."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        return self._decoder.decode_lines(whole)


class LineWriter:
    """Appends forms as lines of JSON, each batch in one write, so that a killed process leaves whole batches."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._encoder = msgspec.json.Encoder()

    def write(self, forms: Iterable[msgspec.Struct]) -> None:
        """Append a batch."""
        data = self._encoder.encode_lines(forms)
        if data:
            self._file.write(data)
