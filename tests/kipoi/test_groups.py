"""Groups: a template and a table become models, without a template doing anything else."""

from __future__ import annotations

import pandas
import pytest
import yaml
from kipoi_toys import REGIONS, g_count, loader_yaml, model_yaml, write_data, write_folder

import zoo
from zoo.cards.kipoi import read_model
from zoo.cards.kipoi_groups import read_group
from zoo.cli import run
from zoo.errors import ModelError
from zoo.models.entry import open_entry

TEMPLATE = """\
defined_as: models.Counts
args:
  factor_file: {{ file }}
  add: {{ add }}
  {% if big and model != 'other' %}
  big: true
  {% endif %}
default_dataloader: ../loaders
info:
  doc: model {{ model | upper }}{% if note is defined %}, {{ note }}{% endif %}
schema:
  inputs: {shape: "(4,)", doc: x}
  targets: {shape: "(1,)", doc: x}
"""
TABLE = "model\tfile\tadd\tbig\nfirst/a\ta.txt\t1\tTrue\nsecond\tb.txt\t2\tFalse\n"


def group(folder, template=TEMPLATE, table=TABLE):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model-template.yaml").write_text(template)
    (folder / "models.tsv").write_text(table)
    return folder


def loader(folder):
    """Two levels up from a model of the group, where `../loaders` leads."""
    folder.mkdir(parents=True)
    text = {
        "defined_as": "loaders.py::Rows",
        "args": {"a": {"doc": "d"}},
        "output_schema": {"inputs": {"shape": "(4,)", "doc": "x"}},
    }
    (folder / "dataloader.yaml").write_text(yaml.safe_dump(text))


def test_a_model_of_a_group_is_named_below_its_folder(tmp_path):
    group(tmp_path / "g")
    loader(tmp_path / "g/first/loaders")
    loader(tmp_path / "g/loaders")
    first, second = read_model(tmp_path / "g/first/a"), read_model(tmp_path / "g/second")
    assert first.args == {"factor_file": "a.txt", "add": 1, "big": True}
    assert second.args == {"factor_file": "b.txt", "add": 2}
    assert first.info["doc"] == "model FIRST/A"
    # The dataloader is looked up from the model's name, its files from the group's folder.
    assert first.loader.folder == tmp_path / "g/first/loaders"
    assert second.loader.folder == tmp_path / "g/loaders"
    assert first.folder == tmp_path / "g" and first.member == "first/a"


def test_an_unknown_name_lists_near_ones(tmp_path):
    group(tmp_path / "g")
    with pytest.raises(ModelError) as caught:
        read_model(tmp_path / "g/secnd")
    assert "no model 'secnd'" in caught.value.what and "second" in caught.value.extent


@pytest.mark.parametrize(
    "column",
    [
        ["1", "2"],
        ["01", "2"],
        ["1", ""],
        ["1.5", "2"],
        ["True", "False"],
        ["True", ""],
        ["a", "NA"],
        ["", ""],
        ["1e3", "2"],
        ["yes", "no"],
        ["-3", "+4"],
        [" 1", "2"],
        ["1_0", "2"],
        ["inf", "1"],
        ["None", "x"],
        ["x # y", "z"],
    ],
)
def test_columns_are_typed_as_by_pandas(tmp_path, column):
    table = "model\tvalue\n" + "".join(f"m{i}\t{text}\n" for i, text in enumerate(column))
    rows = read_group(group(tmp_path / "g", table=table)).rows
    theirs = pandas.read_csv(tmp_path / "g/models.tsv", sep="\t", comment="#")
    assert [str(row["value"]) for row in rows.values()] == [str(one) for one in theirs["value"].tolist()]


def test_comments_and_quotes_of_the_table(tmp_path):
    table = '# a comment\nmodel\tfile\tadd\tbig\n"q"\t"a\tb"\t1\tTrue\n\nr\tx\t2\tTrue\n# the end\n'
    rows = read_group(group(tmp_path / "g", table=table)).rows
    assert list(rows) == ["q", "r"] and rows["q"]["file"] == "a\tb"


@pytest.mark.parametrize(
    ("construct", "named"),
    [
        ("{% for i in file %}x{% endfor %}", "For"),
        ("{{ file.upper() }}", "Call"),
        ("{{ ''.__class__ }}", "Getattr"),
        ("{{ file['x'] }}", "Getitem"),
        ("{{ range(10) }}", "Call"),
        ("{{ 'a' * 1000000000 }}", "Mul"),
        ("{{ 9 ** 9 }}", "Pow"),
        ("{% set a = file ~ file %}", "Assign"),
        ("{{ file | replace('a', 'aa') }}", "filter replace"),
        ("{% include 'x' %}", "Include"),
        ("{% import 'x' as y %}", "Import"),
        ("{% macro f() %}{% endmacro %}", "Macro"),
        ("{% extends 'x' %}", "Extends"),
        ("{{ file | map('upper') }}", "filter map"),
        ("{{ file | attr('x') }}", "filter attr"),
    ],
)
def test_what_could_run_on_or_reach_out_is_refused_at_its_line(tmp_path, construct, named):
    folder = group(tmp_path / "g", TEMPLATE + f"# {construct}\n")
    line = TEMPLATE.count("\n") + 1
    with pytest.raises(ModelError) as caught:
        read_model(folder / "second")
    where = f"{folder}/model-template.yaml:{line}"
    assert caught.value.what == f"{where}: the template uses {named}, which is not rendered here"


@pytest.mark.parametrize(
    ("template", "table", "says"),
    [
        ("{% if %}", TABLE, "model-template.yaml:1: the template does not parse"),
        (TEMPLATE, "name\tfile\nx\ty\n", "models.tsv:1: has no column `model`"),
        (TEMPLATE, "", "models.tsv:1: has no column `model`"),
        (TEMPLATE, "model\na\na\n", "1 name of a model is repeated"),
        (TEMPLATE, "model\n../../etc\n", "is no name of a model"),
        (TEMPLATE, "model\n/etc\n", "is no name of a model"),
        (TEMPLATE, "model\nsecond\tx\ty\n", "more fields than the header"),
        ("args: [\n{{ model }}\n", "model\nsecond\n", "model-template.yaml:"),
    ],
)
def test_broken_groups(tmp_path, template, table, says):
    folder = group(tmp_path / "g", template, table)
    with pytest.raises(ModelError) as caught:
        read_model(folder / "second")
    assert says in caught.value.what


def test_info_of_a_model_of_a_group(tmp_path, capsys, monkeypatch):
    group(tmp_path / "g")
    monkeypatch.chdir(tmp_path)
    assert run(["info", "g/first/a"]) == 0
    assert "model FIRST/A" in capsys.readouterr().out
    assert run(["info", "g/frist/a"]) == 4
    assert "near names: first/a" in capsys.readouterr().err


def test_names_of_the_zoo_in_the_folder_of_a_group(tmp_path, monkeypatch):
    monkeypatch.chdir(group(tmp_path / "g"))
    assert open_entry("yeast-atac").card is not None
    loader(tmp_path / "g/loaders")
    assert open_entry("second").description.member == "second"


def test_a_changed_table_is_read_anew(tmp_path):
    folder = group(tmp_path / "g")
    assert list(read_group(folder).rows) == ["first/a", "second"]
    group(folder, table=TABLE + "third\tc.txt\t3\tTrue\n")
    assert list(read_group(folder).rows) == ["first/a", "second", "third"]


def test_a_model_of_a_group_predicts(tmp_path):
    pytest.importorskip("kipoi")
    fasta, bed = write_data(tmp_path)
    folder = write_folder(tmp_path / "g", model_yaml(), loader_yaml())
    template = (folder / "model.yaml").read_text().replace("default_dataloader: .", "default_dataloader: ..")
    (folder / "model.yaml").unlink()
    group(folder, template.replace("factor_file: factor.txt", "factor_file: factor.txt\n  add: {{ add }}"), TABLE)
    (folder / "first").mkdir()
    (folder / "first/dataloader.yaml").write_text((folder / "dataloader.yaml").read_text())
    plain = zoo.predict(folder / "second", bed, fasta, tmp_path / "second.tsv", trust=True)
    assert plain.windows == 7
    rows = [line.split("\t") for line in (tmp_path / "second.tsv").read_text().splitlines()[1:]]
    assert [float(row[8]) for row in rows] == [g_count(*one) + 2 for one in REGIONS]
