"""Makes requests in a thread that never keeps the lab from ending: a scenario's function may not return."""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread

from lab.errors import ScenarioError

STUCK_S = 10.0  # for one request; a function that makes one takes microseconds
_LOOK_S = 0.1


@dataclass
class Making:
    """The request that is being made: the operation's name and the arrival's number, None before the first."""

    operation: str | None = None
    n: int = -1


async def in_thread(work: Callable[[], None], making: Making, stuck_s: float = STUCK_S) -> None:
    """Do `work`, which says in `making` where it is; what it raises is raised here.

    Raises ScenarioError where one request takes longer than `stuck_s`. The thread is told to end then, and when this
    is cancelled; where it does not listen, the process ends without it (an executor's threads would be waited for).
    """
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # raised again where it is awaited
            raised.append(error)
        finally:
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

    thread = Thread(target=run, name="requests", daemon=True)
    thread.start()
    try:
        await _watch(done, making, stuck_s)
    finally:
        if thread.is_alive() and not done.is_set():
            _end(thread)
    if raised:
        raise raised[0]


async def _watch(done: asyncio.Event, making: Making, stuck_s: float) -> None:
    loop = asyncio.get_running_loop()
    at, since_s = making.n, loop.time()
    while True:
        try:
            async with asyncio.timeout(_LOOK_S):
                await done.wait()
            return
        except TimeoutError:
            if making.n != at:
                at, since_s = making.n, loop.time()
            elif making.operation is not None and loop.time() - since_s > stuck_s:
                where = f'operation "{making.operation}": its function has not returned'
                raise ScenarioError(
                    [f"{where} for {stuck_s:g} s at arrival {making.n}; it must give each Request at once"]
                ) from None


def _end(thread: Thread) -> None:
    """Raise SystemExit in it, between two of its bytecodes."""
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
