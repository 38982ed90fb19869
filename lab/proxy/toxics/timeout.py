"""timeout: drops all data; closes after `timeout` ms without any, never when 0; its removal closes the connection."""

from collections.abc import Mapping

from lab.proxy.stage import Attribute, Close, Stage


class Timeout(Stage):
    """Swallows; the close of the sender still passes."""

    attributes = (Attribute("timeout"),)
    cuts_on_removal = True

    __slots__ = ("ended", "silent_since_s", "timeout_s")

    def configure(self, values: Mapping[str, int]) -> None:
        """The silence is counted from here."""
        self.timeout_s = values["timeout"] / 1000
        self.silent_since_s = self.timers.now()
        self.ended = False

    def work(self) -> None:
        """Drop what came; cut when the silence has lasted."""
        while self.queue:
            chunk = self.pop()
            if isinstance(chunk, Close):
                self.ended = True
                self.after.take(chunk)
            else:
                self.silent_since_s = self.timers.now()
        if self.timeout_s > 0 and not self.ended and not self.spent:
            due_s = self.silent_since_s + self.timeout_s
            if self.timers.now() >= due_s:
                self.cut()
            else:
                self.wake_at(due_s)
