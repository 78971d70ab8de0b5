"""``zoo doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from zoo.cli.options import as_json_option
from zoo.cli.shared import COMMAND, CONTEXT
from zoo.doctor import Check, run_checks
from zoo.errors import SystemStateError

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
        click.echo(json.dumps({"ok": not failed, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        _print_table(checks, len(failed))
    context.exit(SystemStateError.exit_code if failed else 0)


def _print_table(checks: list[Check], failures: int) -> None:
    marks = {True: "ok", False: "FAIL", None: "-"}
    width = max(len(check.name) for check in checks)
    for check in checks:
        click.echo(f"{marks[check.ok]:<5} {check.name:<{width}}  {check.detail}")
        if check.fix and check.ok is not True:
            click.echo(f"{'':<5} {'':<{width}}  fix: {check.fix}")
    click.echo(f"\n{failures} of {len(checks)} checks failed." if failures else "\nEverything needed is here.")
