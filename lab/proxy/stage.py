"""What a toxic is made of: attributes, settings, and a Stage: one toxic at work on one direction of one connection."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import ClassVar, Final, Protocol

from lab.proxy.timers import Timer, Timers

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


class Close(Enum):
    """The last thing a chain carries.

    END when the sender has finished, CUT when a toxic closes the connection, RESET when it does so by RST.
    """

    END = "end"
    CUT = "cut"
    RESET = "reset"


Data = tuple[float, bytes | memoryview]  # when the proxy received it (monotonic s), and the bytes
Chunk = Data | Close


@dataclass(frozen=True)
class Attribute:
    """One integer setting of a toxic, with the range the proxy accepts; absent means 0."""

    name: str
    at_least: int = INT64_MIN
    at_most: int = INT64_MAX


@dataclass(frozen=True)
class Toxic:
    """One toxic of a proxy as the API shows it; an update puts a new one in its place."""

    name: str
    type: str
    stream: str
    toxicity: float
    values: Mapping[str, int]

    @property
    def direction(self) -> str:
        """`upstream` or `downstream`, however the request spelt it."""
        return self.stream.lower()


class Before(Protocol):
    """Whatever feeds a stage: asked to go on when there is room again."""

    def pump(self) -> None:
        """Pass on what is held, as far as there is room."""


class After(Protocol):
    """Whatever a stage feeds."""

    @property
    def full(self) -> bool:
        """True while it wants nothing more."""

    def take(self, chunk: Chunk) -> None:
        """Accept one chunk; the caller has looked at `full` first, unless it must not lose what it holds."""


class Stage:
    """A bounded queue between its neighbours; each kind of toxic says in `work` when its head may go on.

    The subclass sets `attributes` and `depth_chunks`, reads its settings in `configure`, and passes chunks on in
    `work` for as long as `self.after.full` is false. `work` never runs inside itself, whatever its neighbours do.
    """

    attributes: ClassVar[tuple[Attribute, ...]] = ()
    depth_chunks: ClassVar[int] = 1
    depth_bytes: ClassVar[int] = 32 * 1024 * 1024
    cut_is: ClassVar[Close] = Close.CUT  # how it closes a connection
    cuts_on_removal: ClassVar[bool] = False

    __slots__ = (
        "_random", "_seed", "_timer", "_working", "after", "before", "held_bytes", "queue", "spared", "spent", "timers",
    )  # fmt: skip

    def __init__(self, timers: Timers, seed: str) -> None:
        self.timers: Final = timers
        self._seed: Final = seed
        self._random: Random | None = None
        self.queue: deque[Chunk] = deque()
        self.held_bytes = 0
        self.spared = False  # the dice left this connection alone: the stage stands aside
        self.spent = False  # it has cut the connection
        self.before: Before
        self.after: After
        self._working = False
        self._timer: Timer | None = None

    def configure(self, values: Mapping[str, int]) -> None:
        """Take the settings over, now and after each update."""

    @classmethod
    def fault(cls, values: Mapping[str, int]) -> str | None:
        """What is wrong with settings that are each in range but cannot work together; None when nothing is."""

    def random(self) -> Random:
        """This stage's own dice: the same seed, proxy, connection number, stream and toxic throw the same."""
        if self._random is None:
            self._random = Random(self._seed)
        return self._random

    def throw(self, toxicity: float) -> None:
        """Let the dice say whether this connection is struck: the share `toxicity` of them is."""
        self.spared = toxicity < 1 and self.random().random() >= toxicity

    def work(self) -> None:
        """Pass on what may go; the plain stage passes everything."""
        while self.queue and not self.after.full:
            self.after.take(self.pop())

    @property
    def full(self) -> bool:
        """True while it holds as much as it may, and for ever once it has cut the connection."""
        return len(self.queue) >= self.depth_chunks or self.held_bytes >= self.depth_bytes or self.spent

    def take(self, chunk: Chunk) -> None:
        """Queue one chunk and pass on what may go."""
        if self.spent:
            return
        self.queue.append(chunk)
        if not isinstance(chunk, Close):
            self.held_bytes += len(chunk[1])
        self.pump()

    def pop(self) -> Chunk:
        """The oldest chunk held, which now belongs to the caller."""
        chunk = self.queue.popleft()
        if not isinstance(chunk, Close):
            self.held_bytes -= len(chunk[1])
        return chunk

    def pass_part(self, size_bytes: int) -> None:
        """Pass the head on, at most this many bytes of it; the rest stays the head."""
        head = self.queue[0]
        if isinstance(head, Close) or size_bytes >= len(head[1]):
            self.after.take(self.pop())
            return
        at_s, data = head
        self.queue[0] = (at_s, memoryview(data)[size_bytes:])
        self.held_bytes -= size_bytes
        self.after.take((at_s, data[:size_bytes]))

    def pump(self) -> None:
        """Let `work` run, then let the neighbour before use the room that it made."""
        if self._working:
            return
        self._working = True
        try:
            was_full = self.full
            while True:
                self.work()
                if not was_full or self.full:
                    return
                held = len(self.queue)
                self.before.pump()
                if len(self.queue) == held:
                    return
                was_full = self.full
        finally:
            self._working = False

    def wake_at(self, due_s: float) -> None:
        """Pump again at this moment (monotonic s), or before: an earlier wake-up that is pending will ask again."""
        if self._timer is not None:
            if self._timer.callback is not None and self._timer.due_s <= due_s:
                return
            self._timer.cancel()
        self._timer = self.timers.at(due_s, self.pump)

    def cut(self) -> None:
        """Close the connection once what went on before has left; nothing passes here any more."""
        self.drop()
        self.spent = True
        self.after.take(self.cut_is)

    def drop(self) -> None:
        """Forget everything held and every wake-up."""
        self.queue.clear()
        self.held_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def release(self) -> None:
        """Let go of all that is held, in order and at once: the stage leaves the line."""
        held = list(self.queue)
        self.drop()
        for chunk in held:
            self.after.take(chunk)
