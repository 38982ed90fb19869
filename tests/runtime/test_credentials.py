"""Passwords of a run, and where they are written."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from pathlib import Path

import pytest

from lab.runtime.compose import dotenv
from lab.runtime.credentials import Credentials, native, scram, sha256, write_private

pytestmark = pytest.mark.e2e


def test_each_run_has_its_own_and_shows_none() -> None:
    """Two runs share nothing; what is printed of them is no password; any text takes them as they are."""
    one, other = Credentials.fresh(), Credentials.fresh()
    words = {one.service, one.statistics, other.service, other.statistics}
    assert len(words) == 4
    assert all(re.fullmatch(r"p[0-9a-f]{32}", word) for word in words)
    assert not [word for word in words if word in f"{one!r} {other}"]


def test_what_postgres_keeps_is_what_a_client_proves() -> None:
    """SCRAM-SHA-256 (RFC 5802, 3): the keys follow from the password, salt and iterations."""
    scheme, iterations, keys = re.fullmatch(r"(SCRAM-SHA-256)\$(\d+):(.*)", scram("pencil")).groups()  # type: ignore[union-attr]
    salt, stored, server = (base64.b64decode(part) for part in re.split("[$:]", keys))
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", salt, int(iterations))
    assert scheme == "SCRAM-SHA-256"
    assert stored == hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    assert server == hmac.digest(salted, b"Server Key", "sha256")
    assert len(salt) == 16


def test_what_mariadb_and_redis_keep() -> None:
    """As `SELECT PASSWORD('mypass')` of MariaDB's manual has it, and SHA-256 of FIPS 180-2."""
    assert native("mypass") == "*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4"
    assert sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_private_file_is_its_owners_and_follows_no_link(tmp_path: Path) -> None:
    """Whatever was at its place is replaced, and what a link there led to is left alone."""
    file, precious = tmp_path / "stack.json", tmp_path / "precious"
    precious.write_text("mine")
    file.symlink_to(precious)
    write_private(file, "a secret")
    assert (file.read_text(), file.stat().st_mode & 0o777, precious.read_text()) == ("a secret", 0o600, "mine")


def test_by_hand_they_are_in_a_file_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """.env gets each password that is missing, once, and keeps what is there; its owner alone reads it."""
    for name in dotenv.PASSWORDS:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env").write_text("GRAFANA_ADMIN_PASSWORD=mine\n")
    dotenv.ensure(tmp_path)
    written = dotenv.read(tmp_path)
    assert set(written) == set(dotenv.PASSWORDS)
    assert written["GRAFANA_ADMIN_PASSWORD"] == "mine"
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    dotenv.ensure(tmp_path)
    assert dotenv.read(tmp_path) == written


def test_grafanas_password_is_read_in_its_container_and_by_no_other_user_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user in a container reads the file; other users of this machine do not get to its folder."""
    for name in (*dotenv.PASSWORDS, dotenv.VOLUME):
        monkeypatch.delenv(name, raising=False)
    before = os.umask(0o077)
    try:
        dotenv.ensure(tmp_path)
    finally:
        os.umask(before)
    first, secret = dotenv.read(tmp_path), tmp_path / dotenv.SECRET
    assert secret.read_text() == first[dotenv.PASSWORD]
    assert (secret.stat().st_mode & 0o777, secret.parent.stat().st_mode & 0o777) == (0o444, 0o700)
    dotenv.write(tmp_path, {dotenv.PASSWORD: "mine"})
    dotenv.ensure(tmp_path)
    assert secret.read_text() == "mine"
    assert dotenv.read(tmp_path)[dotenv.VOLUME] == first[dotenv.VOLUME], "its owner knows the volume"
    (tmp_path / ".env").unlink()
    dotenv.ensure(tmp_path)
    assert dotenv.read(tmp_path)[dotenv.VOLUME] != first[dotenv.VOLUME], "a new password has a new volume"
