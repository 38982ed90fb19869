"""What GET /metrics answers: bytes of each proxy and direction, live; and, when asked for, the process itself."""

from collections.abc import Iterator

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from lab.proxy.flow import Counter

LABELS = ("direction", "proxy", "listener", "upstream")


class Metrics:
    """Owns the counters; `exposition` renders them for Prometheus."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, *, of_proxies: bool, of_runtime: bool) -> None:
        self.on = of_proxies or of_runtime
        self._of_proxies = of_proxies
        self._counters: dict[tuple[str, str, str, str], Counter] = {}
        self._registry = CollectorRegistry()
        if of_proxies:
            self._registry.register(_Bytes(self._counters))
        if of_runtime:
            for collector in (ProcessCollector, PlatformCollector, GCCollector):
                collector(registry=self._registry)

    def counter(self, stream: str, proxy: str, listener: str, upstream: str) -> Counter:
        """The one counter with these labels; it outlives the proxy, as a Prometheus counter must."""
        counter = Counter(shown=self._of_proxies)
        return self._counters.setdefault((stream, proxy, listener, upstream), counter)

    def exposition(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self._registry)


class _Bytes(Collector):
    def __init__(self, counters: dict[tuple[str, str, str, str], Counter]) -> None:
        self._counters = counters

    def collect(self) -> Iterator[CounterMetricFamily]:
        received = CounterMetricFamily("toxiproxy_proxy_received_bytes", "Bytes read.", labels=LABELS)
        sent = CounterMetricFamily("toxiproxy_proxy_sent_bytes", "Bytes written.", labels=LABELS)
        for labels, counter in self._counters.items():
            received.add_metric(labels, counter.received_bytes)
            sent.add_metric(labels, counter.sent_bytes)
        yield received
        yield sent
