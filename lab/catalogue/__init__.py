"""Finds, checks and lists the experiments: `scenarios/ch*/*.py`, one a file, each with its page beside it."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

import lab
from lab import metrics
from lab.catalogue import page
from lab.catalogue.spec import to_spec
from lab.catalogue.validate import problems
from lab.errors import LabError, ScenarioError, WordError
from lab.kit.places import ROOT, SCENARIOS, TARGETS
from lab.model import Scenario, typed
from lab.model.page import Page
from lab.record import Spec, Turned

SYSTEMS = "systems"  # a folder: what experiments share


@dataclass(frozen=True)
class Entry:
    """An experiment that has been read and found sound; `turned` are the knobs that `scenario` was changed by."""

    name: str
    file: Path
    summary: str
    scenario: Scenario
    page: Page
    turned: tuple[Turned, ...] = ()

    def spec(self, scale: float = 1.0) -> Spec:
        """The experiment as plain data, its phases `scale` times as long."""
        return to_spec(self.scenario, self.page, self.name, Path(shown(self.file)), self.summary, scale)


def shown(file: Path) -> str:
    """A path as the user would type it: relative where it is below the current folder or the project."""
    bases = [ROOT]
    with suppress(FileNotFoundError):  # the current folder may have been removed during the run
        bases.insert(0, Path.cwd())
    for base in bases:
        if file.is_relative_to(base):
            return str(file.relative_to(base))
    return str(file)


def name_of(file: Path) -> str:
    """`circuit_breaker.py` is called `circuit-breaker`."""
    return file.stem.replace("_", "-")


def files(folder: Path = SCENARIOS) -> list[Path]:
    """Every scenario file, in order of chapter and name; `systems/` holds what several of them share."""
    return sorted(p for p in folder.rglob("*.py") if not p.name.startswith("_") and p.parent != folder / SYSTEMS)


def find(name: str, folder: Path = SCENARIOS) -> Entry:
    """Read one experiment, by name or by the path of its file. Raises LabError or ScenarioError."""
    if name.endswith(".py") or "/" in name:
        return read(_file(Path(name)))
    by_name: dict[str, list[Path]] = {}
    for file in files(folder):
        by_name.setdefault(name_of(file), []).append(file)
    if name not in by_name:
        if name and Path(name).is_dir():
            _file(Path(name))  # which says so
        close = get_close_matches(name.replace("_", "-"), by_name, n=1)
        hint = f'did you mean "{close[0]}"?' if close else "`make list` shows them all."
        raise LabError(f'no experiment is called "{name}"; {hint}')
    found = by_name[name]
    if len(found) > 1:
        raise ScenarioError([f'{shown(file)}: another file is called "{name}" too; rename one' for file in found])
    return read(found[0])


def _file(path: Path) -> Path:
    if path.is_dir():
        raise LabError(f"{path}: is a folder; name an experiment (make list shows them) or the path of its .py file")
    if path.suffix != ".py":
        raise LabError(f"{path}: is not a .py file; name an experiment (make list shows them) or its file")
    if not path.is_file():
        raise LabError(f"{path}: there is no such file; give the path of a scenario file, or an experiment's name")
    return path.resolve()


def read(file: Path) -> Entry:
    """Read and check one scenario file. Raises ScenarioError with every mistake, each naming the file."""
    module = _import(file)
    where = shown(file)
    scenario = getattr(module, "scenario", None)
    if not isinstance(scenario, Scenario):
        what = "has no `scenario`" if scenario is None else f"has scenario = {typed.shown(scenario)}"
        raise ScenarioError([f"{where}: {what}; it needs `scenario = Scenario(...)`"])
    found = problems(scenario, TARGETS)
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name_of(file)):
        found.insert(0, f'the file is called "{file.name}"; use a-z, 0-9 and _, a letter first.')
    summary = inspect.cleandoc(module.__doc__).strip() if isinstance(module.__doc__, str) else ""
    if wrong := typed.wrong_type(summary, str, "its docstring"):
        found.append(f"{wrong}.")
    if not summary:
        found.append("it has no docstring; say in a paragraph what breaks and what the reader will see.")
    if found:
        raise ScenarioError([f"{where}: {problem}" for problem in found])
    return Entry(name_of(file), file, summary, scenario, _page(file.with_suffix(".md"), scenario))


def _page(file: Path, scenario: Scenario) -> Page:
    """The page beside a scenario, or an empty one where there is none."""
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return Page()
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError([f"{shown(file)}: cannot be read as text: {typed.told(error)}"]) from error
    if found := list(page.problems(text, scenario, metrics.names())):
        raise ScenarioError([f"{shown(file)}: {problem}" for problem in found])
    return page.read(text)


def _import(file: Path) -> ModuleType:
    name = f"lab_scenario_{name_of(file).replace('-', '_')}"
    loader = importlib.util.spec_from_file_location(name, file)
    if loader is None or loader.loader is None:
        raise ScenarioError([f"{shown(file)}: is not a Python file"])
    module = importlib.util.module_from_spec(loader)
    sys.modules[name] = module  # dataclasses in a scenario file look their module up
    try:
        loader.loader.exec_module(module)
    except ScenarioError:
        raise
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        raise ScenarioError([f"{shown(file)}{line}: {error.msg}; mend the Python of this file"]) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a scenario file raises is a mistake in it, and is told as one
        raise ScenarioError([f"{_place_of(error, file)}: {_told(error)}"]) from error
    finally:
        sys.modules.pop(name, None)
    return module


def _place_of(error: BaseException, file: Path) -> str:
    """File and line of the mistake: in the scenario's file, or in that of a system that it imports."""
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    ours = [(name, line) for name, line in frames if name == file or name.is_relative_to(SCENARIOS)]
    return f"{shown(ours[-1][0])}:{ours[-1][1]}" if ours else shown(file)


def _told(error: BaseException) -> str:
    """The mistake in one line: a name of the lab's, or of the file, that is not there with the one that was meant."""
    if isinstance(error, WordError):
        return str(error)
    of = getattr(error, "obj", None)
    if isinstance(error, AttributeError) and isinstance(of, ModuleType) and of.__name__.partition(".")[0] == "lab":
        there = [name for name in getattr(of, "__all__", dir(of)) if not name.startswith("_")]
        return f'{of.__name__.removeprefix("lab.")} has no "{error.name}"; {typed.meant(error.name or "", there)}'
    if isinstance(error, AttributeError) and of is not None and error.name:
        return f'{typed.shown(of)} has no "{error.name}"; call it first, or leave that out'
    asked = re.match(r"cannot import name '(\w+)' from 'lab'", str(error)) if isinstance(error, ImportError) else None
    if asked:
        return f'lab has no "{asked[1]}"; {typed.meant(asked[1], lab.__all__)}'
    if isinstance(error, NameError) and (close := _close(error)):
        return f'there is no "{error.name}"; did you mean "{close}"?'
    return typed.told(error)


def _close(error: NameError) -> str:
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    known = {**frames[-1].f_globals, **frames[-1].f_locals} if frames else {}
    return next(iter(get_close_matches(error.name or "", known, n=1)), "")


def read_all(folder: Path = SCENARIOS) -> tuple[list[Entry], list[str]]:
    """Every sound experiment in the handbook's order, and every mistake found in the others."""
    entries: list[Entry] = []
    mistakes: list[str] = []
    for file in files(folder):
        try:
            entries.append(read(file))
        except ScenarioError as error:
            mistakes.extend(error.problems)
    return sorted(entries, key=_place), mistakes


def _place(entry: Entry) -> tuple[list[int], str]:
    return [int(part) for part in entry.scenario.sections[0].split(".")], entry.name
