"""
Writes docs/reference.md from the code (`make reference`), or prints a target's or a fault's part of it.

A target's settings are those of its settings class, with what the class accepts; its routes are those that its code
registers; a fault's arguments are those of its dataclass.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import MISSING
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lab import faults  # noqa: E402 - the project runs from its own folder and need not be installed
from lab.model.typed import meant  # noqa: E402
from targets.kit.offered import as_text, own_variables, settings_of, targets  # noqa: E402
from targets.kit.settings import Settings, variables, wanted  # noqa: E402

PAGE = ROOT / "docs" / "reference.md"
ROUTE = re.compile(r'web\.(get|post|put|patch|delete)\(\s*"([^"]+)"')
HEAD = """# Reference

Written by `make reference` from the code. `make show TARGET=exchange` prints the part of one target or fault.

## Targets

A scenario gives a target's settings by their names: `Service("exchange", env={"BREAKER": "on"})`, or in a variant. A
setting without a default must be given; where it is the address of a callee, the link to it does that.
"""


def routes_of(target: str) -> list[str]:
    """`POST /trades` for every route that a target's code registers, in order of path."""
    folder = ROOT / "targets" / target
    files = sorted(folder.glob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    found = {(path, method.upper()) for file in files for method, path in ROUTE.findall(file.read_text("utf-8"))}
    return [f"{method} {path}" for path, method in sorted(found)]


def target_part(target: str) -> str:
    """A target's summary, routes and own settings, as Markdown."""
    module = importlib.import_module(f"targets.{target}")
    lines = [f"### {target}", "", "```", inspect.cleandoc(module.__doc__ or ""), "```", ""]
    lines += ["Routes: " + ", ".join(f"`{route}`" for route in routes_of(target)) + ".", ""]
    return "\n".join([*lines, *_settings(own_variables(settings_of(target)))])


def _settings(found: Iterable[tuple[str, Any, Any]]) -> Iterator[str]:
    rows = list(found)
    if not rows:
        yield "No settings of its own."
        return
    yield from ("| Setting | Takes | Default |", "|---|---|---|")
    for name, hint, default in rows:
        told = "must be given" if default is MISSING else f"`{_text(default)}`"
        yield f"| `{name}` | {wanted(hint).replace('|', ' or ')} | {told} |"


def _text(default: object) -> str:
    return as_text(default) or '""'


def fault_part(name: str) -> str:
    """A fault's call and what it does, as Markdown."""
    kind: Any = getattr(faults, name)
    asked = str(inspect.signature(kind)).replace("'", "").removesuffix(" -> None")
    return f"### faults.{name}\n\n    faults.{name}{asked}\n\n{inspect.cleandoc(kind.__doc__)}"


def fault_names() -> list[str]:
    """Every fault."""
    return [name for name in faults.__all__ if isinstance(getattr(faults, name), type)]


def page() -> str:
    """The whole page."""
    common = "\n".join(["### Every target", "", *_settings(variables(Settings))])
    middle = '## Faults\n\nA phase names them: `Phase("fault", lasts_s=10, faults=[faults.silence(link)])`.'
    parts = [HEAD.rstrip(), common, *map(target_part, targets()), middle, *map(fault_part, fault_names())]
    return "\n\n".join(parts) + "\n"


def main(asked: list[str]) -> int:
    """Write the page, or print the part of one target or fault."""
    if not asked:
        PAGE.write_text(page(), "utf-8")
        print(f"docs/{PAGE.name} is current")
        return 0
    name = asked[0].replace("-", "_").removeprefix("faults.")
    if name in targets():
        print(target_part(name))
    elif name in fault_names():
        print(fault_part(name))
    else:
        known = meant(name, [*targets(), *fault_names()])
        print(f"lab: no target or fault is called {asked[0][:60]!a}; {known}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
