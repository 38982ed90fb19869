"""
Puts this folder on the import path, for helpers that several rooms share (`waits`), and reads what tests are marked as.

Each file says what its tests need, with `pytestmark`; pyproject.toml says what the marks mean. `make unit` runs what is
not marked `e2e` and needs nothing but Python.

A script that starts the tests with `&` has them ignore SIGINT and SIGQUIT, and whatever they start inherits that: they
are heard again, since many tests are about them.

Runs that tests start are local ones, also where a Docker engine answers, unless a test asks for containers; and they
draw in nobody's Grafana, unless a test brings one.
"""

from __future__ import annotations

import base64
import faulthandler
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import hypothesis
import pytest
from turns import made

hypothesis.settings.register_profile("lab", deadline=None)  # how long an example takes tells of the machine
hypothesis.settings.load_profile("lab")
os.environ["LAB_RUNTIME"] = "local"
os.environ["GRAFANA_URL"] = "none"
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGQUIT) == signal.SIG_IGN:
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)

WHOLE_RUNS = 1  # each time; CI makes circuit-breaker's beside them, and three mutants, which are whole runs too
COVERAGE = "COVERAGE_PROCESS_CONFIG"  # with this in its environment a Python measures its coverage
DRAWN_ONCE = "tests/report/"
STUCK_S = 300.0  # ends the process where pyproject.toml's timeout cannot: in a fixture, or while the GIL is held
STDERR = os.dup(2)  # while a test runs, 2 is pytest's


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests, and skip those whose turn it is not.

    Long ones begin first, so that at the end no worker has one left while the others have nothing.
    """
    items.sort(key=lambda item: (not marked(item, "untraced"), not marked(item, "e2e")))
    if turn := os.environ.get("TURN"):
        for item in skipped(items, int(turn)):
            item.add_marker(pytest.mark.skip(reason="it has its turn in a later commit"))


def skipped(items: list[pytest.Item], turn: int) -> list[pytest.Item]:
    """Tests that take turns and have none now: those with the same `each` are a group, whole runs and others."""
    groups: dict[int, list[pytest.Item]] = {}
    for item in items:
        if mark := item.get_closest_marker("by_turns"):
            groups.setdefault(mark.kwargs.get("each", WHOLE_RUNS), []).append(item)
    now = {name for each, group in groups.items() for name in made([item.nodeid for item in group], turn, each)}
    return [item for group in groups.values() for item in group if item.nodeid not in now]


def marked(item: pytest.Item, mark: str) -> bool:
    """Whether a test has a mark, by itself or by its file."""
    return item.get_closest_marker(mark) is not None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Measure coverage as a test's marks say, in this process and in those that it starts; end it where it is stuck."""
    with ExitStack() as stack:
        stack.callback(faulthandler.cancel_dump_traceback_later)
        if marked(item, "untraced"):
            stack.enter_context(untraced())
        elif marked(item, "greenlets"):
            stack.enter_context(in_greenlets())
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Arm the watchdog for each stage of a test and each rerun: a failure makes pytest disarm it."""
    faulthandler.dump_traceback_later(STUCK_S, exit=True, file=STDERR)


pytest_runtest_call = pytest_runtest_teardown = pytest_runtest_setup


@contextmanager
def untraced() -> Iterator[None]:
    """Without coverage."""
    config, trace, of_threads = os.environ.pop(COVERAGE, None), sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    try:
        yield
    finally:
        threading.settrace(of_threads)  # type: ignore[arg-type]
        sys.settrace(trace)
        if config is not None:
            os.environ[COVERAGE] = config


@contextmanager
def in_greenlets() -> Iterator[None]:
    """With coverage that asks at each call which greenlet it is in, in the processes that are started."""
    if (config := os.environ.get(COVERAGE)) is None:
        yield
        return
    settings = json.loads(base64.b64decode(config)) | {"concurrency": ["thread", "gevent"]}
    os.environ[COVERAGE] = base64.b64encode(json.dumps(settings).encode()).decode()
    try:
        yield
    finally:
        os.environ[COVERAGE] = config


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Workers get files, and one gets all of tests/report, whose reports are drawn once for all who look at them."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return DRAWN_ONCE if nodeid.startswith(DRAWN_ONCE) else super()._split_scope(nodeid)

    return ByFile(config, log)
