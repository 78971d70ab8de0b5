"""Versions of entries: `name@version`, the newest by default; deprecated ones say so, withdrawn ones refuse."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path

import pytest
import yaml
from toys import make_toy_entry

import zoo
from zoo.cli import run
from zoo.entries.check_many import check_examples
from zoo.entries.pull import pull
from zoo.errors import ModelError
from zoo.store import registry
from zoo.store.bundled import write_index
from zoo.store.registry import broken_entries, entries, find_entry, info, versions_of
from zoo.store.versions import in_order, placed

HERE = Path(__file__)


@pytest.fixture
def cards(tmp_path, monkeypatch):
    """Entries in the place of ``model_cards``: a toy in three versions, of which each counts something else."""
    folder = tmp_path / "cards"
    make_toy_entry(folder / "toy", "profile", card={"version": "1.10.0"})
    make_toy_entry(folder / "toy" / "versions" / "1.9.0", "gc", card={"version": "1.9.0", "name": "toy"})
    make_toy_entry(folder / "toy" / "versions" / "1.0.0", "stranded", card={"version": "1.0.0", "name": "toy"})
    monkeypatch.setattr(registry, "INDEX", tmp_path / "index.json")
    monkeypatch.setattr(registry, "entries_folder", lambda: folder)
    monkeypatch.setattr("zoo.models.entry.entries_folder", lambda: folder)
    return folder


def edit(card, **keys):
    front, prose = card.read_text().split("---\n", 2)[1:]
    data = yaml.safe_load(front) | keys
    card.write_text("---\n" + yaml.safe_dump(data, sort_keys=False) + "---\n" + prose)


@pytest.mark.parametrize(
    ("path", "name", "version"),
    [
        ("toy", "toy", None),
        ("toy/versions/1.0.0", "toy", "1.0.0"),
        ("group/versions/1.0.0/Homo/CTCF", "group/Homo/CTCF", "1.0.0"),
        ("group/sub/versions/10.2.30", "group/sub", "10.2.30"),
        ("toy/versions/old", "toy/versions/old", None),
        ("versions/1.0.0", "versions/1.0.0", None),
        ("toy/versions/1.0.0/versions/0.1.0", "toy/versions/0.1.0", "1.0.0"),
    ],
)
def test_where_a_version_lies(path, name, version):
    assert placed(path) == (name, version)


def test_versions_are_compared_as_numbers():
    assert sorted(["1.10.0", "1.9.0", "1.0.12", "0.11.0"], key=in_order) == ["0.11.0", "1.0.12", "1.9.0", "1.10.0"]


def test_the_newest_is_the_default_and_older_ones_are_found(cards):
    assert [one["name"] for one in entries()] == ["toy"] and broken_entries() == []
    assert find_entry("toy")[0] == cards / "toy" and find_entry("toy@1.10.0")[0] == cards / "toy"
    assert find_entry("toy@1.9.0")[0] == cards / "toy/versions/1.9.0"
    assert versions_of("toy") == versions_of("toy@1.0.0") == ["1.10.0", "1.9.0", "1.0.0"]
    assert {name: zoo.load_model(name).card.outputs[0].name for name in ("toy", "toy@1.9.0", "toy@1.0.0")} == {
        "toy": "g_per_bin",
        "toy@1.9.0": "gc",
        "toy@1.0.0": "counts",
    }
    facts = info("toy@1.9.0")
    assert (facts["version"], facts["name"], facts["outputs"][0]["name"]) == ("1.9.0", "toy", "gc")
    assert (
        facts["versions"] == info("toy")["versions"] == info(cards / "toy")["versions"] == ["1.10.0", "1.9.0", "1.0.0"]
    )


def test_a_version_that_is_not_there_names_those_that_are(cards):
    with pytest.raises(ModelError, match=r"toy has no version 2\.0\.0") as error:
        find_entry("toy@2.0.0")
    assert error.value.extent == "this installation has 1.10.0, 1.9.0, 1.0.0"
    assert error.value.fix == "Fix: zoo predict toy@1.10.0 ..."


def test_all_versions_predict_their_own_example(cards):
    results = check_examples(["toy", "toy@1.9.0", "toy@1.0.0"])
    assert [(one.model, one.status) for one in results] == [
        ("toy", "agrees"),
        ("toy@1.9.0", "agrees"),
        ("toy@1.0.0", "agrees"),
    ]


def test_the_record_of_a_run_has_the_version(cards, tmp_path):
    old = cards / "toy/versions/1.9.0/example"
    zoo.predict("toy@1.9.0", old / "regions.bed", old / "genome.fa", tmp_path / "out.tsv")
    record = json.loads((tmp_path / "out.tsv.run.json").read_text())
    assert record["model"]["name"] == "toy@1.9.0" and record["model"]["version"] == "1.9.0"


def test_the_index_of_a_wheel_has_the_versions(cards, tmp_path, monkeypatch):
    assert write_index(tmp_path / "wheel.json", cards) == 1
    monkeypatch.setattr(registry, "INDEX", tmp_path / "wheel.json")
    assert versions_of("toy") == ["1.10.0", "1.9.0", "1.0.0"]
    assert find_entry("toy@1.0.0")[1]["path"] == "toy/versions/1.0.0"


def test_an_index_that_is_kept_keeps_the_versions(cards):
    entries()
    make_toy_entry(cards / "other")
    assert [one["name"] for one in entries()] == ["other", "toy"]
    assert versions_of("toy") == ["1.10.0", "1.9.0", "1.0.0"]
    shutil.rmtree(cards / "toy/versions/1.0.0")
    assert versions_of("toy") == ["1.10.0", "1.9.0"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda cards: edit(cards / "toy/versions/1.9.0/README.md", version="1.8.0"), "its card says version 1.8.0"),
        (lambda cards: edit(cards / "toy/README.md", version="1.9.0"), "is of version 1.9.0, which is not newer"),
        (lambda cards: edit(cards / "toy/README.md", version="1.5.0"), "is of version 1.5.0, which is not newer"),
        (lambda cards: edit(cards / "toy/versions/1.9.0/README.md", name="other"), "its card calls it 'other'"),
        (
            lambda cards: [path.unlink() for path in (cards / "toy").glob("*.yaml")],
            "an older version of an entry that is not there",
        ),
    ],
)
def test_a_version_in_the_wrong_place_is_told(cards, change, says):
    change(cards)
    assert any(says in one["problem"] and "\nFix: " in one["problem"] for one in broken_entries())
    assert not any(placed(one["path"])[1] == "1.9.0" for one in registry._known()[1])
    with pytest.raises(ModelError, match=r"versions/1\."):
        write_index(cards.parent / "w.json", cards)


def test_models_of_a_group_have_versions(cards):
    def group(folder, version, models):
        folder.mkdir(parents=True)
        toy = make_toy_entry(cards.parent / f"made-{version}", "gc", card={"version": version, "name": "g/{{ model }}"})
        for name in ("toy_model.py", "weights.pth", "dataloader.yaml"):
            for path in toy.folder.glob(name if "toy" not in name else "*.py"):
                shutil.copy(path, folder / path.name)
        text = (toy.folder / "model.yaml").read_text().replace("default_dataloader: .", "default_dataloader: ..")
        (folder / "model-template.yaml").write_text(text)
        card = yaml.safe_load((toy.folder / "README.md").read_text().split("---\n")[1])
        card.pop("files", None)
        card["summary"] = "{{ about }}"
        (folder / "README.md").write_text("---\n" + yaml.safe_dump(card, sort_keys=False) + "---\n")
        (folder / "models.tsv").write_text("model\tabout\n" + "".join(f"{m}\tv{version} of {m}\n" for m in models))

    group(cards / "g", "2.0.0", ["a", "c"])
    group(cards / "g" / "versions" / "1.0.0", "1.0.0", ["a", "b"])
    assert broken_entries() == []
    assert [one["name"] for one in entries()] == ["g/a", "g/c", "toy"]
    assert info("g/a")["summary"] == "v2.0.0 of a" and info("g/a@1.0.0")["summary"] == "v1.0.0 of a"
    assert info("g/a@1.0.0")["group"] == "g" and versions_of("g/a") == ["2.0.0", "1.0.0"]
    assert zoo.load_model("g/a@1.0.0").card.version == "1.0.0"
    assert info("g/b@1.0.0")["summary"] == "v1.0.0 of b"
    with pytest.raises(ModelError, match="no longer in the newest version of its group"):
        find_entry("g/b")
    assert registry.members_of("g") == ["g/a", "g/c"]


def test_versions_of_a_source(cards, tmp_path, monkeypatch):
    from zoo.store.sources import add_source

    monkeypatch.setenv("ZOO_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    add_source("lab", str(cards), trust=True)
    assert [one["name"] for one in entries("lab")] == ["lab/toy"]
    assert versions_of("lab/toy") == ["1.10.0", "1.9.0", "1.0.0"]
    assert zoo.load_model("lab/toy@1.9.0").card.outputs[0].name == "gc"
    assert zoo.load_model("lab/toy").card.outputs[0].name == "g_per_bin"
    with pytest.raises(ModelError, match=r"lab/toy has no version 3\.0\.0"):
        find_entry("lab/toy@3.0.0")


# ---------------------------------------------------------------- deprecated, withdrawn


def test_a_deprecated_entry_says_what_to_use_once(cards, tmp_path, capsys):
    edit(
        cards / "toy/versions/1.9.0/README.md",
        deprecated={"by": "toy@1.10.0", "reason": "G only", "since": "2026-11-29"},
    )
    old = cards / "toy/versions/1.9.0/example"
    command = [
        "predict",
        "toy@1.9.0",
        str(old / "regions.bed"),
        "-g",
        str(old / "genome.fa"),
        "-o",
        str(tmp_path / "o.tsv"),
    ]
    assert run(command) == 0
    said = "zoo: toy 1.9.0 is deprecated since 2026-11-29: G only; use toy@1.10.0\n"
    assert capsys.readouterr().err.count(said) == 1
    assert said[5:-1] in json.loads((tmp_path / "o.tsv.run.json").read_text())["notes"]
    assert (
        run(["predict", "toy", str(cards / "toy/example/regions.bed"), "-g", str(cards / "toy/example/genome.fa")]) == 0
    )
    assert "deprecated" not in capsys.readouterr().err
    assert run(["info", "toy@1.9.0"]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[1] == "deprecated since 2026-11-29: G only; use toy@1.10.0"
    assert "versions   1.10.0, 1.9.0, 1.0.0" in shown


def test_what_was_withdrawn_is_shown_and_neither_run_nor_fetched(cards, capsys, monkeypatch):
    edit(cards / "toy/README.md", withdrawn="trained on shifted labels")
    regions, genome = (str(cards / "toy/example" / name) for name in ("regions.bed", "genome.fa"))
    for command in (
        ["predict", "toy", regions, "-g", genome],
        ["predict", str(cards / "toy"), regions, "-g", genome],
        ["attribute", "toy", regions, "-g", genome, "-o", "c.h5"],
        ["pull", "toy"],
        ["export", "toy", "--to", "kipoi", str(cards.parent / "x")],
    ):
        assert run(command) == 4, command
        said = capsys.readouterr().err
        assert "version 1.10.0 was withdrawn: trained on shifted labels" in said and "zoo info" in said, command
    with pytest.raises(ModelError, match="trained on shifted labels"):
        zoo.load_model("toy")
    assert zoo.load_model("toy@1.9.0").card.version == "1.9.0"
    assert run(["info", "toy"]) == 0
    assert "withdrawn: trained on shifted labels" in capsys.readouterr().out
    assert run(["list", "--plain"]) == 0
    assert "\twithdrawn\t" in capsys.readouterr().out
    assert [one.status for one in check_examples(all=True)] == ["nothing to test"]
    assert run(["test", "--all"]) == 0


def test_a_withdrawn_card_needs_a_reason(cards):
    edit(cards / "toy/README.md", withdrawn=" ")
    with pytest.raises(ModelError, match="`withdrawn`"):
        zoo.load_model(cards / "toy", trust=True)


def test_a_deprecated_entry_that_names_nothing_else(cards):
    from zoo.models.entry import deprecation_note, open_entry

    edit(cards / "toy/README.md", deprecated={"reason": "of an old assembly"})
    assert deprecation_note(open_entry("toy").card) == "toy 1.10.0 is deprecated: of an old assembly"
    edit(cards / "toy/README.md", deprecated={"reason": "x", "by": "no name at all"})
    with pytest.raises(ModelError, match=r"deprecated\.by"):
        zoo.load_model(cards / "toy")


def test_pull_of_a_group_leaves_out_what_was_withdrawn(cards, monkeypatch):
    said, members = [], {"both": ["toy", "toy@1.9.0"]}
    edit(cards / "toy/README.md", withdrawn="wrong")
    monkeypatch.setattr(importlib.import_module("zoo.entries.pull"), "members_of", lambda name: members.get(name, []))
    assert pull("both", report=said.append) == []
    assert said[0] == "toy: was withdrawn and is left out: wrong"


def test_older_versions_are_listed_with_their_version(cards):
    assert [one["name"] for one in registry.older_entries()] == ["toy@1.9.0", "toy@1.0.0"]
    assert [zoo.load_model(one["name"]).card.version for one in registry.older_entries()] == ["1.9.0", "1.0.0"]
