"""Set-up from a bare Python: nothing twice, every failure in its own words, and a way where ensurepip is left out."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.untraced

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "bootstrap.py"
SMALL = "iniconfig"  # a package without dependencies, of a few kilobytes
SYSTEM_PYTHON = "/usr/bin/python3"
NO_ENSUREPIP = 'import sys\nsys.modules["ensurepip"] = None\n'

debian = pytest.mark.skipif(
    not (shutil.which("apt-get") and Path(SYSTEM_PYTHON).exists()), reason="a Debian with its own Python"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project of the script and two lock files, the smaller of which asks for nothing."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts")
    (tmp_path / "requirements.lock").write_text("# nothing\n")
    (tmp_path / "requirements-dev.lock").write_text(locked(SMALL))
    return tmp_path


def locked(package: str) -> str:
    """The lines of one package in the lock file, with its hashes."""
    found = re.search(
        rf"^{package}==.*?(?=^\S)", (ROOT / "requirements-dev.lock").read_text(), re.MULTILINE | re.DOTALL
    )
    assert found
    return found.group()


def run(project: Path, *arguments: str, python: str = sys.executable, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the script as `make` does, without uv: what comes with Python must do."""
    return subprocess.run(
        [python, "scripts/bootstrap.py", *arguments],
        cwd=project,
        env={**os.environ, "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def loaded(project: Path) -> ModuleType:
    """The script as a module, whose project is the copy."""
    spec = importlib.util.spec_from_file_location("bootstrap_copy", project / "scripts" / "bootstrap.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pretend_set_up(project: Path) -> None:
    """Leave an environment behind that looks as if it had been set up."""
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "python").write_text("")
    digest = hashlib.sha256((project / "requirements.lock").read_bytes()).hexdigest()
    (project / ".venv" / ".lock-sha256").write_text(f"{digest} other\n")


def test_an_old_python_can_read_it() -> None:
    """Python 3.7 understands every line of the script, and so can say that it is too old."""
    ast.parse(SCRIPT.read_text("utf-8"), feature_version=(3, 7))


def test_an_old_python_is_told_which_one_is_needed(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python 3.9 gets one sentence, with what to type instead, and exit code 3; nothing is made."""
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    assert loaded(project).main([]) == 3
    assert capsys.readouterr().err == (
        "set-up: Python 3.11 or newer is needed, and this is 3.9.2; name one that you have: make PYTHON=python3.12\n"
    )
    assert not (project / ".venv").exists()


def test_what_is_set_up_is_left_alone(project: Path) -> None:
    """With the stamp of this lock file nothing is said and nothing is touched."""
    pretend_set_up(project)
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    done = run(project)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {path: path.stat().st_mtime_ns for path in project.rglob("*")} == before


def test_another_lock_file_or_no_python_is_not_set_up(project: Path) -> None:
    """The stamp counts for the lock file that it names, and while the Python that it stands for is there."""
    pretend_set_up(project)
    module = loaded(project)
    assert module.up_to_date(project / "requirements.lock")
    assert not module.up_to_date(project / "requirements-dev.lock")
    (project / "requirements.lock").write_text("# something else\n")
    assert not module.up_to_date(project / "requirements.lock")
    (project / "requirements.lock").write_text("# nothing\n")
    (project / ".venv" / "bin" / "python").unlink()
    (project / ".venv" / "bin" / "python").symlink_to("/no/such/python3.10")
    assert not module.up_to_date(project / "requirements.lock")


def test_a_missing_lock_file_is_named(project: Path) -> None:
    """Exit 3 with the file's name, and no traceback."""
    (project / "requirements.lock").unlink()
    done = run(project)
    assert done.returncode == 3
    assert done.stderr.startswith("set-up: ")
    assert "requirements.lock: No such file or directory" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / ".venv").exists()


def test_without_any_pip_all_ways_to_get_one_are_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No ensurepip, no wheel of pip and no apt-get: the error says what to install on which system."""
    module = loaded(project)
    monkeypatch.setattr(module, "WHEELS", project / "no-wheels")
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    with pytest.raises(module.SetupError, match=r"apt-get install python3-venv.*dnf install python3-pip.*uv"):
        module.pip_wheel()


@pytest.mark.e2e
def test_it_sets_up_with_pip_and_keeps_what_is_there(project: Path) -> None:
    """The first time it installs, the second time it has nothing to do; the larger lock file serves for both."""
    first = run(project, "--dev")
    assert first.returncode == 0, first.stderr
    assert "Setting up .venv from requirements-dev.lock" in first.stderr
    python = str(project / ".venv" / "bin" / "python")
    subprocess.run([python, "-c", f"import {SMALL}"], check=True)
    for arguments in (["--dev"], []):
        again = run(project, *arguments)
        assert (again.returncode, again.stderr) == (0, "")


@pytest.mark.e2e
def test_a_failed_install_shows_its_last_lines(project: Path) -> None:
    """What pip said last stands in the error; exit 3; the next attempt starts again."""
    (project / "requirements.lock").write_text(f"no-such-package-of-ours==1.0 --hash=sha256:{'0' * 64}\n")
    done = run(project, PIP_NO_INDEX="1")
    assert done.returncode == 3
    said = [line for line in done.stderr.splitlines() if not re.match(r"  \d+ s: ", line)]
    assert said[1] == "set-up: pip could not install requirements.lock; is the network there?"
    assert "No matching distribution found for no-such-package-of-ours==1.0" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(said) <= 17
    assert not (project / ".venv" / ".lock-sha256").exists()
    assert run(project, PIP_NO_INDEX="1").returncode == 3


def test_what_takes_long_is_told_while_it_goes_on(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Set-up was silent for up to two minutes. This one would not end before it has said something."""
    module, told = loaded(project), project / "told"
    monkeypatch.setattr(module, "EVERY_S", 0.01)
    monkeypatch.setattr(module.sys, "stderr", told.open("w"))
    script = (
        "echo 'Collecting a==1'; echo 'Collecting b==1'; until grep -q ' s: 2 packages, Coll' told; do :; done; exit 5"
    )
    with pytest.raises(module.SetupError, match=r"^no\nCollecting a==1\nCollecting b==1$"):
        module._run(["sh", "-c", script], "no", cwd=project)
    assert re.fullmatch(r"  \d+ s: 2 packages, Collecting b==1", told.read_text().splitlines()[-1])


@pytest.mark.e2e
def test_a_package_that_is_not_the_locked_one_is_refused(project: Path) -> None:
    """A wrong hash stops the set-up: nothing unknown is installed."""
    lock = project / "requirements-dev.lock"
    lock.write_text(re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", locked(SMALL)))
    done = run(project, "--dev")
    assert done.returncode == 3
    assert "DO NOT MATCH THE HASHES" in done.stderr


@debian
@pytest.mark.e2e
def test_without_ensurepip_pip_comes_from_its_wheel(project: Path) -> None:
    """Debian's Python with ensurepip left out, as on a bare machine, sets up all the same."""
    hook = project / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(NO_ENSUREPIP)
    check = subprocess.run(
        [SYSTEM_PYTHON, "-c", "import ensurepip"], env={"PYTHONPATH": str(hook)}, capture_output=True
    )
    assert check.returncode == 1
    done = run(project, "--dev", python=SYSTEM_PYTHON, PYTHONPATH=str(hook))
    assert done.returncode == 0, done.stderr
    assert not list((project / ".venv" / "bin").glob("pip*"))
    subprocess.run([project / ".venv" / "bin" / "python", "-c", f"import {SMALL}"], check=True)


@debian
@pytest.mark.e2e
def test_the_wheel_of_pip_is_fetched_without_root(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Debian has not installed it, it is downloaded and unpacked below .lab/, and works from there."""
    module = loaded(project)
    monkeypatch.setattr(module, "WHEELS", project / "no-wheels")
    wheel = module.pip_wheel()
    assert wheel.is_relative_to(project / ".lab" / "bootstrap")
    said = subprocess.run([sys.executable, f"{wheel}/pip", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("pip ")


@pytest.mark.e2e
def test_an_environment_whose_python_is_gone_is_made_anew(project: Path) -> None:
    """An upgrade of the system took the old Python away: no leftover of it keeps the set-up from working."""
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "python").symlink_to("/no/such/python3.10")
    (project / ".venv" / "leftover").write_text("of Python 3.10")
    done = run(project)
    assert done.returncode == 0, done.stderr
    assert not (project / ".venv" / "leftover").exists()
    subprocess.run([project / ".venv" / "bin" / "python", "-c", "pass"], check=True)


@pytest.mark.e2e
def test_of_two_at_once_one_sets_up(project: Path) -> None:
    """Two `make` at the same time: one installs, the other waits and finds it done."""
    both = [
        subprocess.Popen([sys.executable, "scripts/bootstrap.py"], cwd=project, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [one.communicate(timeout=120)[1] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert sorted("Setting up" in text for text in said) == [False, True]


@pytest.mark.e2e
@pytest.mark.skipif(not shutil.which("uv"), reason="uv is not here")
def test_uv_is_used_where_it_is(project: Path) -> None:
    """With uv on the PATH the environment is the same."""
    done = run(project, "--dev", PATH=os.environ["PATH"])
    assert done.returncode == 0, done.stderr
    subprocess.run([project / ".venv" / "bin" / "python", "-c", f"import {SMALL}"], check=True)
