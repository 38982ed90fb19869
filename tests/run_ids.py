"""Run ids that no other test has: what ends a run ends every process on the machine that bears its id."""

import os
import uuid


def fresh(name: str = "run") -> str:
    """A run id of its own, with the test process's id and a random part, so that two clones may test at once."""
    return f"{name}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
