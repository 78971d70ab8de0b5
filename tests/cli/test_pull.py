"""`pull` as a function: one model that fails does not keep the others, and is still an error at the end."""

from __future__ import annotations

import pytest

from zoo.entries.pull import PulledFile, pull
from zoo.errors import ModelError


def test_local_files_are_said_to_be_local():
    notes: list[str] = []
    assert pull("yeast-atac", report=notes.append) == []
    assert notes == ["yeast-atac: nothing to fetch, its files are local"]
    assert pull("yeast-atac") == []


def test_a_checkpoint_is_its_own_file(tmp_path):
    path = tmp_path / "m.ckpt"
    path.write_bytes(b"12345")
    done: list[PulledFile] = []
    assert pull([str(path)], done=done.append) == done == [PulledFile(str(path), "checkpoint", 5, path)]


def test_the_first_failure_is_raised_after_all_were_tried(tmp_path):
    path = tmp_path / "m.ckpt"
    path.write_bytes(b"12345")
    failed: list[str] = []
    names = ["no-such-model", str(path), "nor-this"]
    done: list[PulledFile] = []
    with pytest.raises(ModelError, match="no model named 'no-such-model'") as caught:
        pull(names, done=done.append, failed=lambda model, error: failed.append(model))
    assert [file.model for file in done] == [str(path)] and failed == ["no-such-model", "nor-this"]
    assert caught.value.extent.startswith("2 of 3 models failed: no-such-model, nor-this; first: ")


def test_one_model_alone_fails_with_its_own_words():
    with pytest.raises(ModelError) as caught:
        pull("no-such-model")
    assert "models failed" not in caught.value.extent


def test_the_command_names_each_failure(shell):
    said = shell.zoo("pull", "no-such-model", "nor-this", "-q")
    assert said.code == 4 and said.out == ""
    lines = said.err.splitlines()
    assert lines[0] == "zoo: no-such-model: no model named 'no-such-model'"
    assert lines[1] == "zoo: nor-this: no model named 'nor-this'" and len(lines) == 5


def test_a_broken_example_is_the_fault_of_the_entry(shell):
    """Not of the user of `zoo test`, who gave no regions, and has no option to mend them."""
    toy = shell.fresh_toy()
    bed = next(toy.folder.rglob("*.bed"))
    bed.write_text("no_such_chromosome\t0\t9\n")
    error = shell.zoo("test", toy.folder, "--trust").error(4)
    assert "its example cannot be predicted" in error and "no_such_chromosome" in error
    assert "Fix: correct the example of the entry" in error and "--translate-chroms" not in error
