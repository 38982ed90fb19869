"""What the services hold: asked after the load, and where a control is to lose it by a fault, just before that one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from lab.model import Phase, Readback, Scenario
from lab.record import Early
from lab.run.episode.capture import EpisodeCapture
from lab.run.episode.context import RunContext
from lab.runtime.base import Running

TIMEOUT_S = 10.0
AHEAD_S = 0.3  # a list of some hundred keys takes milliseconds: it is there before the fault is


async def read_back(context: RunContext, capture: EpisodeCapture, running: Running) -> None:
    """Ask every readback, once the load has ended."""
    answers = await _ask(context.scenario.every_readback, capture, running)
    _write(context.folder / "readbacks", capture, answers)


async def read_early(context: RunContext, capture: EpisodeCapture, running: Running, phases: Sequence[Phase]) -> None:
    """Ask those that `lost_by_faults` names shortly before the first fault; nothing where the first phase has one."""
    calm_s = sum(phase.lasts_s for phase in takewhile(lambda phase: not phase.faults, phases))
    readbacks = lost_by_faults(context.scenario)
    if not readbacks or not calm_s:
        return
    await asyncio.sleep(max(0.0, calm_s - AHEAD_S - capture.now_s()))
    at_s = capture.now_s()
    _write(context.folder / "early", capture, Early(at_s, await _ask(readbacks, capture, running)))


def lost_by_faults(scenario: Scenario) -> list[Readback]:
    """The readbacks by which a control claim tells what a fault took: that it was there before has to be seen."""
    metrics = [claim.metric for claim in scenario.claims if claim.control]
    named = {metric.args["readback"] for metric in metrics if metric.name == "acknowledged_lost"}
    return [readback for readback in scenario.every_readback if readback.name in named]


async def _ask(readbacks: Iterable[Readback], capture: EpisodeCapture, running: Running) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
        for readback in readbacks:
            url = running.address(readback.service).url + readback.path
            try:
                async with session.get(url) as response:
                    answers[readback.name] = await response.json()
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                capture.notes.append(f"readback {readback.name}: {readback.service.name} gave no answer ({error!r})")
    return answers


def _write(folder: Path, capture: EpisodeCapture, what: object) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{capture.label}.json").write_bytes(msgspec.json.encode(what))
