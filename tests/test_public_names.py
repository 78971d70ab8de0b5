"""The public face: names of `zoo` and `interpret`, the same in every order of imports; what `help` and `repr` say."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from toys import make_toy_entry

import interpret
import zoo
from zoo.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "model_cards/yeast-atac/example"
INTERPRET = [
    "ablation",
    "attribute",
    "deepliftshap",
    "inputxgradient",
    "integrated_gradients",
    "ism",
    "marginalize",
    "motifs",
    "report",
    "saliency",
]


def test_the_names_hold():
    assert zoo.__all__ == ["entries", "gallery", "info", "load_model", "predict", "score_variants"]
    assert interpret.__all__ == INTERPRET
    assert set(zoo.__all__) <= set(dir(zoo)) and set(INTERPRET) <= set(dir(interpret))
    assert {name: getattr(zoo, name).__module__ for name in zoo.__all__} == {
        "entries": "zoo.store.registry",
        "gallery": "zoo.gallery.gallery",
        "info": "zoo.store.registry",
        "load_model": "zoo.model",
        "predict": "zoo.run.predict",
        "score_variants": "zoo.variants.score_variants",
    }
    assert all(inspect.isfunction(getattr(interpret, name)) for name in INTERPRET)
    for package in (zoo, interpret):
        with pytest.raises(AttributeError, match="no_such"):
            _ = package.no_such


SUBMODULES = ["import interpret.motifs.find", "import interpret.report.page", "from interpret.attribute import options"]


ORDERS = [*itertools.permutations(SUBMODULES), ()]
NAMES_AFTER = """
{first}
from interpret import motifs, report, attribute, ism
{then}
import interpret
for name in interpret.__all__:
    assert type(getattr(interpret, name)).__name__ == 'function', name
assert interpret.motifs is motifs and interpret.report is report and interpret.attribute is attribute
from interpret.motifs.find import find_motifs
assert motifs is find_motifs
"""
IN_FORKS = """
import os, sys
import h5py, jinja2, numpy, pydantic, sympy, torch, torch.export, torch.fx.experimental.symbolic_shapes, tqdm, yaml
assert not {{"zoo", "interpret", "finetune"}} & {{*sys.modules}}
for program in {programs!r}:
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    exec(program, {{}})
    sys.exit()
"""


@pytest.fixture(scope="module")
def codes_of_orders():
    """Each order in a process of its own, in which packages of others are imported and none of ours."""
    programs = [NAMES_AFTER.format(first="\n".join(order[:2]), then="\n".join(order[2:])) for order in ORDERS]
    code = IN_FORKS.format(programs=programs)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return dict(zip(ORDERS, map(int, done.stdout.split()), strict=True)), done.stderr


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: str(len(order)))
def test_a_name_is_its_function_whatever_was_imported_before(order, codes_of_orders):
    codes, told = codes_of_orders
    assert codes[order] == 0, told


def test_importing_the_packages_imports_nothing_heavy():
    program = "import sys, zoo, interpret; print([m for m in ('torch', 'numpy', 'pandas', 'h5py') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_a_method_without_a_graph_does_not_load_what_makes_graphs():
    """torch's symbolic shapes bring sympy: 0.4 s, beside 0.1 s for all edits of a short sequence."""
    program = (
        "import sys, numpy, torch\n"
        "from interpret import ism, saliency\n"
        "net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(40, 1))\n"
        "one_hot = numpy.eye(4, dtype='float32')[numpy.arange(10) % 4].T[None]\n"
        "ism(net, one_hot), saliency(net, one_hot)\n"
        "print(sorted({'sympy', 'torch._dynamo'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "zoo", "--version"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and done.stdout.startswith("zoo, version ")
    done = subprocess.run([sys.executable, "-m", "zoo", "predict"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and "Traceback" not in done.stderr


@pytest.mark.parametrize("package", ["zoo", "interpret", "finetune"])
def test_types_are_marked_as_there(package):
    assert (ROOT / package / "py.typed").is_file()
    text = (ROOT / "pyproject.toml").read_text()
    assert re.search(rf'(?m)^{package} = \[.*"py.typed"', text)


def examples(package):
    """The indented lines of a package's docstring."""
    return [line.strip() for line in package.__doc__.splitlines() if line.startswith("    ") and line.strip()]


@pytest.mark.parametrize("package", [zoo, interpret], ids=["zoo", "interpret"])
def test_the_lines_of_help_run_and_give_what_they_say(package, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    two = (EXAMPLE / "regions.bed").read_text().splitlines(keepends=True)[:2]
    (tmp_path / "peaks.bed").write_text("".join(two))
    (tmp_path / "sacCer3.fa").write_bytes((EXAMPLE / "genome.fa").read_bytes())
    one_hot = np.eye(4, dtype=np.float32)[np.arange(1280).reshape(1, 1280) % 4].transpose(0, 2, 1)
    names = {"one_hot": one_hot}
    lines = examples(package)
    assert len(lines) >= 6
    for line in lines:
        code, _, comment = line.partition("  #")
        if isinstance(ast.parse(code).body[0], ast.Expr):
            result = eval(code, names)
            if said := re.search(r"-> (\([^)]*\))", comment):
                wanted = eval(said[1], {"N": 1})
                assert result.shape == wanted, line
        else:
            exec(code, names)


def test_repr_of_a_model_is_a_few_lines(tmp_path):
    assert repr(zoo.load_model("yeast-atac")) == (
        "<Model yeast-atac 1.0.0\n"
        "  input (4, 1280) of sacCer3\n"
        "  output atac (1, 32): atac_cuts; 32 bins of 32 bp from 128; Tn5 cuts per bin>"
    )
    toy = zoo.load_model(make_toy_entry(tmp_path / "toy", "stranded").folder, trust=True)
    lines = repr(toy).splitlines()
    assert len(lines) == 4 and lines[1].startswith("  input (4, 24)")
    assert lines[2].startswith("  output counts (2, 4): plus, minus; 4 bins of 4 bp from 4")
    assert lines[3].startswith("  output total (1,): at")


def test_a_model_predicts_letters_as_one_hot(tmp_path):
    toy = make_toy_entry(tmp_path / "toy", "gc")
    model = zoo.load_model(toy.folder, trust=True)
    sequence = "ACGTN" * (model.length // 5) + "G" * (model.length % 5)
    assert model.predict([sequence, "C" * model.length]).tolist() == [toy.answer(sequence)["gc"], [1.0]]
    assert model.predict(["ACG"]).tolist() == [[pytest.approx(2 / 3)]]  # its network takes any length
    with pytest.raises(UsageError, match=r"sequences\[1\] has 4 letters"):
        model.predict(["ACG", "ACGT"])


@pytest.mark.parametrize("kind", ["pandas", "polars", "tuples"])
def test_regions_may_be_a_table_wherever_a_path_may_stand(tmp_path, kind):
    toy = make_toy_entry(tmp_path / "toy", "gc")
    rows = [line.split("\t")[:3] for line in toy.regions.read_text().splitlines() if line.strip()]
    rows = [(chrom, int(start), int(end)) for chrom, start, end in rows]
    names = ["chrom", "start", "end"]
    table = {
        "pandas": pd.DataFrame(rows, columns=names),
        "polars": pl.DataFrame(rows, names, orient="row"),
        "tuples": rows,
    }[kind]
    bed = tmp_path / "x.bed"
    bed.write_text("".join(f"{c}\t{s}\t{e}\n" for c, s, e in rows))
    model = zoo.load_model(toy.folder, trust=True)
    expected = model.predict_regions(bed, toy.genome).values
    for name, values in model.predict_regions(table, toy.genome).values.items():
        np.testing.assert_array_equal(values, expected[name])
    zoo.predict(toy.folder, bed, toy.genome, tmp_path / "bed.tsv", trust=True)
    result = zoo.predict(toy.folder, table, toy.genome, tmp_path / "table.tsv", trust=True)
    assert (tmp_path / "table.tsv").read_bytes() == (tmp_path / "bed.tsv").read_bytes()
    assert result.regions == len(rows)
    assert f"<table of {len(rows)} regions>" in (tmp_path / "table.tsv.run.json").read_text()
