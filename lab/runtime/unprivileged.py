"""
Servers that we did not write run as another user where the lab is root: what stands before their command, and how they
come to files that this user can reach.
"""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lab.errors import StartError
from lab.kit.files import open_to_all
from lab.runtime.tools import Program

SERVED_BY = "nobody"


def as_nobody() -> list[str | Path]:
    """What stands before a command that must not be root; nothing where we aren't.

    No capability is kept. It asks again for the signal at the lab's death: the kernel forgets that at a change of user.
    """
    if os.geteuid() != 0:
        return []
    owner = _owner()
    who = [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--pdeathsig=KILL"]
    return ["setpriv", *who, "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs"]


def give(path: Path) -> None:
    """Make a file or folder theirs, and not what a link in its place leads to; nothing where we are not root."""
    if os.geteuid() == 0:
        owner = _owner()
        os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


def lead_through(folder: Path) -> None:
    """Make a folder, through which their user may pass whatever the umask; nothing more where we are not root."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        folder.chmod(0o711)


def copy_as_theirs(template: Path, folder: Path) -> None:
    """Copy a folder and make all of the copy theirs.

    It becomes theirs from the bottom up, in a folder that they cannot change, and is then put in its place: root writes
    nothing and gives nothing away where a process of theirs could have laid a link meanwhile. Folders keep their modes;
    files get those of new ones, which nobody else gets to below a folder of 0700.
    """
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=template.parent))
    try:
        copy = draft / folder.name
        shutil.copytree(template, copy, symlinks=True, copy_function=shutil.copyfile)
        if os.geteuid() == 0:
            _give_all(copy)
        copy.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _give_all(folder: Path) -> None:
    owner = _owner()
    for inside, folders, files in os.walk(folder, topdown=False):
        for name in (*files, *folders):
            os.chown(os.path.join(inside, name), owner.pw_uid, owner.pw_gid, follow_symlinks=False)  # noqa: PTH118 - of 966
    give(folder)


def in_reach(path: Path) -> bool:
    """Whether everybody may pass through all folders above a path; always where we are not root, and servers are us."""
    return os.geteuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in path.absolute().parents)


def within_reach(programs: Mapping[str, Program], into: Path) -> dict[str, Program]:
    """The same programs; those that were fetched to where servers cannot reach them as copies below `into`."""
    return {name: _within_reach(program, into) for name, program in programs.items()}


def _within_reach(program: Program, into: Path) -> Program:
    program = _without_links_above(program)
    if in_reach(program.path) and in_reach(program.path.resolve()):
        return program
    top = program.tree or program.path
    copy = into / top.name
    if not copy.exists():
        lead_through(into)
        if program.tree:
            shutil.copytree(top, copy, symlinks=True)
        else:
            shutil.copy2(top, copy)
        open_to_all(copy)
    path = copy / program.path.relative_to(program.tree) if program.tree else copy
    env = {name: value.replace(str(top), str(copy)) for name, value in program.env.items()}
    return replace(program, path=path, tree=None, env=env)


def _without_links_above(program: Program) -> Program:
    """The same by the place where its folder really is: a link to it may stand where servers cannot pass."""
    if not program.tree:
        return replace(program, path=program.path.parent.resolve() / program.path.name)
    tree = program.tree.resolve()
    env = {name: value.replace(str(program.tree), str(tree)) for name, value in program.env.items()}
    return replace(program, path=tree / program.path.relative_to(program.tree), tree=tree, env=env)


def _owner() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SERVED_BY)
    except KeyError:
        raise StartError(
            f"servers never run as root here, and this system has no user {SERVED_BY} to run them as; "
            "run the lab as a user other than root"
        ) from None
