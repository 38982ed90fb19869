"""slow_close: data passes untouched, the close `delay` ms late."""

from collections.abc import Mapping

from lab.proxy.stage import Attribute, Close, Stage


class SlowClose(Stage):
    """Its removal lets a close that is held go at once."""

    attributes = (Attribute("delay"),)

    __slots__ = ("asked_at_s", "delay_s")

    def configure(self, values: Mapping[str, int]) -> None:
        """A close already held is due by the new delay, counted from when it was asked for."""
        self.delay_s = values["delay"] / 1000
        if not self.queue:
            self.asked_at_s: float | None = None

    def work(self) -> None:
        """Hold only the close."""
        while self.queue and not self.after.full:
            if isinstance(self.queue[0], Close):
                if self.asked_at_s is None:
                    self.asked_at_s = self.timers.now()
                if self.timers.now() < self.asked_at_s + self.delay_s:
                    self.wake_at(self.asked_at_s + self.delay_s)
                    return
            self.after.take(self.pop())
