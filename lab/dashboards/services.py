"""Panels that any experiment can have: what every target, the fault proxy, the rules and Prometheus measure anyway."""

from __future__ import annotations

from collections.abc import Sequence

from lab.dashboards.look import HALF, THIRD, WIDE, Graph
from lab.dashboards.shape import MOST_SERIES, Shape

RATE = "[$__rate_interval]"
STATES = {1: "running"}
SERVER, CLIENT = "http_server_request_duration_seconds", "http_client_request_duration_seconds"
BUDGETS = (0.0144, 0.144)  # where the fast alert fires: 14.4 times 0.1 % and 1 %


def course(by: str, legend: str, span: int) -> Graph:
    """What ran when, a line for each combination of the labels `by`."""
    return Graph(
        "What ran when", f"max by ({by}) (up == 1)", legend=legend, values=STATES, span=span,
        text="Which services Prometheus could scrape. Variants run one after the other, each on a fresh stack.",
    )  # fmt: skip


def _by(labels: Sequence[str]) -> str:
    return f"by ({', '.join(labels)})"


def named(labels: Sequence[str], *more: str) -> str:
    """A legend: the variant first, then the rest; a call as "caller to callee"."""
    rest = [f"{{{{{label}}}}}" for label in labels if label != "variant"]
    if labels[-2:] == ["service", "peer"]:
        rest = [" to ".join(rest)]
    return ": ".join(["{{variant}}"] * ("variant" in labels) + [", ".join([*rest, *more])] * bool(rest or more))


def error_share(labels: Sequence[str], of: str = "", window: str = RATE) -> str:
    """The share of requests that were answered with a 5xx."""
    by, chosen = _by(labels), f"{{{of}}}" if of else ""
    failed = '{http_response_status_code=~"5.."' + (f",{of}" if of else "") + "}"
    every = f"sum {by} (rate({SERVER}_count{chosen}{window}))"
    return f"sum {by} (rate({SERVER}_count{failed}{window})) / ({every} > 0)"


def red(shape: Shape) -> Sequence[Graph]:
    """Rate, errors, duration of each service, as it sees itself (Wilkie's RED)."""
    labels = shape.by("service")
    return [
        Graph(
            "Requests", f"sum {_by(labels)} (rate({SERVER}_count{RATE}))", "reqps", named(labels), span=THIRD,
            text="Requests answered a second, whatever the answer was.",
        ),
        Graph(
            "Errors", error_share(labels), "percentunit", named(labels), span=THIRD,
            text="Share of the answers that were a 5xx.",
        ),
        Graph(
            "Duration, p99",
            f"histogram_quantile(0.99, sum {_by([*labels, 'le'])} (rate({SERVER}_bucket{RATE})))",
            "s", named(labels), span=THIRD,
            text="As the service saw it, between two bounds of its histogram. The report has what callers waited.",
        ),
    ]  # fmt: skip


def durations(entries: Sequence[str] = ()) -> Graph:
    """A heat map of how long requests took, at the services under load, or at all."""
    chosen = f'{{service=~"{"|".join(entries)}"}}' if entries else ""
    return Graph(
        "Duration, heat map", f"sum by (le) (increase({SERVER}_bucket{chosen}{RATE}))", "s", "{{le}}", heat=True,
        span=WIDE,
        text=f"Requests of {' and '.join(entries) or 'all services'} by duration: darker is more. "
        "The report has what callers waited.",
    )  # fmt: skip


def calls(shape: Shape) -> Sequence[Graph]:
    """What services ask of each other."""
    pair, peer = shape.by("service", "peer"), shape.by("peer", queries=2)
    failures = shape.by("peer", "error_type")
    at = peer if "peer" in peer else []
    served = "sum " + _by([label if label != "peer" else "service" for label in at]) + f" (rate({SERVER}_count{RATE}))"
    return [
        Graph(
            "Attempts and requests", f"sum {_by(peer)} (rate({CLIENT}_count{RATE}))", "reqps",
            named(peer, "attempts"),
            more=((f'label_replace({served}, "peer", "$1", "service", "(.*)")', named(peer, "served")),) if at else (),
            text="Attempts that ended, as callers count them, and requests answered, as the callee does. A retry is an "
            "attempt; one that never arrived is no request.",
        ),
        Graph(
            "Calls without a good answer",
            f'sum {_by(failures)} (rate({CLIENT}_count{{error_type!=""}}{RATE})) > 0',
            "reqps", named(failures),
        ),
        Graph(
            "Calls, p99", f"histogram_quantile(0.99, sum {_by([*pair, 'le'])} (rate({CLIENT}_bucket{RATE})))",
            "s", named(pair),
        ),
        Graph(
            "Calls in flight", f"sum {_by(pair)} (http_client_active_requests)", "short", named(pair),
            text="Rate times waiting time (Little's law).",
        ),
    ]  # fmt: skip


def breaker(shape: Shape) -> Sequence[Graph]:
    """What a circuit breaker does."""
    refusals, moves = shape.by("peer"), shape.by("to")
    return [
        Graph(
            "Breaker: calls rejected", f"sum {_by(refusals)} (rate(breaker_refusals_total{RATE}))", "reqps",
            named(refusals), text="Calls that the open breaker did not let through.",
        ),
        Graph(
            "Breaker: transitions", f"sum {_by(moves)} (breaker_transitions_total)", "short", named(moves),
            text="How often each state was reached since the variant's start.",
        ),
    ]  # fmt: skip


def proxies(shape: Shape) -> Sequence[Graph]:
    """What went through the fault proxy."""
    links = ["proxy", "direction"] if shape.variants and shape.calls * 2 <= MOST_SERIES else ["direction"]
    return [
        Graph(
            f"Bytes {word}", f"sum {_by(links)} (rate(toxiproxy_proxy_{word}_bytes_total{RATE}))",
            "binBps", ", ".join(f"{{{{{label}}}}}" for label in links), text=text,
        )
        for word, text in (
            ("received", "What the proxy read. Upstream is towards the callee. Toxiproxy, which containers use, counts "
             "a connection's bytes when the connection ends, so that a kept connection shows 0 until then: look at "
             "'Calls between services' meanwhile. The proxy of local runs counts at once."),
            ("sent", "What it passed on: where it reads and does not pass on, a toxic holds it back."),
        )
    ]  # fmt: skip


def machine(shape: Shape) -> Sequence[Graph]:
    """What the services need of the machine."""
    labels = shape.by("service")
    by, name = _by(labels), named(labels)
    return [
        Graph(
            "CPU", f"sum {by} (rate(process_cpu_seconds_total{RATE}))", "short", name,
            text="Cores in use.", span=THIRD, stacked=True,
        ),
        Graph("Memory", f"sum {by} (process_resident_memory_bytes)", "bytes", name, span=THIRD, stacked=True),
        Graph(
            "Event-loop lag", f"max {by} (event_loop_lag_seconds)", "s", name, span=THIRD,
            text="How late a timer rang, at worst within the last second.",
        ),
        Graph("Open files", f"sum {by} (process_open_fds)", "short", name, span=HALF),
        Graph(
            "Scrapes", f"max {by} (scrape_duration_seconds)", "s", name, span=HALF,
            text="How long Prometheus waited for each service. Where it is near 0.9 s, samples are lost.",
        ),
    ]  # fmt: skip


def alerts(shape: Shape) -> Sequence[Graph]:
    """The SLOs and their alerts at the lab's scale; the rules are in dashboards/rules."""
    labels = shape.by("slo", "service")

    def ratio(window: str) -> str:
        return f"max {_by(labels)} (slo:errors_per_request:ratio_rate{window})"

    return [
        Graph(
            f"Requests that break the SLO, {window}", ratio(window), "percentunit", named(labels), limits=BUDGETS,
            text="The fast alert fires where the shares over 1 min and over 5 s are both above 14.4 times the budget: "
            "1.44 % of the requests for availability (objective 99.9 %), 14.4 % for latency (objective 99 %).",
            span=THIRD,
        )
        for window in ("1m", "5s")
    ] + [
        Graph(
            "Alerts firing", f'max {_by(["alertname", *labels])} (ALERTS{{alertstate="firing"}})',
            legend="{{alertname}}: " + named(labels), values={1: "firing"}, span=THIRD,
            text="The report sets them against the fault windows.",
        ),
    ]  # fmt: skip
