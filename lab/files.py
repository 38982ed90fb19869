"""Files that take another's place: whole or not at all, and never through a link."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


def put_in_place(file: Path, data: bytes | str) -> Path:
    """Write a file so that a reader sees the old or the new one, never half of either; gives its path.

    The draft's name cannot be foreseen and its creation is exclusive: a link that was laid there beforehand, in a run
    from elsewhere, leads nowhere. What the file itself was, a link too, is replaced and not written through. A text is
    written as UTF-8. Raises OSError.
    """
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    content = data.encode() if isinstance(data, str) else data
    opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        with os.fdopen(opened, "wb") as out:
            out.write(content)
        draft.replace(file)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    return file
