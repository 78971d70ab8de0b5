"""What imports what: light commands stay light, and the packages depend in one direction only."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import zoo

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "numpy", "pandas", "grelu", "kipoi", "pydantic", "h5py", "pysam")

LIGHT = """
import sys
from zoo.cli import run
code = run({arguments!r})
found = sorted(name for name in {heavy!r} if name in sys.modules)
print("\\nHEAVY", code, ",".join(found))
"""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["list"], ["list", "--json"], ["search", "yeast"], ["info", "yeast-atac"]],
    ids=" ".join,
)
def test_light_commands_load_no_heavy_package(arguments):
    program = LIGHT.format(arguments=arguments, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1].strip() == "HEAVY 0", done.stderr


@pytest.mark.parametrize("name", ["zoo", "zoo.cli", "zoo.errors", "zoo.store.registry", "zoo.genome.assembly"])
def test_light_modules_load_no_heavy_package(name):
    program = f"import sys, json, {name}; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(done.stdout) == []


def imports_of(path):
    """Modules of this repository that a file imports anywhere, as dotted names."""
    package = ".".join(path.relative_to(ROOT).with_suffix("").parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [base])])
            found.add(base)
            found |= {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            found |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    return {name for name in found if name.split(".")[0] in ("zoo", "interpret", "finetune")}


def files_of(*parts):
    path = ROOT.joinpath(*parts)
    return [path] if path.suffix else sorted(path.rglob("*.py"))


def offenders(files, forbidden):
    """Files that import a module at or below one of the ``forbidden`` names."""
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in sorted(imports_of(path))
        if any(name == bad or name.startswith(bad + ".") for bad in forbidden)
    ]


def test_the_reading_of_imports_sees_every_form(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "zoo/models").mkdir(parents=True)
    path = tmp_path / "zoo/models/x.py"
    path.write_text(
        "import os, zoo.cli\nfrom zoo import model\nfrom . import load\nfrom ..genome import fasta\n"
        "def f():\n    import importlib\n    importlib.import_module('interpret.report')\n"
    )
    assert imports_of(path) >= {"zoo.cli", "zoo.model", "zoo.models.load", "zoo.genome.fasta", "interpret.report"}


CLI = files_of("zoo", "cli")
ZOO = [path for path in files_of("zoo") if path not in CLI]


@pytest.mark.parametrize(
    ("files", "forbidden"),
    [
        (ZOO, ["interpret", "finetune", "zoo.cli"]),
        (files_of("interpret"), ["finetune", "zoo.cli"]),
        (files_of("finetune"), ["interpret", "zoo.cli"]),
        (files_of("zoo", "run"), ["zoo.model"]),
        (files_of("zoo", "models"), ["zoo.model", "zoo.run", "zoo.writers"]),
        (files_of("zoo", "writers"), ["zoo.model", "zoo.run", "zoo.models"]),
        (files_of("zoo", "genome"), ["zoo.model", "zoo.run", "zoo.models", "zoo.writers", "zoo.outputs"]),
        (files_of("zoo", "store"), ["zoo.model", "zoo.run", "zoo.models", "zoo.writers", "zoo.outputs"]),
        (files_of("zoo", "outputs.py"), ["zoo.model", "zoo.run", "zoo.models", "zoo.writers", "zoo.genome"]),
        (files_of("zoo", "errors.py"), ["zoo", "interpret", "finetune"]),
    ],
    ids=["zoo", "interpret", "finetune", "run", "models", "writers", "genome", "store", "outputs", "errors"],
)
def test_imports_go_one_way(files, forbidden):
    assert files
    assert offenders(files, forbidden) == []


def test_every_module_has_a_docstring_and_what_it_offers():
    for path in [*ZOO, *CLI]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), f"{path} has no docstring"
        defined, offered = set(), []
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                defined.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                defined.add(node.id)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                defined |= {alias.asname or alias.name for alias in node.names}
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                offered = ast.literal_eval(node.value)
        assert not set(offered) - defined, f"{path} offers what it lacks"


def test_public_names_hold():
    assert zoo.__all__ == ["entries", "load_model", "predict"]
    assert set(zoo.__all__) <= set(dir(zoo))
    assert {name: getattr(zoo, name).__module__ for name in zoo.__all__} == {
        "entries": "zoo.store.registry",
        "load_model": "zoo.model",
        "predict": "zoo.run.predict",
    }
    with pytest.raises(AttributeError, match="no_such"):
        _ = zoo.no_such


def test_exit_codes_hold():
    from zoo import errors

    codes = {name: getattr(errors, name).exit_code for name in errors.__all__ if name != "near_names"}
    assert codes == {
        "ZooError": 1,
        "UsageError": 2,
        "InputError": 3,
        "ModelError": 4,
        "TrustError": 4,
        "FetchError": 5,
        "MismatchError": 6,
        "SystemStateError": 7,
    }
    error = errors.InputError("x.bed:3: wrong", "1 of 2 rows", "Fix: correct it")
    assert str(error) == "x.bed:3: wrong\n1 of 2 rows\nFix: correct it"
    assert str(errors.UsageError("what", fix="Fix: this")) == "what\nFix: this"
