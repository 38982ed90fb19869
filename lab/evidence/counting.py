"""Whether a run counts as evidence, and why not."""

from __future__ import annotations

from collections.abc import Callable

from lab.catalogue import Entry
from lab.errors import LabError
from lab.evidence.digest import digest
from lab.evidence.facts import Body, body_of
from lab.observe.machine import git_state
from lab.record import Record


def today(entry: Entry, commit: str) -> str:
    """The digest of the experiment's code at a commit that is checked out."""
    found = digest(entry, entry.spec(), commit)
    assert found is not None, f"{commit} is checked out, so git has it"
    return found


def clean_commit() -> str:
    """The commit that is checked out. Raises LabError where files that a run is made of differ from it."""
    commit, dirty = git_state()
    if commit is None:
        raise LabError("evidence counts runs of a commit, and git keeps none here; run it in a clone of the project")
    if dirty:
        raise LabError(
            "evidence counts runs of a commit, and files differ from it (git status shows which); commit or stash them"
        )
    return commit


def counted(entry: Entry, record: Record, wanted: str) -> Body | str:
    """The run as evidence, where it was made by code of the digest that is `wanted`; else why it does not count."""
    for applies, why in _REFUSED:
        if applies(record):
            return why
    found = digest(entry, record.spec, record.git_commit or "")
    if found is None:
        return "of a commit that this clone does not have"
    if found != wanted:
        return "of other code than today's"
    assert record.judgement is not None  # among the refused
    return body_of(record, record.judgement, found)


def _short(record: Record) -> bool:
    return record.scale != 1


def _ended_early(record: Record) -> bool:
    return len(record.episodes) < record.trials * len(record.spec.variants)


_REFUSED: tuple[tuple[Callable[[Record], bool], str], ...] = (
    (lambda record: record.judgement is None, "not judged"),
    (_short, "not at full length"),
    (lambda record: bool(record.turned), "with knobs turned"),
    (_ended_early, "ended early"),
    (lambda record: record.git_commit is None, "of no commit"),
    (lambda record: record.git_dirty, "with uncommitted changes"),
)
