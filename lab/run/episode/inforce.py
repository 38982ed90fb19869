"""The faults of one phase: put in one after the other, taken out all at once, each with the times of both."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from lab import faults
from lab.faults.kit.undo import surely, together
from lab.model import Fault, Phase
from lab.observe.grafana import FAULT
from lab.run.episode.capture import EpisodeCapture, Injection
from lab.run.episode.context import RunContext
from lab.runtime.base import Running


class InForce:
    """The faults of a phase, from `inject` until the block is left, however it is left.

    They are taken out at the same time: a process that takes a second to come back holds up no toxic.
    """

    def __init__(self, context: RunContext, capture: EpisodeCapture, running: Running, phase: Phase) -> None:
        self._context = context
        self._capture = capture
        self._running = running
        self._phase = phase
        self._injected: list[AsyncExitStack] = []

    async def __aenter__(self) -> Self:
        return self

    async def inject(self) -> None:
        """Put in all faults of the phase."""
        for number, fault in enumerate(self._phase.faults, 1):
            await self._inject(f"{self._phase.name}#{number}", fault)

    async def _inject(self, fault_id: str, fault: Fault) -> None:
        now_s, stack = self._capture.now_s, AsyncExitStack()
        self._injected.append(stack)
        resolved = await fault.resolve(self._running)
        began_s = now_s()
        times = Injection(fault_id, fault, resolved, self._phase.name, began_s, began_s, {})

        def removed(*raised: object) -> None:
            if raised[0] is None:
                times.removed_s = now_s()

        def removing() -> None:
            times.removing_s = now_s()

        stack.push(removed)
        times.read_back = await stack.enter_async_context(resolved.inject(self._running))
        times.injected_s = now_s()
        stack.callback(removing)
        self._capture.injections.append(times)
        tags = (FAULT, self._capture.variant.name, faults.spec(resolved).kind)
        stack.enter_context(self._context.marks.region(resolved.text, *tags, lasts_s=self._phase.lasts_s))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await surely(together(stack.__aexit__(kind, error, trace) for stack in self._injected))
