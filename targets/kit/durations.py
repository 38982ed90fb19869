"""A histogram of durations whose expected series are exported at 0 before their first observation."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram, generate_latest

# The convention's own bounds, finer below 10 ms, where a healthy call here ends, and around the usual 2 s timeout.
SECONDS = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 5, 7.5, 10)


class Durations:
    """
    Seconds, by labels.

    Prometheus's rate() takes the first sample of a series as its start: a count that first shows at 39 never rises by
    39. A series that can come is therefore exported at 0 from the start. The zeros are text, written once: rendering
    one series of 22 lines costs about 0.3 ms at each scrape, and most of them stay 0 all the time.
    """

    def __init__(self, name: str, text: str, labels: tuple[str, ...], registry: CollectorRegistry) -> None:
        self._named = name, text, labels
        self._histogram = Histogram(name, text, labels, buckets=SECONDS, registry=registry)
        self._observed: set[tuple[str, ...]] = set()
        self.surprises: set[tuple[str, ...]] = set()  # observed without having been expected
        self._zeros: dict[tuple[str, ...], bytes] = {}

    def expect(self, *values: str) -> None:
        """Export the series with these label values at 0 from now on."""
        if values not in self._observed and values not in self._zeros:
            self._zeros[values] = self._zero(values)

    def observe(self, took_s: float, *values: str) -> None:
        """Count one duration under these label values."""
        if values not in self._observed:
            self._observed.add(values)
            if self._zeros.pop(values, None) is None:
                self.surprises.add(values)
        self._histogram.labels(*values).observe(took_s)

    def with_zeros(self, exposition: bytes) -> bytes:
        """The registry's exposition with the zeros in the histogram's family."""
        head = f"# TYPE {self._named[0]} histogram\n".encode()
        return exposition.replace(head, head + b"".join(self._zeros.values()), 1)

    def _zero(self, values: tuple[str, ...]) -> bytes:
        name, text, labels = self._named
        alone = CollectorRegistry()
        Histogram(name, text, labels, buckets=SECONDS, registry=alone).labels(*values)
        lines = generate_latest(alone).splitlines(keepends=True)
        return b"".join(line for line in lines if not line.startswith(b"#"))
