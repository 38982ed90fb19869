"""Every wrong command line gets one clear error, exit code 3, and no traceback; nothing is left behind."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from lab_runs import ROOT, lab

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

EXAMPLE = ROOT / "reports" / "example" / "circuit-breaker"
RUN = ["run", "circuit-breaker"]

# arguments ({tmp} is the folder of the test), environment, words that the error must hold
WRONG: list[tuple[list[str], dict[str, str], str]] = [
    # commands and names
    (["frobnicate"], {}, '"frobnicate" is no command; there are compare, doctor, '),
    (["rnu"], {}, '"rnu" is no command; did you mean "run"?'),
    (["--sed", "1"], {}, "--sed"),
    (["run"], {}, "name an experiment, such as circuit-breaker"),
    ([*RUN, "--all"], {}, "not both"),
    (["run", "circuit-braker"], {}, 'did you mean "circuit-breaker"?'),
    (["run", "xyzzy"], {}, "`make list` shows them all"),
    (["run", ""], {}, "name an experiment"),
    ([*RUN, "extra"], {}, "extra"),
    (["show"], {}, "Missing argument 'NAME'. See "),
    (["show", "circuit"], {}, 'did you mean "circuit-breaker"?'),
    (["heal", "everything"], {}, "everything"),
    (["doctor", "--fix"], {}, "--fix"),
    # numbers
    ([*RUN, "--seed", "-1"], {}, "'--seed': -1 is not in the range 0<=x<=2147483647. See "),
    ([*RUN, "--seed", "abc"], {}, "'--seed': 'abc' is not a valid whole number"),
    ([*RUN, "--seed", "1.5"], {}, "'--seed': '1.5' is not a valid whole number"),
    ([*RUN, "--seed", "99999999999"], {}, "--seed"),
    ([*RUN, "--seed"], {}, "--seed"),
    ([*RUN, "--trials", "0"], {}, "'--trials': 0 is not in the range 1<=x<=100"),
    ([*RUN, "--trials", "101"], {}, "'--trials': 101 is not in the range 1<=x<=100"),
    ([*RUN, "--trials", "x"], {}, "'--trials': 'x' is not a valid whole number"),
    ([*RUN, "--scale", "0"], {}, "'--scale': 0.0 is not in the range 0.05<=x<=10"),
    ([*RUN, "--scale", "11"], {}, "--scale"),
    ([*RUN, "--scale", "half"], {}, "'--scale': 'half' is not a valid number"),
    ([*RUN, "--scale", "nan"], {}, "'--scale': 'nan' is not a valid number"),
    ([*RUN, "--scale", "inf"], {}, "--scale"),
    ([*RUN, "--nonsense"], {}, "--nonsense"),
    # runtimes and parts
    ([*RUN, "--runtime", "cloud"], {}, "'cloud' is not one of 'local', 'compose'"),
    (
        [*RUN, "--runtime", "compose"],
        {"DOCKER_HOST": "unix:///no/engine"},
        "no Docker engine answers at unix:///no/engine",
    ),
    (
        [*RUN, "--runtime", "compose"],
        {"DOCKER_HOST": "ssh://there"},
        "cannot be spoken to directly; forward its socket",
    ),
    (["up"], {"DOCKER_HOST": "unix:///no/engine"}, "no Docker engine answers at unix:///no/engine: start Docker"),
    (RUN, {"LAB_RUNTIME": "cloud"}, "(it comes from LAB_RUNTIME)"),
    (RUN, {"TOXIPROXY": "/no/such/proxy"}, "TOXIPROXY=/no/such/proxy: no such program; give"),
    # folders
    ([*RUN, "--reports", "{tmp}/file"], {}, "/file is a file; name a folder"),
    (RUN, {"LAB_REPORTS": "/dev/null"}, "/dev/null is a file; name a folder (it comes from LAB_REPORTS)"),
    ([*RUN, "--reports", "/proc/nowhere"], {}, "cannot be made (No such file or directory); name another folder"),
    (["list", "--reports", "{tmp}/file"], {}, "name a folder"),
    (["heal", "--reports", "{tmp}/file/below"], {}, "/file is a file; name a folder"),
    (["list"], {"LAB_REPORTS": "{tmp}/file/x/y"}, "/file is a file; name a folder (it comes from LAB_REPORTS)"),
    # scenario files
    (["run", "no/such/file.py"], {}, "there is no such file; give the path"),
    (["run", "{tmp}"], {}, "is a folder; name an experiment"),
    (["run", "{tmp}/file"], {}, "is not a .py file"),
    (["run", "{tmp}/broken.py"], {}, "broken.py:1: '(' was never closed"),
    (["run", "{tmp}/hollow.py"], {}, "hollow.py: has no `scenario`"),
    (["show", "{tmp}/leaves.py"], {}, "leaves.py:1: SystemExit"),
    # runs
    (["judge"], {}, "Missing argument 'RUN'"),
    (["judge", "circuit-breaker"], {}, "circuit-breaker has not run yet; run it: make scenario NAME=circuit-breaker"),
    (["judge", "{tmp}/nothing"], {}, "there is no run"),
    (["judge", "{tmp}/killed"], {}, "still going on, or it was killed"),
    (["judge", "{tmp}/torn"], {}, "not valid JSON"),
    (["judge", "{tmp}/newer"], {}, "update it"),
    (["judge", "{tmp}/older"], {}, "read it with an older lab"),
    (["judge", "{tmp}/edited"], {}, "Expected `int`, got `str` - at `$.seed`"),
    (["judge", "{tmp}/parquet"], {}, "operations.parquet: cannot be read as Parquet"),
    (["report", "{tmp}/parquet"], {}, "operations.parquet: cannot be read as Parquet"),
    (["report", "never-run"], {}, "there is no run"),
    (["compare"], {}, "Missing argument 'RUNS...'"),
    (["compare", "{tmp}/torn"], {}, "two runs or more"),
    (["compare", "{tmp}/nothing", "{tmp}/torn"], {}, "there is no run"),
    (["compare", str(EXAMPLE), "{tmp}/renamed"], {}, "runs of different experiments (circuit-breaker, other)"),
]


def plant(folder: Path) -> None:
    """Put files and runs into a folder with which something is wrong."""
    (folder / "file").write_text("no folder")
    (folder / "broken.py").write_text("scenario = (\n")
    (folder / "hollow.py").write_text("")
    (folder / "leaves.py").write_text("raise SystemExit(0)\n")
    (folder / "killed" / "logs").mkdir(parents=True)
    record = json.loads((EXAMPLE / "record.json").read_text())
    changes = {
        "torn": json.dumps(record)[:2000],
        "newer": '{"version": 99}',
        "older": json.dumps({**record, "version": 0}),
        "edited": json.dumps({**record, "seed": "seven"}),
        "parquet": json.dumps(record),
        "renamed": json.dumps({**record, "spec": {**record["spec"], "name": "other"}}),
    }
    for name, text in changes.items():
        (folder / name).mkdir()
        (folder / name / "record.json").write_text(text)
    (folder / "parquet" / "operations.parquet").write_bytes((EXAMPLE / "operations.parquet").read_bytes()[:5000])


@pytest.mark.parametrize(("arguments", "env", "words"), WRONG, ids=[" ".join(a) or "-" for a, _, _ in WRONG])
def test_one_clear_error(tmp_path: Path, arguments: list[str], env: dict[str, str], words: str) -> None:
    """The error names what is wrong; its exit code is no verdict; nothing is made or changed."""
    plant(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    done = lab(
        *(a.replace("{tmp}", str(tmp_path)) for a in arguments),
        env={
            "LAB_REPORTS": str(tmp_path / "r"),
            "LAB_RUNTIME": "",
            **{name: value.replace("{tmp}", str(tmp_path)) for name, value in env.items()},
        },
    )
    assert done.code == 3, done.out + done.err
    assert done.out == ""
    assert words in done.err
    assert "Traceback" not in done.err
    assert "unforeseen" not in done.err
    # A run of another test, which goes on beside this one, is told to be left alone; and that is no error.
    told = [line for line in done.err.splitlines() if not (line.startswith("run ") and line.endswith(", left alone"))]
    assert len(told) == 1, done.err
    assert told[0].startswith("lab: ")
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert {path: at for path, at in after.items() if path.parent.name != "__pycache__"} == before
    assert not (tmp_path / "r").exists()


def test_make_passes_the_error_on() -> None:
    """Through `make` the error is the same and the only one, and make's own exit code says that it failed."""
    make = shutil.which("make")
    assert make
    done = subprocess.run(
        [make, "scenario", "NAME=circuit-braker"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert 'lab: no experiment is called "circuit-braker"; did you mean "circuit-breaker"?' in done.stderr
    assert "***" not in done.stderr
