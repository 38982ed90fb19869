"""
Puts this folder on the import path, for helpers that several rooms share (`waits`), and tells the quick tests apart.

`make unit` runs what needs nothing but Python. Tests that open real sockets, start processes, draw whole reports or try
hundreds of random histories are marked `e2e` as those of tests/e2e are, wherever they stand beside what they test.

A script that starts the tests with `&` has them ignore SIGINT and SIGQUIT, and whatever they start inherits that: they
are heard again, since many tests are about them.

Runs that tests start are local ones, also where a Docker engine answers, unless a test asks for containers; and they
draw in nobody's Grafana, unless a test brings one.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("lab", deadline=None)  # how long an example takes tells of the machine
hypothesis.settings.load_profile("lab")
os.environ["LAB_RUNTIME"] = "local"
os.environ["GRAFANA_URL"] = "none"
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGQUIT) == signal.SIG_IGN:
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
TESTS = Path(__file__).parent
REAL = (
    "e2e",
    "checkers/test_linearizable_properties.py",
    "dashboards/test_dashboard_expressions.py",
    "dashboards/test_rules.py",
    "faults/test_at.py",
    "conformance",
    "scripts",
    "report",
    "docs/test_writing_a_scenario.py",
    "docs/test_writing_a_fault.py",
    "docs/test_writing_a_target.py",
    "observe/test_annotations.py",
    "observe/test_canary.py",
    "observe/test_marks.py",
    "observe/test_signpost.py",
    "observe/test_snapshots.py",
    "observe/test_prometheus.py",
    "proxy/test_proxy_leaks.py",
    "proxy/test_proxy_process.py",
    "proxy/test_proxy_properties.py",
    "proxy/test_proxy_relay.py",
    "runtime",
    "sabotage/test_forged.py",
    "targets/raft",
    "targets/test_breaker_model.py",
    "targets/test_backoffice.py",
    "targets/test_exchange.py",
    "targets/test_feed.py",
    "targets/test_ledger.py",
    "targets/test_logins.py",
    "targets/test_payments.py",
    "targets/test_retry_chain.py",
    "targets/test_target_kit.py",
    "test_doctor.py",
)


# What a verdict, a dose or a rate rests on is time: these have the machine to themselves.
ALONE = (
    "e2e/test_faults_on_links.py",
    "e2e/test_faults_on_processes.py",
    "e2e/test_faults_on_servers.py",
    "e2e/test_faults_sabotage.py",
    "e2e/test_lab_circuit_breaker.py",
    "e2e/test_lab_event_loop.py",
    "e2e/test_lab_grafana.py",
    "e2e/test_lab_raft.py",
    "e2e/test_lab_retry_storm.py",
    "e2e/test_load_benchmark.py",
    "e2e/test_load_closed.py",
    "proxy/test_proxy_leaks.py",
)

# Long ones whose code others run as well: coverage more than doubles what they cost, and would learn nothing.
UNTRACED = (
    "checkers/test_linearizable.py",
    "checkers/test_linearizable_properties.py",
    "dashboards/test_rules.py",
    "docs",
    "e2e/test_bad_command_lines.py",
    "e2e/test_lab_sabotage.py",
    "e2e/test_lab_unread.py",
    "e2e/test_like_macos.py",
    "e2e/test_many_command_lines.py",
    "e2e/test_report_browser.py",
    "e2e/test_strangers.py",
    "metrics/test_metric_properties.py",
    "scripts",
    "targets/raft/test_power_cuts.py",
    "targets/raft/test_simulation.py",
    "targets/test_breaker_model.py",
    "test_bootstrap.py",
    "test_streams.py",
)

# Whole runs of experiments. CI always makes that of circuit-breaker, beside three mutants of others, and of these every
# second one, by turns: it names its turn with `TURN`. Without it all are made.
BY_TURNS = (
    "e2e/test_lab_raft.py::test_raft_leader_kill",
    "e2e/test_lab_retry_storm.py::test_the_storm_outlives_its_fault_and_the_budget_does_not_let_it_begin",
    "e2e/test_lab_raft.py::test_raft_partition",
    "e2e/test_lab_raft.py::test_raft_against_etcd",
    "e2e/test_lab_event_loop.py::test_the_flame_graphs_difference_names_the_culprit",
    "e2e/test_lab_event_loop.py::test_a_held_loop_hurts_and_every_login_is_right",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of those files and folders; skip whole runs whose turn it is not."""
    turn = os.environ.get("TURN", "")
    later = BY_TURNS[1 - int(turn) % 2 :: 2] if turn else ()
    for item in items:
        if item.nodeid.removeprefix("tests/") in later:
            item.add_marker(pytest.mark.skip(reason="a whole run, made every second time"))
        place = item.path.relative_to(TESTS)
        if any(place.is_relative_to(real) for real in REAL):
            item.add_marker(pytest.mark.e2e)
        if any(place.is_relative_to(alone) for alone in ALONE):
            item.add_marker(pytest.mark.alone)
        if any(place.is_relative_to(untraced) for untraced in UNTRACED):
            item.add_marker(pytest.mark.untraced)
