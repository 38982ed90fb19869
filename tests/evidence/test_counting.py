"""Only runs at full length, of a clean commit, of today's code count; each refusal has its reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from seen import CODE, recorded

from lab import catalogue
from lab.errors import LabError
from lab.evidence import counting
from lab.evidence.facts import Body
from lab.record import Turned

ENTRY = catalogue.find("circuit-breaker")


@pytest.fixture(autouse=True)
def code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git knows one commit, of today's code, and one of other code."""
    known = {"c" * 40: CODE, "d" * 40: "of another"}
    monkeypatch.setattr(counting, "digest", lambda entry, spec, commit: known.get(commit))


def test_a_sound_run_counts_whatever_its_verdict() -> None:
    """UNKNOWN too."""
    for verdict in ("PASS", "FAIL", "UNKNOWN"):
        found = counting.counted(ENTRY, recorded(verdict=verdict), CODE)  # type: ignore[arg-type]
        assert isinstance(found, Body)
        assert found.runs[0].verdict == verdict


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"scale": 0.5}, "not at full length"),
        ({"turned": [Turned("load.per_s", "80", "50")]}, "with knobs turned"),
        ({"trials": 2}, "ended early"),
        ({"judgement": None}, "not judged"),
        ({"git_commit": None}, "of no commit"),
        ({"git_dirty": True}, "with uncommitted changes"),
        ({"git_commit": "e" * 40}, "of a commit that this clone does not have"),
        ({"git_commit": "d" * 40}, "of other code than today's"),
    ],
)
def test_a_run_that_does_not_count_says_why(changed: dict[str, Any], why: str) -> None:
    """One thing wrong each."""
    assert counting.counted(ENTRY, replace(recorded(), **changed), CODE) == why


@pytest.mark.parametrize(("state", "said"), [((None, False), "git keeps none"), (("c" * 40, True), "files differ")])
def test_nothing_is_run_that_could_not_count(
    monkeypatch: pytest.MonkeyPatch, state: tuple[str | None, bool], said: str
) -> None:
    """Without a commit, or with changes that are not in it."""
    monkeypatch.setattr(counting, "git_state", lambda: state)
    with pytest.raises(LabError, match=said):
        counting.clean_commit()
