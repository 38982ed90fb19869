"""The command line in this process: what each command gives, on which stream, with which exit code."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from report.fabricate import Recipe, fabricate

import lab.run.steps
from lab import catalogue, cli
from lab.cli import console, shell
from lab.errors import Interrupted, LabError
from lab.kit.places import ROOT
from lab.record import Run, Verdict, with_judgement, write_record
from lab.run.doctor import Finding

Lab = Callable[..., Result]


@pytest.fixture
def lab_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Gives the command line, with its runs in a folder of the test and 120 columns."""
    monkeypatch.setattr(shell, "HOME", tmp_path / "home")
    monkeypatch.delenv("LAB_RUNTIME", raising=False)

    def run(*arguments: str | Path, **env: str) -> Result:
        settings = {"LAB_REPORTS": str(tmp_path / "reports"), "COLUMNS": "120", **env}
        return CliRunner().invoke(cli.main, [str(a) for a in arguments], env=settings)

    return run


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the circuit breaker that passed."""
    return fabricate(tmp_path_factory.mktemp("original"), Recipe(per_s=20))


@pytest.fixture
def made(original: Run, tmp_path: Path) -> Run:
    """That run, in the folder of the test."""
    path = tmp_path / "reports" / "circuit-breaker" / original.path.name
    shutil.copytree(original.path, path)
    return replace(original, path=path)


def pretend_runs(monkeypatch: pytest.MonkeyPatch, made: Run, *outcomes: Verdict | BaseException) -> list[Any]:
    """Have `lab run` find these outcomes, one after another, without starting anything; gives what was asked."""
    asked: list[Any] = []
    left = list(outcomes)

    def run_one(entry: catalogue.Entry, options: Any) -> Run:
        asked.append((entry.name, options))
        outcome = left.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        judgement = made.record.judgement
        assert judgement
        return replace(made, record=with_judgement(made.record, replace(judgement, verdict=outcome)))

    monkeypatch.setattr(lab.run.steps, "run_one", run_one)
    return asked


# --- help -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_command_in_a_line(lab_: Lab, arguments: list[str]) -> None:
    """No help is cut off at 80 columns, and the exit codes are told."""
    done = lab_(*arguments, COLUMNS="80")
    assert done.exit_code == 0
    for name, command in cli.main.commands.items():
        assert name in done.stdout
        assert command.get_short_help_str(limit=66) in done.stdout
    assert "..." not in done.stdout.replace("ARGS]...", "")
    assert "Exit codes: 0 PASS, 1 FAIL, 2 UNKNOWN, 3 the lab could not do it." in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("command", sorted(cli.main.commands))
def test_every_command_has_help(lab_: Lab, command: str) -> None:
    """`lab COMMAND --help` says what it does."""
    done = lab_(command, "--help")
    assert done.exit_code == 0
    assert "Usage: " in done.stdout


def test_the_version_is_that_of_the_project(lab_: Lab) -> None:
    """`lab --version` reads it where it is set."""
    import tomllib

    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert lab_("--version").stdout == f"lab {version}\n"


@pytest.mark.parametrize(
    ("argv", "prefix", "active", "name"),
    [
        (str(ROOT / "lab/__main__.py"), ROOT / ".venv", "", ".venv/bin/python -m lab"),
        (str(ROOT / "lab/__main__.py"), ROOT / ".venv", str(ROOT / ".venv"), "python -m lab"),
        (str(ROOT / "lab/__main__.py"), Path("/usr"), "", "python -m lab"),
        ("/usr/local/bin/lab", Path("/usr"), "", "lab"),
    ],
)
def test_usage_shows_what_can_be_typed(
    monkeypatch: pytest.MonkeyPatch, argv: str, prefix: Path, active: str, name: str
) -> None:
    """The environment's own Python unless the environment is active."""
    monkeypatch.setattr(sys, "argv", [argv])
    monkeypatch.setattr(sys, "prefix", str(prefix))
    monkeypatch.setenv("VIRTUAL_ENV", active)
    assert shell._own_name() == name


# --- run --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verdict", "code"), [("PASS", 0), ("FAIL", 1), ("UNKNOWN", 2)])
def test_the_exit_code_is_the_verdict(
    lab_: Lab, made: Run, monkeypatch: pytest.MonkeyPatch, verdict: Verdict, code: int
) -> None:
    """0, 1 and 2, with the table on standard output or the same as JSON."""
    asked = pretend_runs(monkeypatch, made, verdict, verdict)
    done = lab_("run", "circuit-breaker", "--seed", "7", "--trials", "3", "--scale", "0.5")
    assert done.exit_code == code, done.output
    assert verdict in done.stdout
    data = lab_("run", "circuit-breaker", "--json")
    assert data.exit_code == code
    assert json.loads(data.stdout)["verdict"] == verdict
    first, second = (options for _, options in asked)
    assert (first.seed, first.trials, first.scale, first.runtime, first.quiet) == (7, 3, 0.5, None, False)
    assert (second.seed, second.trials, second.scale, second.quiet) == (1, 1, 1.0, True)


def test_the_catalogue_is_run_to_its_end(lab_: Lab, made: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A broken experiment and an unreadable file stop no other; the worst exit code is given."""
    entry = catalogue.find("circuit-breaker")
    entries = [replace(entry, name=name) for name in ("one", "two", "three")]
    monkeypatch.setattr(catalogue, "read_all", lambda: (entries, []))
    pretend_runs(monkeypatch, made, "PASS", LabError("payments ended"), "FAIL")
    done = lab_("run", "--all")
    assert done.exit_code == 3
    for words in ("✓ PASS", "one", "! BROKEN", "payments ended", "✗ FAIL", "three"):
        assert words in done.stdout
    monkeypatch.setattr(catalogue, "read_all", lambda: (entries[:2], ["odd.py: is odd"]))
    pretend_runs(monkeypatch, made, "PASS", "UNKNOWN")
    data = lab_("run", "--all", "--json")
    assert data.exit_code == 3
    assert [each["verdict"] for each in json.loads(data.stdout)] == ["BROKEN", "PASS", "UNKNOWN"]
    pretend_runs(monkeypatch, made, "PASS", "FAIL")
    monkeypatch.setattr(catalogue, "read_all", lambda: (entries[:2], []))
    assert lab_("run", "--all").exit_code == 1


def test_a_run_that_was_not_judged_is_unknown(lab_: Lab, made: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing passes unjudged."""
    bare = replace(made, record=replace(made.record, judgement=None))
    monkeypatch.setattr(lab.run.steps, "run_one", lambda entry, options: bare)
    assert lab_("run", "circuit-breaker").exit_code == 2
    assert lab_("run", "circuit-breaker", "--json").exit_code == 2


# --- how it ends ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (LabError("prometheus is missing"), 3, "lab: prometheus is missing\n"),
        (KeyboardInterrupt(), 130, "\nlab: interrupted\n"),
        (click.Abort(), 130, "lab: interrupted\n"),
        (Interrupted(15), 143, "lab: interrupted; everything was stopped\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/full/x"),
            3,
            "lab: /full/x: No space left on device; free disk space or fix its permissions; if it is for runs, "
            "name another folder with --reports\n",
        ),
    ],
)
def test_what_goes_wrong_is_told_in_a_sentence(
    lab_: Lab, made: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, words: str
) -> None:
    """On standard error, with an exit code that is no verdict."""
    pretend_runs(monkeypatch, made, error)
    done = lab_("run", "circuit-breaker")
    assert (done.exit_code, done.stderr, done.stdout) == (code, words, "")


def test_a_mistake_of_ours_keeps_its_details(
    lab_: Lab, made: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One sentence, exit 3, and the traceback in a file; where that cannot be written, on the terminal."""
    pretend_runs(monkeypatch, made, ZeroDivisionError("oh"), ZeroDivisionError("oh"))
    done = lab_("run", "circuit-breaker")
    assert done.exit_code == 3
    assert done.stderr.startswith("lab: broke in an unforeseen way (ZeroDivisionError: oh); the details are in ")
    assert done.stderr.count("\n") == 1
    assert "ZeroDivisionError: oh" in (tmp_path / "home" / "crash.log").read_text()
    monkeypatch.setattr(shell, "HOME", tmp_path / "home" / "crash.log")
    assert "Traceback" in lab_("run", "circuit-breaker").stderr


def test_the_package_itself_imports_nothing() -> None:
    """Before `__main__` has its `except`, a Ctrl-C shows a traceback: nothing of ours may take time before that."""
    command = [sys.executable, "-X", "importtime", "-c", "import sys; print('here', file=sys.stderr); import lab"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    imported = [line.rpartition("|")[2].strip() for line in done.stderr.partition("here\n")[2].splitlines()]
    assert imported == ["lab"]


@pytest.mark.e2e
def test_a_terminal_that_knows_no_check_mark_gets_another(made: Run) -> None:
    """ASCII standard output replaces what it cannot say, and the verdict stays."""
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "COLUMNS": "80"}
    command = [sys.executable, "-m", "lab", "judge", str(made.path)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"? PASS" in done.stdout


def test_a_name_that_no_file_can_have_is_told(lab_: Lab) -> None:
    """What the system refuses is its own sentence and no mistake of ours."""
    done = lab_("judge", "x" * 5000)
    assert done.exit_code == 3
    assert done.stderr.endswith("File name too long; give a shorter name\n")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["list"], 0), (["list", "--json"], 0), (["show", "circuit-breaker"], 0), (["--help"], 0), (["run", "--help"], 0)],
)
def test_a_reader_that_goes_away_is_no_error(arguments: list[str], code: int) -> None:
    """`lab list | head -1` ends quietly, and not with the exit code of a FAIL."""
    assert unread(arguments) == (code, b"")


@pytest.mark.e2e
def test_a_verdict_that_nobody_reads_is_the_exit_code(tmp_path: Path) -> None:
    """`lab judge RUN | head -1` still says FAIL or PASS."""
    passed = fabricate(tmp_path, Recipe(per_s=20))
    failed = fabricate(tmp_path, Recipe(per_s=20, breaker_ignored=True, run="other"))
    assert unread(["judge", str(passed.path)]) == (0, b"")
    assert unread(["judge", str(failed.path)]) == (1, b"")


def unread(arguments: list[str]) -> tuple[int, bytes]:
    """Exit code and standard error of a command whose standard output nobody reads."""
    command = [sys.executable, "-m", "lab", *arguments]
    reading, writing = os.pipe()
    os.close(reading)  # nobody reads: the first write breaks
    try:
        done = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writing)
    return done.returncode, done.stderr


# --- a run afterwards -------------------------------------------------------------------------------------------


def test_the_catalogue_shows_last_verdicts(lab_: Lab, made: Run) -> None:
    """As a table and as data; with the runs where asked."""
    done = lab_("list", "--runs")
    assert done.exit_code == 0
    assert "✓ PASS" in done.stdout
    assert made.record.run in done.stdout
    assert made.record.run not in lab_("list").stdout
    [entry] = [e for e in json.loads(lab_("list", "--runs", "--json").stdout) if e["name"] == "circuit-breaker"]
    assert (entry["last_verdict"], entry["runs"]) == ("PASS", [str(made.path)])


def test_a_broken_file_is_told_beside_the_catalogue(lab_: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is listed, the mistake is on standard error, and the exit code says so."""
    monkeypatch.setattr(catalogue, "read_all", lambda: ([catalogue.find("circuit-breaker")], ["odd.py: is odd"]))
    done = lab_("list")
    assert done.exit_code == 3
    assert "circuit-breaker" in done.stdout
    assert done.stderr == "lab: odd.py: is odd\n"


def test_show(lab_: Lab) -> None:
    """For people and for machines."""
    assert "payments silent" in lab_("show", "circuit-breaker").stdout
    assert json.loads(lab_("show", "circuit-breaker", "--json").stdout)["phases"][1]["name"] == "blip"


def test_a_run_is_judged_again(lab_: Lab, made: Run) -> None:
    """By folder, by name, by experiment and run; a judgement that changed says that the report is older."""
    for name in (str(made.path), "circuit-breaker", f"circuit-breaker/{made.record.run}"):
        done = lab_("judge", name)
        assert done.exit_code == 0, done.output
        assert "the report is older" not in done.stdout
    record = json.loads((made.path / "record.json").read_text())
    record["spec"]["claims"][2]["at_most"] = 0.0001
    (made.path / "record.json").write_text(json.dumps(record))
    done = lab_("judge", "circuit-breaker")
    assert done.exit_code == 1
    assert "make report RUN=circuit-breaker" in done.stdout
    assert json.loads(lab_("judge", "circuit-breaker", "--json").stdout)["verdict"] == "FAIL"


@pytest.mark.e2e
def test_a_report_is_written_again(lab_: Lab, made: Run, tmp_path: Path) -> None:
    """`lab report` prints the path of what it wrote, and nothing else."""
    done = lab_("report", "circuit-breaker")
    assert done.exit_code == 0, done.output
    assert Path(done.stdout.strip()) == made.path / "index.html"
    assert (made.path / "index.html").stat().st_size > 100_000
    assert (tmp_path / "reports" / "index.html").exists()


def test_runs_are_compared(lab_: Lab, made: Run, tmp_path: Path) -> None:
    """Two runs of one experiment, as a table and as data."""
    other = fabricate(tmp_path / "reports", Recipe(per_s=20, seed=8, run="other", breaker_ignored=True))
    done = lab_("compare", made.path, other.path)
    assert done.exit_code == 0
    assert "refusals are immediate" in done.stdout
    data = json.loads(lab_("compare", "circuit-breaker/other", "circuit-breaker", "--json").stdout)
    assert [run["seed"] for run in data] == [8, 8]


@pytest.mark.parametrize(("needed", "code"), [(False, 0), (True, 3)])
def test_the_doctor_fails_only_for_what_is_needed(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch, needed: bool, code: int
) -> None:
    """Something missing that no experiment needs is no failure."""
    found = [Finding("Prometheus", False, "not there", "metrics", "get it", needed)]
    monkeypatch.setattr("lab.run.doctor.examine", lambda: found)
    done = lab_("doctor")
    assert done.exit_code == code
    assert "remedy: get it" in done.stdout
    assert json.loads(lab_("doctor", "--json").stdout) == console.findings_data(found)


def test_heal(lab_: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done, or that there was nothing to do."""
    said: list[str] = []

    async def heal(reports: Path) -> list[str]:
        return said

    monkeypatch.setattr("lab.run.healing.heal_everything", heal)
    assert lab_("heal").stdout == "Nothing to heal: no run left anything.\n"
    said.append("killed process 7 (payments)")
    assert lab_("heal").stdout == "killed process 7 (payments)\n"
    assert json.loads(lab_("heal", "--json").stdout) == ["killed process 7 (payments)"]


# --- which run is meant -----------------------------------------------------------------------------------------


def refusal(text: str, reports: Path) -> str:
    """What is said of a run that is not there."""
    with pytest.raises(LabError) as caught:
        cli.open_run(text, reports)
    return str(caught.value)


def test_a_run_that_is_not_there_is_answered_with_what_to_do(made: Run, tmp_path: Path) -> None:
    """Not run yet, mistyped, a folder without a record, and nothing like it."""
    reports = tmp_path / "reports"
    assert refusal("circuit-breaker", tmp_path / "none") == (
        "circuit-breaker has not run yet; run it: make scenario NAME=circuit-breaker"
    )
    assert 'did you mean "circuit-breaker"?' in refusal("circuit-braker", reports)
    assert "make list RUNS=1" in refusal("xyzzy", reports)
    (tmp_path / "killed" / "logs").mkdir(parents=True)
    assert "still going on, or it was killed" in refusal(str(tmp_path / "killed"), reports)
    assert "no run there" in refusal(str(tmp_path / "none"), reports) or "there is no run" in refusal("none", reports)


def test_the_last_run_is_meant_by_the_name(made: Run, tmp_path: Path) -> None:
    """Runs are named by their time, so the last name is the newest."""
    newer = made.path.parent / "2030"
    shutil.copytree(made.path, newer)
    write_record(newer, made.record)
    assert cli.open_run("circuit-breaker", tmp_path / "reports").path == newer
