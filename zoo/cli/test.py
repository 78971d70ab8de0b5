"""``zoo test MODEL``: the example against its expected predictions."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import click

from zoo.cli.options import trust_option
from zoo.cli.shared import COMMAND, CONTEXT

__all__ = ["command"]


@click.command("test", cls=COMMAND, context_settings=CONTEXT)
@click.argument("model")
@click.option("--rtol", type=click.FloatRange(min=0), default=1e-4, show_default=True, help="Relative tolerance.")
@click.option("--atol", type=click.FloatRange(min=0), default=1e-5, show_default=True, help="Absolute tolerance.")
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    metavar="FILE.h5",
    help="Save the predictions; without it they are saved only when they differ, as MODEL.got.h5.",
)
@click.option("--device", default="cpu", show_default=True, metavar="auto|cpu|cuda|mps", help="Where to run.")
@trust_option
def command(model: str, rtol: float, atol: float, save: Path | None, device: str, trust: bool) -> None:
    """Run MODEL on its bundled example and compare with the expected predictions.

    Exit code 6 when they differ.
    """
    from zoo.entries.check import check_example

    with contextlib.redirect_stdout(sys.stderr):  # what a model's Python prints is no part of the answer
        report = check_example(model, rtol=rtol, atol=atol, trust=trust, save=save, device=device)
    for item in report.comparisons:
        compared = (
            "" if item.elements == item.predicted else f"compared {item.elements:,} of {item.predicted:,} values, "
        )
        click.echo(
            f"{report.model}: {item.output}: {report.windows} windows, {compared}{item.elements:,} elements agree "
            f"(largest difference {item.largest_difference:.2g})"
        )
    if report.saved:
        click.echo(f"saved {report.saved}", err=True)
