"""README and docs name nothing that is not there, and show what the lab really prints."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from doc_pages import DOCS, ROOT

from lab import catalogue, cli
from lab.cli import shell
from lab.record import read_run

pytestmark = pytest.mark.untraced

README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
EXAMPLE = ROOT / "reports" / "example" / "circuit-breaker"
STOPS = {"|", ";", "&&", "#", ">", "2>"}


def code(page: Path) -> Iterator[str]:
    """Every line of code on a page: what stands in backticks, in fences and indented."""
    text = page.read_text("utf-8")
    fences = re.findall(r"^```.*?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from (line for fence in fences for line in fence.splitlines())
    yield from re.findall(r"`([^`\n]+)`", rest)
    yield from re.findall(r"^ {4}(\S.*)$", rest, re.MULTILINE)


def commands(page: Path, program: str) -> Iterator[list[str]]:
    """The words behind a program, wherever code on a page runs it."""
    for line in code(page):
        found = re.match(rf"(?:\$ )?{program}(?: (.*))?$", line)
        if found:
            words = shlex.split((found[1] or "").replace("'", ""), comments=True)
            end = next((at for at, word in enumerate(words) if word in STOPS or word.endswith(";")), len(words))
            yield words[:end]


def options_alone(page: Path) -> list[str]:
    """Code on a page that begins with an option, such as `--runtime local`."""
    return [line for line in code(page) if line.startswith("--")]


def targets() -> set[str]:
    """The targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def given(makefile: str) -> list[str]:
    """The variables that the Makefile takes."""
    found = re.search(r"^GIVEN := ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    assert found
    return found[1].replace("\\", " ").split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_exists(page: Path) -> None:
    """What a page tells to make, the Makefile makes, with the variables that it knows."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for words in commands(page, "make"):
        asked = [word for word in words if "=" not in word]
        assert set(asked) <= targets(), words
        for word in words:
            if "=" in word:
                assert word.partition("=")[0] in given(makefile), words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_the_lab_exists(page: Path) -> None:
    """Each subcommand that a page names is there, and takes the options that the page gives it."""
    known = cli.main.commands
    for words in commands(page, r"(?:\S*python3? -m |bin/)?lab"):
        if not words:
            continue
        assert words[0] in known or words[0] in {"--help", "-h", "--version"}, words
        options = {word.partition("=")[0] for word in words[1:] if word.startswith("-")}
        if words[0] in known:
            taken = {
                opt for parameter in known[words[0]].params for opt in [*parameter.opts, *parameter.secondary_opts]
            }
            assert options <= taken | {"--help", "-h"}, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_option_alone_exists(page: Path) -> None:
    """An option that a page names by itself belongs to some command of the lab."""
    taken = {opt for command in cli.main.commands.values() for parameter in command.params for opt in parameter.opts}
    assert {re.split("[ =]", option)[0] for option in options_alone(page)} <= taken


def test_pages_do_name_commands() -> None:
    """The tests above find what they are to check."""
    assert list(commands(README, "make"))[:2] == [["scenario", "NAME=circuit-breaker"], ["test"]]
    assert ["judge", "example"] in list(commands(README, "bin/lab"))
    assert "--runtime local" in options_alone(README)
    assert any(words[:1] == ["run"] for words in commands(DOCS / "writing-a-scenario.md", "python -m lab"))


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading of the README, without its head."""
    _, _, text = README.read_text("utf-8").partition(f"\n## {heading}\n")
    table = re.findall(r"^\|(.*)\|$", text.partition("\n## ")[0], re.MULTILINE)
    return [[cell.strip() for cell in row.split("|")] for row in table[2:]]


def test_the_table_of_experiments_is_the_catalogue() -> None:
    """Every experiment has its row, in the handbook's order, with its section, file and question."""
    entries, mistakes = catalogue.read_all()
    assert not mistakes
    assert rows("Experiments") == [
        [entry.scenario.sections[0], f"[{entry.name}]({entry.file.relative_to(ROOT)})", entry.scenario.question]
        for entry in entries
    ]


def test_the_exit_codes_are_those_of_the_command_line() -> None:
    """Each verdict and each way to have none stands in the table with its code."""
    told = [(row[0], int(row[1])) for row in rows("Reading the result")]
    assert told == [*cli.EXIT_CODES.items(), ("(none)", shell.BROKEN), ("(none)", shell.INTERRUPTED)]


def test_every_flag_of_the_makefile_is_a_flag_of_the_lab() -> None:
    """What the Makefile passes on is an option of the command that gets it."""
    passed = re.findall(r"\$\(call (?:option|flag),(--[a-z-]+),[A-Z]", (ROOT / "Makefile").read_text("utf-8"))
    commands: list[click.Command] = [
        cli.main.commands[name] for name in ("run", "list", "stack", "sabotage", "images", "evidence", "sweep")
    ]
    assert passed
    assert set(passed) <= {opt for command in commands for parameter in command.params for opt in parameter.opts}


def test_the_verdict_is_printed_as_the_readme_shows_it() -> None:
    """What the README shows of the example is what the lab prints of it."""
    printed = runpy.run_path(str(ROOT / "scripts" / "example_report.py"))["printed"]
    assert f"```\n{printed(read_run(EXAMPLE))}```\n" in README.read_text("utf-8")


def test_the_example_is_found_by_its_name() -> None:
    """`lab judge example` means the run that is kept for readers."""
    assert cli.open_run("example", ROOT / "reports").path == EXAMPLE


def test_the_picture_is_small() -> None:
    """The picture of a report is a PNG of at most 300 kB."""
    picture = (DOCS / "images" / "report.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) <= 300_000


def test_the_picture_and_the_example_are_in_the_readme() -> None:
    """A reader sees a report before any command."""
    above = README.read_text("utf-8").partition("## Two commands")[0]
    assert "docs/images/report.png" in above
    assert "reports/example/circuit-breaker" in above
