"""What people read uses the field's words: those of docs/glossary.md, not those that it leaves out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from doc_pages import DOCS, ROOT

pytestmark = pytest.mark.untraced

PAGES = sorted(
    [
        *(page for page in DOCS.glob("*.md") if page.name != "glossary.md"),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *(ROOT / "scenarios").rglob("*.md"),
        *(ROOT / "scenarios").rglob("*.py"),
    ]
)
OUT = {
    r"time-outs?(?!`|\.md|\.py|\")": "timeout",
    r"back-offs?": "backoff",
    r"(?<!`)nobody(?!`)": "name the subject: no process, no request",
    r"somebody": "name the subject",
    r"anybody": "name the subject",
    r"[Ww]hoever": "name the subject",
    r"well again": "recovered",
    r"passes ran": "episodes completed",
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_uses_the_fields_words(page: Path) -> None:
    """No word that the glossary leaves out, with what to say instead."""
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        for word, instead in OUT.items():
            found = re.search(rf"\b{word}\b" if word[0].isalpha() else word, line)
            assert not found, f"{page.name}:{number}: {found[0]!r}; say: {instead}"
