"""The actions of one phase: each begun at its moment, beside the phase; what was read back is its receipt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lab.actions import specs
from lab.errors import LabError
from lab.model import Action, Phase
from lab.record import ActionReceipt, ActionSpec
from lab.run.episode.capture import EpisodeCapture
from lab.runtime.base import Running


@asynccontextmanager
async def acting(capture: EpisodeCapture, running: Running, phase: Phase, start_s: float) -> AsyncIterator[None]:
    """Do the phase's actions while the block runs; on exit each has ended, or was cancelled where the run is over."""
    plain = specs([phase])
    tasks = [
        asyncio.create_task(_act(capture, running, one, action, start_s + action.after_s))
        for one, action in zip(plain, phase.actions, strict=True)
    ]
    try:
        yield
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _act(capture: EpisodeCapture, running: Running, spec: ActionSpec, action: Action, at_s: float) -> None:
    await asyncio.sleep(max(0.0, at_s - capture.now_s()))
    began_s = capture.now_s()
    with running.journal(action.text, member=", ".join(spec.targets)):
        try:
            read_back, error = dict(await action.perform(running)), ""
        except LabError as failed:
            read_back, error = {}, str(failed)
    capture.actions.append(ActionReceipt(spec, began_s, capture.now_s(), read_back, error))
