"""Images are built by Compose: each once, with a word every few seconds, and the last lines of a build that failed."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.kit.tasks import awaiting
from lab.runtime import programs
from lab.runtime.compose import cli

EVERY_S = 10.0
SHOWN_LINES, SHOWN_CHARACTERS = 15, 100
LOG = Path(".lab", "compose", "build.log")
# What pip, Go, curl and apt say of a network that has certificates of its own.
OWN_CERTIFICATES = re.compile(
    r"CERTIFICATE_VERIFY_FAILED|SSLError|certificate signed by unknown|self-signed cert", re.I
)
BUNDLE = (
    "this network has certificates of its own: name a file that has them, such as "
    "CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt, after `make images` or `make images-debian`"
)


def once_each(base: Mapping[str, Any], services: Iterable[str]) -> list[str]:
    """The services to be built for these (for all where none is named): one for each image, since targets share one.

    `base` is what `docker compose config` says. One that is pulled or is not there is left to Compose to complain of.
    """
    every = base["services"]
    first: dict[str, str] = {}
    for name in list(services) or [name for name, each in every.items() if "build" in each]:
        each = every.get(name, {"build": {}, "image": name})
        if "build" in each:
            first.setdefault(str(each.get("image", name)), name)
    return list(first.values())


async def build(root: Path, services: Iterable[str], tell: Callable[[str], None]) -> None:
    """Build the images of these services, of all where none is named. Raises ComposeError with a build's last lines."""
    names = once_each(await cli.config(root), services)
    if not names:
        return
    words = cli.argv("--profile", "*", "build", *names)
    plain = {**cli.environment(root), "BUILDKIT_PROGRESS": "plain"}
    await run(root, words, plain, f"building {', '.join(names)}", tell)


async def run(root: Path, words: Sequence[str], env: Mapping[str, str], what: str, tell: Callable[[str], None]) -> None:
    """Run a program that takes its time, with a line for `tell` every `EVERY_S`; all that it says goes to `LOG`.

    Raises ComposeError with its last lines where it fails.
    """
    log, began = root / LOG, time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    tell(what)
    try:
        with log.open("wb") as file, awaiting(what):
            async with programs.running(words, root, env, file, subprocess.STDOUT) as process:
                ended = asyncio.create_task(process.wait())
                while not (await asyncio.wait([ended], timeout=EVERY_S))[0]:
                    tell(f"  {time.monotonic() - began:.0f} s: {_last(log, 1)[:SHOWN_CHARACTERS]}")
    except FileNotFoundError as error:
        raise cli.ComposeError(f"{words[0]} cannot be run: {error.strerror}") from error
    if code := ended.result():
        said = _last(log, SHOWN_LINES)
        hint = f"\n{BUNDLE}" if OWN_CERTIFICATES.search(log.read_text("utf-8", "replace")) else ""
        raise cli.ComposeError(f"{what} failed (exit code {code}); its last lines ({LOG}):\n{said}{hint}")


def _last(log: Path, lines: int) -> str:
    """The end of what it said; a program that draws its progress overwrites a line from its beginning."""
    said = [line.rpartition("\r")[2].rstrip() for line in log.read_text("utf-8", "replace").splitlines()]
    return "\n".join([line for line in said if line][-lines:])
