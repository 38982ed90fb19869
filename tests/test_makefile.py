"""What is given to make reaches the lab as it is: neither make nor the shell takes any of it for a command."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
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
        "PYTHON"
    }


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
