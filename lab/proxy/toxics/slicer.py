"""slicer: cuts chunks into pieces of `average_size` +- `size_variation` bytes, with `delay` microseconds after each."""

from collections.abc import Mapping

from lab.proxy.stage import Attribute, Stage

_BURST_PIECES = 64


class Slicer(Stage):
    """Each piece is a write of its own."""

    attributes = (Attribute("average_size", at_least=0), Attribute("size_variation", at_least=0), Attribute("delay"))

    __slots__ = ("average_bytes", "delay_s", "rested_at_s", "variation_bytes")

    def configure(self, values: Mapping[str, int]) -> None:
        """The rest of a chunk already begun is cut by the new sizes."""
        self.average_bytes, self.variation_bytes = values["average_size"], values["size_variation"]
        self.delay_s = values["delay"] / 1_000_000
        self.rested_at_s = self.timers.now()

    @classmethod
    def fault(cls, values: Mapping[str, int]) -> str | None:
        """Sizes that would make pieces of nothing."""
        if values["average_size"] + values["size_variation"] < 1:
            return "average_size is 0; with size_variation 0 it must be 1 or more"
        return None

    def work(self) -> None:
        """Pass a piece, then rest; without a delay, let other connections in from time to time."""
        for _ in range(_BURST_PIECES):
            if not self.queue or self.after.full:
                return
            now_s = self.timers.now()
            if now_s < self.rested_at_s:
                self.wake_at(self.rested_at_s)
                return
            self.rested_at_s = now_s + self.delay_s
            self.pass_part(self.size_bytes())
        self.wake_at(self.timers.now())

    def size_bytes(self) -> int:
        """One draw, uniform over the average +- the variation, never nothing."""
        if not self.variation_bytes:
            return self.average_bytes
        low_bytes = max(self.average_bytes - self.variation_bytes, 1)
        return self.random().randint(low_bytes, self.average_bytes + self.variation_bytes)
