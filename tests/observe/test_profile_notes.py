"""Why there is no profile, in the lab's words."""

from __future__ import annotations

import pytest

from lab.observe.profiles import _why

BANNER = "py-spy> Sampling process 100 times a second. Press Control-C to exit.\n"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (BANNER, "no sample in 2.5 s: no thread held the interpreter's lock"),
        (f"{BANNER}\npy-spy> Stopped sampling because Control-C pressed\n", "no sample in 2.5 s"),
        (f"{BANNER}Error: No stack counts found\n", "no sample in 2.5 s"),
        (f"{BANNER}Error: Failed to find python version\n", "py-spy says: Failed to find python version"),
        ("Permission Denied: try as root\n", "py-spy may not read it"),
        ("", "py-spy was ended before it had begun"),
    ],
)
def test_no_profile(said: str, words: str) -> None:
    """py-spy's banner is no complaint: without one, nothing ran while it looked."""
    assert _why(said, 2.5).startswith(words)
