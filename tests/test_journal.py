"""The journal of an interrupted run."""

from __future__ import annotations

import pytest

from zoo.errors import UsageError
from zoo.run.file_run import Journal, JournalState

SIGNATURE = {"model": {"weights.pth": "abc"}, "tracks": [("counts", ["a"])], "limit": None, "stride": 4}
STATE = JournalState(SIGNATURE, cursor=12, rows=10, counts={"windows": 10}, writer={"bytes": 345})


def test_a_saved_state_is_loaded_again(tmp_path):
    journal = Journal(tmp_path / "x.tsv")
    journal.save(STATE)
    assert journal.path == tmp_path / "x.tsv.partial.json"
    state = journal.load(SIGNATURE)
    assert (state.cursor, state.rows, state.counts, state.writer) == (12, 10, {"windows": 10}, {"bytes": 345})
    assert [p.name for p in tmp_path.iterdir()] == ["x.tsv.partial.json"]


def test_no_journal_gives_no_state(tmp_path):
    assert Journal(tmp_path / "x.tsv").load(SIGNATURE) is None


def test_a_changed_argument_is_named(tmp_path):
    journal = Journal(tmp_path / "x.tsv")
    journal.save(STATE)
    with pytest.raises(UsageError) as caught:
        journal.load(SIGNATURE | {"stride": 8, "limit": 3})
    assert "another limit: null, now 3" in caught.value.what
    assert caught.value.extent == "2 things differ: limit, stride"
    assert journal.path.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cursor": 1}', "\xff"])
def test_a_damaged_journal_is_said(tmp_path, content):
    journal = Journal(tmp_path / "x.tsv")
    journal.path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match="damaged"):
        journal.load(SIGNATURE)


def test_removing_twice_is_no_error(tmp_path):
    journal = Journal(tmp_path / "x.tsv")
    journal.save(STATE)
    journal.remove()
    journal.remove()
    assert not journal.path.exists()


def test_a_state_that_cannot_be_saved_leaves_the_older_one(tmp_path):
    journal = Journal(tmp_path / "x.tsv")
    journal.save(STATE)
    with pytest.raises(TypeError):
        journal.save(JournalState(SIGNATURE, 99, 99, {"windows": object()}, {}))
    assert journal.load(SIGNATURE).cursor == 12
    assert [path.name for path in tmp_path.iterdir()] == ["x.tsv.partial.json"]


def test_a_signature_with_more_or_fewer_things_is_another_one(tmp_path):
    journal = Journal(tmp_path / "x.tsv")
    journal.save(STATE)
    with pytest.raises(UsageError, match="another motif: null, now"):
        journal.load(SIGNATURE | {"motif": "TATA"})
    fewer = {key: value for key, value in SIGNATURE.items() if key != "limit"}
    assert journal.load(fewer).rows == 10  # what is no longer asked cannot differ


def test_long_values_are_cut_in_the_message(tmp_path):
    journal = Journal(tmp_path / "x.tsv")
    journal.save(STATE)
    with pytest.raises(UsageError) as caught:
        journal.load(SIGNATURE | {"stride": "x" * 100})
    assert caught.value.what.endswith('now "' + "x" * 56 + "...")
