"""The state machine: keys, values, and client sessions, so that a command sent twice is applied once (thesis 6.3)."""

from __future__ import annotations

from typing import assert_never

import msgspec
from msgspec import Struct, field

from targets.raft.messages import Cas, Command, Done, Expired, Noop, Put, Register, Result

MOST_SESSIONS = 1_000  # the one unused for longest is forgotten first; the same on every server, so part of the state


class Session(Struct):
    """The results that a client may ask for again, by sequence; those below `settled` are gone."""

    results: dict[int, Done] = field(default_factory=dict)
    settled: int = 0


class State(Struct):
    """All of it, as snapshots hold it. `sessions` are in the order of their last use."""

    values: dict[str, str] = field(default_factory=dict)
    sessions: dict[int, Session] = field(default_factory=dict)


class Machine:
    """Applies committed commands in the order of the log."""

    def __init__(self) -> None:
        self.state = State()

    def apply(self, index: int, command: Command) -> Result:
        """Apply the command that stands at `index`. The same commands give the same state and results anywhere."""
        match command:
            case Noop():
                return Done(index)
            case Register():
                return self._register(index)
            case Put() | Cas():
                return self._once(index, command)
            case _:
                assert_never(command)

    def read(self, key: str) -> str | None:
        """What `key` holds; None where it is absent."""
        return self.state.values.get(key)

    def snapshot(self) -> bytes:
        """The whole state."""
        return msgspec.msgpack.encode(self.state)

    def restore(self, data: bytes) -> None:
        """Become the state that `snapshot` gave; no data is the empty state."""
        self.state = msgspec.msgpack.decode(data, type=State) if data else State()

    def _register(self, index: int) -> Done:
        sessions = self.state.sessions
        sessions[index] = Session()
        if len(sessions) > MOST_SESSIONS:
            del sessions[next(iter(sessions))]
        return Done(index)

    def _once(self, index: int, command: Put | Cas) -> Result:
        session = self.state.sessions.pop(command.session, None)
        if session is None:
            return Expired()
        self.state.sessions[command.session] = session  # now the one used last
        if command.sequence < session.settled:
            return Expired()
        session.settled = max(session.settled, command.settled)
        session.results = {n: result for n, result in session.results.items() if n >= session.settled}
        if command.sequence not in session.results:
            session.results[command.sequence] = self.change(index, command)
        return session.results[command.sequence]

    def change(self, index: int, command: Put | Cas) -> Done:
        """Apply a command that was not applied before."""
        held = self.state.values.get(command.key)
        if isinstance(command, Cas) and held != command.expect:
            return Done(index, held, swapped=False)
        self.state.values[command.key] = command.value
        return Done(index, command.value)
