"""reset_peer: swallows the first data, waits `timeout` ms and closes, by RST on connections opened under it."""

from collections.abc import Mapping

from lab.proxy.stage import Attribute, Close, Stage


class ResetPeer(Stage):
    """An idle connection is left alone; the sender's own close counts as data."""

    attributes = (Attribute("timeout"),)
    cut_is = Close.RESET

    __slots__ = ("struck_at_s", "timeout_s")

    def configure(self, values: Mapping[str, int]) -> None:
        """A connection already struck keeps its first moment."""
        self.timeout_s = values["timeout"] / 1000
        if not self.queue:
            self.struck_at_s: float | None = None

    def work(self) -> None:
        """Wait from the first thing that comes, then cut."""
        if self.queue:
            now_s = self.timers.now()
            if self.struck_at_s is None:
                self.struck_at_s = now_s
            if now_s >= self.struck_at_s + self.timeout_s:
                self.cut()
            else:
                self.wake_at(self.struck_at_s + self.timeout_s)

    def release(self) -> None:
        """A stream that has lost data cannot go on: a struck connection is cut now."""
        if self.queue:
            self.cut()
