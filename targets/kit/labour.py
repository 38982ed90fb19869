"""Honest work for the CPU, of a length that can be asked for in milliseconds on any machine."""

from __future__ import annotations

import hashlib
import time

TRIAL_ROUNDS = 20_000
TRIALS = 5


def hash_password(password: str, rounds: int) -> bytes:
    """PBKDF2 (RFC 8018). OpenSSL computes it without the interpreter's lock, so that threads really run beside it."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), b"salt of the lab", rounds)


def rounds_for(work_ms: float) -> int:
    """How many rounds take `work_ms` on one core of this machine: the best of a few trials, scaled."""
    took_s = min(_timed(TRIAL_ROUNDS) for _ in range(TRIALS))
    return max(1, round(TRIAL_ROUNDS * work_ms / 1000 / took_s))


def _timed(rounds: int) -> float:
    began_s = time.perf_counter()
    hash_password("trial", rounds)
    return time.perf_counter() - began_s
