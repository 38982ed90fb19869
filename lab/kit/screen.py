"""A terminal as the lab writes to it: its width, control characters written out, lengths of time in words."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from lab.kit.streams import LEAST_COLUMNS, visible


class Screen(Console):
    """A console that shows the control characters of a text and does not send them: they are not the lab's."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Segments of a renderable, with its texts made visible before they are broken into lines."""
        if isinstance(renderable, str):
            renderable = visible(renderable)
        elif isinstance(renderable, Text) and (shown := visible(renderable.plain)) != renderable.plain:
            renderable = Text(
                shown, renderable.style, overflow=renderable.overflow, no_wrap=renderable.no_wrap, end=renderable.end
            )
        return super().render(renderable, options)


def console(stderr: bool = False) -> Console:
    """Standard output, or error, as it is now. Colours and links only where it is a terminal; NO_COLOR is honoured."""
    made = Screen(stderr=stderr, highlight=False, markup=False, emoji=False)
    if made.width < LEAST_COLUMNS:
        made.width = 80
    return made


def lasting(seconds: float) -> str:
    """A length of time as people say it: `45 s`, `1 min 40 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:g} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
