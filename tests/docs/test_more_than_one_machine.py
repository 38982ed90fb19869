"""What a page has people type names no path that another user of the machine may have made before."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from doc_pages import DOCS, ROOT, blocks

from lab.errors import LabError
from lab.runtime.compose.endpoint import endpoint

pytestmark = pytest.mark.untraced

PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
SHARED = re.compile(r"(?<![\w.-])(/var)?/tmp\b|/dev/shm\b")  # folders in which every user makes names
PRINTS = '#!/bin/sh\nprintf "%s\\n" "$(basename "$0") host=$DOCKER_HOST $*" >>"$SAID"\n'


def typed(folder: Path, lines: str, **environment: str) -> list[str]:
    """What `ssh` and `make` are told by these lines of a shell, with DOCKER_HOST as each has it."""
    for program in ("ssh", "make"):
        (folder / program).write_text(PRINTS)
        (folder / program).chmod(0o755)
    said = folder / "said"
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "SAID": str(said), **environment}
    subprocess.run(["sh", "-euc", f"{lines}\nwait"], cwd=folder, env=env, check=True, timeout=30)
    return sorted(said.read_text().splitlines())


def of_the_page() -> str:
    """The lines that forward an engine's socket."""
    (body,) = [block.body for block in blocks(DOCS / "more-than-one-machine.md") if "docker.sock" in block.body]
    return body


def of_the_error(monkeypatch: pytest.MonkeyPatch) -> str:
    """The same as the lab itself says them."""
    monkeypatch.setenv("DOCKER_HOST", "ssh://far")
    with pytest.raises(LabError) as refused:
        endpoint()
    forward = re.search(r"`(ssh [^`]*)`", str(refused.value))
    there = re.search(r"DOCKER_HOST=(\S+), ", str(refused.value))
    assert forward
    assert there
    return f"{forward[1]} &\nDOCKER_HOST={there[1]} make"


@pytest.mark.parametrize("source", ["page", "error"])
@pytest.mark.parametrize("has_one", [True, False])
def test_an_engine_is_forwarded_to_a_folder_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, has_one: bool
) -> None:
    """Another user's socket in /tmp would be given the lab's orders; a forward that fails ends at once."""
    home, own = tmp_path / "home of mine", tmp_path / "run"
    lines = of_the_page() if source == "page" else of_the_error(monkeypatch)
    make, ssh = typed(tmp_path, lines, HOME=str(home), **({"XDG_RUNTIME_DIR": str(own)} if has_one else {}))
    socket = (own if has_one else home / ".ssh") / "lab-docker.sock"
    assert make.startswith(f"make host=unix://{socket}")
    assert f"-o ExitOnForwardFailure=yes -L {socket}:/var/run/docker.sock " in ssh


def test_no_page_has_people_use_a_folder_that_all_share() -> None:
    """In the blocks of every page: their commands, and their programs."""
    found = [
        f"{page.relative_to(ROOT)}: {line}"
        for page in PAGES
        for block in blocks(page)
        for line in block.body.splitlines()
        if SHARED.search(line)
    ]
    assert found == []
