"""
Passwords of one run's servers: made anew for each run, known to its servers, its services and the lab alone.

They go into environments, into files of mode 0600 and, as hashes, into the servers' own tables; never onto a command
line, which every user of the machine reads.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.kit.files import put_in_place

USER = "lab"  # whom services log in as
STATISTICS = "lab_statistics"  # whom the lab logs in as to read a server's statistics
REPLICATION = "lab_replication"  # whom a standby logs in as, with the password of STATISTICS
SERVICE_VARIABLE, STATISTICS_VARIABLE = "LAB_PASSWORD", "LAB_STATISTICS_PASSWORD"


@dataclass(frozen=True)
class Credentials:
    """The passwords of USER and of STATISTICS, the same on all servers of a run.

    Each is the same text in a URL, in SQL, in a shell and in any configuration.
    """

    service: str = field(repr=False)
    statistics: str = field(repr=False)

    @classmethod
    def fresh(cls) -> Credentials:
        """Two passwords of 128 random bits each."""
        return cls(password(), password())

    @property
    def environment(self) -> Mapping[str, str]:
        """As processes and containers are told them."""
        return {SERVICE_VARIABLE: self.service, STATISTICS_VARIABLE: self.statistics}


def password() -> str:
    """128 random bits as letters and digits that begin with a letter."""
    return f"p{secrets.token_hex(16)}"


def write_private(file: Path, text: str) -> None:
    """Write a file that its owner alone reads, whatever was there before. Raises OSError."""
    put_in_place(file, text, 0o600)


def scram(password: str) -> str:
    """What PostgreSQL keeps of a password (SCRAM-SHA-256, RFC 5802), in one iteration instead of 4,096.

    Iterations make guesses costly where people choose passwords; 128 random bits are not guessed. They would cost each
    new connection some 10 ms on either side, in the middle of a measurement.
    """
    salt = os.urandom(16)
    salted = hmac.digest(password.encode(), salt + (1).to_bytes(4, "big"), "sha256")  # Hi() with i = 1
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    shown = [base64.b64encode(each).decode() for each in (salt, stored, server)]
    return f"SCRAM-SHA-256$1:{shown[0]}${shown[1]}:{shown[2]}"


def native(password: str) -> str:
    """What MariaDB keeps of a password (mysql_native_password)."""
    return "*" + hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest().upper()


def sha256(password: str) -> str:
    """What a Redis ACL keeps of a password."""
    return hashlib.sha256(password.encode()).hexdigest()
