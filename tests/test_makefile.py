"""What is given to make reaches the lab as it is: neither make nor the shell takes any of it for a command."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.kit.places import ROOT

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
GIVEN = {
    "scenario": ["NAME", "SET", "TRIALS", "SEED", "SCALE", "RUNTIME", "LOAD_WORKERS", "LOAD_MASTER"],
    "sweep": ["NAME", "KNOB", "SET", "TRIALS", "SEED", "SCALE", "RUNTIME"],
    "show": ["NAME", "TARGET"],
    "predict": ["NAME"],
    "judge": ["RUN"],
    "report": ["RUN"],
    "compare": ["RUNS"],
    "load-worker": ["MASTER"],
    "images": ["SERVICES", "CA_BUNDLE"],
    "images-debian": ["SERVICES", "CA_BUNDLE"],
    "stack": ["PROFILES", "PORTS"],
    "sabotage": ["NAMES", "MUTANT", "WITHIN_S"],
    "evidence": ["SEEDS", "FROM"],
}
SEVERAL = {"RUNS", "SERVICES", "PROFILES", "NAMES", "MUTANT", "FROM"}
PRINTS = '#!/bin/sh\nfor word; do printf "<%s>" "$word"; done; echo\n'
HOSTILE = ["x|touch made", "x;touch made", "`touch made`", "$(shell touch made)", "$$(touch made)", "x'$$(touch made)'"]
HOSTILE += ["x\ntouch made", "x&touch made", 'x";touch made;"', "x>made"]


def made_of(folder: Path, target: str, *given: str) -> str:
    """What `make` would have the shell do, with programs in place that only print their arguments."""
    make = shutil.which("make")
    assert make
    (folder / "Makefile").write_text(MAKEFILE)
    for program in (".venv/bin/python", "python3"):
        (folder / program).parent.mkdir(parents=True, exist_ok=True)
        (folder / program).write_text(PRINTS)
        (folder / program).chmod(0o755)
    # Without what a make around these tests has left there: this one is to be the first, as in a user's shell.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    env["PATH"] = f"{folder}:{env['PATH']}"
    done = subprocess.run([make, target, *given], cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize(("target", "name"), [(target, name) for target, names in GIVEN.items() for name in names])
def test_no_variable_is_taken_for_a_command(tmp_path: Path, target: str, name: str) -> None:
    """Each hostile value arrives in the words of the command, and nothing else happens."""
    for hostile in HOSTILE:
        said = made_of(tmp_path, target, f"{name}={hostile}")
        assert not (tmp_path / "made").exists(), hostile
        if name != "CA_BUNDLE":  # which goes into the environment
            words = hostile.split() if name in SEVERAL else [hostile]
            for word in words:
                assert f"<{word}>".replace("\n", " ") in said, (hostile, said)


def test_every_variable_is_tried() -> None:
    """A variable that the Makefile takes from its caller is in the table above, or is never passed on."""
    taken = re.search(r"^GIVEN := ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    assert taken
    tried = {name for names in GIVEN.values() for name in names}
    assert set(taken[1].replace("\\", " ").split()) - tried == {
        "PREDICT",
        "RECORDS",
        "TOUCHED",
        "FRESH",
        "PIN",
        "PYTHON",
    }
    assert set(re.findall(r"\$\(call (?:quoted|all-quoted|option),(?:--[a-z-]*,)?([A-Z_]+)\)", MAKEFILE)) - tried == {
        "PYTHON",
        "UNKNOWN",  # names that are none of these, for the sentence that refuses them
    }


def failing(folder: Path, *words: str, deaf: bool = False) -> subprocess.CompletedProcess[str]:
    """What make does where its Python ends with 2, having said why; `deaf`: started as a script's `&` does."""
    make = shutil.which("make")
    assert make
    made_of(folder, "setup")
    (folder / ".venv/bin/python").write_text("#!/bin/sh\necho told why >&2\nexit 2\n")
    (folder / "scripts").mkdir(exist_ok=True)
    shutil.copy(ROOT / "scripts" / "make_variables.py", folder / "scripts")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    (folder / "python3").unlink(missing_ok=True)
    (folder / "scripts" / "bootstrap.py").write_text("")
    start = "trap '' QUIT; exec \"$@\"" if deaf else 'exec "$@"'
    command = ["sh", "-c", start, "sh", make, f"PYTHON={sys.executable}", *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


def test_make_adds_nothing_to_what_failed(tmp_path: Path) -> None:
    """It ends with a code that is not 0, and without `make: *** [Makefile:50: scenario] Error 2`."""
    done = failing(tmp_path, "scenario", "NAME=circuit-breaker")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "told why\n")
    done = failing(tmp_path, "test")
    assert (done.returncode, done.stderr) == (1, "told why\n")  # the first command's: none of those after it ran


def test_a_make_that_ignores_sigquit_fails_all_the_same(tmp_path: Path) -> None:
    """It cannot be told to end quietly, and its code is worth more than its silence."""
    done = failing(tmp_path, "scenario", "NAME=circuit-breaker", deaf=True)
    assert done.returncode == 2
    assert done.stderr.startswith("told why\n")
    done = failing(tmp_path, "scenario", "name=circuit-breaker", deaf=True)
    assert done.returncode == 2
    assert "did you mean NAME=?" in done.stderr
    assert "told why" not in done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("BREAKER_OPEN_S=10", 'takes no "BREAKER_OPEN_S"; turn a knob with SET="SERVICE.BREAKER_OPEN_S=..."'),
        ("name=circuit-breaker", 'takes no "name"; did you mean NAME=?'),
        ("SED=7", 'takes no "SED"; did you mean SEED=?'),
        ("a;>made=1", 'takes no "a;>made"; turn a knob'),
    ],
)
def test_a_variable_that_make_does_not_take_is_refused(tmp_path: Path, given: str, said: str) -> None:
    """Ignored, it would pass for heard: one sentence, and nothing is run."""
    done = failing(tmp_path, "scenario", "NAME=circuit-breaker", given)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert said in line
    assert not (tmp_path / "made").exists()


def test_a_program_with_a_blank_in_its_name_is_run(tmp_path: Path) -> None:
    """PYTHON is one word, as the other variables are."""
    (tmp_path / "my python").write_text("#!/bin/sh\necho mine\n")
    (tmp_path / "my python").chmod(0o755)
    assert made_of(tmp_path, "setup", f"PYTHON={tmp_path / 'my python'}") == "mine\n"


def test_words_stay_words(tmp_path: Path) -> None:
    """Several services are several arguments; one experiment is one, and never an option."""
    said = made_of(tmp_path, "compare", "RUNS=a/1 b/2").splitlines()[-1]
    assert said == "<-m><lab><compare><--><a/1><b/2>"
    assert made_of(tmp_path, "scenario", "NAME=--all", "TRIALS=3 --all").splitlines()[-1] == (
        "<-m><lab><run><--trials><3 --all><--><--all>"
    )
