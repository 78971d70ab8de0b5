"""``zoo evaluate RUN|MODEL run.yaml [--split test]``."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli.options import as_json_option, given_options, quiet_option, set_config_option, tracks_option, trust_option
from zoo.cli.shared import COMMAND, CONTEXT, long_run
from zoo.cli.tables import Column, on_a_terminal, print_json, print_table
from zoo.doctor import check_import_names

__all__ = ["command"]

COLUMNS = [
    Column("side"),
    Column("track", leaves=0),
    Column("metric", leaves=1),
    Column("value", right=True, leaves=2),
    Column("low", right=True, leaves=5),
    Column("high", right=True, leaves=6),
    Column("baseline", leaves=4),
    Column("of_baseline", right=True, leaves=3),
]


@click.command("evaluate", cls=COMMAND, context_settings=CONTEXT)
@click.argument("model", metavar="RUN|MODEL")
@click.argument("config", metavar="CONFIG.yaml")
@click.option(
    "-o", "--out", metavar="OUT.html", help="The page; verdict data lie beside it as .json. Default: figures only."
)
@click.option(
    "--split",
    type=click.Choice(["test", "validation"]),
    default="test",
    show_default=True,
    help="The side that is judged.",
)
@tracks_option
@set_config_option
@trust_option
@as_json_option
@quiet_option
@click.pass_context
def command(context: click.Context, **_: Any) -> None:
    """Judge a fine-tuned run, or any model, on the targets and splits of CONFIG, beside baselines.

    \b
    zoo evaluate run run.yaml
    zoo evaluate yeast-atac run.yaml --split validation -o yeast-atac.html
    """
    check_import_names()
    given = given_options(context)
    quiet, as_json = given.pop("quiet", False), given.pop("as_json", False)
    with long_run(quiet) as telling:
        from finetune.evaluate import evaluate

        verdict = evaluate(**given, report=telling["report"])
    lines = verdict.evaluation_lines("")
    if as_json:
        print_json({"sentence": verdict.sentence, "evaluation": lines})
    else:
        print_table(COLUMNS, [_cells(line) for line in lines])
    if not quiet:
        click.echo(f"zoo: {verdict.sentence}", err=True)


def _cells(line: dict[str, Any]) -> dict[str, str]:
    """A row of the table: all digits in a pipe, four on a terminal."""
    low, high = line.get("ci") or ("", "")
    best = line.get("baseline") or {"name": "", "value": ""}
    cells = [line["split"], line["output"], line["metric"], line["value"], low, high, best["name"], best["value"]]
    texts = [f"{one:.4g}" if isinstance(one, float) and on_a_terminal() else str(one) for one in cells]
    return dict(zip((one.name for one in COLUMNS), texts, strict=True))
