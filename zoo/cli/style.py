"""click's classes, or rich-click's when help is shown on a terminal (importing rich costs 0.1 s)."""

from __future__ import annotations

import sys

import click

__all__ = ["COMMAND", "GROUP"]


def _classes() -> tuple[type[click.Command], type[click.Group]]:
    wants_help = len(sys.argv) < 2 or not {"-h", "--help"}.isdisjoint(sys.argv)
    if wants_help and sys.stdout is not None and sys.stdout.isatty():
        import rich_click

        return rich_click.RichCommand, rich_click.RichGroup
    return click.Command, click.Group


COMMAND, GROUP = _classes()
