"""``zoo check [NAME]...``: entries against the rules of the zoo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli.options import FilePath, as_json_option
from zoo.cli.shared import COMMAND, CONTEXT, long_run, note
from zoo.cli.tables import print_json

if TYPE_CHECKING:
    from zoo.check.results import EntryResult

__all__ = ["command"]

GIGABYTE = 10**9


@click.command("check", cls=COMMAND, context_settings=CONTEXT)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--changed", metavar="BASE", help="Check the entries that differ from this commit, e.g. origin/main.")
@click.option(
    "--level",
    type=click.Choice(["valid", "runs", "reproduces"]),
    default="valid",
    show_default=True,
    help="How far: its files; what it does; what its card says.",
)
@click.option("--data", type=FilePath(), metavar="FOLDER", help="Data of the metrics (reproduces).")
@click.option("--record", is_flag=True, help="First write the checksums of its files, as they are, into the card.")
@click.option("--urls", is_flag=True, help="Ask the addresses that cards link to.")
@click.option("--kipoi/--no-kipoi", default=True, show_default=True, help="Let Kipoi load each entry that runs.")
@click.option("--seconds", type=click.FloatRange(min=1), default=600, show_default=True, help="Time limit of a run.")
@click.option("--memory", type=click.FloatRange(min=0.1), default=2.5, show_default=True, help="Its memory, in GB.")
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=FilePath(),
    metavar="OUT.html|json|md",
    help="Write a report; may be given several times.",
)
@as_json_option
@click.option("-v", "--verbose", is_flag=True, help="Print notes too: what was measured, or not looked at.")
@click.pass_context
def command(
    ctx: click.Context,
    names: tuple[str, ...],
    changed: str | None,
    level: str,
    data: Path | None,
    record: bool,
    urls: bool,
    kipoi: bool,
    seconds: float,
    memory: float,
    reports: tuple[Path, ...],
    as_json: bool,
    verbose: bool,
) -> None:
    """Check entries: all that are bundled, those named, or those that a branch changes.

    Python of an entry runs confined: without network, in a scratch folder, within limits. The worst finding gives the
    exit code: 4 an entry is wrong, 5 other bytes than recorded, 6 a prediction or metric differs, 7 the machine.
    """
    with long_run(quiet=False):
        from zoo.check.check import check
        from zoo.check.confine import Limits
        from zoo.paths import given_path

        done = check(
            names,
            changed=changed,
            level=level,
            record=record,
            data=given_path(data).resolve() if data is not None else None,
            urls=urls,
            kipoi=kipoi,
            limits=Limits(seconds=seconds, memory=int(memory * GIGABYTE)),
            reports=reports,
            note=note,
            done=None if as_json else lambda result: _tell(result, verbose),
        )
    if as_json:
        print_json(done.as_dict())
    else:
        for one in done.general:
            click.echo(f"{one.severity}: {one.what}")
            if one.fix:
                click.echo(f"    Fix: {one.fix}")
        click.echo(done.summary())
    ctx.exit(done.code)


def _tell(result: EntryResult, verbose: bool) -> None:
    """An entry in a line, and a finding in two."""
    from zoo.check.findings import LEVELS
    from zoo.check.report import place_of, verdict

    asked = LEVELS[: LEVELS.index(result.level) + 1]
    levels = "; ".join(f"{level} {verdict(result, level)}" for level in asked)
    click.echo(f"{result.name} {result.version or '-'}: {levels}")
    for one in result.findings:
        if one.severity != "note" or verbose:
            place = place_of(one, result)
            click.echo(f"  {one.severity} ({one.rule}): " + (f"{place}: " if place else "") + one.what)
            if one.fix and one.severity != "note":
                click.echo(f"    Fix: {one.fix}")
