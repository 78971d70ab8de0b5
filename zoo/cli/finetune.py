"""``zoo finetune run.yaml [-o RUN]``."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli.options import (
    as_json_option,
    force_run_option,
    given_options,
    quiet_option,
    set_config_option,
    trust_option,
)
from zoo.cli.shared import COMMAND, CONTEXT, long_run
from zoo.cli.tables import print_json
from zoo.doctor import check_import_names

__all__ = ["command"]


@click.command("finetune", cls=COMMAND, context_settings=CONTEXT)
@click.argument("config", metavar="CONFIG.yaml")
@click.option(
    "-o", "--out", metavar="RUN", help="Folder of the run; default the name of CONFIG without .yaml, beside it."
)
@set_config_option
@click.option("--prepare-only", is_flag=True, help="Read, check and bin the data, and stop before training.")
@click.option("--resume", is_flag=True, help="Go on behind the last whole epoch of an interrupted run.")
@force_run_option
@trust_option
@as_json_option
@quiet_option
@click.pass_context
def command(context: click.Context, **_: Any) -> None:
    """Adapt a model to new tracks or cell types, and judge what was gained against doing nothing.

    The folder RUN holds the verdict as a page (verdict.html) and as data (verdict.json), the history, checkpoints,
    and a draft of an entry (entry/NAME) that `zoo predict` and `zoo test` take.

    \b
    zoo finetune run.yaml
    zoo finetune run.yaml --set train.lr=1e-4 --set mode=full -o full
    """
    check_import_names()
    given = given_options(context)
    quiet, as_json = given.pop("quiet", False), given.pop("as_json", False)
    with long_run(quiet) as telling:
        from finetune.finetune import finetune

        result = finetune(**given, report=telling["report"])
    if as_json:
        print_json(result.as_dict())
    else:
        click.echo(result.sentence)
