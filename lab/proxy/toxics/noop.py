"""noop: passes everything on untouched."""

from lab.proxy.stage import Stage


class Noop(Stage):
    """The plain stage."""

    __slots__ = ()
