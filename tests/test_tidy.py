"""The house is tidy: who may import whom, everything documented, every file in its place, nothing from elsewhere."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAB = sorted((ROOT / "lab").rglob("*.py"))
TARGETS = sorted((ROOT / "targets").rglob("*.py"))
SCENARIOS = sorted((ROOT / "scenarios").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MOST_LINES = 400

# Every room of lab, from the ground up, and the rooms that it may import besides itself and errors.
PURE = {"model", "record"}
ALLOWED: dict[str, set[str]] = {
    "__init__": set(),
    "errors": set(),
    "kit": set(),
    "model": set(),
    "proxy": {"kit"},
    "record": {"kit", "model"},
    "metrics": PURE,
    "checkers": PURE,
    "load": PURE | {"kit"},
    "disk": {"kit"},
    "runtime": {"disk", "kit", "model", "proxy"},
    "observe": PURE | {"disk", "kit", "load", "runtime"},
    "faults": PURE | {"kit", "observe"},  # a dose is judged by what the canary sends
    "actions": PURE,
    "verdict": PURE | {"checkers", "faults", "load", "metrics"},  # doses are judged again
    "catalogue": PURE | {"actions", "checkers", "faults", "kit", "load", "metrics"},
    "dashboards": PURE | {"catalogue", "kit", "observe"},
    "evidence": PURE | {"catalogue", "kit", "observe"},
    "report": PURE | {"catalogue", "evidence", "kit", "metrics", "observe", "verdict"},
    "run": PURE
    | {"actions", "catalogue", "evidence", "faults", "kit", "load", "observe", "report", "runtime", "verdict"},
    "sabotage": PURE | {"catalogue", "kit", "observe", "run", "verdict"},
    "sweep": PURE | {"catalogue", "kit", "observe", "report", "run"},
    "cli": PURE | {"catalogue", "kit", "observe", "report", "run", "runtime", "sabotage", "sweep", "verdict"},
    "__main__": {"cli", "kit"},
}


def room_of(file: Path) -> str:
    """`lab/faults/kit/undo.py` is in room `faults`, `lab/errors.py` in `errors`."""
    return file.relative_to(ROOT / "lab").parts[0].removesuffix(".py")


def named(file: Path) -> str:
    """A file as a message names it."""
    return str(file.relative_to(ROOT))


@cache
def imports(file: Path, types: bool = False) -> set[str]:
    """Dotted names that a file imports, with `types` those for type checking alone too."""
    tree = ast.parse(file.read_text("utf-8"))
    for node in ast.walk(tree):
        if not types and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def module_of(file: Path) -> str:
    """`lab.faults.kit.undo`; `lab.faults` of its `__init__.py`."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_every_room_has_its_rule() -> None:
    """Each file and folder of lab is listed, none that is gone, and a room imports only rooms listed before it."""
    assert set(ALLOWED) == {room_of(file) for file in LAB}
    above: set[str] = set(ALLOWED)
    for room, allowed in reversed(ALLOWED.items()):
        above.discard(room)
        assert allowed <= above, f"{room} is listed before {sorted(allowed - above)}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not even for type checking alone, so that any module can be read before those that use it."""
    modules = {module_of(file): file for file in LAB}
    graph = {
        module: {name if name in modules else name.rpartition(".")[0] for name in imports(file, types=True)}
        for module, file in modules.items()
        if module != "lab"  # which names what scenarios import
    }
    TopologicalSorter(graph).prepare()


def test_rooms_import_only_what_lies_below_them() -> None:
    """The direction of imports is that of docs/architecture.md; pure rooms stay pure."""
    above = {}
    for file in LAB:
        room = room_of(file)
        used = {name.split(".")[1] for name in imports(file) if name.startswith("lab.")}
        above[named(file)] = used - ALLOWED[room] - {room, "errors"}
    assert {file: rooms for file, rooms in above.items() if rooms} == {}


def test_lab_and_targets_meet_only_at_http() -> None:
    """Neither imports the other."""
    for file in LAB:
        assert not [name for name in imports(file) if name.split(".")[0] == "targets"], file
    for file in TARGETS:
        assert not [name for name in imports(file) if name.split(".")[0] == "lab"], file


def test_scenarios_see_only_the_public_names() -> None:
    """A scenario imports `lab`, systems and the standard library, nothing below; a system nothing of an experiment."""
    for file in SCENARIOS:
        for name in imports(file):
            assert not name.startswith("scenarios.") or name.startswith("scenarios.systems."), f"{file}: {name}"
            assert not name.startswith("targets"), f"{file}: {name}"
            assert not (name.startswith("lab.") and name.count(".") > 1), f"{file}: {name}"


def test_every_module_says_what_it_is_for() -> None:
    """Each file begins with a docstring."""
    files = [*LAB, *TARGETS, *SCENARIOS]
    assert [named(file) for file in files if not ast.get_docstring(ast.parse(file.read_text("utf-8")))] == []


def test_no_file_outgrows_its_room() -> None:
    """A file that passes 400 lines is a sign that a room is missing, among the tests too."""
    lines = {named(file): file.read_text("utf-8").count("\n") for file in [*LAB, *TARGETS, *SCENARIOS, *TESTS]}
    assert {file: count for file, count in lines.items() if count > MOST_LINES} == {}


def test_every_test_file_has_a_name_of_its_own() -> None:
    """Two of one name in two folders are one module to pytest, which then collects neither."""
    names = [file.name for file in (ROOT / "tests").rglob("test_*.py")]
    assert [name for name in sorted(set(names)) if names.count(name) > 1] == []


def test_every_run_of_a_test_has_an_id_of_its_own() -> None:
    """No test opens a run with an id written down: what ends it ends the same test's run in another clone."""
    for file in TESTS:
        if "Supervisor.open(" not in file.read_text("utf-8"):
            continue
        calls = [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)]
        opened = [call for call in calls if ast.unparse(call.func) == "Supervisor.open"]
        fixed = [ast.unparse(call) for call in opened if isinstance(call.args[1], ast.Constant | ast.JoinedStr)]
        assert not fixed, f"{file.relative_to(ROOT)}: give it run_ids.fresh()"


def test_every_fault_is_offered_by_name() -> None:
    """Each file of lab/faults is a fault that scenario files can call."""
    from lab import faults

    files = {f.stem for f in (ROOT / "lab" / "faults").glob("*.py") if not f.stem.startswith("_")}
    assert files == set(faults.__all__) - {"spec"}


def test_every_checker_is_a_function_of_its_files_name() -> None:
    """Each checker file has the documented function that bears its name, and scenario files can call it."""
    import importlib

    from lab import checkers

    assert "exactly_once" in checkers.names()
    for name in checkers.names():
        function = getattr(importlib.import_module(f"lab.checkers.{name}"), name)
        assert function.__doc__, name
        offered = getattr(checkers, name, None)
        assert getattr(offered, "__wrapped__", None) is function, (
            f"lab/checkers/__init__.py lacks the two lines of {name}"
        )


def test_every_metric_is_documented() -> None:
    """A metric's name carries its unit or counts something, and its docstring says what is counted."""
    from lab import metrics

    for name in metrics.names():
        assert getattr(metrics, name).__doc__, name


def test_every_workload_is_documented() -> None:
    """Each function of lab.model.workloads says what it sends, and stands on the page for authors."""
    from lab import workloads

    page = (ROOT / "docs" / "writing-a-scenario.md").read_text("utf-8")
    offered = {name for name, it in vars(workloads).items() if inspect.isfunction(it) and not name.startswith("_")}
    assert "registers" in offered
    for name in offered:
        assert getattr(workloads, name).__doc__, name
        assert f"`workloads.{name}(" in page, name


def test_every_target_draws_its_place() -> None:
    """A target's docstring shows who calls it and whom it calls."""
    for file in (ROOT / "targets").glob("*.py"):
        if file.stem != "__init__":
            assert "->" in (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""), file


def test_every_scenario_is_sound() -> None:
    """The whole catalogue reads without a mistake."""
    from lab.catalogue import read_all

    entries, mistakes = read_all()
    assert not mistakes
    assert "circuit-breaker" in {entry.name for entry in entries}


def tracked() -> list[Path]:
    """Files that git knows, or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_nothing_names_another_machine() -> None:
    """No file names a path of somebody's machine or a registry's host, lock files included."""
    pattern = re.compile(rb"/(?:root|home/\w+)/\.|--(?:extra-)?index-url|files\.pythonhosted")
    for file in tracked():
        if file != Path(__file__) and file.suffix not in {".png", ".parquet"}:
            assert not pattern.search(file.read_bytes()), file


def test_links_between_documents_lead_somewhere() -> None:
    """Every relative link in a Markdown file points to a file that is there."""
    for file in tracked():
        if file.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)\)", file.read_text("utf-8")):
            if not re.match(r"[a-z]+:", target):
                assert (file.parent / target).exists(), f"{file.relative_to(ROOT)}: {target}"
