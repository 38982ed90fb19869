"""The digest changes with what decides an experiment's numbers, of any commit, and with nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import msgspec
import pytest

from lab import catalogue
from lab.evidence import digest as module
from lab.evidence.digest import digest, sources
from lab.record import ActionSpec, Spec

ENTRY = catalogue.find("circuit-breaker")
FILES = {
    "targets/exchange.py": "from targets.kit import x\nfrom targets.kit.breaking import y\nA = 1\n",
    "targets/payments.py": '"""Text."""\nfrom targets.contracts import z\nB = 1  # why\n',
    "targets/rates.py": "C = 1\n",
    "targets/kit/__init__.py": "from targets.kit import blocking\n",
    "targets/kit/blocking.py": "D = 1\n",
    "targets/kit/breaking.py": "from targets.patterns.breaker import Breaker\n",
    "targets/patterns/breaker.py": "E = 1\n",
    "targets/contracts/__init__.py": "",
    "scenarios/systems/exchange.py": (
        "def trade(rng, n):\n    return made(n)\n\ndef again(rng, n):\n    return n\n\n"
        "def made(n):\n    return n + G\n\nF = 1\nG = 1\n"
    ),
}


def of(monkeypatch: pytest.MonkeyPatch, changed: Mapping[str, str] = MappingProxyType({})) -> str | None:
    """The digest where a commit holds FILES with these changes."""
    assert changed.keys() <= FILES.keys()
    monkeypatch.setattr(module, "sources", lambda commit: FILES | changed)
    return digest(ENTRY, ENTRY.spec(), "c")


def test_what_decides_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service, a part of the kit that it names, a pattern behind that, a request, what that is made with."""
    before = of(monkeypatch)
    for path, text in {
        "targets/exchange.py": FILES["targets/exchange.py"] + "A = 2\n",
        "targets/kit/breaking.py": "from targets.patterns.breaker import Breaker\nG = 1\n",
        "targets/patterns/breaker.py": "E = 2\n",
        "targets/contracts/__init__.py": "not Python\n",
    }.items():
        assert of(monkeypatch, {path: text}) != before, path
    requests = FILES["scenarios/systems/exchange.py"]
    for old, new in (("made(n)\n\ndef again", "made(n + 1)\n\ndef again"), ("n + G", "n - G"), ("G = 1", "G = 2")):
        assert requests.count(old) == 1
        assert of(monkeypatch, {"scenarios/systems/exchange.py": requests.replace(old, new)}) != before, new


def test_what_does_not_decide_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment, a docstring, another service, what all services share, another part of the system's file."""
    before = of(monkeypatch)
    for path, text in {
        "targets/payments.py": '"""Other text."""\nfrom targets.contracts import z\n\nB = 1\n',
        "targets/contracts/__init__.py": '"""A text, and nothing else."""\n',
        "targets/rates.py": "C = 2\n",
        "targets/kit/__init__.py": "from targets.kit import other\n",
        "targets/kit/blocking.py": "D = 2\n",
        "scenarios/systems/exchange.py": FILES["scenarios/systems/exchange.py"].replace("F = 1", "F = 2"),
    }.items():
        assert of(monkeypatch, {path: text}) == before, path


def test_what_is_asked_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound does; what a claim is called does not."""
    before = of(monkeypatch)
    spec = ENTRY.spec()
    first = spec.claims[0]
    for changed, same in ((replace(first, text="renamed"), True), (replace(first, at_least=1.0), False)):
        other = digest(ENTRY, replace(spec, claims=[changed, *spec.claims[1:]]), "c")
        assert (other == before) is same


def test_an_action_is_asked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether there is one, and when it is done; what it is called is not."""
    before = of(monkeypatch)
    spec, action = ENTRY.spec(), ActionSpec("promote", "fault", 5.0, "a standby promoted", ["primary", "standby"])

    def with_one(changed: ActionSpec) -> str | None:
        return digest(ENTRY, replace(spec, actions=[changed]), "c")

    assert with_one(action) != before
    assert with_one(action) != with_one(replace(action, after_s=6.0))
    assert with_one(action) == with_one(replace(action, text="renamed"))


def test_a_record_asks_what_its_scenario_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the whole catalogue: written down and read back, a spec is of the same code."""
    monkeypatch.setattr(module, "sources", lambda commit: FILES)
    for entry in catalogue.read_all()[0]:
        spec = entry.spec()
        kept = msgspec.json.decode(msgspec.json.encode(spec), type=Spec)
        assert digest(entry, kept, "c") == digest(entry, spec, "c"), entry.name


def test_files_are_those_of_the_commit(tmp_path: Path) -> None:
    """Not those of the working tree; a commit that is not there has none."""

    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "a.py").write_text("one = 'é'\n")
    (tmp_path / "targets" / "b.py").write_text("")
    (tmp_path / "targets" / "c.txt").write_text("no Python")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "a")
    (tmp_path / "targets" / "a.py").write_text("two\n")
    assert sources(git("rev-parse", "HEAD"), tmp_path) == {"targets/a.py": "one = 'é'\n", "targets/b.py": ""}
    assert sources("0" * 40, tmp_path) is None
