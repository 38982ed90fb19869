"""Breaking with the certainty that it is mended: through cancellation, errors, and a proxy that has died."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from lab.errors import LabError
from lab.kit.tasks import surely as surely


async def together(works: Iterable[Awaitable[object]]) -> None:
    """Do all at once, each to its end, then raise the first error among them, if any."""
    for result in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


@asynccontextmanager
async def undoing(what: str, undo: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Run `undo` on exit, always and to its end.

    Where it fails after an error, the failure is added to that error as a note; else it is raised as LabError.
    """
    try:
        yield
    except BaseException as error:
        try:
            await surely(undo())
        except Exception as trouble:  # the first error matters more, whatever this one is
            error.add_note(_not_undone(what, trouble))
        raise
    try:
        await surely(undo())
    except Exception as trouble:
        raise LabError(_not_undone(what, trouble)) from trouble


def _not_undone(what: str, trouble: Exception) -> str:
    return f"{what}: could not be undone ({str(trouble) or type(trouble).__name__}); `lab heal` removes what is left"
