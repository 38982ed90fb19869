"""latency: holds each chunk for `latency` +- `jitter` ms from its arrival, in order; chunks overlap."""

from collections.abc import Mapping

from lab.proxy.stage import Attribute, Close, Stage


class Latency(Stage):
    """Pipelined: while one chunk waits, the clock of those behind it runs as well."""

    attributes = (Attribute("latency"), Attribute("jitter"))
    depth_chunks = 1024

    __slots__ = ("due_s", "jitter_ms", "latency_ms")

    def configure(self, values: Mapping[str, int]) -> None:
        """Chunks already held are due by the new settings."""
        self.latency_ms, self.jitter_ms = values["latency"], values["jitter"]
        self.due_s: float | None = None

    def work(self) -> None:
        """Let go of every chunk whose time has come; the close follows the last of them at once."""
        while self.queue and not self.after.full:
            head = self.queue[0]
            if not isinstance(head, Close):
                if self.due_s is None:
                    self.due_s = head[0] + self.delay_s()
                if self.timers.now() < self.due_s:
                    self.wake_at(self.due_s)
                    return
                self.pop()
                self.after.take((max(self.due_s, head[0]), head[1]))
                self.due_s = None
            else:
                self.after.take(self.pop())

    def delay_s(self) -> float:
        """One draw, uniform over latency +- jitter."""
        delay_ms = self.latency_ms
        if self.jitter_ms > 0:
            delay_ms += self.random().randrange(self.jitter_ms * 2) - self.jitter_ms
        return delay_ms / 1000
