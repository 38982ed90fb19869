"""A clock that moves when told and sockets that only remember, to try flows and stages in no time at all."""

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from lab.proxy.flow import Counter, Flow
from lab.proxy.stage import Chunk, Close, Stage, Toxic
from lab.proxy.timers import Timers
from lab.proxy.toxics import behaviours


class Clock:
    """Seconds that pass only in `run`."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.armed_s: float | None = None
        self.timers = Timers(self._arm, lambda: self.now_s)

    def run(self, for_s: float) -> None:
        """Let this much time pass, firing when asked to."""
        until_s = self.now_s + for_s
        while self.armed_s is not None and self.armed_s <= until_s:
            self.now_s = max(self.now_s, self.armed_s)
            self.armed_s = None
            self.timers.fire()
        self.now_s = until_s

    def _arm(self, delay_s: float | None) -> None:
        self.armed_s = None if delay_s is None else self.now_s + delay_s


class Wire:
    """A transport that remembers what was written, and can be slow."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.pieces: list[int] = []
        self.ended = self.closed = self.aborted = False
        self.reading = True
        self.deliver: Callable[[bytes], None] = lambda _: None

    def write(self, data: bytes | memoryview) -> None:
        assert not self.ended, "written after the end"
        self.written += data
        self.pieces.append(len(data))

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = self.closed = True

    def set_protocol(self, protocol: Flow) -> None:
        self.deliver = protocol.data_received

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        assert not self.closed
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.closed
        self.reading = True

    def get_extra_info(self, name: str) -> Any:
        return SimpleNamespace(setsockopt=lambda *_: None)


class Pair:
    """Two wired flows on fake sockets; `client` and `server` are the sockets."""

    def __init__(
        self, clock: Clock, upstream: Iterable[Toxic] = (), downstream: Iterable[Toxic] = (), counted: bool = True
    ) -> None:
        self.clock = clock
        self.lost: list[Flow] = []
        self.client, self.server = Wire(), Wire()
        self.up = Flow(clock.timers, Counter(shown=counted), lambda _: None, self.lost.append)
        self.down = Flow(clock.timers, Counter(shown=counted), lambda _: None, self.lost.append)
        for flow, wire in ((self.up, self.client), (self.down, self.server)):
            wire.set_protocol(flow)
            flow.connection_made(wire)  # type: ignore[arg-type]
        self.down.peer = self.up
        self.up.wire(self.down, list(upstream), "seed/upstream")
        self.down.wire(self.up, list(downstream), "seed/downstream")


class Sink:
    """What stands at both ends of a stage under test; `out` is what came through, with the moment it came."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.full = False
        self.pumped = 0
        self.out: list[tuple[float, bytes | Close]] = []

    def take(self, chunk: Chunk) -> None:
        self.out.append((round(self._clock.now_s, 6), chunk if isinstance(chunk, Close) else bytes(chunk[1])))

    def pump(self) -> None:
        self.pumped += 1


def toxic(kind: str, toxicity: float = 1, name: str = "", stream: str = "downstream", **values: int) -> Toxic:
    """A toxic of this kind; what is not given is 0."""
    all_values = {attribute.name: values.get(attribute.name, 0) for attribute in behaviours()[kind].attributes}
    return Toxic(name or f"{kind}_{stream}", kind, stream, toxicity, all_values)


def stage(clock: Clock, kind: str, **values: int) -> tuple[Stage, Sink]:
    """A stage of this kind between one sink."""
    made = behaviours()[kind](clock.timers, "seed")
    sink = Sink(clock)
    made.before = made.after = sink
    made.configure(toxic(kind, **values).values)
    made.pump()
    return made, sink


def feed(made: Stage, clock: Clock, *pieces: bytes | Close) -> None:
    """Give a stage these pieces now."""
    for piece in pieces:
        made.take(piece if isinstance(piece, Close) else (clock.now_s, piece))
