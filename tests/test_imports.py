"""What imports what: light commands stay light, and the packages depend in one direction only."""

from __future__ import annotations

import ast
import functools
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
    zoo.entries()  # in a fresh clone, or after a card has changed, the first of them makes the index
    program = LIGHT.format(arguments=arguments, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1].strip() == "HEAVY 0", done.stderr


@pytest.mark.parametrize("name", ["zoo", "zoo.cli", "zoo.errors", "zoo.store.registry", "zoo.genome.assembly"])
def test_light_modules_load_no_heavy_package(name):
    program = f"import sys, json, {name}; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(done.stdout) == []


@functools.cache
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


# From the ground up. A package imports what stands on lower floors, and its own modules; nothing beside it.
FLOORS = [
    ["zoo.errors", "zoo.words"],
    ["zoo.extras", "zoo.files", "zoo.notebook", "zoo.paths", "zoo.public_names"],
    ["zoo.progress"],
    ["zoo.results", "zoo.outputs", "zoo.cards", "zoo.entries.kept"],
    ["zoo.genome", "zoo.store", "zoo.writers", "zoo.convert", "zoo.doctor"],
    ["zoo.models", "zoo.assemblies", "zoo.gallery"],
    ["zoo.run"],
    ["zoo.model"],
    ["zoo.variants"],
    ["zoo"],
    ["zoo.entries", "interpret.module", "interpret.recurrent", "finetune.mistakes"],
    ["zoo.check"],
    ["finetune.config"],
    ["finetune.config_file"],
    ["finetune.data"],
    ["finetune.models"],
    ["finetune.training"],
    ["finetune.verdict"],
    ["finetune.package", "finetune.run", "finetune.entry_module"],
    ["finetune.finetune"],
    ["finetune.evaluate", "finetune.tune"],
    ["finetune"],
    ["interpret.capture", "interpret.explanation", "interpret.function", "interpret.references"],
    ["interpret.target", "interpret.deeplift", "interpret.contribs"],
    ["interpret.mutagenesis"],
    ["interpret.methods"],
    ["interpret.motifs"],
    ["interpret.attribute"],
    ["interpret.report"],
    ["interpret"],
    ["zoo.cli"],
    ["zoo.__main__"],
]
PLACES = {name: floor for floor, names in enumerate(FLOORS) for name in names}


def room_of(module):
    """The package, or module at a root, that stands in ``FLOORS``."""
    return module if module in PLACES else ".".join(module.split(".")[:2])


def arrows():
    """Module -> modules of this repository that it imports anywhere: lazily and for type checking too."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in OURS}
    return {name: sorted((imports_of(path) & names.keys()) - {name, parent(name)}) for name, path in names.items()}


def parent(name):
    """`from zoo.models import load` names the folder too; the folder's own text is not meant."""
    return name.rpartition(".")[0]


def upward(found):
    """Arrows that do not run down, in words."""
    return [
        f"{source} -> {target}"
        for source, targets in found.items()
        for target in targets
        if room_of(source) != room_of(target)
        and PLACES[room_of(target)] >= PLACES[room_of(source)]
        and not any(other.startswith(f"{target}.") for other in targets)
    ]


def circles(found):
    """Chains of imports that come back to their beginning, as ``a -> b -> a``."""
    chains, done = [], set()

    def follow(name, chain):
        if name in chain:
            chains.append(" -> ".join([*chain[chain.index(name) :], name]))
        elif name not in done:
            for target in found[name]:
                follow(target, [*chain, name])
            done.add(name)

    for name in sorted(found):
        follow(name, [])
    return chains


OURS = [*files_of("zoo"), *files_of("interpret"), *files_of("finetune")]


def test_every_arrow_runs_down():
    found = arrows()
    assert len(found) > 100 and not {room_of(name) for name in found} - PLACES.keys()
    assert upward(found) == []


def test_interpretation_and_fine_tuning_do_not_know_each_other():
    """Floors alone would let the upper of the two see the lower."""
    pairs = {("interpret", "finetune"), ("finetune", "interpret")}
    found = [
        f"{a} -> {b}" for a, targets in arrows().items() for b in targets if (a.split(".")[0], b.split(".")[0]) in pairs
    ]
    assert found == []


def test_there_is_no_circle():
    assert circles(arrows()) == []


def test_an_arrow_that_runs_up_or_back_is_named():
    """Known by hand: one arrow up, one beside, one circle of three."""
    found = {
        "zoo.errors": [],
        "zoo.run.job": ["zoo.errors", "zoo.model"],
        "zoo.model": ["zoo.run.job"],
        "zoo.genome.fasta": ["zoo.store.cache"],
        "zoo.store.cache": [],
        "interpret.motifs.find": ["interpret.motifs.hits"],
        "interpret.motifs.hits": ["interpret.motifs.pattern"],
        "interpret.motifs.pattern": ["interpret.motifs.find"],
    }
    assert upward(found) == ["zoo.run.job -> zoo.model", "zoo.genome.fasta -> zoo.store.cache"]
    assert circles(found) == [
        "interpret.motifs.find -> interpret.motifs.hits -> interpret.motifs.pattern -> interpret.motifs.find",
        "zoo.model -> zoo.run.job -> zoo.model",
    ]


def test_lazy_and_type_checking_imports_are_arrows(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "zoo").mkdir()
    texts = {
        "a": "import zoo.b\n",
        "b": "def f():\n    from zoo.c import x\n",
        "c": "if TYPE_CHECKING:\n    from zoo import a\n",
        "d": "import zoo.a\n",
    }
    for name, text in texts.items():
        (tmp_path / f"zoo/{name}.py").write_text(text)
    monkeypatch.setattr(sys.modules[__name__], "OURS", sorted((tmp_path / "zoo").glob("*.py")))
    assert circles(arrows()) == ["zoo.a -> zoo.b -> zoo.c -> zoo.a"]


def test_the_house_stays_small():
    """Folders hold what belongs together; a new module earns its place."""
    assert len([*files_of("zoo"), *files_of("interpret")]) <= 394
    roots = {name: len([*(ROOT / name).glob("*.py")]) for name in ("zoo", "interpret")}
    assert roots["interpret"] <= 8 and roots["zoo"] <= 14, roots


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
    assert zoo.__all__ == ["entries", "gallery", "info", "load_model", "predict", "score_variants"]
    assert set(zoo.__all__) <= set(dir(zoo))
    assert {name: getattr(zoo, name).__module__ for name in zoo.__all__} == {
        "entries": "zoo.store.registry",
        "gallery": "zoo.gallery.gallery",
        "info": "zoo.store.registry",
        "load_model": "zoo.model",
        "predict": "zoo.run.predict",
        "score_variants": "zoo.variants.score_variants",
    }
    with pytest.raises(AttributeError, match="no_such"):
        _ = zoo.no_such


def test_exit_codes_hold():
    from zoo import errors

    codes = {name: getattr(errors, name).exit_code for name in errors.__all__}
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
