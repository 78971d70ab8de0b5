"""``zoo doctor``."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import asdict

import click

from zoo.cli.options import as_json_option
from zoo.cli.shared import COMMAND, CONTEXT
from zoo.cli.tables import on_a_terminal, print_json, width_of_terminal
from zoo.doctor import Check, run_checks
from zoo.errors import SystemStateError
from zoo.words import counted_of

__all__ = ["command"]


@click.command("doctor", cls=COMMAND, context_settings=CONTEXT)
@as_json_option
@click.option("--deep", is_flag=True, help="Import torch and list its devices.")
@click.pass_context
def command(context: click.Context, as_json: bool, deep: bool) -> None:
    """Check this installation and say how to repair it.

    Exit code 7 when something that the zoo needs is wrong.
    """
    checks = run_checks(deep=deep)
    failed = [check for check in checks if check.ok is False]
    if as_json:
        print_json({"ok": not failed, "checks": [asdict(check) for check in checks]})
    else:
        _print_table(checks, len(failed))
    context.exit(SystemStateError.exit_code if failed else 0)


def _print_table(checks: list[Check], failures: int) -> None:
    marks = {True: "ok", False: "FAIL", None: "-"}
    indent = max(len(check.name) for check in checks) + 8
    for check in checks:
        _print(f"{marks[check.ok]:<5} {check.name}".ljust(indent), check.detail)
        if check.fix and check.ok is not True:
            _print(" " * indent, f"fix: {check.fix}")
    click.echo(
        f"\n{counted_of(failures, len(checks), 'check')} failed." if failures else "\nEverything needed is here."
    )


def _print(begin: str, text: str) -> None:
    """A line; on a terminal what does not fit goes below the text, and no word is broken: a path stays whole."""
    room = max(width_of_terminal() - len(begin), 30) if on_a_terminal() else sys.maxsize
    first, *rest = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    for line in (begin + first, *(" " * len(begin) + line for line in rest)):
        click.echo(line.rstrip())
