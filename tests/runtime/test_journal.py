import errno
import json
import os

import pytest

from lab.runtime.journal import Journal, JournalError, read

pytestmark = pytest.mark.e2e


def test_what_is_written_is_read_back(tmp_path):
    """Entries come back in order, with their facts."""
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write("run begins", run="r", pid=1)
    journal.write("run ends")
    journal.close()
    first, last = read(journal.path)
    assert (first.kind, first.facts) == ("run begins", {"run": "r", "pid": 1})
    assert last.kind == "run ends"
    assert 0 < first.at_epoch_s <= last.at_epoch_s


def test_a_fault_is_on_disk_before_it_goes_in(tmp_path):
    """A fault is written down before its body runs, and that it is out even when the body fails."""
    journal = Journal(tmp_path / "journal.jsonl")

    def broken():
        with journal.fault("silence", target="a->b", what_else=1.5):
            assert [entry.kind for entry in read(journal.path)] == ["fault in"]
            raise ValueError

    with pytest.raises(ValueError):
        broken()
    into, out = read(journal.path)
    assert into.facts == {"number": 1, "what": "silence", "fact_target": "a->b", "fact_what_else": 1.5}
    assert (out.kind, out.facts) == ("fault out", {"number": 1, "what": "silence"})


def test_two_faults_at_once_are_told_apart(tmp_path):
    """Two faults of the same kind have numbers, so that it is known which is out."""
    journal = Journal(tmp_path / "journal.jsonl")
    with journal.fault("silence"), journal.fault("silence"):
        pass
    assert [entry.facts["number"] for entry in read(journal.path)] == [1, 2, 2, 1]


@pytest.mark.parametrize(
    "torn", ['{"at": 1, "kind": "proc', '{"at": 1', "\x00\x00\x00", "[]", '{"at": "x", "kind": "y"}', "1"]
)
def test_a_torn_last_line_is_left_out(tmp_path, torn):
    """A line that a crash tore is left out, and those before it are read."""
    path = tmp_path / "journal.jsonl"
    path.write_text(json.dumps({"at": 1.0, "kind": "run begins", "pid": 1}) + "\n" + torn)
    assert [entry.kind for entry in read(path)] == ["run begins"]


def test_no_journal_has_no_entries(tmp_path):
    """Where there is no journal there is nothing to read."""
    assert read(tmp_path / "none") == []


def test_a_fault_is_not_injected_where_the_disk_is_full(tmp_path, monkeypatch):
    """What cannot be written down first is not begun, in one sentence; what is over can still be ended."""
    journal = Journal(tmp_path / "journal.jsonl")

    def full(descriptor, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with journal.fault("silence"):
        monkeypatch.setattr(os, "write", full)
    injected = []
    told = r"journal\.jsonl: .*\(No space left on device\).*LAB_HOME"
    with pytest.raises(JournalError, match=told), journal.fault("silence"):
        injected.append(1)
    assert injected == []
    journal.write_if_possible("run ends")


def test_half_a_line_counts_as_none(tmp_path, monkeypatch):
    """A disk that takes a part of an entry is full too."""
    journal, whole = Journal(tmp_path / "journal.jsonl"), os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:5]))
    with pytest.raises(JournalError):
        journal.write("run begins")
    assert read(journal.path) == []


def test_a_journal_that_cannot_be_made_is_told(tmp_path):
    """With its path."""
    with pytest.raises(JournalError, match=r"none/journal\.jsonl: the journal cannot be made \(No such file"):
        Journal(tmp_path / "none" / "journal.jsonl")
