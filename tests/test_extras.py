"""Optional packages: each import is declared, and a missing one is three lines that name the extra which brings it."""

from __future__ import annotations

import ast
import importlib.metadata
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from zoo.cli import run
from zoo.errors import SystemStateError
from zoo.extras import EXTRAS, fix_for, is_installed, needs, require

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OURS = {"zoo", "interpret", "finetune"}
ENTRY = ROOT / "model_cards" / "yeast-atac"


def names_of(requirements):
    return {canonicalize_name(Requirement(text).name) for text in requirements}


CORE = names_of(PROJECT["dependencies"])
DECLARED = {extra: names_of(listed) for extra, listed in PROJECT["optional-dependencies"].items()}
DISTRIBUTIONS = importlib.metadata.packages_distributions()


def distributions(package):
    """The names on PyPI that bring an import."""
    return {canonicalize_name(name) for name in DISTRIBUTIONS.get(package, ())}


def imported(tree):
    """First parts of the absolute names that a syntax tree imports, wherever it runs: not for type checking."""
    unrun = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for child in node.body
    }
    for node in ast.walk(tree):
        if id(node) in unrun:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            yield from (
                item.value.split(".")[0]
                for item in node.args[:1]
                if isinstance(item, ast.Constant) and not item.value.startswith(".")
            )


def at_start(tree):
    """The same of the statements that run when the module is imported."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported(ast.Module([node], []))


def modules():
    for folder in sorted(OURS):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def foreign(names):
    return {name for name in names if name not in OURS and name not in sys.stdlib_module_names}


def test_every_import_is_declared_as_a_dependency_or_by_the_extra_of_the_table():
    found = {}
    for path, tree in modules():
        for name in foreign(imported(tree)):
            found.setdefault(name, path)
    assert {"torch", "scipy", "huggingface_hub"} <= set(found)
    undeclared = {
        name: str(path) for name, path in found.items() if name not in EXTRAS and not distributions(name) & CORE
    }
    assert undeclared == {}


@pytest.mark.parametrize("package", EXTRAS)
def test_the_extra_of_the_table_brings_the_package(package):
    assert distributions(package) & DECLARED[EXTRAS[package]], f"{package} is not in {EXTRAS[package]}"


def test_no_module_needs_an_optional_package_to_be_imported():
    found = {(str(path), name) for path, tree in modules() for name in at_start(tree) if name in EXTRAS}
    # The module of entries that are made of gReLU checkpoints: copied into them, never imported from here.
    assert found == {("zoo/entries/grelu_entry_module.py", "grelu")}


def test_all_holds_every_extra():
    (everything,) = map(Requirement, PROJECT["optional-dependencies"]["all"])
    assert everything.extras == set(PROJECT["optional-dependencies"]) - {"all"}


def test_what_is_missing_is_three_lines(monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    assert not is_installed("zarr")
    with pytest.raises(SystemStateError) as caught, needs("zarr", "a .zarr", "or -o OUT.h5"):
        import zarr  # noqa: F401
    assert str(caught.value).splitlines() == [
        "a .zarr needs the package zarr, which is not installed",
        "it comes with the extra formats",
        "Fix: pip install 'seqzoo[formats]', or -o OUT.h5",
    ]
    with pytest.raises(SystemStateError, match="a table needs the package zarr"):
        require("a table", "scipy", "zarr")
    require("a table", "scipy")


def test_what_is_broken_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "memelite.py").write_text("raise ImportError('numba needs numpy 2.3 or less\\nand more')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "memelite", raising=False)
    with pytest.raises(SystemStateError) as caught, needs("memelite", "matching of motifs"):
        import memelite  # noqa: F401
    assert "does not import: numba needs numpy 2.3 or less" in caught.value.what and "and more" not in str(caught.value)
    assert caught.value.fix == fix_for("memelite") == "Fix: pip install 'seqzoo[interpret]'"


def test_other_errors_of_the_work_pass_through():
    with pytest.raises(ZeroDivisionError), needs("zarr", "a .zarr"):
        _ = 1 / 0


@pytest.fixture
def without(monkeypatch, tmp_path):
    """Run a command where a package cannot be imported, in an empty folder."""

    def run_without(package, *arguments):
        for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.chdir(tmp_path)
        return run([str(argument) for argument in arguments])

    return run_without


@pytest.fixture(scope="module")
def contributions(tmp_path_factory):
    """A file of contributions of the example's regions."""
    out = tmp_path_factory.mktemp("contributions") / "c.h5"
    assert run(["attribute", *map(str, (ENTRY, *EXAMPLE, "--method", "saliency", "-o", out, "-q"))]) == 0
    return out


EXAMPLE = (ENTRY / "example" / "regions.bed", "-g", ENTRY / "example" / "genome.fa")
PREDICT = ("predict", ENTRY, *EXAMPLE, "-q")
ATTRIBUTE = ("attribute", ENTRY, *EXAMPLE, "-q", "-o", "a.h5", "--method")
MOTIFS = ("motifs", "CONTRIBUTIONS", "-q", "-o", "m.h5")


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("huggingface_hub", ("predict", "hf://someone/model", *EXAMPLE, "-o", "a.tsv")),
        ("pyarrow", (*PREDICT, "-o", "a.parquet")),
        ("zarr", (*PREDICT, "-o", "a.zarr")),
        ("grelu", ("predict", ENTRY / "grelu.ckpt", *EXAMPLE, "-o", "a.tsv", "-q", "--trust")),
        ("captum", (*ATTRIBUTE, "integrated_gradients")),
        ("tangermeme", (*ATTRIBUTE, "deepliftshap")),
        ("modiscolite", MOTIFS),
        ("memelite", MOTIFS),
        ("scipy", MOTIFS),
        ("tangermeme", MOTIFS),
        ("pyjaspar", (*MOTIFS, "--database", "jaspar:fungi")),
        ("grelu", (*MOTIFS, "--database", "hocomoco-v12")),
        ("matplotlib", ("report", "CONTRIBUTIONS", "-o", "r.html", "--figures", "f")),
        ("logomaker", ("report", "CONTRIBUTIONS", "-o", "r.html", "--figures", "f")),
        ("pandas", ("report", "CONTRIBUTIONS", "-o", "r.html", "--figures", "f")),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_command_without_its_package_says_what_to_install(
    without, tmp_path, contributions, package, arguments, capsys
):
    given = [contributions if item == "CONTRIBUTIONS" else item for item in arguments]
    capsys.readouterr()
    code, said = without(package, *given), capsys.readouterr().err
    assert code == 7, said
    lines = [line.strip() for line in said.splitlines()]
    assert len(lines) == 3 and f"package {package}, which is not installed" in lines[0], said
    assert lines[1] == f"it comes with the extra {EXTRAS[package]}"
    assert lines[2].startswith(f"Fix: pip install 'seqzoo[{EXTRAS[package]}]'")
    assert list(tmp_path.iterdir()) == []
