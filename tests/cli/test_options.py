"""Options of all commands: their help, where they are written, what reaches the Python function, what the docs say."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import importlib
import inspect
import re
import shlex
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner
from test_advice import Said, commands, faults

from zoo.cli import COMMANDS, cli, run
from zoo.cli.options import FilePath

ROOT = Path(__file__).resolve().parents[2]


def parameters_of(command: click.Command) -> list[click.Option]:
    return [one for one in command.params if isinstance(one, click.Option) and not one.hidden]


# ---------------------------------------------------------------- help


@pytest.mark.parametrize("name", ["", *commands()])
def test_help_fits_80_columns(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    said = CliRunner().invoke(cli, [*name.split(), "--help"], prog_name="zoo")
    assert said.exit_code == 0 and said.output.startswith(f"Usage: {' '.join(['zoo', *name.split()])} ".rstrip())
    assert [line for line in said.output.splitlines() if len(line) > 80] == []
    assert not re.search(r"[a-z]\.\.\.$", said.output, re.MULTILINE), "a summary was cut"


@pytest.mark.parametrize("name", commands())
def test_every_command_and_option_is_explained(name):
    command = commands()[name]
    assert re.match(r"[A-Z].*\.$", (command.help or "").split("\n\n")[0].replace("\n", " ").strip()), command.help
    for option in parameters_of(command):
        assert option.help and option.help[0] != " " and option.help.endswith("."), (name, option.opts)
        assert option.help[0].isupper() or option.help.split(",")[0].split(" ")[0].islower(), option.help


def test_the_list_of_commands_is_that_of_the_files():
    no_commands = {"__init__", "complete", "helptext", "mistakes", "options", "shared", "tables"}
    files = {path.stem for path in (ROOT / "zoo/cli").glob("*.py")} - no_commands
    assert files == set(COMMANDS)
    assert all(importlib.import_module(f"zoo.cli.{name}").command.name == name for name in COMMANDS)


@pytest.mark.parametrize("name", commands())
def test_no_path_is_made_of_the_empty_text(name):
    """``click.Path`` as a ``Path`` makes the current folder of it."""
    for one in commands()[name].params:
        made = isinstance(one.type, click.Path) and one.type.type is not None
        assert not made or isinstance(one.type, FilePath), (name, one.name)


# ---------------------------------------------------------------- an option stands once


def test_no_option_is_written_twice():
    written = Counter()
    for path in (ROOT / "zoo/cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "click.option":
                written[ast.unparse(node)] += 1
    assert len(written) > 40
    assert {text for text, n in written.items() if n > 1} == set()


def test_an_option_means_one_thing():
    """The same flag has the same name, type and way of counting wherever it stands."""
    # They name other files or places in each command; --set is of a dataloader, or of a run's configuration.
    differing = {"--out", "--format", "--device", "--source", "--regions", "--set", "--to"}
    seen: dict[str, tuple] = {}
    for name, command in commands().items():
        for option in parameters_of(command):
            flag = max(option.opts, key=len)
            text = option.type.name in ("text", "path", "file", "directory")
            kind = (option.name, "text" if text else str(option.type), option.multiple, option.is_flag)
            if flag not in differing:
                assert seen.setdefault(flag, kind) == kind, (name, flag)


# ---------------------------------------------------------------- a Python function behind every command


def fields_of(*classes: type) -> set[str]:
    return {field.name for one in classes for field in dataclasses.fields(one)}


def functions() -> dict[str, tuple]:
    """Each command's function, and the keywords that it takes by ``**options``."""
    from finetune.evaluate import evaluate
    from finetune.finetune import finetune
    from finetune.tune import tune
    from interpret.attribute.attribute import attribute
    from interpret.attribute.options import AttributeOptions
    from interpret.motifs.find import find_motifs
    from interpret.report.report import OF_MOTIFS, report
    from zoo.check.check import check
    from zoo.check.confine import Limits
    from zoo.convert.convert import convert
    from zoo.doctor import run_checks
    from zoo.entries.asked import Facts
    from zoo.entries.benchmark import benchmark
    from zoo.entries.check_many import check_examples
    from zoo.entries.export import export
    from zoo.entries.new import new
    from zoo.entries.pull import pull
    from zoo.entries.push import push
    from zoo.entries.upgrade import upgrade
    from zoo.gallery.gallery import gallery
    from zoo.run.job import PredictOptions
    from zoo.run.predict import predict
    from zoo.store.registry import entries, info
    from zoo.variants.options import VariantOptions
    from zoo.variants.score_variants import score_variants

    explaining = fields_of(AttributeOptions, PredictOptions)
    return {
        "predict": (predict, fields_of(PredictOptions)),
        "attribute": (attribute, explaining),
        "motifs": (find_motifs, set()),
        "report": (report, explaining | set(OF_MOTIFS)),
        "add": (new, fields_of(Facts)),
        "benchmark": (benchmark, set()),
        "check": (check, fields_of(Limits)),
        "new": (new, fields_of(Facts)),
        "convert": (convert, set()),
        "doctor": (run_checks, set()),
        "evaluate": (evaluate, set()),
        "export": (export, set()),
        "finetune": (finetune, set()),
        "gallery": (gallery, set()),
        "info": (info, set()),
        "list": (entries, set()),
        "pull": (pull, set()),
        "push": (push, set()),
        "test": (check_examples, {"record"}),
        "tune": (tune, set()),
        "upgrade": (upgrade, set()),
        "variants": (score_variants, fields_of(VariantOptions)),
    }


GROUPED = ("search", "source", "cache", "genome", "completion")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in GROUPED])
def test_every_option_is_a_keyword_of_the_function(name):
    function, more = functions()[name]
    known = set(inspect.signature(function).parameters) | more
    shown = {"quiet", "as_json", "verbose"} | (
        {"plain", "all"} if name == "list" else set()
    )  # how a result is shown on a terminal
    assert {option.name for option in parameters_of(commands()[name])} - shown - known == set()
    assert inspect.getdoc(function), "a function for users has a docstring"


def test_info_is_a_function(capsys):
    import json

    from zoo.store.registry import info

    assert run(["info", "yeast-atac", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == info("yeast-atac") and facts["name"] == "yeast-atac"
    assert info(ROOT / "model_cards/yeast-atac")["summary"] == facts["summary"]


# ---------------------------------------------------------------- what reaches the function


@pytest.fixture
def asked(monkeypatch):
    """What `zoo attribute` asks of the function behind it."""
    found = SimpleNamespace(arguments=None, options=None)

    def attribute(*arguments, **options):
        found.arguments, found.options = arguments, options
        return SimpleNamespace(windows=3, paths=[], seconds=0.5, summary=lambda did: f"3 windows {did}")

    monkeypatch.setattr(importlib.import_module("interpret.attribute.attribute"), "attribute", attribute)
    return found


def test_attribute_passes_its_options_on(asked, capsys):
    typed = "--batch-size 8 --precision bfloat16 --set a=1 --set b=[1,2] --tracks x,y --tracks z --limit 4 --resume"
    assert run(["attribute", "m", "r.bed", "-g", "g.fa", "-o", "c.h5", *typed.split()]) == 0
    assert asked.arguments == ("m", "r.bed", "g.fa", "c.h5")
    expected = {
        "batch_size": "8",
        "precision": "bfloat16",
        "settings": {"a": 1, "b": [1, 2]},
        "tracks": ["x", "y", "z"],
        "limit": 4,
        "resume": True,
        "dry_run": False,
        "method": "deepliftshap",
        "edges": "pad",
        "trust": False,
    }
    assert {name: asked.options[name] for name in expected} == expected
    assert capsys.readouterr().err == "zoo: 3 windows explained\n"


def test_a_dry_run_of_attribute_says_so(asked, capsys):
    assert run(["attribute", "m", "r.bed", "-o", "c.h5", "--dry-run"]) == 0
    assert asked.options["dry_run"] is True
    assert capsys.readouterr().err == "zoo: dry run: 3 windows to explain; nothing was written\n"


def test_quiet_says_nothing(asked, capsys):
    assert run(["attribute", "m", "r.bed", "-o", "c.h5", "-q"]) == 0
    assert asked.options["report"] is None and asked.options["progress"] is None
    assert capsys.readouterr().err == ""


def three_lines(capsys) -> list[str]:
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert said.out == "" and len(lines) == 3 and lines[0].startswith("error: "), said
    return [line.strip() for line in lines]


@pytest.mark.parametrize("option", [["--set", "a=1"], ["--batch-size", "8"], ["--dry-run"], ["--precision", "float16"]])
def test_a_file_of_contributions_takes_no_option_of_a_run(option, capsys):
    assert run(["attribute", "contribs.h5", "-o", "c.bw", *option]) == 2
    assert f"{option[0]} has no effect without REGIONS" in three_lines(capsys)[0]


@pytest.mark.parametrize("command", ["predict", "attribute", "report"])
@pytest.mark.parametrize(
    ("option", "words"),
    [(["--tracks", ""], "--tracks"), (["--set", "novalue"], "is not NAME=VALUE"), (["--set", "a=[1"], "is not YAML")],
)
def test_values_that_say_nothing(command, option, words, capsys):
    assert run([command, "m", "r.bed", "-o", "x.h5", *option]) == 2
    assert words in three_lines(capsys)[0]


# ---------------------------------------------------------------- the old meaning of --window


@pytest.mark.parametrize("arguments", [["motifs", "c.h5"], ["report", "m.h5"], ["report", "m", "r.bed"]], ids=" ".join)
@pytest.mark.parametrize(
    ("value", "fix"),
    [
        ("500", "Fix: --central 500"),
        ("1.5kb", "Fix: --central 500"),
        (
            "tile",
            "Fix: zoo attribute MODEL REGIONS -g FASTA --window tile -o contribs.h5, then zoo motifs contribs.h5",
        ),
    ],
)
def test_window_in_bp_is_answered_with_central(arguments, value, fix, capsys):
    assert run([*arguments, "--window", value, "-o", "x.h5"]) == 2
    lines = three_lines(capsys)
    assert lines[0].startswith(f"error: --window {value}: ") and lines[2] == fix


def test_window_in_bp_as_a_keyword(tmp_path):
    from interpret.motifs.find import find_motifs
    from interpret.report.report import report
    from zoo.errors import UsageError

    for call in (
        lambda: find_motifs("c.h5", tmp_path / "m.h5", window=400),
        lambda: report("m", "r.bed", out=tmp_path / "r.html", window=400),
        lambda: report("m.h5", out=tmp_path / "r.html", window=400),
    ):
        with pytest.raises(UsageError) as caught:
            call()
        assert caught.value.fix == "Fix: --central 400"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["predict", "attribute"])
def test_window_of_a_run_is_center_summit_or_tile(command, capsys):
    assert run([command, "m", "r.bed", "-o", "x.h5", "--window", "500"]) == 2
    assert "'center', 'summit', 'tile'" in three_lines(capsys)[0]


# ---------------------------------------------------------------- what the docs say

DOCS = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "model_cards").glob("*/README.md")),
]


def lines_of_code(text: str) -> list[str]:
    """Commands in blocks of code; several stand in a row with spaces between, a pipe's parts are looked at alone."""
    found = []
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"\s{2,}| \| | # ", line.removeprefix("$ ")):
                if part.startswith("zoo ") and part != "zoo":
                    found.append(part.strip())
    return found


def parsed(line: str) -> None:
    """Parse a command as click does, types and choices included, without running it."""
    words = shlex.split(line.partition(" > ")[0])[1:]
    if words[:1] == ["help"]:  # `zoo help predict` is `zoo predict --help`
        words = [*words[1:], "--help"]
    if words == ["--help"]:
        return
    for alternative in words[1].split("|") if len(words) > 1 and "|" in words[1] else words[1:2] or [""]:
        typed = [words[0], *filter(None, [alternative]), *words[2:]]
        name = next(" ".join(typed[:n]) for n in (2, 1) if " ".join(typed[:n]) in commands())
        command, rest = commands()[name], typed[len(name.split()) :]
        if isinstance(command, click.Group):
            raise click.UsageError(f"{name}: no subcommand in {rest}")
        command.make_context(name, rest)


def test_commands_of_the_docs_can_be_typed():
    lines = {line: path.name for path in DOCS for line in lines_of_code(path.read_text(encoding="utf-8"))}
    assert len(lines) > 15
    wrong = []
    for line, path in lines.items():
        try:
            with contextlib.suppress(click.exceptions.Exit):  # --help
                parsed(line)
        except (click.ClickException, StopIteration) as error:
            wrong.append(f"{path}: {line}: {error}")
    assert wrong == []


@pytest.mark.parametrize(
    "line", ["zoo motifs c.h5 -o m.h5 --no-such", "zoo predict m", "zoo fly m", "zoo cache ls|fly"]
)
def test_a_wrong_command_of_the_docs_is_found(line):
    with pytest.raises((click.ClickException, StopIteration)):
        parsed(line)


def test_commands_inside_sentences_of_the_docs_exist():
    spans = [
        (path.name, span)
        for path in [*DOCS, ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md"]
        for span in re.findall(r"`+(zoo [a-z][^`]*)`", path.read_text(encoding="utf-8"))
    ]
    assert len(spans) > 20
    wrong = [(path, span, faults(Said("zoo.cli", path, 1, f"`{span}`"))) for path, span in spans]
    assert [item for item in wrong if item[2]] == []
