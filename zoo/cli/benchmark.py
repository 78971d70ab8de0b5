"""``zoo benchmark MODEL``: windows a second and peak memory, measured."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli.options import as_json_option, pass_options, quiet_option, trust_option
from zoo.cli.shared import COMMAND, CONTEXT, interrupted_once, notes_unless
from zoo.cli.tables import print_json
from zoo.words import counted

__all__ = ["command"]


@click.command("benchmark", cls=COMMAND, context_settings=CONTEXT)
@click.argument("model")
@pass_options
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Threads of PyTorch on the CPU.")
@click.option(
    "--windows",
    type=click.IntRange(min=1),
    metavar="N",
    help="Windows of each timed run; default what takes about a second.",
)
@click.option("--write", is_flag=True, help="Put the run into benchmark.json of the entry, unless the machine is busy.")
@click.option("-o", "--out", metavar="FILE.json", help="Or into this file; runs of other settings in it stay.")
@trust_option
@as_json_option
@quiet_option
def command(model: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Measure how fast MODEL predicts on this machine, and how much memory it takes.

    Windows of random sequence go through the model alone, then through all of `zoo predict`. Each figure is the
    median of several runs after a warm-up, in a process of its own. On a CPU memory is that of the whole process.
    Other programs make the model slower: measure on an idle machine.

    \b
    zoo benchmark yeast-atac --device cpu --threads 1
    """
    with interrupted_once():
        from zoo.entries.benchmark import benchmark
        from zoo.store.speed import speed_line

        run = benchmark(model, report=notes_unless(quiet), **options)
    if as_json:
        print_json(run)
        return
    low, high = run["windows_per_second_range"]
    click.echo(speed_line(run))
    click.echo(
        f"median of {run['repeats']} runs of {counted(run['windows'], 'window')}: {low:,.4g} to {high:,.4g} windows/s"
    )
    click.echo(counted(run["parameters"], "parameter"))
    click.echo(f"zoo predict, from BED and FASTA to HDF5: {run['predict_windows_per_second']:,.4g} windows/s")
