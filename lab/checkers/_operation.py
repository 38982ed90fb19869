"""One operation on a register, as the linearizability checker takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Value = str | None  # None: the key is absent
Kind = Literal["read", "write", "swap", "unlike", "append"]

NOBODYS = "\0 a value that no operation looks for"  # one for all: configurations that differ in it do not differ


@dataclass(frozen=True, slots=True)
class Op:
    """
    One operation on the register, in seconds of one clock; it takes effect at some moment between start and end.

    read: the register held `sees`. write: it holds `sets` from then on. swap: it held `sees` and holds `sets`.
    unlike: a compare that did not match, so it held anything but `sees`. append: `sets` is added to the end of what it
    held. One that is not `certain` may have happened at any time from its start on, or never; its `end_s` is infinite.
    """

    n: int
    start_s: float
    end_s: float
    kind: Kind
    sees: Value = None
    sets: Value = None
    certain: bool = True

    def fits(self, state: Value) -> bool:
        """Whether it can take effect while the register holds `state`."""
        if self.kind == "write" or self.kind == "append":
            return True
        return (state != self.sees) if self.kind == "unlike" else (state == self.sees)

    @property
    def changes(self) -> bool:
        """Whether it leaves a value behind."""
        return self.kind in ("write", "swap", "append")

    @property
    def looks_for(self) -> bool:
        """Whether it needs one certain value to be there."""
        return self.kind in ("read", "swap")
