"""Wrong command lines, put together from the lab's own commands and options: one sentence each.

Of ten parts of 25 lines four are tried; all with WRONG_COMMAND_LINE_PARTS=10.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import click
import pytest
from lab_runs import ROOT

from lab import cli

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

PARTS, LINES, SEED = 10, 25, 7
TRIED = int(os.environ.get("WRONG_COMMAND_LINE_PARTS", "4"))
NONSENSE = [
    *("", " ", "-", "--", "---", "-x", "--x=1", "0", "-1", "1e9", "nan", "∞", "٣", "x" * 100_000, "a b\tc\nd"),
    *("../../etc/passwd", "/dev/null", "/proc/self/mem", "/", ".", "..", "~", "*", "no/such/file.py", "file:///x"),
    *(
        "\x1b]0;owned\x07",
        "\x1b[2J",
        "\u202egnp.exe",
        "\udcff",
        "%s%n{}",
        "$(touch made)",
        "`touch made`",
        "x|touch made",
    ),
    *("circuit-braker", "Circuit-Breaker", "circuit-breaker/", "circuit-breaker/latest/..", "circuit_breaker.py"),
    *("True", "None", "[]", '{"a": 1}', "1,2", "01", "+1", "0x10", "1_000", "½", "1" * 400),
]
# Those that do work, or start it, if the line is right.
MAKES = {
    "run",
    "up",
    "down",
    "images",
    "stack",
    "heal",
    "doctor",
    "list",
    "sabotage",
    "load-worker",
}  # do work if right


def wrong_line(rng: random.Random) -> list[str]:
    """A command line with at least one thing wrong with it."""
    name = rng.choice(sorted(cli.main.commands))
    options = [option for each in cli.main.commands[name].params for option in each.opts if option.startswith("--")]
    if name in MAKES:  # with an option that there is not, since many of these take no argument or do their work
        words = [rng.choice(NONSENSE) for _ in range(rng.randrange(3))]
        words.insert(
            rng.randrange(len(words) + 1), rng.choice(["--nonsense", "--seed=x", "--reports=/dev/null/x", "-9"])
        )
        words = [word for word in words if word != "--"]
    else:
        words = [rng.choice(NONSENSE) for _ in range(rng.randrange(1, 4))]
        if options and rng.random() < 0.5:
            words.insert(rng.randrange(len(words) + 1), rng.choice(options))
    return [rng.choice([name, name.upper(), name[:-1], f"{name}\x07"]) if rng.random() < 0.1 else name, *words]


def said(line: list[str], folder: Path) -> tuple[int, str, str]:
    """What the lab answers, where runs would go into a folder of the test."""
    env = {**os.environ, "LAB_REPORTS": str(folder / "r"), "LAB_HOME": str(folder / "home"), "LAB_RUNTIME": "local"}
    words = [os.fsencode(word.replace("\0", "")) for word in line]
    done = subprocess.run(
        [sys.executable.encode(), b"-m", b"lab", *words],
        cwd=ROOT, env=env, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


@pytest.mark.parametrize("part", range(TRIED))
def test_every_wrong_line_is_answered_with_one_sentence(tmp_path: Path, part: int) -> None:
    """Exit code 3, nothing on standard output, one visible line that is not endless, and nothing made."""
    rng = random.Random(SEED * 100 + part)
    for line in [wrong_line(rng) for _ in range(LINES)]:
        code, out, err = said(line, tmp_path)
        shown = [word[:60] for word in line]
        assert (code, out) == (3, ""), (shown, code, out, err)
        assert err.startswith("lab: "), (shown, err)
        assert err.count("\n") == 1, (shown, err)
        assert err[:-1].isprintable(), (shown, err)
        assert len(err) < 3_000, (shown, len(err))
        assert not any(word in err for word in ("Traceback", "unforeseen")), (shown, err)
    assert not (ROOT / "made").exists()
    assert list(tmp_path.iterdir()) == []


def test_lines_are_of_every_command() -> None:
    """What is put together reaches each of them."""
    lines = [
        wrong_line(rng) for part in range(PARTS) for rng in [random.Random(SEED * 100 + part)] for _ in range(LINES)
    ]
    assert {line[0] for line in lines} >= set(cli.main.commands)
    assert isinstance(cli.main, click.Group)
