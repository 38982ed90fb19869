"""Requests are made in a thread that can be left behind, and a function that does not return is named."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from random import Random

import pytest

from lab.errors import ScenarioError
from lab.load.arrivals import schedule, stream
from lab.load.making import Making, in_thread
from lab.model import Load, Operation, Request, Service

ROOT = Path(__file__).parents[2]
ENDLESS = """
import asyncio, sys
from lab.load.making import Making, in_thread
from lab.load.arrivals import schedule
from lab.model import Load, Operation, Request, Service

def make(rng, n):
    while n == 3:
        try:
            print("in it", flush=True)
            while True:
                pass
        except BaseException:
            pass  # the loop that nothing ends
    return Request("GET", "/")

load, making = Load(Operation("op", make), Service("a"), per_s=10), Making()
try:
    asyncio.run(in_thread(lambda: schedule(load, 1, 1, making=making), making))
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_a_function_that_does_not_return_is_named() -> None:
    """With its operation and the arrival; the thread ends, so that it takes no processor from what is stopped then."""
    ended = threading.Event()

    def make(rng: Random, n: int) -> Request:
        try:
            while n == 3:
                pass
        finally:
            if n == 3:
                ended.set()
        return Request("GET", "/")

    load, making = Load(Operation("op", make), Service("a"), per_s=10), Making()
    with pytest.raises(ScenarioError, match=r'operation "op": its function has not returned for 0\.3 s at arrival 3'):
        asyncio.run(in_thread(lambda: list(schedule(load, 1, 1, making=making)), making, stuck_s=0.3))
    assert ended.wait(30)


def test_what_the_work_raises_is_raised() -> None:
    """The scenario's mistake comes out as it would without a thread, also where it means to leave."""

    def make(rng: Random, n: int) -> Request:
        return sys.exit(3)

    load = Load(Operation("op", make), Service("a"), per_s=10)
    making = Making()
    with pytest.raises(ScenarioError, match='operation "op": its function failed at arrival 0: SystemExit: 3'):
        asyncio.run(in_thread(lambda: next(stream(load, 1, making=making)) and None, making))


def test_a_key_that_is_no_text_is_refused_before_the_run() -> None:
    """An int would be found by Arrow, after it."""
    load = Load(Operation("op", lambda rng, n: Request("GET", "/", key=n)), Service("a"), per_s=10)  # type: ignore[arg-type]
    with pytest.raises(ScenarioError, match=r'operation "op" \(arrival 0\): Request: key is 0; it takes text or None'):
        schedule(load, 1, 1)


def test_ctrl_c_ends_a_process_whose_thread_does_not_listen() -> None:
    """It is a daemon: neither asyncio nor the interpreter waits for it."""
    process = subprocess.Popen([sys.executable, "-c", ENDLESS], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "in it\n"
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()
