"""Tables: what a terminal's width shows of them, tabs in a pipe, JSON alone on standard output."""

from __future__ import annotations

import json

import pytest

from zoo.cli.tables import Column, RowPrinter, middle_cut, print_json, print_table, table_lines, words_of

COLUMNS = [
    Column("name"),
    Column("what", prose=True, brief="kind"),
    Column("bp", right=True, leaves=18),
    Column("checked", leaves=16),
]
LONG = "a long sentence of eleven words that says all there is"
ROWS = [
    {
        "name": "one",
        "what": "a long sentence of eleven words that says all there is",
        "kind": "DNA",
        "bp": "7",
        "checked": "yes",
    },
    {"name": "second-model", "what": "short", "kind": "RNA", "bp": "1,200", "checked": "no"},
]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (
            100,
            [
                "name          what                                                       bp  checked",
                "one           a long sentence of eleven words that says all there is      7  yes",
                "second-model  short                                                   1,200  no",
            ],
        ),
        (
            66,
            [
                "name          what                                     bp  checked",
                "one           a long sentence of eleven words…          7  yes",
                "second-model  short                                 1,200  no",
            ],
        ),
        (
            56,
            [
                "name          what                           bp  checked",
                "one           DNA                             7  yes",
                "second-model  RNA                         1,200  no",
            ],
        ),
        (36, ["name          what", "one           DNA", "second-model  RNA"]),
        (22, ["name          checked", "one           yes", "second-model  no"]),
        (10, ["name", "one", "secon…odel"]),
    ],
)
def test_what_a_width_shows(width, expected):
    assert [*table_lines(COLUMNS, ROWS, width)] == expected


def test_a_column_that_says_nothing_is_left_out():
    rows = [row | {"checked": "-", "bp": ""} for row in ROWS]
    assert next(table_lines(COLUMNS, rows, 200)).split() == ["name", "what"]


def test_cutting():
    assert middle_cut("deepbind/Homo_sapiens/TF/D1", 11) == "deepb…TF/D1"
    assert middle_cut("abc", 3) == "abc" and middle_cut("abcdefgh", 7, "...") == "ab...gh"
    assert words_of("splice acceptors and donors", 17) == "splice acceptors…"
    assert words_of("Histone modification, DNA", 21) == "Histone modification…"
    assert words_of("Histone modifications, DNA", 21) == "Histone modification…"  # not "Histone…"
    assert words_of("one, two", 6) == "one…" and words_of("accessible", 5) == "acce…"
    for room in range(4, 30):
        for dots in ("…", "..."):
            assert len(words_of("splice acceptors, and donors", room, dots)) <= room
            assert len(middle_cut("splice acceptors, and donors", room, dots)) <= room


def test_in_a_pipe_all_columns_are_there(capsys):
    print_table(COLUMNS, ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "name\twhat\tbp\tchecked",
        "one\ta long sentence of eleven words that says all there is\t7\tyes",
        "second-model\tshort\t1,200\tno",
    ]


def test_rows_as_they_come_and_as_json(capsys):
    printer = RowPrinter(COLUMNS, (5, 5, 5, 5))
    printer.add({"name": "a"}, ("a", "b", "1", "yes"))
    assert capsys.readouterr().out == "name\twhat\tbp\tchecked\na\tb\t1\tyes\n"
    printer.finish()
    assert capsys.readouterr().out == ""
    quiet = RowPrinter(COLUMNS, (5, 5, 5, 5), as_json=True)
    quiet.add({"name": "a"}, ("a", "b", "1", "yes"))
    assert capsys.readouterr().out == ""
    quiet.finish()
    assert json.loads(capsys.readouterr().out) == [{"name": "a"}]


def test_numbers_that_json_has_not_are_null(capsys):
    from pathlib import Path

    print_json({"a": [1.5, float("nan")], "b": (float("inf"), -2), "c": {"d": Path("x")}})
    assert json.loads(capsys.readouterr().out) == {"a": [1.5, None], "b": [None, -2], "c": {"d": "x"}}


#: Commands without --json, since their result is a file, one path, or a line on standard error.
NO_TABLE = {
    *("predict", "attribute", "variants", "convert", "export", "completion"),
    *("source add", "source update", "source remove", "cache path", "genome add", "genome path", "genome remove"),
}


def test_every_command_that_prints_a_table_or_figures_prints_json_too():
    import click

    from zoo.cli import cli

    def walk(command, path):
        if isinstance(command, click.Group):
            for name in command.list_commands(None):
                yield from walk(command.get_command(None, name), [*path, name])
        else:
            yield " ".join(path), {option for one in command.params for option in one.opts}

    without = {name for name, options in walk(cli, []) if "--json" not in options}
    assert without <= NO_TABLE, without - NO_TABLE


@pytest.mark.parametrize(
    "command",
    [
        ["list"],
        ["list", "deepbind/Saccharomyces_cerevisiae"],
        ["search", "yeast"],
        ["info", "yeast-atac"],
        ["source", "list"],
        ["cache", "ls"],
        ["cache", "verify"],
        ["cache", "prune"],
        ["pull", "yeast-atac"],
        ["test", "yeast-atac"],
        ["doctor"],
    ],
    ids=" ".join,
)
def test_json_is_alone_on_standard_output(shell, command, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(shell.folder / "cache"))
    said = shell.zoo(*command, "--json")
    assert said.code in (0, 7)  # a machine on which something is missing is said by `zoo doctor`
    json.loads(said.out)


def test_what_json_says_of_a_test(shell):
    (facts,) = json.loads(shell.zoo("test", "yeast-atac", "--json").out)
    assert (facts["model"], facts["result"], facts["error"]) == ("yeast-atac", "agrees", None)
    assert facts["outputs"][0]["output"] == "atac" and facts["outputs"][0]["values"] == 12 * 32


def test_a_model_that_differs_is_json_and_an_exit_code(shell):
    toy = shell.fresh_toy()
    (toy.folder / "example/expected.h5").write_bytes(
        (shell.toys["profile"].folder / "example/expected.h5").read_bytes()
    )
    said = shell.zoo("test", toy.folder, "--trust", "--json")
    assert said.code != 0 and said.err.startswith("error: ")
