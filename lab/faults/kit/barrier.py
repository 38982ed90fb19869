"""A fault that waits until an operation stands at a named point of a target (`targets/kit/barriers.py`), over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from lab.errors import LabError
from lab.faults.kit.bounds import at_least
from lab.faults.kit.undo import undoing
from lab.model import Backing, Fault, Member, Scalar, Service, Takes
from lab.model.bench import Bench

WITHIN_S = 1.0  # a point that operations come by ten times a second is reached in a tenth of that
SHORTEST_S = 0.05
HOLD_S = (
    10.0  # the signal follows within milliseconds; a target whose engine has died goes on by itself after this long
)
ANSWER_S = 2.0  # beyond the wait itself: a busy machine


def patience_s(fault: str, member: Member, at: str | None, within_s: float | None) -> float | None:
    """The `within_s` of a fault, WITHIN_S where it has an `at` and says nothing else. ValueError where both cannot be.

    Servers that we did not write have no barriers.
    """
    if at is None:
        if within_s is not None:
            raise ValueError(f"{fault}: within_s is {within_s!r}, and there is no barrier to wait for; give `at` too")
        return None
    if isinstance(member, Backing):
        raise ValueError(f"{fault}: at is {at!r}; only services have barriers, and {member.name} is a {member.kind}")
    if not at.strip():
        raise ValueError(f"{fault}: at is {at!r}; it takes the name of a barrier of {member.name}")
    at_least(fault, "within_s", WITHIN_S if within_s is None else within_s, SHORTEST_S)
    return WITHIN_S if within_s is None else within_s


def of(member: Member, at: str | None) -> Mapping[Service, str]:
    """What `Fault.barriers` gives for a fault at one member."""
    return {member: at} if at is not None and isinstance(member, Service) else {}


def takes(within_s: float | None, out: Takes) -> Takes:
    """How long a fault may take that waits up to `within_s` for a barrier before it goes in; `out` is its way out."""
    if within_s is None:
        return out
    why = "an operation is awaited at the barrier"
    return Takes(out.in_s + within_s, out.out_s, f"{why}; {out.why}" if out.why else why)


@asynccontextmanager
async def held(
    bench: Bench, member: Member, at: str | None, within_s: float | None
) -> AsyncIterator[dict[str, Scalar]]:
    """Hold the next operation that comes by `at` until the block ends; without `at`, hold nothing.

    Gives what belongs into the receipt: `barrier`, whether it was `reached` within `within_s`, `reached_by` which
    operation and `reached_after_s` since it was armed. Raises LabError where the target has no such barrier.
    """
    if at is None or within_s is None:
        yield {}
        return
    url = f"{bench.address(member).url}/barriers/{at}"
    async with undoing(f"{member.name} held at {at}", lambda: _release(url)):
        got = await _ask("POST", url, member, within_s + ANSWER_S, {"within_s": within_s, "hold_s": HOLD_S})
        facts: dict[str, Scalar] = {"barrier": at, "reached": bool(got["reached"])}
        if got["reached"]:
            facts |= {"reached_by": str(got["by"]), "reached_after_s": round(float(got["after_s"]), 4)}
        else:
            facts["within_s"] = within_s
        yield facts


async def check(bench: Bench, faults: Iterable[Fault]) -> None:
    """Raise LabError where a fault waits for a barrier that its service does not have: before the load, not in it."""
    wanted = [(member, at) for fault in faults for one in fault.candidates for member, at in one.barriers.items()]
    for member, at in wanted:
        if member in bench.members():
            names = (await _ask("GET", f"{bench.address(member).url}/barriers", member, ANSWER_S))["barriers"]
            if at not in names:
                raise LabError(f"{member.name} has no barrier {at}; it has: {', '.join(names) or 'none'}")


async def _ask(method: str, url: str, member: Member, timeout_s: float, body: object = None) -> dict[str, Any]:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_s)) as session,
            session.request(method, url, json=body) as response,
        ):
            got: dict[str, Any] = await response.json(content_type=None)
            if response.status != 200:
                raise LabError(f"{member.name}: {got.get('detail') or got}")
            return got
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise LabError(
            f"{member.name} was asked for its barriers ({method} {url}) and gave no answer: {error!r}"
        ) from error


async def _release(url: str) -> None:
    """Let go what is held, if the target is still there: it lets go by itself where it cannot be asked."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S)) as session,
            session.delete(url),
        ):
            pass
    except (aiohttp.ClientError, TimeoutError):
        return
