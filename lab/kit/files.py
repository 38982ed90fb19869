"""Files: written whole or not at all and never through a link; opened to other users where these have to read them."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


def put_in_place(file: Path, data: bytes | str, mode: int = 0o666) -> Path:
    """Write a file so that a reader sees the old or the new one, never half of either; gives its path.

    The draft's name cannot be foreseen and its creation is exclusive: a link that was laid there beforehand, in a run
    from elsewhere, leads nowhere. What the file itself was, a link too, is replaced and not written through. A text is
    written as UTF-8; `mode` is that of the file, less the umask. Raises OSError.
    """
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    content = data.encode() if isinstance(data, str) else data
    opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), mode)
    try:
        with os.fdopen(opened, "wb") as out:
            out.write(content)
        draft.replace(file)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    return file


def open_to_all(path: Path) -> None:
    """Let everybody read a file, or a folder with all that is in it, whatever the umask.

    What is another user's stays as it is, and so does what a link leads to.
    """
    for each in (path, *(inside for inside in path.rglob("*") if not inside.is_symlink())):
        with suppress(OSError):
            mode = each.stat().st_mode
            wanted = mode | (0o555 if each.is_dir() or mode & 0o100 else 0o444)
            if wanted != mode:
                each.chmod(wanted)
