"""limit_data: passes exactly `bytes` bytes on each connection, then closes it."""

from collections.abc import Mapping

from lab.proxy.stage import Attribute, Close, Stage


class LimitData(Stage):
    """What has passed stays counted across updates."""

    attributes = (Attribute("bytes"),)

    __slots__ = ("limit_bytes", "passed_bytes")

    def configure(self, values: Mapping[str, int]) -> None:
        """A limit already reached takes effect at the next data."""
        self.limit_bytes = values["bytes"]
        if not hasattr(self, "passed_bytes"):
            self.passed_bytes = 0

    def work(self) -> None:
        """Pass what is left of the allowance."""
        while self.queue and not self.after.full and not self.spent:
            head = self.queue[0]
            if not isinstance(head, Close):
                size_bytes = min(len(head[1]), max(self.limit_bytes - self.passed_bytes, 0))
                self.passed_bytes += size_bytes
                if size_bytes:
                    self.pass_part(size_bytes)
                if self.passed_bytes >= self.limit_bytes:
                    self.cut()
            else:
                self.after.take(self.pop())
