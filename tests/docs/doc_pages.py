"""Pages that are executed: their fenced blocks are files to write, changes to make and commands to run, in order."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
WAIT_S = 240
WRITTEN = ("python", "markdown", "diff")


@dataclass(frozen=True)
class Block:
    """A fenced block: its kind (`python`, `diff`, `console`), what stands behind that, and what is in it."""

    kind: str
    words: tuple[str, ...]
    body: str

    @property
    def name(self) -> str:
        """The file it is about."""
        return self.words[0]

    @property
    def mistake(self) -> bool:
        """Whether it is made for the next command only, to show what is then said."""
        return "mistake" in self.words


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in order."""
    found = re.findall(r"^```(\w+)((?: \S+)*)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [Block(kind, tuple(words.split()), body) for kind, words, body in found]


def copied(folder: Path, *names: str) -> Path:
    """These files and folders of the project in a folder of their own, which is given back."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def changed(text: str, diff: str) -> str:
    """`text` after a diff of one or more pieces, parted by lines of `@@`, each of which fits in one place only."""
    for piece in re.split(r"^@@.*\n", diff, flags=re.MULTILINE):
        lines = piece.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -\n")
        new = "".join(line[1:] for line in lines if line[0] in " +\n")
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times, not once"
        text = text.replace(old, new)
    return text


def run(command: str, folder: Path, env: Mapping[str, str] | None = None) -> str:
    """What a shell command says, in `folder`, with this python first on the path."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    clean["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    clean["COLUMNS"] = "100"
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env={**clean, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    return done.stdout


def write(block: Block, folder: Path) -> None:
    """Write the file of a `python` or `markdown` block, or make the change of a `diff` block."""
    file = folder / block.name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(changed(file.read_text("utf-8"), block.body) if block.kind == "diff" else block.body, "utf-8")


def execute(page: Path, folder: Path, env: Mapping[str, str] | None = None, heard: Callable[[str], str] = str) -> int:
    """
    Follow a page from top to bottom, in `folder`; gives the number of commands run.

    Each command must say what the page shows, where `...` stands for anything; `heard` may change what it said before.
    A mistake is undone after its command.
    """
    checker = doctest.OutputChecker()
    commands = 0
    before: dict[Path, str] = {}
    for block in blocks(page):
        if block.kind in WRITTEN:
            if block.mistake:
                before[folder / block.name] = (folder / block.name).read_text("utf-8")
            write(block, folder)
        elif block.kind == "console":
            command, _, expected = block.body.partition("\n")
            said = heard(run(command.removeprefix("$ "), folder, env))
            options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            assert checker.check_output(expected, said, options), f"{command}\nsays:\n{said}"
            commands += 1
            for file, text in before.items():
                file.write_text(text, "utf-8")
            before.clear()
    return commands


def untidy(page: Path, folder: Path, *ignore: str) -> str:
    """What the linter and the formatter say of the files of a page, after each step; nothing where all is well."""
    rules = f"--ignore {','.join(ignore)}" if ignore else ""
    said = ""
    for block in blocks(page):
        if block.kind in WRITTEN and block.words and block.name.endswith(".py") and not block.mistake:
            write(block, folder)
            said += run(f"ruff check -q {rules} {block.name}; ruff format -q --diff {block.name}", folder)
    return said
