"""
Writes targets/requirements.lock and targets/profiler.lock: of requirements.lock what the containers need, no more.

    python scripts/targets_lock.py

The lock file says under each package which others want it (`# via`), so that is all there is to read.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
# What a target may import, by the name it is imported under. A test holds that no target imports anything else.
TARGETS = {
    "aiohttp": "aiohttp",
    "aiomysql": "aiomysql",
    "asyncpg": "asyncpg",
    "msgspec": "msgspec",
    "nats": "nats-py",
    "prometheus_client": "prometheus-client",
    "redis": "redis",
    "uvloop": "uvloop",
}
WANTED = {
    ROOT / "targets" / "requirements.lock": set(TARGETS.values()),
    ROOT / "targets" / "profiler.lock": {"py-spy"},
}


def entries(lock: str) -> dict[str, str]:
    """The entry of each package, by its name."""
    found = re.split(r"(?m)^(?=[a-z0-9])", lock)
    return {entry.partition("==")[0]: entry for entry in found if "==" in entry}


def wanted_by(entry: str) -> set[str]:
    """The packages that an entry says it is there for."""
    _, _, reasons = entry.partition("# via")
    return {name for name in re.split(r"[\s#]+", reasons) if name}


def closure(lock: str, roots: set[str]) -> str:
    """The entries of some packages and of all that they want, in the lock's own order and words."""
    packages, chosen = entries(lock), set(roots)
    if lost := roots - packages.keys():
        raise SystemExit(f"{LOCK.name} has no {', '.join(sorted(lost))}; `make lock` writes it from pyproject.toml")
    while more := {n for n, entry in packages.items() if n not in chosen and wanted_by(entry) & chosen}:
        chosen |= more
    return "".join(entry for name, entry in packages.items() if name in chosen)


if __name__ == "__main__":
    for file, roots in WANTED.items():
        file.write_text(closure(LOCK.read_text("utf-8"), roots), "utf-8")
        print(f"{file.relative_to(ROOT)}: {file.read_text('utf-8').count('==')} packages")
