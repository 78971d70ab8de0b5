"""``zoo evaluate RUN|MODEL run.yaml [--split test]``."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli.options import given_options, quiet_option, set_config_option, tracks_option, trust_option
from zoo.cli.shared import COMMAND, CONTEXT, long_run
from zoo.doctor import check_import_names

__all__ = ["command"]


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
    quiet = given.pop("quiet", False)
    with long_run(quiet) as telling:
        from finetune.evaluate import evaluate

        verdict = evaluate(**given, report=telling["report"])
    click.echo("side\ttrack\tmetric\tvalue\tlow\thigh\tbaseline\tof_baseline")
    for line in verdict.evaluation_lines(""):
        low, high = line.get("ci") or ("", "")
        best = line.get("baseline") or {"name": "", "value": ""}
        cells = [line["split"], line["output"], line["metric"], line["value"], low, high, best["name"], best["value"]]
        click.echo("\t".join(map(str, cells)))
    if not quiet:
        click.echo(f"zoo: {verdict.sentence}", err=True)
