"""The routes of a replicated map, `/kv/{key}` and `/kv/{key}/cas`: the bodies that raft and kv_client both take."""

from __future__ import annotations

from msgspec import Struct


class NewValue(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a PUT."""

    value: str


class Swap(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a compare-and-set; `expect` null: the key is absent."""

    expect: str | None
    value: str
