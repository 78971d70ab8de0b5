"""Kipoi's YAML, read without kipoi: every refusal names file and line."""

from __future__ import annotations

import random

import pytest
import yaml
from toys import make_toy_entry

from zoo.cards.kipoi import parse_shape, read_dataloader, read_model
from zoo.errors import ModelError


def edited(folder, *replacements, kind="gc", file="model.yaml", **options):
    """The text of a toy's YAML after replacements, and its path."""
    toy = make_toy_entry(folder / "toy", kind, **options)
    path = toy.folder / file
    text = path.read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return path, text


def line_of(text, start):
    """1-based number of the first line that begins so."""
    return next(i for i, line in enumerate(text.splitlines(), 1) if line.strip().startswith(start))


def test_model_yaml(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "stranded")
    model = read_model(toy.folder)
    assert model.defined_as == "kipoi.model.PyTorchModel"
    assert model.args["weights"] == "weights.pth"
    assert [(schema.name, schema.shape) for schema in model.inputs] == [("seq", (4, 24))]
    assert [(schema.name, schema.shape) for schema in model.targets] == [("counts", (2, 4)), ("total", (1,))]
    assert model.expect == toy.folder / "example/expected.h5"
    assert model.info["license"] == "MIT"


@pytest.mark.parametrize("where", ["file", "inline"])
def test_the_dataloader_in_a_file_of_its_own_or_in_model_yaml(tmp_path, where):
    toy = make_toy_entry(tmp_path / "toy", loader=where, loader_args={"use_strand": True})
    loader = read_model(toy.folder).loader
    assert loader.defined_as == "kipoiseq.dataloaders.SeqIntervalDl"
    assert loader.args["auto_resize_len"] == 16 and loader.args["use_strand"] is True
    assert loader.examples == {"intervals_file": "example/regions.bed", "fasta_file": "example/genome.fa"}


def test_the_older_syntax_with_type(tmp_path):
    path, _ = edited(tmp_path, ("defined_as: kipoi.model.PyTorchModel", "type: pytorch"))
    assert read_model(path.parent).defined_as == "kipoi.model.PyTorchModel"


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("(4, 1000)", (4, 1000)),
        ("(1,)", (1,)),
        ("(None, 4)", (None, 4)),
        ([4, 10], (4, 10)),
        (7, (7,)),
        ("5", (5,)),
        (None, (None,)),
        ("[2, 3]", (2, 3)),
    ],
)
def test_shapes(value, shape):
    assert parse_shape(value) == shape


@pytest.mark.parametrize("value", ["__import__('os').system('true')", "(4, x)", "(4.5,)", "four", {"a": 1}, "(4,"])
def test_what_is_no_shape_is_refused_and_never_evaluated(value):
    with pytest.raises(ValueError, match="not a tuple of whole numbers"):
        parse_shape(value)


def refusal(path):
    with pytest.raises(ModelError) as caught:
        read_model(path.parent)
    assert caught.value.fix.startswith("Fix: ")
    return caught.value.what


@pytest.mark.parametrize("field", ["args", "schema", "defined_as"])
def test_a_missing_field_at_the_top(tmp_path, field):
    toy = make_toy_entry(tmp_path / "toy")
    path = toy.folder / "model.yaml"
    data = yaml.safe_load(path.read_text())
    del data[field]
    path.write_text("# a comment\n\n" + yaml.safe_dump(data, sort_keys=False))
    assert refusal(path) == f"{path}:3: lacks the field `{field}`"


@pytest.mark.parametrize("field", ["inputs", "targets"])
def test_a_missing_field_below_names_the_line_of_its_parent(tmp_path, field):
    path, text = edited(tmp_path, (f"  {field}:", f"  {field}_:"))
    assert refusal(path) == f"{path}:{line_of(text, 'schema:')}: lacks the field `schema.{field}`"


def test_a_field_of_the_wrong_type(tmp_path):
    path, text = edited(tmp_path, ("\nargs:\n", "\nargs: 5\nrest:\n"))
    assert refusal(path) == f"{path}:{line_of(text, 'args:')}: `args` has the wrong type"


def test_a_shape_that_is_none(tmp_path):
    path, text = edited(tmp_path, ("(4, 16)", "four by sixteen"))
    assert refusal(path).startswith(f"{path}:{line_of(text, 'shape: four')}: shape 'four by sixteen'")


def test_a_target_without_shape(tmp_path):
    path, _ = edited(tmp_path, ("    shape: (1,)\n", ""))
    assert "`schema.targets` lacks `shape`" in refusal(path)


@pytest.mark.parametrize("seed", range(5))
def test_yaml_that_does_not_parse_names_its_line(tmp_path, seed):
    toy = make_toy_entry(tmp_path / "toy")
    path = toy.folder / "model.yaml"
    lines = path.read_text().splitlines()
    tops = [i for i, line in enumerate(lines) if not line.startswith((" ", "-"))]
    at = random.Random(seed).choice(tops[1:])
    lines.insert(at, "broken: {a: 1]")
    path.write_text("\n".join(lines))
    assert refusal(path).startswith(f"{path}:{at + 1}: YAML does not parse")


def test_yaml_tags_construct_nothing(tmp_path):
    marker = tmp_path / "marker"
    path, _ = edited(tmp_path, ("license: MIT", f"license: !!python/object/apply:os.system ['touch {marker}']"))
    assert "YAML does not parse" in refusal(path)
    assert not marker.exists()


@pytest.mark.parametrize("content", ["", "just text\n", "- a\n- b\n", "\x00"])
def test_model_yaml_that_is_no_mapping(tmp_path, content):
    path, _ = edited(tmp_path)
    path.write_text(content)
    assert refusal(path).startswith(f"{path}")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("info:\n", "info: text\nrest:\n"),
        ("test:\n", "test: text\nrest:\n"),
        ("default_dataloader: .", "default_dataloader: nowhere"),
        ("default_dataloader: .", "default_dataloader: {a: 1}"),
        ("default_dataloader: .", "default_dataloader: {defined_as: x, default_args: [1]}"),
    ],
)
def test_other_parts_of_the_wrong_type(tmp_path, old, new):
    path, _ = edited(tmp_path, (old, new))
    assert refusal(path).startswith(str(path.parent))


@pytest.mark.parametrize(
    ("old", "new"),
    [("defined_as: ", "defined_by: "), ("args:\n", "args: 5\nrest:\n"), ("args:\n", "args: [a]\nrest:\n")],
)
def test_dataloader_yaml_that_is_wrong(tmp_path, old, new):
    path, _ = edited(tmp_path, (old, new), file="dataloader.yaml")
    with pytest.raises(ModelError) as caught:
        read_dataloader(path)
    assert caught.value.what.startswith(f"{path}:")


@pytest.mark.shared
def test_every_model_yaml_of_the_kipoi_repository_is_read(shared_data):
    paths = sorted((shared_data / "d13_kipoi_models_yaml").rglob("model.yaml"))
    assert len(paths) > 100
    for path in paths:
        model = read_model(path.parent)
        assert model.inputs and model.targets, path
