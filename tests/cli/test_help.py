"""Help in groups, and what a command line that cannot be read is answered with."""

from __future__ import annotations

import contextlib
import io
import re

import click
import pytest

from zoo.cli import COMMANDS, run
from zoo.cli.helptext import COMMAND_GROUPS, OPTION_GROUPS, HelpCommand, in_groups

from .test_listing import on_a_terminal


def help_of(*arguments: str, width: int = 80) -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text), pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        assert run([*arguments, "--help"]) == 0
    return text.getvalue()


def sections(text: str) -> dict[str, list[str]]:
    """Title -> the first words of its lines."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if re.fullmatch(r"[A-Z][A-Za-z -]+:", line):
            found[line[:-1]] = []
        elif found and re.match(r"  \S", line):
            found[[*found][-1]].append(re.split(r"  +", line.strip())[0])
    return found


def test_commands_are_in_groups():
    found = sections(help_of())
    assert [*found][:4] == ["Options", "Predict", "Explain", "Fine-tune"]
    assert "predict" in found["Predict"] and {"attribute", "motifs", "report"} <= {*found["Explain"]}
    told = [name for title, names in found.items() if title != "Options" for name in names]
    assert sorted(told) == sorted(COMMANDS), "each once"


def test_a_command_that_no_group_names_is_still_shown():
    groups = in_groups(["predict", "fly", "list"], COMMAND_GROUPS, "Other commands")
    assert groups == {"Predict": ["predict"], "Models": ["list"], "Other commands": ["fly"]}


def test_the_coming_commands_have_their_places():
    known = {name for names in COMMAND_GROUPS.values() for name in names}
    assert known >= {"genome", "new", "check", "upgrade", "push", "gallery", "benchmark", "completion"}
    twice = [name for names in [*COMMAND_GROUPS.values()] for name in names]
    assert len(twice) == len(set(twice))


@pytest.mark.parametrize("command", ["predict", "attribute", "report"])
def test_options_are_in_groups(command):
    found = sections(help_of(command))
    assert {"Input", "Windows", "Output", "Run"} <= {*found} and "Other options" not in found
    assert "-g, --genome FASTA" in found["Input"] and "-h, --help" in found["Run"]
    assert any(one.startswith("-o, --out") for one in found["Output"])


def test_no_option_is_in_two_groups():
    names = [name for members in OPTION_GROUPS.values() for name in members]
    assert len(names) == len(set(names))


def test_a_command_of_few_options_has_one_list():
    assert [*sections(help_of("info"))] == ["Options"]


@pytest.mark.parametrize(("width", "most"), [(80, 80), (100, 100), (200, 100)])
def test_the_width_of_the_terminal_is_used_up_to_100(width, most):
    longest = max(map(len, help_of("predict", width=width).splitlines()))
    assert most - 12 <= longest <= most


def test_help_of_a_command_is_asked_for_in_two_ways(shell):
    assert shell.zoo("help", "predict").out == shell.zoo("predict", "--help").out != ""
    assert shell.zoo("help", "cache", "ls").out == shell.zoo("cache", "ls", "--help").out
    assert shell.zoo("help").out == shell.zoo("--help").out
    assert "did you mean predict?" in shell.zoo("help", "predcit").error(2)


def test_headings_are_bold_where_a_terminal_wants_them():
    assert "\x1b[1mInput" in on_a_terminal(["predict", "--help"], {"TERM": "xterm", "NO_COLOR": ""})
    for env in ({"TERM": "dumb", "NO_COLOR": ""}, {"TERM": "xterm", "NO_COLOR": "1"}):
        assert "\x1b" not in on_a_terminal(["predict", "--help"], env)


def test_without_a_terminal_there_are_no_control_characters(shell):
    for arguments in (["--help"], ["list"], ["info", "yeast-atac"], ["predict", "--help"], ["search", "yeast"]):
        said = shell.process(*arguments)
        assert not re.search(r"[\x00-\x08\x0b-\x1f]", said.out + said.err)


HINTS = {
    "a command": (["predcit"], "did you mean predict?"),
    "a command of a group": (["cache", "lst"], "did you mean ls?"),
    "an option": (["predict", "m", "r", "--genom", "x"], "did you mean --genome?"),
    "an option of two words": (["predict", "m", "r", "--anygenome"], "did you mean --any-genome?"),
    "a choice": (["predict", "m", "r", "--window", "centre"], "did you mean center?"),
    "another choice": (["predict", "m", "r", "--precision", "float3"], "did you mean float32?"),
    "a method": (["attribute", "m", "r", "-o", "c.h5", "--reduce", "profil"], "did you mean profile?"),
}


@pytest.mark.parametrize(("typed", "hint"), HINTS.values(), ids=HINTS)
def test_hints(shell, typed, hint):
    assert hint in shell.zoo(*typed).error(2).splitlines()[0]


@pytest.mark.parametrize(
    "typed", [["zzzzq"], ["predict", "m", "r", "--zzzzq"], ["predict", "m", "r", "--edges", "zzz"]]
)
def test_where_nothing_is_near_nothing_is_offered(shell, typed):
    assert "did you mean" not in shell.zoo(*typed).error(2)


def test_hidden_options_are_not_offered(shell):
    assert "did you mean" not in shell.zoo("motifs", "c.h5", "-o", "m.h5", "--windo", "5").error(2)


def test_a_command_without_its_arguments_shows_two_examples(shell):
    first, second, third = shell.zoo("predict").error(2).splitlines()
    assert "'MODEL'" in first and "MODEL REGIONS" in first
    assert "zoo predict yeast-atac peaks.bed -g sacCer3.fa -o peaks.tsv" in second
    assert "zoo predict yeast-atac genes.bed" in third and "zoo predict --help" in third


def test_examples_of_the_help_are_whole_lines():
    from zoo.cli.mistakes import examples_of
    from zoo.cli.report import command

    assert isinstance(command, click.Command)
    assert examples_of(command, "zoo report")[2] == (
        "zoo report yeast-atac peaks.bed -g sacCer3.fa --database jaspar:fungi --central 500 -o report.html"
    )


def test_options_of_a_command_of_its_own_kind_come_first():
    names = [f"--own-{number}" for number in range(8)] + ["--device", "--genome"]
    command = HelpCommand("x", params=[click.Option([name], help="An option.") for name in names])
    text = command.get_help(click.Context(command))
    assert [*sections(click.unstyle(text))] == ["Options", "Input", "Run"]
