"""Panels that any experiment can have: what every target, the fault proxy, the rules and Prometheus measure anyway."""

from __future__ import annotations

from collections.abc import Sequence

from lab.dashboards.look import HALF, THIRD, Graph

RATE = "[$__rate_interval]"
STATES = {1: "running"}


def course(by: str, legend: str, span: int) -> Graph:
    """What ran when, a line for each combination of the labels `by`."""
    return Graph(
        "What ran when", f"max by ({by}) (up == 1)", legend=legend, values=STATES, span=span,
        text="Which services Prometheus could scrape. Variants run one after the other, each on a fresh stack.",
    )  # fmt: skip


def red() -> Sequence[Graph]:
    """Rate, errors, duration of each service, as it sees itself (Wilkie's RED)."""
    count, bucket = (f"http_server_request_duration_seconds_{kind}" for kind in ("count", "bucket"))
    failed = f'{count}{{http_response_status_code=~"5.."}}'
    return [
        Graph(
            "Requests", f"sum by (service) (rate({count}{RATE}))", "reqps", "{{service}}", span=THIRD,
            text="Requests answered a second, whatever the answer was.",
        ),
        Graph(
            "Errors",
            f"(sum by (service) (rate({failed}{RATE})) or 0 * sum by (service) (rate({count}{RATE})))"
            f" / sum by (service) (rate({count}{RATE}))",
            "percentunit", "{{service}}", span=THIRD,
            text="Share of the answers that were a 5xx.",
        ),
        Graph(
            "Duration, p99",
            f"histogram_quantile(0.99, sum by (service, le) (rate({bucket}{RATE})))",
            "s", "{{service}}", span=THIRD,
            text="As the service saw it, between two bounds of its histogram. The report has what callers waited.",
        ),
    ]  # fmt: skip


def calls() -> Sequence[Graph]:
    """What services ask of each other."""
    count, bucket = (f"http_client_request_duration_seconds_{kind}" for kind in ("count", "bucket"))
    return [
        Graph(
            "Calls", f"sum by (service, peer) (rate({count}{RATE}))", "reqps", "{{service}} to {{peer}}",
            text="Attempts, so a call that is tried again counts again.",
        ),
        Graph(
            "Calls without a good answer",
            f'sum by (service, peer, error_type) (rate({count}{{error_type!=""}}{RATE}))',
            "reqps", "{{service}} to {{peer}}: {{error_type}}",
        ),
        Graph(
            "Calls, p99", f"histogram_quantile(0.99, sum by (service, peer, le) (rate({bucket}{RATE})))",
            "s", "{{service}} to {{peer}}",
        ),
        Graph(
            "Calls open", "sum by (service, peer) (http_client_active_requests)", "short", "{{service}} to {{peer}}",
            text="Waiting for an answer at this moment: rate times waiting time (Little's law).",
        ),
    ]  # fmt: skip


def proxies() -> Sequence[Graph]:
    """What went through the fault proxy of each link."""
    return [
        Graph(
            f"Bytes {word}", f"sum by (proxy, direction) (rate(toxiproxy_proxy_{word}_bytes_total{RATE}))",
            "binBps", "{{proxy}}, {{direction}}", text=text,
        )
        for word, text in (
            ("received", "What the proxy of each link read. Upstream is towards the callee."),
            ("sent", "What it passed on: where it reads and does not pass on, a toxic holds it back."),
        )
    ]  # fmt: skip


def machine() -> Sequence[Graph]:
    """What the services need of the machine."""
    return [
        Graph(
            "CPU", f"sum by (service) (rate(process_cpu_seconds_total{RATE}))", "short", "{{service}}",
            text="Cores in use.", span=THIRD, stacked=True,
        ),
        Graph(
            "Memory", "sum by (service) (process_resident_memory_bytes)", "bytes", "{{service}}", span=THIRD,
            stacked=True,
        ),
        Graph(
            "Event-loop lag", "max by (service) (event_loop_lag_seconds)", "s", "{{service}}", span=THIRD,
            text="How late a timer rang, at worst within the last second.",
        ),
        Graph("Open files", "sum by (service) (process_open_fds)", "short", "{{service}}", span=HALF),
        Graph(
            "Scrapes", "max by (service) (scrape_duration_seconds)", "s", "{{service}}", span=HALF,
            text="How long Prometheus waited for each service. Where it is near 0.9 s, samples are lost.",
        ),
    ]  # fmt: skip


def alerts() -> Sequence[Graph]:
    """The SLOs and their alerts at the lab's scale; the rules are in dashboards/rules."""
    ratios = " or ".join(
        f'label_replace(slo:errors_per_request:ratio_rate{window}, "window", "{window}", "", "")'
        for window in ("1m", "5s")
    )
    return [
        Graph(
            "Requests that break the SLO", ratios, "percentunit", "{{service}}, {{slo}} {{window}}",
            text="The fast alert fires where both windows are above 14.4 times the budget: 1.44 % of the requests for "
            "availability (objective 99.9 %), 14.4 % for latency (objective 99 %).",
        ),
        Graph(
            "Alerts firing",
            'max by (alertname, service, slo) (ALERTS{alertstate="firing"})',
            legend="{{alertname}}: {{service}}, {{slo}}", values={1: "firing"},
            text="The report sets them against the fault windows.",
        ),
    ]  # fmt: skip
