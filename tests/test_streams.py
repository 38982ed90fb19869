"""Standard streams that are closed, full or no longer read, and texts that a terminal would obey."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.cli.console.shapes import lines, put, table
from lab.kit import streams
from lab.kit.places import ROOT
from lab.kit.screen import console
from lab.kit.streams import LONGEST_LINE, brief, tell, visible

pytestmark = pytest.mark.untraced

LAB = f"{sys.executable} -m lab"


def in_shell(command: str, env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> tuple[int, str, str]:
    """Exit code, output and error of a command as a shell runs it."""
    words = ["/bin/bash", "-o", "pipefail", "-c", f'lab() {{ {LAB} "$@"; }}; {command}']
    paths = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=cwd, env={**os.environ, **paths, **(env or {})}, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("command", "code", "out", "err"),
    [
        ("lab list >&-", 0, "", ""),
        ("lab list 2>&-", 0, "circuit-breaker", ""),
        ("lab list <&-", 0, "circuit-breaker", ""),
        ("lab list >&- 2>&- <&-", 0, "", ""),
        ("lab --help >&-", 0, "", ""),
        ("lab show xyzzy >&-", 3, "", 'lab: no experiment is called "xyzzy"'),
        ("lab show xyzzy 2>&-", 3, "", ""),
        ("lab --help > /dev/full", 3, "", "lab: writing to standard output failed (No space left on device)"),
        ("lab list > /dev/full", 3, "", "lab: writing to standard output failed (No space left on device)"),
        ("lab show xyzzy 2> /dev/full", 3, "", ""),
        ("lab list | head -1", 0, "section", ""),
    ],
)
def test_a_stream_that_cannot_be_used_breaks_nothing(command: str, code: int, out: str, err: str) -> None:
    """Exit code and the other stream are what they would be; what was lost to a full disk is told."""
    if "/dev/full" in command and not Path("/dev/full").exists():
        pytest.skip("only Linux has /dev/full")
    done = in_shell(command)
    assert done[0] == code, done
    assert out in done[1]
    assert done[2].startswith(err)
    assert done[2].count("\n") == bool(err)


@pytest.mark.parametrize("width", ["0", "1", "-5", "abc", "²", ""])
def test_a_width_that_makes_no_sense_is_not_taken(width: str) -> None:
    """COLUMNS=0 shows what a terminal of 80 columns would, and not nothing."""
    assert in_shell("lab list", {"COLUMNS": width})[1] == in_shell("lab list", {"COLUMNS": "80"})[1] != ""


def test_a_terminal_without_a_size_is_taken_for_one_of_80(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one behind a serial line is, which says 0 by 0."""
    for width, taken in ((0, 80), (3, 80), (20, 20), (33, 33)):
        monkeypatch.setattr(os, "get_terminal_size", lambda *_, width=width: os.terminal_size((width, width)))
        monkeypatch.delenv("COLUMNS", raising=False)
        assert console().width == taken


def test_a_working_directory_that_is_gone_is_told(tmp_path: Path) -> None:
    """In one sentence, since no path could be told from another."""
    (tmp_path / "gone").mkdir()
    done = in_shell(f"cd {tmp_path}/gone; rmdir ../gone; lab list")
    assert done == (3, "", "lab: the folder that this was started in has been removed; `cd` to one that is there\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("a\r\nb\tc", "a\\x0d\nb\tc"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202etxt", "abc\\u202etxt"),
        ("lone \udc80", "lone \\udc80"),
        ("naïve ✓ 日本 👩‍🚀", "naïve ✓ 日本 👩‍🚀"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text: str, shown: str) -> None:
    """Control characters of both ranges, and those that turn the direction; letters of any script stay."""
    assert visible(text) == shown


@pytest.mark.parametrize("command", ["show", "judge", "run", "frobnicate", "report"])
def test_a_name_is_echoed_visibly_and_briefly(command: str) -> None:
    """Neither a title of the terminal nor 100,000 characters come back."""
    named = "" if command == "frobnicate" else f"{command} "
    code, out, err = in_shell(f"lab {named}$'\\x1b]0;owned\\x07'")
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "\x1b" not in err
    assert "\x07" not in err
    assert "\\x1b]0;owned\\x07" in err
    for long in ("x" * 100_000, "x y " * 25_000):
        code, out, err = in_shell(f"lab {named}'{long}'")
        assert (code, out, err.count("\n")) == (3, "", 1)
        assert len(err) < LONGEST_LINE + 500
        assert "unforeseen" not in err


def test_brief_leaves_what_a_person_would_write() -> None:
    """A path of 300 characters stays whole, and so do many lines."""
    text = "\n".join(f"{'/long' * 60}: line {number}" for number in range(50))
    assert brief(text) == text
    assert brief("x" * 5_000) == f"{'x' * 40}... (5,000 characters)"


def prints(file: Path) -> list[str]:
    """Calls in a module that write a text to a stream as it is."""
    found = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "click.echo", "click.secho"):
            words = ast.unparse(node.args[0]) if node.args else ""
            if not words.startswith(("json.dumps(", "console.spec_json(")):  # which write such characters out
                found.append(f"{file.relative_to(ROOT)}:{node.lineno}: {words}")
    return found


def test_every_text_passes_through_one_function() -> None:
    """Sentences of an engine, a master or a sabotage went to the terminal as they came."""
    # The function itself; and a log's, without imports.
    own = {ROOT / "lab" / name for name in ("kit/streams.py", "runtime/child.py")}
    assert [call for file in sorted((ROOT / "lab").rglob("*.py")) if file not in own for call in prints(file)] == []


@pytest.mark.parametrize("aside", [False, True])
def test_what_is_told_is_visible(capsys: pytest.CaptureFixture[str], aside: bool) -> None:
    """On either stream; OSC 52 would have filled the clipboard."""
    tell("a \x1b]52;c;eA==\x07\n\tb", aside=aside)
    caught = capsys.readouterr()
    assert (caught.err, caught.out)[:: 1 if aside else -1] == ("a \\x1b]52;c;eA==\\x07\n\tb\n", "")


def test_what_the_console_prints_is_visible_too(capsys: pytest.CaptureFixture[str]) -> None:
    """In texts, cells, and cells of several lines, before lines are broken; colours of the lab's own stay."""
    to = console()
    evil = "bad \x1b[2J name"
    put(to, evil, lines(evil, "x"), table(to, ["a", "b"], [(evil, lines("y", evil))]))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert out.count("\\x1b[2J") == 4


def test_what_has_no_reader_is_not_missed(tmp_path: Path) -> None:
    """Writing goes on into nowhere after a pipe has closed; only a full disk is remembered."""
    reading, writing = os.pipe()
    os.close(reading)
    outlet = streams.Outlet(writing)
    assert [outlet.write(b"abc"), outlet.write(b"defg")] == [3, 4]
    assert outlet.lost is None
    os.close(writing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_what_a_full_disk_takes_is_remembered() -> None:
    """So that it can be said at the end."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    outlet = streams.Outlet(descriptor)
    assert outlet.write(b"abc") == 3
    assert outlet.lost is not None
    os.close(descriptor)
