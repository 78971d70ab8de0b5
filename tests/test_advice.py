"""Advice must exist: every option, command, extra, variable and script that a message names can be typed.

Messages are read from the source: every text that an error is made of, with placeholders where an f-string has values.
An option after ``zoo COMMAND`` must be that command's. An option that stands alone must be known to every command that
can come to the place that says it: by the graph of imports, narrowed by ``ONLY`` where imports say too much.
"""

from __future__ import annotations

import ast
import functools
import importlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

import zoo.errors
from zoo.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
PLACEHOLDER = "\u2039value\u203a"  # stands where an f-string has a value; no word of a command line

RUN = {"predict", "attribute", "report"}  # a model over regions
TILED = {"predict", "attribute"}  # a report centres its windows, and refuses options of tiles
EXPLAIN = {"attribute", "report"}
MOTIFS = {"motifs", "report"}
TRUSTING = {"predict", "attribute", "motifs", "report", "test", "export"}

DRAFTING = {"new", "add"}
FINETUNE = {"finetune", "tune"}

NO_TRAINING = "`zoo evaluate` imports what trains a run, and trains nothing"
OWN_CHECK = "`zoo tune` refuses a folder with a run before, with its own advice"
TEST = "`zoo test` gives no such option, and answers for the files of the example itself"
ASKED = "`zoo motifs` asks again what was asked, and answered, when the contributions were made"
NO_FORMAT = "a report asks for contribs.h5, and refuses --format, --overlap, --motif and marginalize"
OF_THE_GENOME = f"{TEST}; `zoo export` drafts an entry with an example of random sequence"
ONE_HUB = "only predictions are written as a track hub"
NO_REGIONS = "only a run over regions calls it; others import a neighbour in the same module"
#: Which commands come to a function, class or constant, where imports alone say more; and why. A key may end in an
#: option, where the reason concerns that one only.
ONLY: dict[str, tuple[set[str], str]] = {
    # zoo.genome
    "check_names": (RUN | {"variants"}, TEST),
    "check_assembly": (RUN | {"variants"}, TEST),
    "compression_of": (RUN | DRAFTING | {"variants"}, OF_THE_GENOME),
    "_FASTA": (RUN | DRAFTING | {"variants"}, OF_THE_GENOME),
    "WindowPlan": (RUN, TEST),
    "WindowPlan --stride": (TILED, "a report refuses --stride before"),
    "WindowPlan --window": (TILED, "a report refuses --stride before"),
    # the run
    "PredictOptions": (RUN, TEST),
    "check_batch_size": (RUN | {"variants", "benchmark"}, TEST),
    "PredictOptions --stride": (TILED, "a report refuses --stride before"),
    "PredictOptions --window": (TILED, "a report refuses --stride before"),
    "FileRun": (RUN, TEST),
    "JournaledRun": (RUN | {"variants"}, TEST),
    "_explain_os_error": (RUN, TEST),
    "Journal": (RUN, TEST),
    "entry_of": (RUN | {"variants"}, TEST),
    "_check_result": ({"predict"}, TEST),
    "check_places": ({"predict"}, TEST),
    "check_predictions_format": ({"predict"}, TEST),
    "_plan": (TILED, "it refuses tiles, and a report refuses their options before"),
    "check_stream_format": (RUN, TEST),
    "_unknown": (RUN, f"{ASKED}; {TEST}"),
    "open_at": (RUN, TEST),
    "_concatenate": ({"predict"}, TEST),
    "_check_options": ({"predict"}, NO_REGIONS),
    "check_hub": ({"predict"}, ONE_HUB),
    "_genome": ({"predict"}, ONE_HUB),
    "_check_lengths": ({"predict"}, ONE_HUB),
    "refuse_hub": ({"predict"}, ONE_HUB),
    "PredictOptions --hub-genome": ({"predict"}, ONE_HUB),
    "PredictOptions --track-hub": ({"predict"}, ONE_HUB),
    # zoo.models
    "Runner": (RUN | {"test"}, NO_REGIONS),
    "pick_device": (RUN | {"test"}, NO_REGIONS),
    "check_mirrors": (RUN, f"{NO_REGIONS}; {TEST}"),
    "loader_values": ({"predict"}, TEST),
    "_no_place": ({"predict"}, TEST),
    "parse_settings": (RUN, TEST),
    "with_settings": (RUN, TEST),
    "with_length_of": (RUN, TEST),
    "unknown_setting": (RUN, TEST),
    "require_trust": (TRUSTING, "`zoo pull` reads YAML and fetches files; it runs nothing"),
    "_require_pickle_trust": (TRUSTING - {"export"}, "only models that Kipoi runs are pickles; none is exported"),
    # entries
    "target_of": (DRAFTING, "`zoo export` drafts into a folder of its own, under a name that was checked"),
    "_nothing_to_draft": ({"new"}, "`zoo add` has a SOURCE"),
    "export": ({"export"}, "`zoo push` exports into a folder of its own"),
    "_to_grelu": ({"export"}, "`zoo push` writes for Hugging Face"),
    "_write_readme": ({"export"}, "`zoo push` asks for a card before"),
    "_example": (DRAFTING, "`zoo export` gives neither genome nor regions"),
    "_scan_summits": (RUN, "only a run over regions centres windows on summits"),
    # interpret
    "attribute": ({"attribute"}, NO_FORMAT),
    "choose_format": ({"attribute"}, NO_FORMAT),
    "AttributeOptions --motif": ({"attribute"}, NO_FORMAT),
    "read_motif": ({"attribute"}, NO_FORMAT),
    "_choose": ({"attribute"}, NO_FORMAT),
    "convert --format": ({"attribute"}, NO_FORMAT),
    "read_contributions": (MOTIFS, "what is found in the middle of windows are motifs"),
    "no_such_window": (MOTIFS, "what is found in the middle of windows are motifs"),
    "capture": (EXPLAIN, ASKED),
    "check_complete": (EXPLAIN, ASKED),
    "check_gradient": (EXPLAIN, ASKED),
    "_finite": (EXPLAIN, ASKED),
    "choose_target": (EXPLAIN, ASKED),
    "_parse_bins": (EXPLAIN, ASKED),
    "explained_module": (EXPLAIN, ASKED),
    "parse_references": (EXPLAIN, ASKED),
    "open_database": (MOTIFS, "marginalize reads a MEME file, not a collection"),
    "_jaspar": (MOTIFS, "marginalize reads a MEME file, not a collection"),
    # finetune
    "check_run_folder --resume": ({"finetune"}, OWN_CHECK),
    "check_run_folder": (FINETUNE, NO_TRAINING),
    "_check_same": ({"finetune"}, "only --resume compares a run with an older one"),
    "_earlier": ({"finetune"}, "only --resume compares a run with an older one"),
    "_memory": (FINETUNE, NO_TRAINING),
    "not_finite": (FINETUNE, NO_TRAINING),
    "load_again": ({"motifs"}, "a report passes the model on that it was given"),
}


@dataclass(frozen=True)
class Said:
    """A text of a message.

    Attributes:
        module: where it stands. owner: the function, class or constant of the module that says it. line: its line.
        text: with ``PLACEHOLDER`` for values.
    """

    module: str
    owner: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line} ({self.owner}): {self.text!r}"


# ---------------------------------------------------------------- what commands know


@functools.cache
def commands() -> dict[str, click.Command]:
    """Commands and subcommands by what is typed: ``predict``, ``cache prune``."""
    found: dict[str, click.Command] = {}
    for name in COMMANDS:
        command = importlib.import_module(f"zoo.cli.{name}").command
        found[name] = command
        if isinstance(command, click.Group):
            found |= {f"{name} {child}": one for child, one in command.commands.items()}
    return found


@functools.cache
def options_of(command: str, hidden: bool = False) -> frozenset[str]:
    """All spellings of a command's options, those of its subcommands included; hidden ones are only answered."""
    found = {"-h", "--help"}
    for name, one in commands().items():
        if name == command or name.startswith(f"{command} "):
            for parameter in one.params:
                if isinstance(parameter, click.Option) and (hidden or not parameter.hidden):
                    found |= {*parameter.opts, *parameter.secondary_opts}
    return frozenset(found)


# ---------------------------------------------------------------- which commands come to a module


@functools.cache
def modules() -> dict[str, Path]:
    found = {}
    for package in ("zoo", "interpret", "finetune"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


#: Their imports belong to options, and say nothing of who calls what.
SHARED = ("zoo", "interpret", "finetune", "zoo.cli", "zoo.cli.options", "zoo.cli.shared")
#: Methods for users of Python, which no command calls.
NOT_CALLED = ("predict_regions",)


def imports_in(node: ast.AST) -> set[str]:
    """Modules that code imports anywhere, except for type checking and in what no command calls."""
    if isinstance(node, ast.FunctionDef) and node.name in NOT_CALLED:
        return set()
    if isinstance(node, ast.If) and _name(node.test) == "TYPE_CHECKING":
        return set()
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for child in ast.iter_child_nodes(node) for name in imports_in(child)}


@functools.cache
def reached_by(module: str) -> frozenset[str]:
    """Commands whose file imports the module, directly or not, at the top or inside a function."""
    return frozenset(name for name in COMMANDS if module in _closure(f"zoo.cli.{name}"))


@functools.cache
def _closure(start: str) -> frozenset[str]:
    known, found, waiting = modules(), set(), [start]
    while waiting:
        name = waiting.pop()
        if name in known and name not in found:
            found.add(name)
            waiting += [] if name in SHARED else _imports_of(name)
    return frozenset(found)


@functools.cache
def _imports_of(name: str) -> frozenset[str]:
    return frozenset(imports_in(ast.parse(modules()[name].read_text(encoding="utf-8"))))


# ---------------------------------------------------------------- what messages say

#: What makes an error of its texts: the classes, and the method of a YAML document that knows its lines.
MAKERS = {*zoo.errors.__all__, "UsageError", "BadParameter", "ClickException", "error"}
PARTS = {"what", "extent", "fix", "problem"}


def said_in(module: str, source: str) -> Iterator[Said]:
    """Texts of a module, docstrings left out; parts that are added together are one text each."""
    tree = ast.parse(source)
    for top in tree.body:
        owner = getattr(top, "name", None) or next(
            (name.id for name in ast.walk(top) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)), "?"
        )
        for place, everything in _places(top):
            for node, text in _texts(place):
                if everything or text.startswith("Fix: "):
                    yield Said(module, owner, node.lineno, text)


def _places(node: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    """Calls that make an error, and assignments to what they are given; of all else, only what begins with Fix."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):  # a docstring
        return
    makes = isinstance(node, ast.Call) and _name(node.func) in MAKERS
    if makes or (isinstance(node, ast.Assign) and {_name(target).lower() for target in node.targets} & PARTS):
        yield node, True
    elif isinstance(node, ast.JoinedStr | ast.Constant):
        yield node, False
    else:
        for child in ast.iter_child_nodes(node):
            yield from _places(child)


def _name(node: ast.AST) -> str:
    return getattr(node, "id", getattr(node, "attr", ""))


def _texts(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node, node.value
        return
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else PLACEHOLDER for part in node.values)
        yield node, "".join(parts)
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)):
            yield from _texts(child)


@functools.cache
def all_said() -> list[Said]:
    return [said for module, path in modules().items() for said in said_in(module, path.read_text(encoding="utf-8"))]


# ---------------------------------------------------------------- what is wrong with a text

OPTION = re.compile(r"(?<![\w.\u203a-])(--?[A-Za-z][\w-]*)")
#: ``zoo COMMAND [SUBCOMMAND] words``: to the end of what is typed, by the marks that end it in a sentence.
TYPED = re.compile(r"(?<![\w.])zoo (?=[a-z])((?:(?!`|;|, |\. | \(| and zoo | or |\|| then ).)+)")
OTHERS = re.compile(
    r"(?:pip|python|git|rm|mkdir|gunzip|bgzip|gzip|samtools|bedtools|huggingface-cli|ulimit|bcftools|awk|STAR|ray start"
    r"|tail|iconv|twoBitToFa|bunzip2|unxz|unzstd|unzip|tar|tr|sed|tabix|gffread|grep|plink2|maf2vcf)\b"
    r"[^;`]*"
)

EXTRA = re.compile(r"\bseqzoo\[([\w,-]+)\]")
VARIABLE = re.compile(r"\b(?:ZOO|HF|KIPOI|XDG|OMP)_[A-Z_]+\b|\bTMPDIR\b|\bPYTHON[A-Z]+\b")
SCRIPT = re.compile(r"\bscripts/[\w/]+\.py\b")
#: Variables that others read: huggingface_hub, Python.
THEIRS = {"HF_HOME", "HF_HUB_OFFLINE", "TMPDIR", "PYTHONPATH", "PYTHONWARNINGS"}


@functools.cache
def extras() -> frozenset[str]:
    return frozenset(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])


@functools.cache
def variables() -> frozenset[str]:
    """Variables that the code reads, and those of others."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in modules().values())
    return frozenset(THEIRS | set(re.findall(r"environ(?:\.get\(|\[)\"([A-Z_]+)\"", text)))


def typed_commands(text: str) -> list[str]:
    return [match[1] for match in TYPED.finditer(text) if not text[: match.start()].endswith(("the ", "The "))]


def faults(said: Said) -> list[str]:
    """What of a text cannot be typed by those who can read it."""
    found, rest = [], said.text
    for typed in sorted(typed_commands(said.text), key=len, reverse=True):  # one may begin with another
        words = typed.split()
        name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in commands()), None)
        if name is None:
            found.append(f"no command `zoo {words[0]}`")
            continue
        if isinstance(commands()[name], click.Group) and len(words) > 1 and words[1].isalpha():
            found.append(f"`zoo {name}` has no subcommand {words[1]}")
        found += [f"`zoo {name}` has no {option}" for option in OPTION.findall(typed) if option not in options_of(name)]
        rest = rest.replace(typed, " ")
    found += [f"no extra {extra!r}" for extra in EXTRA.findall(said.text) if extra not in extras()]
    found += [f"nothing reads the variable {name}" for name in VARIABLE.findall(said.text) if name not in variables()]
    found += [f"no file {path}" for path in SCRIPT.findall(said.text) if not (ROOT / path).is_file()]
    rest = OTHERS.sub(" ", rest)
    for option in OPTION.findall(rest):
        fact = not said.text.startswith("Fix: ")  # which may name what was typed
        lacking = sorted(name for name in readers(said, option) if option not in options_of(name, hidden=fact))
        if lacking:
            found.append(f"{option} is no option of `zoo {'`, `zoo '.join(lacking)}`")
    return found


def readers(said: Said, option: str) -> frozenset[str] | set[str]:
    """Commands whose users can read a text that names an option."""
    for key in (f"{said.owner} {option}", said.owner):
        if key in ONLY:
            return ONLY[key][0]
    return reached_by(said.module)


# ---------------------------------------------------------------- the tests


def test_every_advice_can_be_followed():
    wrong = [f"{said}\n    {fault}" for said in all_said() for fault in faults(said)]
    assert not wrong, "\n".join(wrong)


def test_the_table_of_readers_narrows_and_is_used():
    """An entry that imports do not bear out, or that stands for nothing any more, hides what it should show."""
    used = set()
    for said in all_said():
        for option in OPTION.findall(said.text):
            for key in (f"{said.owner} {option}", said.owner):
                if key in ONLY:
                    used.add(key)
                    assert ONLY[key][0] <= reached_by(said.module), f"{said}: {key}"
    assert used == set(ONLY), set(ONLY) - used


def test_messages_are_found_in_every_form():
    source = '''
"""Fix: zoo docstring"""
FIX = "Fix: " "joined"
def f(x, error):
    """A docstring --no."""
    fix = f"see {x} --a" if x else "or --b"
    raise UsageError(f"{x}: what", "extent" + " more", fix="Fix: --c" if x else g("Fix: --d"))
class A:
    def m(self):
        self.document.error(("at",), "what --e", "write --f")
        print("not a message --g"); print("Fix: --h")
        raise click.BadParameter("bad --i", param_hint="'--j'")
'''
    found = {(said.owner, said.text) for said in said_in("m", source)}
    value = PLACEHOLDER
    assert found == {
        ("FIX", "Fix: joined"),
        *(("f", text) for text in (f"see {value} --a", "or --b", f"{value}: what", "extent", " more")),
        *(("f", text) for text in ("Fix: --c", "Fix: --d")),
        *(("A", text) for text in ("at", "what --e", "write --f", "Fix: --h", "bad --i", "'--j'")),
    }


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Fix: zoo atribute MODEL", "no command `zoo atribute`"),
        ("Fix: zoo motifs contribs.h5 --window 500", "`zoo motifs` has no --window"),
        ("Fix: `zoo cache prune --older 3`, or set ZOO_CACHE", "`zoo cache prune` has no --older"),
        ("Fix: zoo cache clean", "`zoo cache` has no subcommand clean"),
        ("Fix: zoo predict MODEL REGIONS, or --no-such", "--no-such is no option of `zoo predict`"),
        ("Fix: leave out --motif", "--motif is no option of `zoo predict`"),
        ("Fix: -x 3", "-x is no option of `zoo predict`"),
        ("Fix: pip install 'seqzoo[everything]'", "no extra 'everything'"),
        ("Fix: set ZOO_HOME to a folder", "nothing reads the variable ZOO_HOME"),
        ("Fix: python scripts/mend.py", "no file scripts/mend.py"),
    ],
)
def test_wrong_advice_is_found(text, fault, monkeypatch):
    monkeypatch.setattr(f"{__name__}.readers", lambda said, option: {"predict"})
    assert faults(Said("zoo.anywhere", "anyone", 1, text)) == [fault]


@pytest.mark.parametrize(
    "text",
    [
        "Fix: --set NAME=VALUE, -o out.tsv or --trust",
        "Fix: `zoo cache prune --older-than 30`, or set ZOO_CACHE to a folder with room",
        "Fix: zoo attribute MODEL BED -g FASTA -o contribs.h5, then zoo motifs contribs.h5",
        "Fix: gunzip -c x.fa | bgzip > x.bgz.gz   (or gunzip it)",
        "the zoo needs its own package of that name",
        "tracks 3-7 of non-coding regions, x-template.yaml",
        "Fix: pip install 'seqzoo[interpret]', or --trust",
        "Fix: unset ZOO_OFFLINE and HF_HUB_OFFLINE, then `zoo pull MODEL`; or `zoo pull MODEL --to FOLDER` "
        "on another machine, and `zoo cache add FOLDER` here",
    ],
)
def test_right_advice_is_let_pass(text, monkeypatch):
    monkeypatch.setattr(f"{__name__}.readers", lambda said, option: {"predict"})
    assert faults(Said("zoo.anywhere", "anyone", 1, text)) == []


def test_imports_say_who_reads_what():
    assert reached_by("zoo.errors") == set(COMMANDS)
    assert "predict" not in reached_by("interpret.contribs.file")
    assert {"predict", "attribute", "report", "test"} <= reached_by("zoo.genome.windows")
    assert "list" not in reached_by("zoo.genome.windows")


def test_the_advice_that_was_missing():
    """`zoo attribute` named these in its errors and had none of them."""
    assert {"--set", "--batch-size", "--precision", "--dry-run"} <= options_of("attribute") & options_of("report")
