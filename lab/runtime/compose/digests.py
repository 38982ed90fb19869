"""
Images by digest: a tag may come to mean another image, a digest cannot.

`make images PIN=1` pulls by tag, asks the engine which image each tag meant, and writes that into
`docker-compose.digests.yml`, an override to be committed. From then on `make images` pulls exactly those.

What this rests on is the engine's API (`GET /images/{name}/json`): RepoDigests has `repository@sha256:...` for each
registry from which the image was pulled, and nothing for one that was built here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError
from lab.runtime.compose.engine import Engine

FILE = "docker-compose.digests.yml"
BASE = "reports"  # its image is that which the targets' is built from
HEAD = """\
# Over docker-compose.yml: the images that its tags meant when they were pulled. Written by `make images PIN=1`.
"""


def pinned(name: str, image: Mapping[str, Any]) -> str:
    """An image by tag and digest, from what the engine knows of it; by its tag alone where it came from no registry."""
    plain = name.partition("@")[0]
    repository = plain.rpartition(":")[0]
    for each in image.get("RepoDigests") or ():
        found, _, digest = str(each).partition("@")
        if _whole(found) == _whole(repository) and re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            return f"{plain}@{digest}"
    return plain


def _whole(repository: str) -> str:
    """As Docker writes it in full: `postgres` is `docker.io/library/postgres`."""
    first, slash, _ = repository.partition("/")
    if not slash:
        return f"docker.io/library/{repository}"
    return repository if "." in first or ":" in first or first == "localhost" else f"docker.io/{repository}"


def override(base: Mapping[str, Any], images: Mapping[str, Mapping[str, Any]]) -> str:
    """The override's text, for what the engine knows of each image by its name in docker-compose.yml.

    Raises LabError for an image that was pulled and has no digest.
    """
    services: dict[str, dict[str, Any]] = {}
    for service, each in base["services"].items():
        if "build" not in each:
            services[service] = {"image": _with_digest(each["image"], images)}
    for service, each in base["services"].items():
        if "build" in each and BASE in services:
            services[service] = {"build": {"args": {"BASE": services[BASE]["image"]}}}
    return HEAD + yaml.safe_dump({"services": dict(sorted(services.items()))}, sort_keys=False, width=200)


def _with_digest(name: str, images: Mapping[str, Mapping[str, Any]]) -> str:
    found = pinned(name, images.get(name, {}))
    if "@" not in found:
        raise LabError(f"the engine knows no digest of {name}; pull it from its registry (`make images PIN=1`)")
    return found


async def write(root: Path, base: Mapping[str, Any], engine: Engine) -> str:
    """Write the override from what the engine has; gives a sentence. Raises LabError."""
    names = {each["image"] for each in base["services"].values() if "build" not in each}
    images = {name: found for name in sorted(names) if (found := await engine.image(name))}
    (root / FILE).write_text(override(base, images), "utf-8")
    return f"wrote {FILE}: {len(names)} images by digest; commit it, so that others get the same"
