"""
Engines that let other machines reach published ports on 127.0.0.1.

Before Docker 28 another machine of the same layer-2 network reaches such ports, and the containers' own addresses:
https://github.com/moby/moby/issues/45610 and 41872.
"""

from __future__ import annotations

import re

SHUT_SINCE = 28
OPEN = "before 28 its ports on 127.0.0.1 are open to other machines of the same network: see SECURITY.md"


def warning(version: str) -> str:
    """What to say of an engine's version (`27.3.1`); empty for one that is new enough, or has no number."""
    major = re.match(r"\d+", version)
    return OPEN if major and int(major[0]) < SHUT_SINCE else ""
