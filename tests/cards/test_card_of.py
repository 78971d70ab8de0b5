"""Which README is a card: the same answer for everything that reads a folder."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml
from toys import make_toy_entry

from zoo.cards.card import card_of, read_card, read_exported, split_readme
from zoo.entries.add import copy_entry
from zoo.entries.export import exported_readme
from zoo.errors import ModelError
from zoo.models.entry import open_entry
from zoo.store.index import describe
from zoo.store.remote import remote_files

HUGGING_FACE = "---\nlicense: mit\ntags:\n- biology\nlibrary_name: pytorch\n---\n# A model\n"
NO_CARDS = {
    "Hugging Face": HUGGING_FACE,
    "prose that speaks of cards": "---\nlicense: mit\n---\nOurs has a `schema_version: 1`.\n\nschema_version: 1\n",
    "no front matter": "# A model\n\nschema_version: 1\n",
    "schema_version inside something else": "---\nconfig:\n  schema_version: 1\n---\n",
    "schema_version in a value": "---\ntitle: of schema_version\n---\n",
    "a tag seqzoo": "---\nseqzoo: true\n---\n",
    "three dashes alone": "---",
    "a rule": "---\n# A model\n\nText.\n",
    "a rule, and a card quoted further down": "---\n# A model\n\nschema_version: 1\n",
    "longer dashes": "----\nschema_version: 1\n----\n",
    "empty front matter": "---\n---\n",
    "a list": "---\n- schema_version\n---\n",
    "text": "---\njust text\n---\n",
    "empty": "",
    "an empty line first": "\n---\nschema_version: 1\n---\n",
    "broken, of others": "---\nlicense: [mit\n---\n",
    "not UTF-8, of others": b"---\nlicense: mit\nauthor: M\xfcller\n---\nGr\xfc\xdfe\n",
    "not UTF-8, no front matter": b"\xff\xfe# \x00",
    "UTF-16": "---\nschema_version: 1\n---\n".encode("utf-16"),
}


@pytest.fixture(params=NO_CARDS.values(), ids=NO_CARDS.keys())
def bare(request, tmp_path):
    """A folder that predicts, beside a README that is no card."""
    folder = make_toy_entry(tmp_path / "toy", card=False).folder
    text = request.param
    (folder / "README.md").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_a_readme_that_is_no_card_is_none_for_everybody(bare):
    entry = open_entry(bare)
    assert card_of(bare) is None and entry.card is None
    assert describe(bare)["name"] == "toy"
    assert remote_files(entry.description) == {}
    assert read_exported(bare / "README.md").card is None
    before = (bare / "README.md").read_bytes()
    assert (copy_entry(bare, bare.parent / "copy", "other") / "README.md").read_bytes() == before


def test_where_a_card_is_required_it_is_an_error_with_its_file(bare):
    with pytest.raises(ModelError) as caught:
        card_of(bare, required=True)
    assert caught.value.what.startswith(f"{bare / 'README.md'}:") and caught.value.fix.startswith("Fix: ")


def test_a_folder_without_readme(tmp_path):
    assert card_of(tmp_path) is None
    assert split_readme(tmp_path / "README.md") == ({}, "")
    with pytest.raises(ModelError, match="the entry has no card"):
        card_of(tmp_path, required=True)
    (tmp_path / "README.md").mkdir()
    assert card_of(tmp_path) is None
    with pytest.raises(ModelError, match="cannot be read"):
        card_of(tmp_path, required=True)


@pytest.fixture
def toy(tmp_path):
    return make_toy_entry(tmp_path / "toy").folder


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: "\ufeff" + text,
        lambda text: "\ufeff" + text.replace("\n", "\r\n"),
        lambda text: text.replace("---\n", "--- \t\n"),
        lambda text: text.partition("\n---\n")[0] + "\n---",
    ],
    ids=["plain", "CRLF", "CR", "BOM", "BOM and CRLF", "spaces after dashes", "no prose"],
)
def test_a_card_however_it_was_saved(toy, change):
    path = toy / "README.md"
    expected = card_of(toy)
    path.write_bytes(change(path.read_text()).encode())
    assert card_of(toy) == expected == read_card(path).card == open_entry(toy).card
    assert describe(toy)["version"] == "1.0.0"


def test_line_numbers_are_those_of_the_file(toy):
    path = toy / "README.md"
    text = path.read_text().replace("summary:", "sumary:").replace("\n", "\r\n")
    path.write_bytes(("\ufeff" + text).encode())
    line = next(i for i, one in enumerate(text.split("\r\n"), 1) if one.startswith("sumary"))
    with pytest.raises(ModelError) as caught:
        card_of(toy)
    assert caught.value.what == f"{path}:2: the card lacks the field `summary`"
    path.write_text(text.replace("sumary:", "summary: x\nsumary:"))
    with pytest.raises(ModelError) as caught:
        card_of(toy)
    assert caught.value.what == f"{path}:{line + 1}: the card has an unknown field `sumary`"


BROKEN = {
    "YAML": ("schema_version: 1\nname: [toy\n---\n", "README.md:4: YAML does not parse"),
    "no end": ("schema_version: 1\nname: toy\n", "README.md:1: the front matter does not end"),
    "YAML of an export": ("license: mit\nseqzoo: {a: 1]\n---\n", "README.md:3: YAML does not parse"),
    "a field": ("schema_version: 1\nname: toy\n---\n", "README.md:2: the card lacks the field `version`"),
    "another schema": ("schema_version: '0.2'\n---\n", "README.md:2: "),
    "nothing in an export": ("license: mit\nseqzoo: {}\n---\n", "README.md:3: the card lacks the field"),
}


@pytest.mark.parametrize(("rest", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_meant_as_a_card_and_is_broken_is_an_error_for_everybody(toy, rest, says):
    (toy / "README.md").write_text(f"---\n{rest}")
    for read in (card_of, open_entry, describe):
        with pytest.raises(ModelError) as caught:
            read(toy)
        assert f"{toy}/{says}" in caught.value.what


def test_a_card_that_is_not_utf8_names_its_line(toy):
    path = toy / "README.md"
    path.write_bytes(path.read_bytes().replace(b"Counts bases.", b"Z\xe4hlt Basen."))
    line = next(i for i, text in enumerate(path.read_bytes().splitlines(), 1) if b"\xe4" in text)
    with pytest.raises(ModelError) as caught:
        card_of(toy)
    assert caught.value.what.startswith(f"{path}:{line}: cannot be read") and "UTF-8" in caught.value.fix


def test_a_readme_that_may_not_be_read(toy, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(ModelError, match=r"README\.md: cannot be read: Permission denied"):
        card_of(toy)


def test_an_export_is_the_card_below_its_key(toy):
    path = toy / "README.md"
    front, prose = split_readme(path)
    expected = card_of(toy)
    info = {"license": "MIT", "doc": "counts"}
    path.write_text(exported_readme(front, info, prose, "pytorch"))
    assert card_of(toy) == expected == open_entry(toy).card
    found = read_exported(path)
    assert (found.card, found.info, found.prose.strip()) == (front, info, prose.strip())
    assert yaml.safe_load(path.read_text().split("---\n")[1])["library_name"] == "pytorch"


def test_prose_comes_without_the_front_matter(toy):
    path = toy / "README.md"
    assert split_readme(path)[1] == "\n## What it predicts\n\nCounts of bases.\n" == read_card(path).prose
    path.write_text(HUGGING_FACE)
    front, prose = split_readme(path)
    assert front == {"license": "mit", "tags": ["biology"], "library_name": "pytorch"} and prose == "# A model\n"


def test_a_bundled_entry_without_a_card_is_an_error(toy, monkeypatch):
    monkeypatch.setattr("zoo.models.entry.entries_folder", lambda: toy.parent)
    assert open_entry(toy).card.name == "toy"
    (toy / "README.md").write_text(HUGGING_FACE)
    with pytest.raises(ModelError, match="lacks the field"):
        open_entry(toy)


def test_no_card_costs_no_pydantic(toy):
    (toy / "README.md").write_text(HUGGING_FACE)
    program = (
        "import sys; from pathlib import Path; from zoo.cards.card import card_of\n"
        f"assert card_of(Path({str(toy)!r})) is None; print('pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
