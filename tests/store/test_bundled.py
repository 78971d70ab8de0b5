"""The index of the bundled entries: made when a card changed, and only of what changed; groups among the entries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml
from toys import make_toy_entry

import zoo
from zoo.entries.check import check_example
from zoo.errors import MismatchError, ModelError
from zoo.store import bundled, index, registry
from zoo.store.registry import below, broken_entries, entries, find_entry, info, members_of
from zoo.store.search import search

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def cards(tmp_path, monkeypatch):
    """A folder of entries in the place of ``model_cards``, with one toy."""
    folder = tmp_path / "cards"
    make_toy_entry(folder / "toy-one")
    monkeypatch.setattr(registry, "INDEX", tmp_path / "index.json")
    monkeypatch.setattr(registry, "entries_folder", lambda: folder)
    monkeypatch.setattr("zoo.models.entry.entries_folder", lambda: folder)
    return folder


@pytest.fixture
def described(monkeypatch):
    """Which folders are read for the index."""
    read, describe_all = [], index.describe_all
    monkeypatch.setattr(index, "describe_all", lambda folder: read.append(folder.name) or describe_all(folder))
    return read


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_new_or_changed_card_is_known_at_once(cards, described):
    assert [one["name"] for one in entries()] == ["toy-one"] and described == ["toy-one"]
    make_toy_entry(cards / "toy-two")
    assert [one["name"] for one in entries()] == ["toy-one", "toy-two"] and described == ["toy-one", "toy-two"]
    change(cards / "toy-two/README.md", "version: 1.0.0", "version: 1.0.1")
    assert info("toy-two")["version"] == "1.0.1" and described[2:] == ["toy-two"]
    assert zoo.load_model("toy-two@1.0.1").card.version == "1.0.1"
    entries()
    assert described[3:] == []
    for path in sorted((cards / "toy-one").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (cards / "toy-one").rmdir()
    assert [one["name"] for one in entries()] == ["toy-two"] and described[3:] == []


def test_a_card_that_somebody_is_writing_does_not_hide_the_others(cards, capsys):
    make_toy_entry(cards / "toy-two")
    change(cards / "toy-two/README.md", "summary:", "sumary:")
    assert [one["name"] for one in entries()] == ["toy-one"]
    with pytest.raises(ModelError, match=r"README.md:\d+: the card") as caught:
        find_entry("toy-two")
    assert len(str(caught.value).splitlines()) == 3
    from zoo.cli import run

    assert run(["list"]) == 0
    said = capsys.readouterr()
    assert "toy-one" in said.out and "1 model cannot be read; first: " in said.err
    with pytest.raises(ModelError, match=r"README.md:\d+: the card"):
        bundled.write_index(registry.INDEX, cards)


def test_two_entries_of_one_name_are_named(cards):
    make_toy_entry(cards / "toy-two", card={"name": "toy-one"})
    with pytest.raises(ModelError, match="toy-two: another entry is called 'toy-one' too"):
        bundled.write_index(registry.INDEX, cards)


def test_where_the_checkout_cannot_be_written_the_cache_keeps_the_index(cards, described, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    writable = os.access
    monkeypatch.setattr(bundled.os, "access", lambda path, mode: path != tmp_path and writable(path, mode))
    entries(), entries()
    assert described == ["toy-one"] and not registry.INDEX.exists()
    assert len(list((tmp_path / "cache/sources").glob("bundled.*.index.json"))) == 1


def test_the_index_of_a_wheel_is_final(cards, described):
    assert bundled.write_index(registry.INDEX, cards) == 1 and described == ["toy-one"]
    change(cards / "toy-one/README.md", "version: 1.0.0", "version: 1.0.1")
    assert entries()[0]["version"] == "1.0.0" and described == ["toy-one"]


def test_an_index_that_is_damaged_is_made_again(cards):
    entries()
    for text in ("", "{", "[]", '{"entries": 3}', json.dumps({"entries": [], "states": {"toy-one": "other"}})):
        registry.INDEX.write_text(text)
        assert [one["name"] for one in entries()] == ["toy-one"]


def test_listing_imports_nothing_heavy_once_the_index_is_there(cards):
    entries()
    program = (
        "import sys; from pathlib import Path; from zoo.store import registry; "
        f"registry.INDEX = Path({str(registry.INDEX)!r}); registry.entries_folder = lambda: Path({str(cards)!r}); "
        "print(len(registry.entries()), {'yaml', 'jinja2', 'pydantic', 'numpy', 'torch'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "1 set()"


# ---------------------------------------------------------------- groups


@pytest.fixture
def group(cards):
    """A toy as a group of three models, weights and expected predictions a column or a row each."""
    toy = make_toy_entry(cards / "toy-group", loader="inline")
    folder = toy.folder
    (folder / "model.yaml").rename(folder / "model-template.yaml")
    change(folder / "model-template.yaml", "weights: weights.pth", 'weights: "{{ factor }}.pth"')
    change(folder / "README.md", "name: toy-group", 'name: "toy-group/{{ model }}"')
    text = (folder / "README.md").read_text()
    _, front, prose = text.split("---\n", 2)
    card = yaml.safe_load(front)
    card["summary"] = "Counts bases as {{ factor }} does, in {{ species }}."
    card["files"] = []
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(card)}---\n{prose}")
    rows = {"human/CTCF": 1.0, "human/SPI1": 1.0, "yeast/Reb1": 2.0}
    lines = [f"{name}\t{name.split('/')[1]}\t{name.split('/')[0]}" for name in rows]
    (folder / "models.tsv").write_text("model\tfactor\tspecies\n" + "".join(f"{line}\n" for line in lines))
    for name, scale in rows.items():
        torch.save({"scale": torch.tensor([scale])}, folder / f"{name.split('/')[1]}.pth")
    with h5py.File(folder / "example/expected.h5", "a") as handle:
        for name, scale in rows.items():
            source = handle["preds"]
            if isinstance(source, h5py.Dataset):
                handle[f"{name}/preds"] = source[()] * scale
            else:
                for key in source:
                    handle[f"{name}/preds/{key}"] = source[key][()] * scale
        del handle["preds"]
    return folder


def test_each_model_of_a_group_is_an_entry(group):
    names = ["toy-group/human/CTCF", "toy-group/human/SPI1", "toy-group/yeast/Reb1"]
    assert [one["name"] for one in entries()] == [*names, "toy-one"]
    assert [one["name"] for one in search(["ctcf"], entries())] == names[:1]
    facts = info("toy-group/yeast/Reb1")
    assert facts["summary"] == "Counts bases as Reb1 does, in yeast." and facts["folder"] == str(group)
    assert info(group / "yeast/Reb1") == facts | {"path": str(group / "yeast/Reb1")}
    assert members_of("toy-group") == names and members_of("toy-group/human") == names[:2] and not members_of("toy-one")
    with pytest.raises(ModelError, match="toy-group is a group of 3 models"):
        find_entry("toy-group")
    with pytest.raises(ModelError, match="no model named"):
        find_entry("toy-group/human/CTCE")


def test_models_of_a_group_may_be_known_by_a_name_without_a_slash(group):
    (group / "models.tsv").write_text("model\tfactor\tspecies\nctcf\tCTCF\thuman\nreb1\tReb1\tyeast\n")
    change(group / "README.md", "toy-group/{{ model }}", "toy-group-{{ model }}")
    assert [one["name"] for one in entries()] == ["toy-group-ctcf", "toy-group-reb1", "toy-one"]
    assert members_of("toy-group") == ["toy-group-ctcf", "toy-group-reb1"] and not members_of("toy-group-ctcf")
    # Kipoi knows it by its path, which names it too.
    assert find_entry("toy-group-reb1") == find_entry("toy-group/reb1")
    assert info("toy-group-reb1")["folder"] == str(group)
    with pytest.raises(ModelError, match="toy-group is a group of 2 models"):
        find_entry("toy-group")


def test_a_model_of_a_group_is_called_by_nothing_else(group):
    change(group / "README.md", "toy-group/{{ model }}", "toy_{{ factor }}")
    assert [one["name"] for one in entries()] == ["toy-one"]
    assert all('"GROUP-{{ model }}"' in one["problem"] for one in broken_entries())


def test_a_model_of_a_group_predicts_and_is_tested(group):
    from zoo.cards.card import card_of

    assert card_of(group / "human/SPI1").name == "toy-group/human/SPI1"
    model = zoo.load_model("toy-group/yeast/Reb1")
    assert model.card.name == "toy-group/yeast/Reb1" and model.module.scale.item() == 2.0
    assert check_example("toy-group/yeast/Reb1").comparisons[0].beyond == 0
    torch.save({"scale": torch.tensor([3.0])}, group / "Reb1.pth")
    with pytest.raises(MismatchError, match="toy-group/yeast/Reb1"):
        check_example("toy-group/yeast/Reb1", save=group / "got.h5")


def test_the_models_of_a_group_may_have_a_row_each_in_their_example(group):
    names = ["human/CTCF", "human/SPI1", "yeast/Reb1"]
    with h5py.File(group / "example/expected.h5", "r+") as handle:
        rows = [handle[name]["preds"][()] for name in names]
        for name in ("human", "yeast"):
            del handle[name]
        handle["models"], handle["preds"] = np.array(names, "S"), np.stack(rows)
    for name in names:
        assert check_example(f"toy-group/{name}").comparisons[0].beyond == 0
    with h5py.File(group / "example/expected.h5", "r+") as handle:
        handle["preds"][...] = np.stack([*rows[:2], rows[0]])
    with pytest.raises(MismatchError, match="toy-group/yeast/Reb1"):
        check_example("toy-group/yeast/Reb1", save=group / "got.h5")


@pytest.mark.parametrize("stacked", [False, True])
def test_a_model_of_a_group_without_an_example_is_named(group, stacked):
    with h5py.File(group / "example/expected.h5", "r+") as handle:
        del handle["yeast"]
        if stacked:
            handle["models"], handle["preds"] = np.array(["human/CTCF"], "S"), np.zeros((1, 2, 1))
    with pytest.raises(ModelError, match="holds no predictions of 'yeast/Reb1'"):
        check_example("toy-group/yeast/Reb1")


def test_groups_are_told_and_listed(group):
    assert {one["group"] for one in entries() if one["name"].startswith("toy-group")} == {"toy-group"}
    assert [one["name"] for one in below("toy-group/human")] == ["toy-group/human/CTCF", "toy-group/human/SPI1"]
    assert [one["name"] for one in below("toy-one")] == ["toy-one"] and below("toy-group", verified=True) == []
    with pytest.raises(ModelError, match="no model named 'toy-group/humen'") as caught:
        below("toy-group/humen")
    assert "near names: toy-group/human/" in str(caught.value) and "`zoo list toy-group`" in str(caught.value)


def test_a_card_of_a_group_must_bear_its_models_name(group):
    change(group / "README.md", "toy-group/{{ model }}", "toy-group/{{ factor }}")
    assert [one["name"] for one in entries()] == ["toy-one"]
    with pytest.raises(ModelError, match="its card calls it 'toy-group/CTCF'"):
        find_entry("toy-group/human/CTCF")


def test_a_card_of_a_group_is_no_program(group):
    change(group / "README.md", "{{ species }}", "{% for a in [1] %}{% endfor %}")
    with pytest.raises(ModelError, match=r"README.md:\d+: the template uses For"):
        find_entry("toy-group/human/CTCF")
