"""bandwidth: at most `rate` KB (1,000 bytes) a second for each connection; 0 holds everything until removed."""

from collections.abc import Mapping

from lab.proxy.stage import Attribute, Close, Stage

_PIECE_MS = 20


class Bandwidth(Stage):
    """A piece leaves when a wire of that rate would have carried its last byte."""

    attributes = (Attribute("rate", at_least=0),)
    depth_chunks = 2  # the next is read while one is on the wire, so that the wire need not wait for it

    __slots__ = ("carried_at_s", "on_wire_bytes", "rate_bytes_per_ms", "resting")

    def configure(self, values: Mapping[str, int]) -> None:
        """1 KB/s is 1 byte a millisecond; what is on the wire starts again at the new rate."""
        self.rate_bytes_per_ms = values["rate"]
        self.on_wire_bytes = 0
        self.carried_at_s = self.timers.now()
        self.resting = True

    def work(self) -> None:
        """Put the head on the wire in pieces of at most 20 ms, each behind the other however late we wake."""
        while self.queue and not self.after.full:
            head = self.queue[0]
            if not isinstance(head, Close):
                if not self.rate_bytes_per_ms:
                    return
                if not self.on_wire_bytes:
                    self._load(len(head[1]))
                if self.timers.now() < self.carried_at_s:
                    self.wake_at(self.carried_at_s)
                    return
            size_bytes, self.on_wire_bytes = self.on_wire_bytes, 0
            self.pass_part(size_bytes)
        self.resting = True  # nothing to carry, or nobody to take it: lost time is not made up for

    def _load(self, waiting_bytes: int) -> None:
        self.on_wire_bytes = min(waiting_bytes, self.rate_bytes_per_ms * _PIECE_MS)
        started_s = self.timers.now() if self.resting else self.carried_at_s
        self.resting = False
        self.carried_at_s = started_s + self.on_wire_bytes / self.rate_bytes_per_ms / 1000
