"""``zoo tune run.yaml --trials 16``."""

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


@click.command("tune", cls=COMMAND, context_settings=CONTEXT)
@click.argument("config", metavar="CONFIG.yaml")
@click.option("-o", "--out", metavar="RUN", help="Folder of the best run; default as for `zoo finetune`, with -tuned.")
@click.option("--trials", type=click.IntRange(min=1), default=16, show_default=True, help="Settings to try.")
@click.option(
    "--space",
    multiple=True,
    metavar="KEY=A,B,...|LOW:HIGH",
    help="What is varied: choices, or a range on a log scale; default train.lr, train.weight_decay and lora.rank.",
)
@click.option("--address", metavar="HOST:PORT", help="A Ray cluster that runs already; default one of this machine.")
@click.option("--cpus", type=click.IntRange(min=1), default=1, show_default=True, help="Cores of a trial.")
@set_config_option
@force_run_option
@trust_option
@as_json_option
@quiet_option
@click.pass_context
def command(context: click.Context, **_: Any) -> None:
    """Search settings of a run by Ray Tune with ASHA: chosen on validation, trained again, judged once on test.

    \b
    zoo tune run.yaml --trials 16
    zoo tune run.yaml --space train.lr=1e-4:1e-2 --space mode=lora,full
    """
    check_import_names()
    given = given_options(context)
    quiet, as_json = given.pop("quiet", False), given.pop("as_json", False)
    with long_run(quiet) as telling:
        from finetune.tune import tune

        result = tune(**given, report=telling["report"])
    if as_json:
        print_json(result.as_dict())
    else:
        click.echo(result.sentence)
