"""The card: front matter that is checked field by field, with line numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from toys import make_toy_entry

from zoo.cards.card import read_card, read_tracks, read_uses
from zoo.cards.yaml_lines import load_yaml
from zoo.errors import ModelError


def edited(folder, *replacements, kind="stranded"):
    """A toy's card after replacements: its path and text."""
    path = make_toy_entry(folder / "toy", kind).folder / "README.md"
    text = path.read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)
    return path, text


def line_of(text, start):
    return next(i for i, line in enumerate(text.splitlines(), 1) if line.startswith(start))


def refusal(path):
    with pytest.raises(ModelError) as caught:
        read_card(path)
    assert caught.value.exit_code == 4
    assert caught.value.fix.startswith("Fix: ")
    return caught.value


def test_a_card_and_its_prose(tmp_path):
    path, _ = edited(tmp_path)
    read = read_card(path)
    assert read.card.name == "toy"
    outputs = [(out.name, out.kind, out.offset) for out in read.card.outputs]
    assert outputs == [("counts", "profile", 4), ("total", "scalar", 0)]
    assert read.card.outputs[0].strand == [("plus", "minus")]
    assert read.card.outputs[1].strand == "unstranded"
    assert read.prose.strip().startswith("## What it predicts")


@pytest.mark.parametrize("field", ["name", "version", "summary", "input", "outputs", "training"])
def test_a_missing_field_is_named(tmp_path, field):
    path = make_toy_entry(tmp_path / "toy", card={field: None}).folder / "README.md"
    error = refusal(path)
    assert error.what == f"{path}:2: the card lacks the field `{field}`"
    assert error.fix == f"Fix: add `{field}:`"


def test_a_missing_field_of_an_output_names_the_line_of_that_output(tmp_path):
    path, text = edited(tmp_path, ("- name: total\n  kind: scalar\n", "- name: total\n"))
    assert refusal(path).what == f"{path}:{line_of(text, '- name: total')}: the card lacks the field `outputs.1.kind`"


def test_an_unknown_field_names_its_own_line(tmp_path):
    path, text = edited(tmp_path, ("summary: ", "sumary: x\nsummary: "))
    assert refusal(path).what == f"{path}:{line_of(text, 'sumary')}: the card has an unknown field `sumary`"


def test_an_unknown_field_far_inside_names_its_own_line(tmp_path):
    path, text = edited(tmp_path, ("  bin_size: 4\n", "  bin_size: 4\n  binsize: 4\n"))
    where = f"{path}:{line_of(text, '  binsize')}"
    assert refusal(path).what == f"{where}: the card has an unknown field `outputs.0.binsize`"


@pytest.mark.parametrize(
    ("old", "new", "start"),
    [
        ("schema_version: 1", "schema_version: 99", "schema_version"),
        ("version: 1.0.0", "version: one", "version"),
        ("name: toy", "name: a toy", "name"),
        ("  bin_size: 4", "  bin_size: 0", "  bin_size"),
        ("  kind: scalar", "  kind: scaler", "  kind: scaler"),
        ("  length: 24", "  length: -1", "  length"),
        ("  offset: 4", "  offset: four", "  offset"),
    ],
)
def test_a_wrong_value_names_its_line(tmp_path, old, new, start):
    path, text = edited(tmp_path, (old, new))
    assert refusal(path).what.startswith(f"{path}:{line_of(text, start)}: `")


def test_several_problems_are_counted(tmp_path):
    path, _ = edited(tmp_path, ("version: 1.0.0", "version: one"), ("summary: ", "sumary: "))
    assert refusal(path).extent == "3 fields of the card are wrong"


def test_yaml_that_does_not_parse_names_the_line_of_the_file(tmp_path):
    path, text = edited(tmp_path, ("summary: ", "broken: {a: 1]\nsummary: "))
    assert refusal(path).what.startswith(f"{path}:{line_of(text, 'broken')}: YAML does not parse")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("# no front matter\n", "no front matter"),
        ("", "no front matter"),
        ("---\nname: x\n", "does not end"),
        ("---\njust text\n---\n", "not a mapping"),
        ("---\n---\n", "not a mapping"),
    ],
)
def test_front_matter_that_is_none(tmp_path, content, says):
    path = tmp_path / "README.md"
    path.write_text(content)
    assert says in refusal(path).what


def test_a_missing_card(tmp_path):
    assert "no card" in refusal(tmp_path / "README.md").what


def test_a_card_in_another_encoding(tmp_path):
    path, text = edited(tmp_path)
    path.write_bytes(text.replace("Counts bases.", "Zählt Basen.").encode("latin-1"))
    assert "cannot be read" in refusal(path).what


@pytest.mark.parametrize("tracks", [{}, {"tracks": ["a", "b"], "tracks_file": "tracks.txt"}, {"tracks": ["a", "a"]}])
def test_tracks_come_from_one_source_and_are_unique(tmp_path, tracks):
    output = {"name": "y", "kind": "scalar"} | tracks
    path = make_toy_entry(tmp_path / "toy", card={"outputs": [output]}).folder / "README.md"
    assert "`outputs.0`" in refusal(path).what


def test_a_tracks_file_has_a_name_a_line(tmp_path):
    folder = make_toy_entry(
        tmp_path / "toy", card={"outputs": [{"name": "y", "kind": "scalar", "tracks_file": "tracks.txt"}]}
    ).folder
    output = read_card(folder / "README.md").card.outputs[0]
    with pytest.raises(ModelError, match=r"tracks\.txt: no such file"):
        read_tracks(folder, output)
    (folder / "tracks.txt").write_text("first\tdescription\nsecond track\n\n")
    assert read_tracks(folder, output) == ("first", "second track")


def test_lines_of_nested_yaml_are_found(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\nb:\n  - c: 2\n    d: 3\n  - {e: 4}\n")
    document = load_yaml(path)
    assert document.data == yaml.safe_load(path.read_text())
    found = {key: document.line(key) for key in [("a",), ("b",), ("b", 0), ("b", 0, "d"), ("b", 1, "e"), ("b", 7), ()]}
    assert found == {("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 0, "d"): 4, ("b", 1, "e"): 5, ("b", 7): 2, (): 1}


USES = """---
name: x
---

## What it predicts

- nothing

## Use them for

- One thing
  in two lines.
- Another - with a dash.

## Do not use it for

Some words first.

- A third.
"""


def test_what_a_card_says_that_a_model_is_for(tmp_path):
    (tmp_path / "README.md").write_text(USES)
    assert read_uses(tmp_path) == {
        "use_for": ["One thing in two lines.", "Another - with a dash."],
        "not_for": ["A third."],
    }
    (tmp_path / "README.md").write_text("# A model of somebody else\n\n## USE IT FOR\n\n* stars are no list of ours\n")
    assert read_uses(tmp_path) == {"use_for": [], "not_for": []} == read_uses(tmp_path / "nowhere")


def test_every_bundled_card_says_what_it_is_for_and_not_for():
    cards = Path(__file__).resolve().parents[2] / "model_cards"
    folders = [path.parent for path in sorted(cards.glob("*/README.md"))]
    assert len(folders) >= 25
    for folder in folders:
        found = read_uses(folder)
        assert found["use_for"] and found["not_for"], folder.name


def test_the_size_of_a_wheel_that_travels_is_on_every_card_that_needs_one():
    cards = Path(__file__).resolve().parents[2] / "model_cards"
    releases = set()
    for path in sorted(cards.glob("*/README.md")):
        named = set(re.findall(r"pypi:([\w.-]+==[\w.-]+)/", path.read_text()))
        if named:
            assert set(read_card(path).card.wheels) == named, path
            releases |= named
    assert releases == {"mmsplice==2.4.0", "spliceai==1.3.1", "cispliceai==1.2.2"}
