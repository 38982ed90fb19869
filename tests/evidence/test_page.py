"""The page names what did not pass, and each chapter's page what the runs of its experiments say."""

from __future__ import annotations

from pathlib import Path

from seen import CODE, body

from lab.evidence import page
from lab.evidence.ledger import Ledger

CHAPTER = """\
# 7. Distributed Systems

## 7.6.1.3 Circuit Breaker Pattern

Text with a link to [circuit-breaker](circuit_breaker.md).

Experiments: [circuit-breaker](circuit_breaker.md),
[retry-storm](retry_storm.md)
"""


def written(folder: Path, ledger: Ledger, **today: str) -> str:
    """The page of a ledger, beside a chapter."""
    chapter = folder / "ch07_x"
    chapter.mkdir(exist_ok=True)
    (chapter / "README.md").write_text(CHAPTER)
    page.write(ledger, {"circuit-breaker": CODE, "retry-storm": "b", **today}, folder / "evidence.md", folder)
    return (folder / "evidence.md").read_text("utf-8")


def test_what_did_not_pass_is_named(tmp_path: Path) -> None:
    """With seed, run and reason; an experiment without a run has its line too."""
    ledger = Ledger(tmp_path / "evidence.json")
    for each in (body(1), body(2, "UNKNOWN", number=1), body(2, number=2)):
        ledger.add(each)
    text = written(tmp_path, ledger)
    assert "| [circuit-breaker](#circuit-breaker-local) | local | 3 | 2 |  | 1 | 1, 2 | 20" in text
    assert "- UNKNOWN, seed 2, run 20261129T120001Z-0002: why\n" in text
    assert "| retry-storm | | 0 |" in text
    assert (
        "| callers wait out the timeout (control) | off, fault | at least 475 ms | 2 of 3 (1 UNKNOWN) | 500 ms |  |"
        in text
    )
    assert "commit ccccccc" in text


def test_code_that_changed_since_is_said(tmp_path: Path) -> None:
    """The numbers stay until there are others, marked."""
    ledger = Ledger(tmp_path / "evidence.json")
    ledger.add(body())
    assert "its code has changed since" not in written(tmp_path, ledger)
    assert "its code has changed since" in written(tmp_path, ledger, **{"circuit-breaker": "of today"})


def test_a_chapter_says_it_once(tmp_path: Path) -> None:
    """Behind the link in its list of experiments, replaced the next time, and nowhere in its text."""
    ledger = Ledger(tmp_path / "evidence.json")
    ledger.add(body(1))
    written(tmp_path, ledger)
    readme = (tmp_path / "ch07_x" / "README.md").read_text()
    told = " ([local: 1 of 1 run PASS](../../docs/evidence.md#circuit-breaker-local)),\n[retry-storm](retry_storm.md)\n"
    assert readme == CHAPTER.replace(",\n[retry-storm](retry_storm.md)\n", told)
    ledger.add(body(2))
    bodies = {"circuit-breaker": ledger.bodies()}
    again = page.chapter(readme, bodies)
    assert again == readme.replace("1 of 1 run PASS", "2 of 2 runs PASS")
    assert page.chapter(again, {}) == CHAPTER
