"""Toxics into links, and surely out again."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count

from lab.faults.kit.undo import surely, together, undoing
from lab.model import Link, Scalar
from lab.model.bench import Bench, Stream, Toxic

_numbers = count(1)


def toxic(kind: str, stream: Stream = "downstream", share: float = 1.0, **attributes: int) -> Toxic:
    """A toxic with a name of its own, so that two faults of a kind on one link never take each other out."""
    return Toxic(f"lab_{kind}_{stream}_{next(_numbers)}", kind, stream, share, attributes)


def both_ways(kind: str, **attributes: int) -> tuple[Toxic, Toxic]:
    """The same toxic on what the caller sends and on what the callee sends."""
    return toxic(kind, "upstream", **attributes), toxic(kind, "downstream", **attributes)


@asynccontextmanager
async def toxics(bench: Bench, what: str, asked: Mapping[Link, Sequence[Toxic]]) -> AsyncIterator[Mapping[str, Scalar]]:
    """Put toxics into links, all links at once; journaled before, out again on exit, always.

    Yields what the proxy reported of each when it was read back; LinkControl raises ProxyError where that is not
    what was asked. Of several links it also tells how long it took from the first to the last, in and (after) out.
    """
    controls = {link: bench.link(link) for link in asked}
    facts: dict[str, Scalar] = {}

    async def put_in(link: Link) -> None:
        for one in asked[link]:
            found = await controls[link].add(one)
            name = f"{found.type} {found.stream}"
            facts[name if len(asked) == 1 else f"{link.name} {name}"] = _words(found)

    async def undo() -> None:
        await together(controls[link].remove(one.name) for link in asked for one in reversed(asked[link]))

    async def timed(name: str, work: Awaitable[None]) -> None:
        began = time.monotonic()
        await work
        if len(asked) > 1:
            facts[name] = round((time.monotonic() - began) * 1000, 1)

    with bench.journal(what, links=", ".join(link.name for link in asked)):
        async with undoing(what, lambda: timed("out_took_ms", undo())):
            await surely(timed("in_took_ms", together(put_in(link) for link in asked)))
            yield facts


def _words(one: Toxic) -> str:
    return ", ".join([f"{name} {value}" for name, value in one.attributes.items()] + [f"toxicity {one.toxicity:g}"])
