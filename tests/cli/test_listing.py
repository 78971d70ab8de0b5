"""list, search, info, help: on a terminal, in a pipe, and with names that do not exist."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess

import pytest

from zoo.cli.info import _folded

from .conftest import COMMAND


def test_no_command_shows_the_commands(shell):
    answer = shell.zoo()
    assert answer.code == 2 and answer.err.startswith("Usage: zoo") and "predict" in answer.err


def test_help_after_a_command_of_the_same_name_as_a_builtin(shell):
    shell.zoo("list")
    assert shell.zoo("--help").code == 0


def test_near_names_of_commands(shell):
    assert "did you mean predict?" in shell.zoo("preidct", "x").error(2)
    shell.zoo("--trusst").error(2)


@pytest.mark.parametrize("arguments", [["predict"], ["predict", "yeast-atac"], ["info"], ["list", "x", "y"]])
def test_missing_and_surplus_arguments(shell, arguments):
    assert f"zoo {arguments[0]} --help" in shell.zoo(*arguments).error(2)


def test_no_model_to_test(shell):
    assert "`zoo test --all`" in shell.zoo("test").error(2)


def test_lists_in_pipes(shell):
    assert json.loads(shell.zoo("list", "--json").out)[0]["name"]
    lines = shell.zoo("list").out.splitlines()
    assert lines[0].startswith("name\tversion") and all(line.count("\t") == lines[0].count("\t") for line in lines)
    left = shell.bash("set -o pipefail; zoo list | head -1")
    assert (left.code, left.err) == (0, "") and left.out.count("\n") == 1


def test_a_search_without_a_hit(shell):
    answer = shell.zoo("search", "zzzzqqq", "--json")
    assert json.loads(answer.out) == [] and "no model has all of: zzzzqqq" in answer.notes()


def test_a_search_finds_grelus_collection_and_its_framework(shell):
    found = json.loads(shell.zoo("search", "enformer", "--framework", "grelu", "--json").out)
    names = [entry["name"] for entry in found]
    assert {"grelu-enformer-human", "grelu-human-atac-catlas", "grelu/enformer/mouse"} <= set(names)
    assert len(names) == len(set(names)) and "yeast-atac" not in names
    everything = json.loads(shell.zoo("list", "--source", "all", "--json").out)
    assert {"pytorch", "keras", "grelu"} <= {entry["framework"] for entry in everything}


def test_info_says_what_a_model_is_for_and_not_for(shell):
    said = shell.zoo("info", "spliceai").out
    assert "\nuse it for\n  Finding the splice sites that a sequence itself calls for" in said
    assert "\ndo not use it for\n  Commercial work: the licence of the weights forbids it.\n" in said
    assert "spliceai1.h5 and 4 more (15.7 MB) from the wheel of spliceai 1.3.1, 16.7 MB as a whole" in said
    facts = json.loads(shell.zoo("info", "openspliceai-mane-80nt", "--json").out)  # of a group: its README
    assert facts["use_for"][0].startswith("Splice sites of a sequence") and len(facts["not_for"]) == 5
    folder = shell.toys["gc"].folder
    assert "use it for" not in shell.zoo("info", folder).out


def test_on_a_terminal_long_lines_of_info_are_folded_between_words():
    text = """x 1.0: a summary of six words

licence    MIT of somebody who gives it away
  an item of words
folder     /a/long/path/that/stays/as/it/is"""
    assert (
        _folded(text, 24)
        == """x 1.0: a summary of six
  words

licence    MIT of somebody who
           gives it away
  an item of words
folder     /a/long/path/that/stays/as/it/is"""
    )
    assert _folded(text, 200) == text


def test_info_of_a_folder(shell):
    folder = shell.toys["stranded"].folder
    assert "counts (profile): plus, minus; bins of 4 bp" in shell.zoo("info", folder).out
    assert json.loads(shell.zoo("info", folder, "--json").out)["name"] == "stranded"
    assert "no model.yaml" in shell.zoo("info", shell.folder).error(4)
    shell.zoo("info", "nope").error(4)
    assert "near names: yeast-atac" in shell.zoo("info", "yeast-atak").error(4)


@pytest.mark.parametrize("command", [[], ["predict"], ["list"], ["search"], ["info"], ["test"], ["doctor"]])
def test_help_is_readable_at_80_columns(shell, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    answer = shell.zoo(*command, "--help")
    assert answer.code == 0 and answer.err == ""
    assert max(map(len, answer.out.splitlines())) <= 80


def on_a_terminal(arguments: list[str], env: dict[str, str]) -> str:
    controller, terminal = pty.openpty()
    process = subprocess.Popen([*COMMAND, *arguments], stdout=terminal, stderr=terminal, env=os.environ | env)
    os.close(terminal)
    text = b""
    while True:
        try:
            block = os.read(controller, 4096)
        except OSError:  # EIO: the other side is closed
            break
        if not block:
            break
        text += block
    os.close(controller)
    assert process.wait(60) == 0, text
    return text.decode()


def test_help_and_progress_on_terminals(shell):
    env = {"COLUMNS": "40", "TERM": "dumb", "NO_COLOR": "1"}
    assert "\x1b[3" not in on_a_terminal(["predict", "--help"], env)
    toy = shell.toys["gc"]
    arguments = ["predict", toy.folder, toy.regions, "-g", toy.genome, "--trust", "-o", shell.folder / "o.tsv"]
    assert "5 windows of 5 regions" in on_a_terminal([*map(str, arguments)], env)


def test_a_full_disk_behind_standard_output(shell):
    assert "standard output" in shell.bash("zoo list > /dev/full").error(7)
    assert shell.bash("zoo list >&-", start=True).code == 0


# ---------------------------------------------------------------- tables on terminals, lines for scripts


def table(arguments: list[str], width: int, **env: str) -> list[str]:
    said = on_a_terminal(arguments, {"COLUMNS": str(width), "TERM": "dumb", "NO_COLOR": "1"} | env)
    return said.replace("\r", "").splitlines()


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_table_fits_its_terminal(shell, width):
    lines = table(["list"], width)
    assert max(map(len, lines)) <= width
    header = ["name", "what", "species", "input bp", "checked", *(["assembly", "outputs"] if width == 200 else [])]
    assert re.split(r"  +", lines[0]) == header
    assert "zoo: a name with /... is a group: `zoo list deepbind` shows its models" in lines
    (group,) = [line for line in lines if line.startswith("deepbind/...")]
    assert "927 " in group and re.search(r"several +101  yes", group)
    names = [line.split()[0] for line in lines[1:-1]]
    told = [one["name"] for one in json.loads(shell.zoo("list", "--json").out)]
    assert set(names) - {"deepbind/..."} == {name for name in told if not name.startswith("deepbind/")}


def test_what_a_row_says_of_a_model():
    rows = {line.split()[0]: re.split(r"  +", line) for line in table(["list"], 200)[1:-1]}
    assert rows["yeast-atac"][1].startswith("Chromatin accessibility of budding yeast from sequence")
    assert rows["yeast-atac"][2:6] == ["yeast", "1,280", "yes", "sacCer3"]
    assert rows["spliceai"][1].startswith("splice acceptors and donors"), "its name is not said twice"
    assert rows["grelu-enformer-human"][2:5] == ["human", "196,608", "no"]
    assert rows["openspliceai-mouse-400nt"][2] == "mouse", "its name says what no assembly does"
    short = {line.split()[0]: re.split(r"  +", line)[1] for line in table(["list"], 80)[1:-1]}
    assert short["basset"] == "DNA accessibility" and short["deepbind/..."] == "927 x DNA binding…"


@pytest.mark.parametrize("width", [40, 60])
def test_a_name_longer_than_the_line_loses_its_middle_and_that_is_said(shell, width):
    *lines, said = table(["list", "deepbind/Saccharomyces_cerevisiae"], width)
    assert lines[0] == "name" and max(map(len, lines)) <= width
    whole = [line.split("\t")[0] for line in shell.zoo("list", "deepbind/Saccharomyces_cerevisiae").out.splitlines()]
    assert len(lines) == 5 and len(set(lines)) == 5, "names that differ still do"
    for line, name in zip(lines[1:], whole[1:], strict=True):
        begin, _, end = line.partition("…")
        assert len(name) > width and name.startswith(begin) and name.endswith(end) and min(len(begin), len(end)) > 18
    assert "--plain and --json print them whole" in said


def test_a_terminal_without_the_letter_gets_three_dots():
    lines = table(["list"], 80, PYTHONIOENCODING="ascii")
    assert max(map(len, lines)) <= 80 and not any("\\u" in line for line in lines)
    assert any("..." in line.removeprefix("deepbind/...") for line in lines[:-1])


def test_a_script_gets_every_model_on_a_terminal_too(shell):
    plain = table(["list", "--plain"], 80)
    assert plain == shell.zoo("list").out.splitlines() == shell.zoo("list", "--plain").out.splitlines()
    assert sum(line.startswith("deepbind/") for line in plain) == 927
    assert len(table(["list", "--all"], 80)) == len(plain)
    assert "two formats" in shell.zoo("list", "--plain", "--json").error(2)


def test_the_models_of_a_group(shell):
    lines = shell.zoo("list", "deepbind").out.splitlines()
    assert len(lines) == 928 and shell.zoo("list", "deepbind/").out.splitlines() == lines
    assert shell.zoo("list", "yeast-atac").out.splitlines()[1].startswith("yeast-atac\t")
    assert "near names: deepbind\n" in shell.zoo("list", "depbind").error(4)
    assert "near names: yeast-atac\n" in shell.zoo("list", "yeast-atc").error(4)
    assert "near names: spliceai, " in shell.zoo("info", "SpliceAI").error(4)


CTCF = "deepbind/Homo_sapiens/TF/D00328.018_ChIP-seq_CTCF"


@pytest.mark.parametrize(
    "typed", [CTCF.replace("CTCF", "CTFC"), "deepbind/ChIP-seq_CTCF", "D00328.018", "deepbind/CTFC"]
)
def test_near_names_within_a_group(shell, typed):
    said = shell.zoo("info", typed).error(4)
    assert CTCF in said.splitlines()[1]
    assert "`zoo list deepbind`" in said or not typed.startswith("deepbind/")


def test_a_group_is_no_model(shell):
    assert "is a group of 927 models" in shell.zoo("info", "deepbind").error(4)
    assert "`zoo list deepbind`" in shell.zoo("predict", "deepbind", "r.bed", "-g", "g.fa", "-o", "o.tsv").error(4)
    assert f"{CTCF} 1.0.0: DeepBind: binding of the transcription factor CTCF" in shell.zoo("info", CTCF).out


FOUND = {  # what a person wants first
    "CTCF": ["deepbind/Homo_sapiens/TF/D00328.003_SELEX_CTCF", CTCF],
    "chip-seq CTCF": [CTCF, "deepbind/Homo_sapiens/TF/D00753.001_ChIP-seq_CTCFL"],
    "yeast": ["yeast-atac", "yeast-nucleosomes", "deepbind/Saccharomyces_cerevisiae/RBP/D00113.001_RNAcompete_Hrp1p"],
    "HT-SELEX CTCF human": ["deepbind/Homo_sapiens/TF/D00328.003_SELEX_CTCF"],
    "mouse Cebpb PBM": ["deepbind/Mus_musculus/TF/D00001.001_PBM_Cebpb"],
    "K562 DNase": ["basset", "deepsea-beluga", "deepsea-predict", "deepsea-variant-effects", "mini-borzoi"],
    "enformer": ["grelu-enformer-human", "grelu/enformer/human", "grelu/enformer/mouse"],
}


@pytest.mark.parametrize("query", FOUND)
def test_a_search_puts_first_what_is_wanted(shell, query):
    found = json.loads(shell.zoo("search", *query.split(), "--json").out)
    wanted = FOUND[query]
    names = [one["name"] for one in found if one["name"].split("-")[0] != "bpnet"]
    assert names[: len(wanted)] == wanted
    lines = shell.zoo("search", query, "--plain").out.splitlines()  # in quotes it asks for the same words
    assert [line.split("\t")[0] for line in lines[1:]] == [one["name"] for one in found]


def test_a_search_on_a_terminal_shows_the_best_of_many():
    lines = table(["search", "deepbind", "--source", "bundled"], 80)
    assert len(lines) == 22 and lines[-1] == "zoo: 907 more: a further word leaves fewer, --all shows them"
    assert len(table(["search", "deepbind", "--source", "bundled", "--all"], 80)) == 928
    said = table(["search", "CTFC", "--source", "bundled"], 80)
    assert len(said) == 1 and said[0].startswith("zoo: no model has all of: CTFC; near words: ") and "CTCF" in said[0]


@pytest.mark.parametrize(
    ("summaries", "said"),
    [
        (["Binds A, from 9 bp.", "Binds B, from 9 bp."], "Binds ... from 9 bp."),
        (["Binds A.", "Binds A."], "Binds A."),
        (["Binds A", "Binds A and B"], "Binds A ..."),
        (["One", "Two"], "..."),
        (["of A", "B of A"], "... of A"),
    ],
)
def test_what_the_models_of_a_group_have_in_common(summaries, said):
    from zoo.store.listing import _in_common

    assert _in_common([one.split() for one in summaries]) == said


def test_the_line_of_a_group_is_whole_on_a_wide_terminal(shell, monkeypatch):
    import zoo.cli.list as listing
    import zoo.cli.tables as tables

    for module in (listing, tables):
        monkeypatch.setattr(module, "on_a_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    (line,) = [one for one in shell.zoo("list").out.splitlines() if one.startswith("deepbind/... ")]
    assert "927 models: DeepBind: binding of the ... from 101 bp  " in line
