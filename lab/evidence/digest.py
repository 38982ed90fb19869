"""Which code decides an experiment's numbers, as one word, of any commit that the clone has."""

from __future__ import annotations

import ast
import hashlib
import subprocess
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import msgspec

from lab.catalogue import Entry
from lab.catalogue.asked import decides, own_targets
from lab.kit.places import ROOT
from lab.kit.python_code import parsed, without_texts
from lab.model import Operation
from lab.record import Spec

SHARED = "targets/kit/__init__.py"  # what every service has from it is not followed: the commit says which it was
Files = Mapping[str, str]


def digest(entry: Entry, spec: Spec, commit: str) -> str | None:
    """Changes with what `spec` asks for, the services that the experiment starts, and the code that makes its requests.

    Not with comments, docstrings and texts, nor with the lab and what all services share (`targets.kit` itself; parts
    of it that a service names are followed): then any change there would ask for an hour of runs. None where this
    clone does not have the commit.
    """
    files = sources(commit)
    if files is None:
        return None
    spec = msgspec.json.decode(msgspec.json.encode(spec), type=Spec)  # as a record keeps it: 10 s are 10.0 there
    asked = [decides(spec), spec.members, spec.links, spec.settings]
    found = hashlib.sha256(msgspec.json.encode(asked, order="sorted"))
    for path in sorted(_needed(own_targets(entry), files)):
        found.update(f"{path}\0{_bare(files[path])}\0".encode())
    for operation in entry.scenario.load.operations:
        found.update(f"{operation.name}\0{_made_by(operation, files)}\0".encode())
    return found.hexdigest()[:16]


@lru_cache(maxsize=64)
def sources(commit: str, root: Path = ROOT) -> Files | None:
    """The Python of targets and scenarios at a commit, by path; None where the clone does not have it."""
    listed = _git(root, "ls-tree", "-r", "--name-only", commit, "--", "targets", "scenarios")
    if listed is None:
        return None
    names = [name for name in listed.decode().splitlines() if name.endswith(".py")]
    said = _git(root, "cat-file", "--batch", given="".join(f"{commit}:{name}\n" for name in names).encode())
    return dict(zip(names, _blobs(said or b""), strict=True))


def _blobs(said: bytes) -> Iterator[str]:
    """What `git cat-file --batch` prints: for each file a line that ends with its length, the file, a line end."""
    while said:
        head, _, said = said.partition(b"\n")
        length = int(head.rsplit(b" ", 1)[-1])
        yield said[:length].decode(errors="replace")
        said = said[length + 1 :]


def _git(root: Path, *words: str, given: bytes = b"") -> bytes | None:
    done = subprocess.run(["git", "-C", str(root), *words], input=given, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def _needed(targets: list[str], files: Files) -> set[str]:
    """Files of these targets, and those of `targets` that they import, directly or not."""
    found: set[str] = set()
    new = {path for path in files for name in targets if path == f"targets/{name}.py" or _below(path, name)}
    while new:
        found |= new
        imported = {path for each in new for path in _imports(files[each], files)}
        new = imported - found - {SHARED}
    return found


def _below(path: str, target: str) -> bool:
    return path.startswith(f"targets/{target}/")


def _imports(text: str, files: Files) -> Iterator[str]:
    for node in ast.walk(parsed(text)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.startswith("targets."):
                stem = name.replace(".", "/")
                yield from (path for path in (f"{stem}.py", f"{stem}/__init__.py") if path in files)


def _made_by(operation: Operation, files: Files) -> str:
    """What makes an operation's requests, of that commit: a function, and what it names of its file, directly or not.

    The whole file where nothing there is called so.
    """
    code = getattr(operation.make, "__code__", None)
    file = Path(code.co_filename) if code else ROOT
    path = str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else ""
    if code is None or path not in files:
        return ""
    tree = parsed(files[path])
    defined = {name: node for node in tree.body for name in _defines(node)}
    found: set[str] = set()
    new = {code.co_qualname.partition(".")[0]} & defined.keys()
    while new:
        found |= new
        named = {each.id for name in new for each in ast.walk(defined[name]) if isinstance(each, ast.Name)}
        new = named & defined.keys() - found
    own = [node for node in tree.body if found.intersection(_defines(node))]
    return without_texts(ast.Module(own or tree.body, []))


def _defines(node: ast.stmt) -> Iterator[str]:
    """The names that a statement of a file gives something to."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name))


@lru_cache(maxsize=1024)
def _bare(text: str) -> str:
    return without_texts(parsed(text))
