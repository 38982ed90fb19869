"""Small patches that break a pattern, a target or the engine; each is really run, in a copy of the project.

One that breaks the judging alone judges the record of a run that passed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from lab.catalogue import Entry
from lab.catalogue.asked import fingerprint, own_targets
from lab.errors import LabError
from lab.kit.places import HOME, ROOT
from lab.kit.python_code import parsed, without_texts
from lab.record import Verdict

FOLDER = ROOT / "tests" / "mutants"
TABLE = FOLDER / "table.toml"
SANDBOX = HOME / "sabotage"
SHARED = ("bin", "debian", "apt")  # of .lab: servers that were fetched, for every copy alike
LONGEST_S = 900
JUDGING = ("lab/checkers/", "lab/metrics/", "lab/verdict/")  # what they do is seen on the record of a run
_PATTERNS = re.compile(r"targets\.patterns(?:\.| import )([\w, ]+)")


class Mutant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One patch: `<name>.patch` beside the table, the experiment that has to notice, and how it has to answer.

    `by` is a part of the sentence that the verdict must rest on; empty where any reason will do. `seed` and `scale`
    are those of the shortest run that tells.
    """

    name: str
    experiment: str
    breaks: str
    expect: tuple[Verdict, ...] = ("FAIL",)
    by: str = ""
    scale: float = 1.0
    seed: int = 1
    always: bool = False  # run by CI whatever changed

    @property
    def patch(self) -> Path:
        """The patch file."""
        return FOLDER / f"{self.name}.patch"

    @property
    def judges(self) -> bool:
        """Whether it breaks the judging alone: then the record of a run that passed tells as much as another run."""
        patched = [line.removeprefix("+++ b/") for line in self.patch.read_text("utf-8").splitlines() if "+++ " in line]
        return all(file.startswith(JUDGING) for file in patched)


class Excuse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A forged record that may pass, and why that is no gap."""

    experiment: str
    edit: str
    where: str
    because: str


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in tests/mutants/table.toml."""

    mutant: tuple[Mutant, ...] = ()
    excuse: tuple[Excuse, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How the experiment ended with a mutant in it."""

    verdict: Verdict
    reasons: Sequence[str]
    took_s: float


def read_table(file: Path = TABLE) -> Table:
    """Read the table. Raises LabError with the place of a mistake, and where a patch is missing or not listed."""
    try:
        table = msgspec.convert(tomllib.loads(file.read_text("utf-8")), Table)
    except FileNotFoundError:
        raise LabError(
            f"{file}: no such file; sabotage needs a clone of the project, not an installed package"
        ) from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise LabError(f"{file}: {error}") from error
    listed = [mutant.name for mutant in table.mutant]
    there = {path.stem for path in file.parent.glob("*.patch")}
    twice = {name for name in listed if listed.count(name) > 1}
    for what, names in (
        ("is listed and has no .patch file", set(listed) - there),
        ("has a .patch file and is not listed", there - set(listed)),
        ("is listed twice", twice),
    ):
        if names:
            raise LabError(f"{file}: {', '.join(sorted(names))} {what}")
    return table


def digest(mutant: Mutant, entry: Entry) -> str:
    """Changes with the mutant, what its experiment asks, the targets of that, and what the patch touches.

    Not with comments and docstrings, nor with all of `lab`: then every change there would ask for an hour of runs.
    `--fresh` runs them whatever changed.
    """
    patch = mutant.patch.read_bytes()
    found = hashlib.sha256(msgspec.json.encode(mutant) + patch + fingerprint(entry))
    own = _code_of(set(own_targets(entry)))
    for file in _project_files():
        if file in own or f"+++ b/{file}\n".encode() in patch:
            found.update(f"{file}\0{_code(file)}".encode())
    return found.hexdigest()[:16]


def _code(file: str) -> str:
    text = (ROOT / file).read_text("utf-8", errors="replace")
    return without_texts(parsed(text)) if file.endswith(".py") else text


def _code_of(targets: set[str]) -> set[str]:
    """The files of these targets and of the patterns that they import; another target's pattern changes nothing."""
    files = [file for file in _project_files() if file.startswith("targets/")]
    starts = tuple(f"targets/{target}{end}" for target in targets for end in (".", "/"))
    own = {file for file in files if file.startswith(starts)}
    queue = list(own)
    while queue:
        imported = _PATTERNS.findall((ROOT / queue.pop()).read_text("utf-8", errors="replace"))
        named = {f"targets/patterns/{name}.py" for line in imported for name in re.findall(r"\w+", line)}
        queue += named.intersection(files) - own
        own |= named.intersection(files)
    return own


def run(mutant: Mutant) -> Outcome:
    """Run the experiment in a copy of the project with the patch applied. Raises LabError where it does not run."""
    argv = ["run", mutant.experiment, "--runtime", "local", "--seed", str(mutant.seed), "--scale", f"{mutant.scale:g}"]
    return _answer(mutant, [*argv, "--reports", "reports"])


def judge(mutant: Mutant, run: Path) -> Outcome:
    """Judge a copy of a run in a copy of the project with the patch applied. Raises LabError where it is not judged."""
    return _answer(mutant, ["judge", f"reports/{run.name}"], run)


def _answer(mutant: Mutant, words: Sequence[str], judged: Path | None = None) -> Outcome:
    began = time.monotonic()
    folder = SANDBOX / mutant.name
    shutil.rmtree(folder, ignore_errors=True)
    try:
        _copy_project(folder)
        apply(mutant, folder)
        if judged:
            shutil.copytree(judged, folder / "reports" / judged.name)
        data = _lab(mutant, folder, words)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Outcome(data["verdict"], data["reasons"], round(time.monotonic() - began, 1))


def _copy_project(folder: Path) -> None:
    for name in _project_files():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    home = folder / ".lab"
    home.mkdir()
    for name in SHARED:
        if (HOME / name).exists():
            (home / name).symlink_to((HOME / name).resolve())


def _project_files() -> Iterable[str]:
    """Files that git tracks, or would, as they are in the working tree; documents and tests are not needed to run."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "lab", "targets", "scenarios", "dashboards", "pyproject.toml"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        raise LabError(f"{ROOT}: git does not list the project's files ({listed.stderr.strip()})")
    return sorted(name for name in listed.stdout.splitlines() if (ROOT / name).is_file())


def apply(mutant: Mutant, folder: Path, check: bool = False) -> None:
    """Apply the patch below a folder, or only see whether it would. Raises LabError where it does not fit any more."""
    argv = ["git", "apply", *(["--check"] if check else []), str(mutant.patch)]
    done = subprocess.run(
        argv, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "GIT_DIR": os.devnull}
    )
    if done.returncode:
        raise LabError(f"{mutant.patch.name} does not fit the code any more: {done.stderr.strip()}; mend the patch")


def _lab(mutant: Mutant, folder: Path, words: Sequence[str]) -> dict[str, Any]:
    argv = [sys.executable, "-m", "lab", *words, "--json"]
    try:
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        raise LabError(f"{mutant.name}: {mutant.experiment} did not end within {LONGEST_S} s") from None
    try:
        data: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise LabError(f"{mutant.name}: {mutant.experiment} did not run: {last}") from None
    return data
