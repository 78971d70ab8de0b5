"""Versions of the card: old ones load for ever, steps are pure, and a file is rewritten with its comments."""

from __future__ import annotations

import copy
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from toys import make_toy_entry

from zoo.cards import upgrade as upgrade_module
from zoo.cards.card import card_of, read_card
from zoo.cards.schema import Card
from zoo.cards.yaml_edit import edited
from zoo.entries.upgrade import upgrade
from zoo.errors import ModelError

ROOT = Path(__file__).resolve().parents[2]
FROZEN = Path(__file__).with_name("frozen")

# ---------------------------------------------------------------- cards of version 1, for ever


# name -> version, input length, first output and its tracks (None: the entry does not hold them), files
KNOWN = {
    "yeast-atac": ("1.0.0", 1280, "atac", ["atac_cuts"], 7),
    "every-key": ("2.1.0", 600, "counts", ["plus", "minus"], 3),
    "mmsplice-donor": ("1.0.0", 18, "score", None, 5),
}


@pytest.mark.parametrize("folder", sorted((FROZEN / "1").iterdir()), ids=lambda folder: folder.name)
def test_a_card_of_version_1_loads(folder):
    if folder.name == "deepbind":
        rows = [line.split("\t")[0] for line in (folder / "models.tsv").read_text().splitlines()[1:]]
        assert len(rows) == 2
        for row in rows:
            card = card_of(folder / row, required=True)
            assert card.name == f"deepbind/{row}" and card.schema_version == upgrade_module.newest()
        return
    card = read_card(folder / "README.md").card
    assert (card.name, card.schema_version) == (folder.name, upgrade_module.newest())
    if folder.name in KNOWN:
        version, length, output, tracks, files = KNOWN[folder.name]
        found = card.outputs[0]
        assert (card.version, card.input.length, found.name, len(card.files)) == (version, length, output, files)
        assert tracks is None or found.tracks == tracks


def test_frozen_cards_are_frozen():
    """What a program of that time wrote is not edited when the program changes: a step is written instead."""
    lines = (FROZEN / "1.sha256").read_text().split("\n")
    recorded = {name: sha256 for sha256, name in (line.split("  ") for line in lines if line)}
    found = {
        path.relative_to(FROZEN).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((FROZEN / "1").rglob("*"))
        if path.is_file()
    }
    assert found == recorded


def test_every_key_of_version_1_still_says_the_same():
    card = read_card(FROZEN / "1" / "every-key" / "README.md").card
    assert card.deprecated.by == "yeast-atac" and card.deprecated.reason == "a better one is there"
    assert card.genome.chrom_style == "plain" and card.outputs[0].strand == [("plus", "minus")]
    assert card.training.splits.test == "regions.bed" and card.training.seed == 7
    assert card.evaluation[0].baseline.value == 0.1 and card.evaluation[0].ci == (0.4, 0.6)
    assert card.files[2].made_from[0].prefix == "a." and card.wheels == {"name==1.0": 1000}
    assert card.withdrawn is None


# ---------------------------------------------------------------- an invented version


def to_2(front):
    """An invented version 2: `summary` was called `about`; below `training`, `seed` is a list."""
    made = {("summary" if key == "about" else key): value for key, value in front.items()}
    made["training"] = {key: value for key, value in made["training"].items() if key != "note"}
    return made


def to_3(front):
    """An invented version 3: units are written out."""
    return front | {"outputs": [{"units": "not given"} | output for output in front["outputs"]]}


@pytest.fixture
def invented(monkeypatch):
    monkeypatch.setattr(upgrade_module, "UPGRADERS", (to_2, to_3))


OLD = """\
# Which model this is.
schema_version: 1
name: toy   # its name
version: 1.0.0
about: |
  Counts G and C.
  Nothing else.
input: {length: 16}  # bp
outputs:
# the one output
- name: gc
  kind: scalar
  tracks: [gc]
training:
  # nothing was trained
  data: []
  note: an old key
  seed: 1
# the end
"""


def test_steps_are_taken_in_order_and_change_nothing_that_they_are_given(invented):
    old = yaml.safe_load(OLD)
    before = copy.deepcopy(old)
    new = upgrade_module.upgraded(old)
    assert old == before
    assert new["schema_version"] == 3 and new["summary"] == "Counts G and C.\nNothing else.\n"
    assert new["outputs"] == [{"units": "not given", "name": "gc", "kind": "scalar", "tracks": ["gc"]}]
    assert new["training"] == {"data": [], "seed": 1} and "about" not in new
    assert upgrade_module.upgraded(new) == new
    middle = to_2(old) | {"schema_version": 2}
    assert upgrade_module.upgraded(middle) == new  # a card of version 2 takes the last step only


def test_an_old_card_is_read_as_a_new_one(invented, tmp_path):
    (tmp_path / "README.md").write_text(f"---\n{OLD}---\nProse.\n")
    card = read_card(tmp_path / "README.md").card
    assert (card.schema_version, card.summary, card.outputs[0].units) == (
        3,
        "Counts G and C.\nNothing else.\n",
        "not given",
    )
    assert (tmp_path / "README.md").read_text().startswith(f"---\n{OLD}")


def test_upgrade_keeps_comments_and_prose(invented, tmp_path):
    path = tmp_path / "README.md"
    path.write_text(f"---\n{OLD}---\n\nProse --- with dashes.\n\n---\nAnd a rule.\n")
    planned = upgrade(tmp_path, dry_run=True)
    assert [(one.old, one.new, one.kept) for one in planned] == [(1, 3, True)]
    assert path.read_text().startswith(f"---\n{OLD}")
    assert upgrade([tmp_path]) == planned
    text = path.read_text()
    assert text.endswith("---\n\nProse --- with dashes.\n\n---\nAnd a rule.\n")
    for comment in ("# Which model this is.", "# its name", "# bp", "# nothing was trained", "# the end"):
        assert text.count(comment) == 1, comment
    front = yaml.safe_load(text.split("---\n")[1])
    assert front == upgrade_module.upgraded(yaml.safe_load(OLD))
    assert read_card(path).card.summary == "Counts G and C.\nNothing else.\n"
    assert [(one.old, one.new) for one in upgrade(tmp_path)] == [(3, 3)]
    assert path.read_text() == text


def test_upgrade_of_a_template_that_is_no_yaml_says_what_to_change(invented):
    with pytest.raises(ModelError, match="template that is YAML only once") as error:
        upgrade(FROZEN / "1" / "deepbind", dry_run=True)
    assert "changes schema_version" in error.value.extent and "schema_version: 3" in error.value.fix


def test_an_export_is_upgraded_below_its_key(invented, tmp_path):
    card = yaml.safe_load(OLD)
    (tmp_path / "README.md").write_text("---\n" + yaml.safe_dump({"license": "mit", "seqzoo": card}) + "---\nx\n")
    assert upgrade(tmp_path)[0].new == 3
    front = yaml.safe_load((tmp_path / "README.md").read_text().split("---\n")[1])
    assert front["license"] == "mit" and front["seqzoo"] == upgrade_module.upgraded(card)


def test_nothing_is_written_where_one_card_is_wrong(invented, tmp_path):
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder, front in ((good, OLD), (bad, OLD.replace("schema_version: 1", "schema_version: 4"))):
        folder.mkdir()
        (folder / "README.md").write_text(f"---\n{front}---\n")
    with pytest.raises(ModelError, match="version 4"):
        upgrade([good, bad])
    assert (good / "README.md").read_text() == f"---\n{OLD}---\n"


# ---------------------------------------------------------------- which version a card is of


def test_a_card_without_a_version_is_of_the_first(tmp_path):
    path = make_toy_entry(tmp_path / "toy", card={"schema_version": None}).folder / "README.md"
    assert "schema_version" not in path.read_text()
    assert card_of(path.parent).schema_version == upgrade_module.newest()
    assert upgrade(path.parent)[0].old == 1


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("99", "the card is of version 99, and this seqzoo reads cards up to version"),
        ("0", "0 is no version"),
        ("-1", "-1 is no version"),
        ("1.0", "1.0 is no version"),
        ("true", "True is no version"),
        ("'1'", "'1' is no version"),
        ("[1]", "[1] is no version"),
        ("", "None is no version"),
    ],
)
def test_a_version_that_is_not_known_is_refused_with_its_line(tmp_path, version, says):
    path = make_toy_entry(tmp_path / "toy").folder / "README.md"
    text = path.read_text().replace("schema_version: 1", f"schema_version: {version}")
    path.write_text(text)
    with pytest.raises(ModelError) as error:
        read_card(path)
    line = text.splitlines().index(f"schema_version: {version}") + 1
    assert error.value.what.startswith(f"{path}:{line}: `schema_version`: {says}")
    if version == "99":
        assert "install a newer seqzoo" in error.value.fix


def test_front_matter_of_others_is_no_card(tmp_path):
    (tmp_path / "README.md").write_text("---\nname: x\nversion: 1.0.0\nsummary: y\ninput: z\n---\n")
    assert card_of(tmp_path) is None


# ---------------------------------------------------------------- lines that are changed


@pytest.mark.parametrize(
    ("old", "change", "new"),
    [
        ("a: 1 # one\nb: 2\n", {"a": 1, "b": 3}, "a: 1 # one\nb: 3\n"),
        ("a: 1 # one\nb: 2\n", {"a": 5, "b": 2}, "a: 5 # one\nb: 2\n"),
        ("a: 1\n# of b\nb: 2\n", {"b": 2}, "# of b\nb: 2\n"),
        ("a: 1\n", {"a": 1, "b": [1, 2]}, "a: 1\nb:\n- 1\n- 2\n"),
        ("a: 1", {"a": 1, "b": 2}, "a: 1\nb: 2\n"),
        ("a:\n  b: 1 # x\n  c: 2\nd: 4\n", {"a": {"b": 1, "c": 3}, "d": 4}, "a:\n  b: 1 # x\n  c: 3\nd: 4\n"),
        ("a:\n  b: 1\nd: 4\n", {"a": {"b": 1, "c": 3}, "d": 4}, "a:\n  b: 1\n  c: 3\nd: 4\n"),
        ("old: 1 # x\nb: 2\n", {"new": 1, "b": 2}, "new: 1 # x\nb: 2\n"),
        ("a: {b: 1} # x\nc: 1 # y\n", {"a": {"b": 2}, "c": 1}, "a:\n  b: 2\nc: 1 # y\n"),
        ("a: 'x' # q\n", {"a": "it's"}, "a: it's # q\n"),
        ("a: |\n  text\n  more\n# c\nb: 1\n", {"a": "one", "b": 1}, "a: one\n# c\nb: 1\n"),
        ("a:\nb: 1 # y\n", {"a": 2, "b": 1}, "a: 2\nb: 1 # y\n"),
        ("a: [1,\n  2] # x\nb: 1\n", {"a": [3], "b": 1}, "a:\n- 3\nb: 1\n"),
    ],
)
def test_only_what_changed_is_written_anew(old, change, new):
    assert edited(old, change) == (new, True)


@pytest.mark.parametrize("old", ["{a: 1}", "a: &x [1]\nb: *x\n"])
def test_what_cannot_be_changed_by_lines_is_written_whole(old):
    text, kept = edited(old, {"a": [2], "b": [1]})
    assert yaml.safe_load(text) == {"a": [2], "b": [1]} and not kept


# ---------------------------------------------------------------- JSON Schema, the command


def test_the_json_schema_for_editors_is_that_of_the_code():
    from scripts.make_card_schema import SCHEMA, schema_text

    assert SCHEMA.read_text() == schema_text(), "python -m scripts.make_card_schema"
    schema = json.loads(schema_text())
    assert set(schema["properties"]) == set(Card.model_fields)
    assert set(schema["$defs"]["Deprecated"]["properties"]) == {"by", "reason", "since"}
    assert schema["additionalProperties"] is False


def test_the_command_says_what_changes():
    run = [sys.executable, "-m", "zoo", "upgrade", str(FROZEN / "1" / "pangolin"), str(FROZEN / "1" / "deepbind")]
    done = subprocess.run(run, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "")
    assert "0 of 2 cards changed" in done.stderr
    done = subprocess.run([*run, "--json"], capture_output=True, text=True, cwd=ROOT)
    assert [one["old"] for one in json.loads(done.stdout)] == [1, 1]
    done = subprocess.run([*run[:4], str(ROOT / "scripts")], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 4 and "has no card" in done.stderr


def test_bundled_cards_are_valid_for_the_json_schema():
    import jsonschema

    schema = json.loads((ROOT / "docs/card.schema.json").read_text())
    checked = 0
    for path in sorted(ROOT.glob("model_cards/*/README.md")):
        try:
            front = yaml.safe_load(path.read_text().split("---\n")[1])
        except yaml.YAMLError:  # a template
            continue
        jsonschema.validate(json.loads(json.dumps(front, default=str)), schema)  # an editor reads dates as text
        checked += 1
    assert checked > 20
    with pytest.raises(jsonschema.ValidationError, match="sumary"):
        jsonschema.validate(json.loads(json.dumps(front | {"sumary": "x"}, default=str)), schema)
