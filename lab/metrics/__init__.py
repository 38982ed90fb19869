"""
Samples in, numbers out; pure, and the unit stands in every name.

A scenario asks for a number by calling a metric (`metrics.p90_ms(of="ok")`, `metrics.attempts(link)`); the judge and
the report take it later, of a record, with `measure(spec, window(run, variant, phase, trial))`. A metric is a function
below `@metric`, named in the list below; its docstring says what it measures, with a line for each of `Window:`,
`Whose:`, `Censored:` and `Minimum:` unless its module's docstring has that line for all (`lab.metrics.definition`).
"""

from lab.metrics.declare import definition, measure, metric, names, page, parameters
from lab.metrics.kept import acknowledged_lost
from lab.metrics.latency import max_ms, mean_ms, naive_p99_ms, p50_ms, p90_ms, p95_ms, p99_ms, p999_ms
from lab.metrics.listed import keys_listed, listed_ratio
from lab.metrics.measured import ENOUGH, Measured
from lab.metrics.messages import catch_up_s, messages_again, messages_lost
from lab.metrics.outcomes import (
    error_ratio,
    goodput_per_s,
    max_in_flight,
    requests,
    requests_lost,
    success_ratio,
    throughput_per_s,
)
from lab.metrics.pace import counter_per_s
from lab.metrics.physics import detect_s, longest_gap_s, median_gap_s, recovery_s
from lab.metrics.profiles import profile_fall_points, profile_fall_rank, profile_per_request, profile_share
from lab.metrics.registers import stale_reads
from lab.metrics.services import (
    attempts,
    attempts_per_request,
    counter_increase,
    counter_quotient,
    cpu_share,
    gauge_max,
    highest_rise,
    panel_max,
)
from lab.metrics.updates import updates_lost
from lab.metrics.window import Window, window

__all__ = [
    "ENOUGH",
    "Measured",
    "Window",
    "acknowledged_lost",
    "attempts",
    "attempts_per_request",
    "catch_up_s",
    "counter_increase",
    "counter_per_s",
    "counter_quotient",
    "cpu_share",
    "definition",
    "detect_s",
    "error_ratio",
    "gauge_max",
    "goodput_per_s",
    "highest_rise",
    "keys_listed",
    "listed_ratio",
    "longest_gap_s",
    "max_in_flight",
    "max_ms",
    "mean_ms",
    "measure",
    "median_gap_s",
    "messages_again",
    "messages_lost",
    "metric",
    "naive_p99_ms",
    "names",
    "p50_ms",
    "p90_ms",
    "p95_ms",
    "p99_ms",
    "p999_ms",
    "page",
    "panel_max",
    "parameters",
    "profile_fall_points",
    "profile_fall_rank",
    "profile_per_request",
    "profile_share",
    "recovery_s",
    "requests",
    "requests_lost",
    "stale_reads",
    "success_ratio",
    "throughput_per_s",
    "updates_lost",
    "window",
]
