"""A server's turns: what has come in goes into the core, what that changes is saved, and only then anything leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from targets.raft.core import Raft
from targets.raft.messages import Reply, Request
from targets.raft.outcomes import Answer, Ready, Save

Replies = Sequence[tuple[Callable[[Reply], None], Reply]]


class Turns:
    """
    Drives a core by three ways out: `save` to disk, `send` to a peer, `answer` to a client.

    Whatever comes in while a save is under way waits for the next turn, so that a busy disk makes for larger turns and
    not for more of them.
    """

    def __init__(
        self,
        core: Raft,
        clock: Callable[[], float],
        save: Callable[[Save], Awaitable[None]],
        send: Callable[[str, Request], None],
        answer: Callable[[Answer], None],
    ) -> None:
        self.core = core
        self._clock = clock
        self._save = save
        self._send = send
        self._answer = answer
        self._inputs: list[Callable[[], None]] = []
        self._replies: list[tuple[Callable[[Reply], None], Reply]] = []

    @property
    def are_due(self) -> bool:
        """Whether anything has come in since the last turn began."""
        return bool(self._inputs)

    def give(self, take: Callable[[], None]) -> None:
        """Let the next turn do this to the core."""
        self._inputs.append(take)

    def request(self, request: Request, reply: Callable[[Reply], None]) -> None:
        """Let the next turn take in a peer's request; `reply` is called once what it promises is saved."""
        self.give(lambda: self._replies.append((reply, self.core.receive(request))))

    async def turn(self) -> None:
        """One turn. Raises what `save` raises, and then nothing has left."""
        ready, replies = self.take()
        if ready.save is not None:
            await self._save(ready.save)
        self.leave(ready, replies)

    def take(self) -> tuple[Ready, Replies]:
        """Put everything that has come in into the core; gives what is to be done, and the replies that wait for it."""
        self.core.tick(self._clock())
        inputs, self._inputs = self._inputs, []
        for take in inputs:
            take()
        replies, self._replies = self._replies, []
        return self.core.take(), replies

    def leave(self, ready: Ready, replies: Replies) -> None:
        """Let requests, replies and answers go."""
        for peer, request in ready.messages:
            self._send(peer, request)
        for reply, said in replies:
            reply(said)
        for answer in ready.answers:
            self._answer(answer)
