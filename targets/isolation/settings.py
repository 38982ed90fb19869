"""What the isolation target can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from targets.kit import Millis, Settings
from targets.kit.settings import BaseUrl, Between

PostgresUrl = Annotated[str, BaseUrl(("postgresql",), "postgresql://lab@127.0.0.1:5432/postgres")]
MariadbUrl = Annotated[str, BaseUrl(("mysql",), "mysql://lab@127.0.0.1:3306/lab")]


@dataclass(frozen=True, kw_only=True)
class IsolationSettings(Settings):
    """
    One database, one level; THINK_MS passes between what a transaction reads and what it makes of it.

    DEPOSITS says how a deposit is written: what was read plus the amount (`read-then-write`, which loses updates at
    weak levels), or by a cure: the database adds (`atomic`), the read locks (`for-update`), or the update asks for the
    balance that was read, and begins again where it has changed (`version`). LEAVES=for-update locks the shift's rows
    before it counts them.
    """

    postgres_url: PostgresUrl = ""
    mariadb_url: MariadbUrl = ""
    level: Literal["read-uncommitted", "read-committed", "repeatable-read", "serializable"] = "serializable"
    think_ms: Millis = 100.0
    deposits: Literal["read-then-write", "atomic", "for-update", "version"] = "read-then-write"
    leaves: Literal["read-then-write", "for-update"] = "read-then-write"
    attempts: Annotated[int, Between(1, 100)] = 25  # of a transaction that the server refuses for another's sake

    def __post_init__(self) -> None:
        if bool(self.postgres_url) == bool(self.mariadb_url):
            raise ValueError("POSTGRES_URL, MARIADB_URL: give one of them, and not the other")

    @property
    def level_words(self) -> str:
        """The level as SQL spells it."""
        return self.level.replace("-", " ")
