"""list, search, info, help: on a terminal, in a pipe, and with names that do not exist."""

from __future__ import annotations

import json
import os
import pty
import subprocess

import pytest

from .conftest import COMMAND


def test_no_command_shows_the_commands(shell):
    answer = shell.zoo()
    assert answer.code == 2 and answer.err.startswith("Usage: zoo") and "predict" in answer.err


def test_help_after_a_command_of_the_same_name_as_a_builtin(shell):
    shell.zoo("list")
    assert shell.zoo("--help").code == 0


def test_near_names_of_commands(shell):
    assert "near names: predict" in shell.zoo("preidct", "x").error(2)
    shell.zoo("--trusst").error(2)


@pytest.mark.parametrize("arguments", [["predict"], ["predict", "yeast-atac"], ["info"], ["test"], ["list", "x"]])
def test_missing_and_surplus_arguments(shell, arguments):
    assert f"zoo {arguments[0]} --help" in shell.zoo(*arguments).error(2)


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
    assert {entry["framework"] for entry in everything} == {"pytorch", "grelu"}


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
    assert shell.bash("zoo list >&-").code == 0
