"""``zoo check --record`` writes the checksums of an entry's files, and changes nothing else."""

from __future__ import annotations

import hashlib

import h5py
import pytest
import torch
from toy_entries import edit_card, edit_yaml, good_entry, yaml_of

from zoo.check.check import check
from zoo.check.record import record_expected, record_files
from zoo.cli import run
from zoo.entries.example import write_expected
from zoo.errors import ModelError


@pytest.fixture
def entry(tmp_path):
    return good_entry(tmp_path / "counts")


def test_a_changed_file_a_new_one_and_one_that_is_gone(entry):
    """A script is added, another is changed, a recorded one is removed: three records change."""
    edit_card(entry, lambda card: card["files"].append({"path": "gone.txt", "sha256": "0" * 64, "bytes": 1}))
    (entry / "more.py").write_text("X = 1\n")
    (entry / "counts_metric.py").write_text("Y = 2\n")
    assert sorted(one.rule for one in check(entry).findings if one.severity == "error") == ["checksum"] * 3
    assert record_files(entry) == ["counts_metric.py", "gone.txt", "more.py"]
    files = {one["path"]: one for one in yaml_of(entry)["files"]}
    assert "gone.txt" not in files
    assert files["more.py"]["bytes"] == 6
    assert files["counts_metric.py"]["sha256"] == hashlib.sha256(b"Y = 2\n").hexdigest()
    assert check(entry).code == 0 and record_files(entry) == []


def test_comments_prose_and_published_files_stay(entry):
    """What is published elsewhere has its bytes there: a local copy that differs stays an error."""
    published = {"path": "weights.pth", "sha256": "1" * 64, "bytes": 3, "mirrors": ["https://example.org/w"]}
    edit_card(
        entry, lambda card: card.update(files=[published, *[f for f in card["files"] if f["path"] != "weights.pth"]])
    )
    path = entry / "README.md"
    text = path.read_text().replace("version: 1.0.0", "# my comment\nversion: 1.0.0  # and more")
    path.write_text(text + "\nMore --- prose.\n")
    (entry / "counts_metric.py").write_text("Y = 2\n")
    assert record_files(entry) == ["counts_metric.py"]
    now = path.read_text()
    assert "# my comment\nversion: 1.0.0  # and more\n" in now and now.endswith("\nMore --- prose.\n")
    assert yaml_of(entry)["files"][0] == published


def test_new_weights_make_the_expected_predictions_again(entry, capsys):
    """The toy multiplies a count by its weight: of 2 in place of 1 every prediction is twice what it was."""
    torch.save({"scale": torch.ones(1) * 2}, entry / "weights.pth")
    with h5py.File(entry / "example/expected.h5") as file:
        names = [f"preds/{name}" for name in file["preds"]]
        before = {name: file[name][()] for name in names}
    bed, prose = (entry / "example/regions.bed").read_text(), (entry / "README.md").read_text().split("---\n", 2)[2]
    assert run(["test", str(entry), "--trust"]) == 5  # other weights than recorded
    card = (entry / "README.md").read_bytes()
    assert run(["test", str(entry), "--record"]) == 4  # nothing is written by Python that may not run
    with h5py.File(entry / "example/expected.h5") as file:
        assert all((file[name][()] == before[name]).all() for name in names)
    assert (entry / "README.md").read_bytes() == card
    capsys.readouterr()
    assert run(["test", str(entry), "--trust", "--record"]) == 0
    said = capsys.readouterr().err
    largest = max(abs(values).max() for values in before.values())
    assert f"up to {largest:.2g} from what was there; recorded example/expected.h5, weights.pth" in said
    with h5py.File(entry / "example/expected.h5") as file:
        assert len(names) == 2 and all((file[name][()] == 2 * before[name]).all() for name in names)
    assert (entry / "example/regions.bed").read_text() == bed
    assert (entry / "README.md").read_text().split("---\n", 2)[2] == prose
    assert check(entry).code == 0
    assert run(["test", str(entry), "--trust", "--record"]) == 0
    assert "made again, and the same as before" in capsys.readouterr().err
    assert run(["test", "--all", "--record"]) == 2 and "into one entry" in capsys.readouterr().err


def test_as_many_bins_are_kept_as_before(tmp_path):
    entry = good_entry(tmp_path / "kept", "profile")
    edit_yaml(entry / "model.yaml", lambda data: data.pop("test", None))
    write_expected(entry, keep=16)
    record_files(entry)
    with h5py.File(entry / "example/expected.h5") as file:
        before = {name: (item.shape, list(item.attrs)) for name, item in file.items() if isinstance(item, h5py.Dataset)}
    assert before["preds"][0][2] < 10_000 and "n_bins" in before["preds"][1]
    assert record_expected(entry, trust=True).difference == 0
    with h5py.File(entry / "example/expected.h5") as file:
        assert {name: (item.shape, list(item.attrs)) for name, item in file.items()} == before


def test_what_cannot_be_recorded_is_refused(entry, tmp_path, capsys):
    (tmp_path / "group").mkdir()
    (tmp_path / "group/model-template.yaml").write_text("x: 1\n")
    for folder, words in [(tmp_path / "group", "is a group"), (tmp_path, "has no card")]:
        with pytest.raises(ModelError, match=words):
            record_files(folder)
    (entry / "README.md").write_text("---\nname: [\n---\n")
    with pytest.raises(ModelError, match="does not parse"):
        record_files(entry)
    assert run(["check", "--record"]) == 2 and "--record without a name" in capsys.readouterr().err


def test_the_command_says_what_it_recorded_and_checks(entry, capsys, monkeypatch):
    monkeypatch.chdir(entry.parent.parent)
    (entry / "more.py").write_text("X = 1\n")
    assert run(["check", str(entry)]) == 4
    typed = f"{entry.parent.name}/counts"
    assert f"`zoo check {typed} --record` writes it" in capsys.readouterr().out
    assert run(["check", typed, "--record"]) == 0
    assert "recorded more.py" in capsys.readouterr().err
