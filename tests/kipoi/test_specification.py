"""Our reading of Kipoi's YAML beside kipoi's own: the whole model repository, and mistakes on purpose."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kipoi_toys import loader_yaml, model_yaml

from zoo.cards.kipoi import MODEL_TYPES, parse_model, read_dataloader, read_model
from zoo.cards.yaml_lines import load_yaml
from zoo.errors import ModelError
from zoo.store.source_index import source_index
from zoo.store.sources import add_source

ORACLE = Path(__file__).with_name("kipoi_oracle.py")
LABEL_FILES = (".txt", ".csv", ".tsv")


def ask_kipoi(*arguments):
    pytest.importorskip("kipoi")
    done = subprocess.run(
        [sys.executable, str(ORACLE), *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


# The model repository of Kipoi


@pytest.fixture(scope="module")
def repository(request):
    return request.getfixturevalue("shared_data") / "d13_kipoi_models_yaml"


@pytest.fixture(scope="module", params=["15", pytest.param("", marks=pytest.mark.long)], ids=["15 a group", "all"])
def kipois(repository, request):
    """What kipoi reads of all names, and of models: those of a group are one template's."""
    return ask_kipoi("source", repository, *filter(None, [request.param]))


@pytest.mark.shared
@pytest.mark.slow
def test_the_same_2206_names(repository, kipois):
    index = source_index(add_source("kipoi", str(repository)))
    assert index["broken"] == []
    names = [entry["path"] for entry in index["entries"]]
    # 30 of epidermal_basset are there twice, in a group and as folders: kipoi lists both, and so do we.
    assert len(names) == 2206 and len(set(names)) == 2176
    assert sorted(names) == sorted(kipois["names"])


@pytest.mark.shared
@pytest.mark.slow
def test_every_model_reads_as_in_kipoi(repository, kipois):
    assert len(kipois["models"]) > 200
    for name, theirs in kipois["models"].items():
        ours = read_model(repository / name)
        assert ours.defined_as == (theirs["defined_as"] or type_of(theirs)), name
        assert remote(ours.args) == theirs["args"], name
        assert leaves(ours.inputs) == known_labels(theirs["inputs"]), name
        assert leaves(ours.targets) == known_labels(theirs["targets"]), name
        assert (ours.expect_remote and remote(ours.expect_remote)) == theirs["expect"], name
        assert ours.precision_decimal == theirs["precision"], name
        for kind in ("conda", "pip"):
            assert as_list(ours.dependencies.get(kind)) == theirs[kind], name
        assert [one["name"] for one in ours.info.get("authors") or []] == theirs["authors"], name
        assert as_list(ours.info.get("tags")) == theirs["tags"], name
        if not isinstance(theirs["loader"], str):
            assert [ours.loader.defined_as, ours.loader.args] == theirs["loader"], name


@pytest.mark.shared
@pytest.mark.slow
def test_every_dataloader_reads_as_in_kipoi(repository, kipois):
    assert len(kipois["dataloader_names"]) > 150 and len(kipois["dataloaders"]) > 60
    for name, theirs in kipois["dataloaders"].items():
        folder = repository / name
        # In a group each model has a dataloader of its own, which is on no disk.
        is_group = not (folder / "dataloader.yaml").is_file()
        ours = read_model(folder).loader if is_group else read_dataloader(folder)
        assert (ours.defined_as, ours.type) == (theirs["defined_as"], theirs["type"]), name
        assert set(ours.arguments) == set(theirs["args"]), name
        for argument, one in theirs["args"].items():
            mine = ours.arguments[argument]
            assert (mine.doc, mine.type, mine.optional) == (one["doc"], one["type"], one["optional"]), (name, argument)
            assert remote(mine.default) == one["default"], (name, argument)
            assert remote(mine.example) == one["example"], (name, argument)


def type_of(theirs):
    if theirs["type"] == "custom":
        return f"{theirs['args']['file']}::{theirs['args']['object']}"
    return MODEL_TYPES[theirs["type"]]


def as_list(value):
    return [value] if isinstance(value, str) else list(value or [])


def leaves(schemas):
    labels = [None if one.column_labels is None else list(one.column_labels) for one in schemas]
    return [
        [list(one.path), list(one.shape), names, one.special_type] for one, names in zip(schemas, labels, strict=True)
    ]


def known_labels(theirs):
    """kipoi keeps the name of a file of labels that is absent as if it were a label; we have none then."""
    return [
        [path, shape, None if labels and len(labels) == 1 and labels[0].endswith(LABEL_FILES) else labels, kind]
        for path, shape, labels, kind in theirs
    ]


def remote(value):
    """A value as written, with what kipoi keeps of a remote file."""
    if isinstance(value, dict) and "url" in value:
        return {"url": value["url"], "md5": value.get("md5", "")}
    return {key: remote(part) for key, part in value.items()} if isinstance(value, dict) else value


# Mistakes on purpose, and odd but good YAML. Each changes a good file; both must agree.

ARRAY = {"shape": "(1,)", "doc": "d"}
MODEL_CHANGES = {
    "as it is": {},
    "old syntax": {"defined_as": None, "type": "pytorch"},
    "a type and defined_as": {"type": "custom"},
    "neither type nor defined_as": {"defined_as": None},
    "no args": {"args": None},
    "args a list": {"args": ["a"]},
    "a remote argument": {"args": {"weights": {"url": "https://x.org/w", "md5": "0" * 32}}},
    "a nested remote argument": {"args": {"a": {"b": {"url": "https://x.org/w", "md5": "0" * 32}}}},
    "no info": {"info": None},
    "info a text": {"info": "text"},
    "an empty info": {"info": {}},
    "an author without name": {"info": {"authors": [{"github": "x"}]}},
    "authors as texts": {"info": {"authors": ["Ada"]}},
    "a version that is a number": {"info": {"version": 0.1, "doc": "x"}},
    "tags as one text": {"info": {"tags": "DNA binding"}},
    "an unknown field": {"colour": "red"},
    "no schema": {"schema": None},
    "no inputs": {"schema": {"targets": ARRAY}},
    "no targets": {"schema": {"inputs": ARRAY}},
    "an input without shape": {"schema": {"inputs": {"doc": "x"}, "targets": ARRAY}},
    "a list of inputs": {"schema": {"inputs": [ARRAY, ARRAY], "targets": ARRAY}},
    "a tree of inputs": {"schema": {"inputs": {"a": [ARRAY, {"b": ARRAY}]}, "targets": ARRAY}},
    "a name that contradicts its key": {"schema": {"inputs": {"a": ARRAY | {"name": "b"}}, "targets": ARRAY}},
    "a name that is its key": {"schema": {"inputs": {"a": ARRAY | {"name": "a"}}, "targets": ARRAY}},
    "an empty shape": {"schema": {"inputs": ARRAY | {"shape": "()"}, "targets": ARRAY}},
    "a free axis": {"schema": {"inputs": ARRAY | {"shape": "(None, 4)"}, "targets": ARRAY}},
    "a shape that is no Python": {"schema": {"inputs": ARRAY | {"shape": "(4, "}, "targets": ARRAY}},
    "a shape with an unknown name": {"schema": {"inputs": ARRAY | {"shape": "(4, x)"}, "targets": ARRAY}},
    "a shape as a list": {"schema": {"inputs": ARRAY | {"shape": [4, 10]}, "targets": ARRAY}},
    "a shape as a number": {"schema": {"inputs": ARRAY | {"shape": 4}, "targets": ARRAY}},
    "a shape without comma": {"schema": {"inputs": ARRAY | {"shape": "(4)"}, "targets": ARRAY}},
    "a shape with arithmetic": {"schema": {"inputs": ARRAY | {"shape": "(4, 2 * 5)"}, "targets": ARRAY}},
    "a shape that runs code": {
        "schema": {"inputs": ARRAY | {"shape": "tuple([__import__('os').getpid()])"}, "targets": ARRAY}
    },
    "an input that is called shape": {"schema": {"inputs": {"shape": ARRAY}, "targets": ARRAY}},
    "an unknown type of model": {"defined_as": None, "type": "caffe"},
    "two labels": {"schema": {"inputs": ARRAY, "targets": ARRAY | {"shape": "(2,)", "column_labels": ["a", "b"]}}},
    "labels as a mapping": {"schema": {"inputs": ARRAY, "targets": ARRAY | {"column_labels": {"a": 1}}}},
    "an unknown special type": {"schema": {"inputs": ARRAY | {"special_type": "RNA"}, "targets": ARRAY}},
    "a special type": {"schema": {"inputs": ARRAY | {"special_type": "v-plot"}, "targets": ARRAY}},
    "no default_dataloader": {"default_dataloader": None},
    "a dataloader in place": {"default_dataloader": {"defined_as": "x.Y", "default_args": {"a": 1}}},
    "a dataloader in place without its class": {"default_dataloader": {"default_args": {"a": 1}}},
    "expected outputs by path": {"test": {"expect": "expected.h5"}},
    "expected outputs by address": {"test": {"expect": {"url": "https://x.org/e.h5", "md5": "0" * 32}}},
    "expected outputs without address": {"test": {"expect": {"md5": "0" * 32}}},
    "decimals": {"test": {"expect": "e.h5", "precision_decimal": 4}},
    "decimals as text": {"test": {"expect": "e.h5", "precision_decimal": "four"}},
    "dependencies as one text": {"dependencies": {"pip": "kipoiseq"}},
    "dependencies as a list": {"dependencies": ["kipoiseq"]},
}
LOADER_CHANGES = {
    "as it is": {},
    "no type": {"type": None},
    "no defined_as": {"defined_as": None},
    "no args": {"args": None},
    "args a list": {"args": ["a"]},
    "an argument without doc": {"args": {"a": {"example": "x"}}},
    "an argument that is a text": {"args": {"a": "text"}},
    "a remote example": {"args": {"a": {"doc": "d", "example": {"url": "https://x.org/e", "md5": "0" * 32}}}},
    "a remote default": {"args": {"a": {"doc": "d", "default": {"url": "https://x.org/e", "md5": "0" * 32}}}},
    "no output_schema": {"output_schema": None},
    "no inputs": {"output_schema": {"metadata": {"ranges": {"type": "GenomicRanges", "doc": "x"}}}},
    "an unknown type of metadata": {"output_schema": {"inputs": ARRAY, "metadata": {"a": {"type": "bed", "doc": "x"}}}},
    "no info": {"info": None},
}
# Where we differ, and why.
DIFFER = {
    ("model", "info a text"): "kipoi finds no field in a text and goes on without authors; a mistake",
    ("model", "dependencies as a list"): "kipoi takes it for no dependencies at all; a mistake",
    ("model", "a shape as a list"): "YAML's own way to write a tuple; nothing else can be meant",
    ("model", "a shape as a number"): "one axis; nothing else can be meant",
    ("model", "a shape without comma"): "one axis; nothing else can be meant",
    ("model", "a shape with arithmetic"): "kipoi evaluates it as Python; literals are read here",
    ("model", "a shape that runs code"): "kipoi evaluates it as Python; literals are read here",
    ("model", "an input that is called shape"): "a good name that kipoi takes for the shape itself",
    ("model", "an unknown type of model"): "kipoi finds out when it loads the model; no such type can run",
}


def changed(base, changes):
    return {key: value for key, value in (base | changes).items() if value is not None}


def ours_accepts(read, path):
    try:
        read(path)
    except ModelError as error:
        assert error.what.startswith(str(path)) and error.fix.startswith("Fix: ")
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "base", "changes", "read"),
    [
        ("model", model_yaml("Sum"), MODEL_CHANGES, lambda path: parse_model(load_yaml(path), path.parent)),
        ("dataloader", loader_yaml(), LOADER_CHANGES, read_dataloader),
    ],
)
def test_both_accept_the_same(tmp_path, kind, base, changes, read):
    paths = {}
    for i, (name, change) in enumerate(changes.items()):
        paths[name] = tmp_path / f"{i}.yaml"
        paths[name].write_text(yaml.safe_dump(changed(base, change), sort_keys=False))
    theirs = dict(zip(paths, ask_kipoi("files", kind, *paths.values()), strict=True))
    ours = {name: ours_accepts(read, path) for name, path in paths.items()}
    other = {name: (ours[name], theirs[name]) for name in ours if ours[name] != (theirs[name] is None)}
    assert set(other) == {name for of, name in DIFFER if of == kind}, other
