"""`zoo test` of several models: a row each, and one that fails keeps no other from being run."""

from __future__ import annotations

import h5py
import pytest
from toys import make_toy_entry

from zoo.cli import run
from zoo.entries.check_many import check_examples, failure_among
from zoo.errors import FetchError, MismatchError, UsageError
from zoo.store import registry


@pytest.fixture
def cards(tmp_path, monkeypatch):
    """Bundled entries: one that agrees, one that differs, one whose weights are nowhere, one that is unverified."""
    folder = tmp_path / "cards"
    make_toy_entry(folder / "agrees")
    differs = make_toy_entry(folder / "differs")
    with h5py.File(differs.folder / "example/expected.h5", "r+") as handle:
        handle["preds"][0, 0] += 1
    lost = [{"path": "weights.pth", "sha256": "0" * 64, "bytes": 10, "mirrors": ["https://127.0.0.1:9/weights.pth"]}]
    elsewhere = make_toy_entry(folder / "elsewhere", card={"files": lost})
    (elsewhere.folder / "weights.pth").unlink()
    unverified = {"status": "unverified", "note": "its bytes were never seen"}
    silent = make_toy_entry(folder / "silent", card={"verification": unverified, "files": []})
    text = (silent.folder / "model.yaml").read_text()
    (silent.folder / "model.yaml").write_text(text.replace("expect: example/expected.h5", "precision_decimal: 4"))
    (silent.folder / "example/expected.h5").unlink()
    monkeypatch.setattr(registry, "INDEX", tmp_path / "index.json")
    monkeypatch.setattr(registry, "entries_folder", lambda: folder)
    monkeypatch.setattr("zoo.models.entry.entries_folder", lambda: folder)
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return folder


def test_all_models_are_tested_and_a_table_names_what_came_of_each(cards, capsys):
    assert run(["test", "--all"]) == 6
    said = capsys.readouterr()
    rows = [line.split("\t") for line in said.out.splitlines()]
    assert rows[0] == ["model", "result", "values", "difference", "seconds"]
    assert [row[:2] for row in rows[1:]] == [
        ["agrees", "agrees"],
        ["differs", "differs"],
        ["elsewhere", "not fetched"],
        ["silent", "nothing to test"],
    ]
    assert rows[1][2:4] == ["5", "0"] and all(float(row[4]) >= 0 for row in rows[1:])
    assert (
        "2 models failed or were not fetched: differs, elsewhere" in said.err and "network is switched off" in said.err
    )


def test_a_function_gives_the_results(cards):
    seen = []
    results = check_examples(all=True, done=seen.append)
    assert seen == results and results[0].status == "agrees"
    assert isinstance(failure_among(results), MismatchError)
    assert isinstance(failure_among([results[2], results[3]]), FetchError)
    assert failure_among([results[0], results[3]]) is None and results[0].report.ok
    with pytest.raises(MismatchError):
        check_examples("differs")


def test_the_exit_code_tells_of_weights_that_are_not_there(cards, capsys):
    assert run(["test", "agrees", "elsewhere"]) == 5
    assert "elsewhere\tnot fetched" in capsys.readouterr().out
    assert run(["test", "agrees", "silent"]) == 0


def test_models_or_all(cards, tmp_path):
    for arguments in ({}, {"models": "agrees", "all": True}):
        with pytest.raises(UsageError):
            check_examples(**arguments)
    with pytest.raises(UsageError, match="2 models"):
        check_examples(["agrees", "differs"], save=tmp_path / "x.h5")
