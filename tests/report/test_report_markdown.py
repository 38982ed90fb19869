from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from reported import Reported

from lab.report.markdown import escape

pytestmark = pytest.mark.e2e

ReportOf = Callable[[str], Reported]


def test_the_summary_has_what_a_reviewer_needs(report_of: ReportOf) -> None:
    """Verdict, reasons, every claim with value and bound, receipts, and how to repeat it."""
    text = report_of("pass").markdown
    assert text.startswith("# Circuit breaker: ✓ PASS\n")
    assert "4 of 4 claims held" in text
    what = r"refusals are immediate \| on · fault · p90\\_ms of all requests"
    assert re.search(rf"\| ✓ PASS \| {what} \| \S+ ms, n = [\d,]+ \| ≤ 50 ms \|", text)
    assert "| ✓ PASS | no trade takes effect twice | off · invariant |" in text
    assert "- payments silent, off, trial 1: asked no answer through the link" in text
    assert "make scenario NAME=circuit-breaker SEED=7" in text


def test_its_pictures_are_beside_it(report_of: ReportOf) -> None:
    """Every picture that the summary shows is a file in the run's folder, and has words beside it."""
    report = report_of("pass")
    pictures = re.findall(r"!\[(.*?)\]\((.*?)\)", report.markdown)
    assert len(pictures) == 4
    assert "**on: latency by arrival**" in report.markdown
    for alt_text, path in pictures:
        assert len(alt_text) > 40
        assert (report.run.path / path).is_file()


def test_a_fault_that_never_came_is_told(report_of: ReportOf) -> None:
    """No receipt, no proof."""
    assert "NOT IN FORCE: payments silent in fault of off was never added" in report_of("unknown").markdown


def test_text_cannot_become_markup() -> None:
    """Tags, tables, emphasis, code, links and headings in a text are shown as they are written."""
    assert escape("<b>|*a*|`c` [x](y)\n# d_e~") == r"&lt;b&gt;\|\*a\*\|\`c\` \[x\](y) \# d\_e\~"


def test_every_row_of_the_table_has_five_cells(report_of: ReportOf) -> None:
    """Pipes in hostile texts do not add columns."""
    rows = [line for line in report_of("nasty").markdown.splitlines() if line.startswith("| ")]
    assert len(rows) == 8
    for row in rows:
        assert len(re.split(r"(?<!\\)\|", row)) == 7, row
