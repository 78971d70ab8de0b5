"""What a command line that cannot be read is answered with: the mistake, what may have been meant, what to type."""

from __future__ import annotations

import re

import click
from click.exceptions import NoSuchCommand, NoSuchOption

from zoo.words import did_you_mean

__all__ = ["examples_of", "explain"]


def explain(error: click.UsageError) -> tuple[str, str, str]:
    """The three lines of an error of usage: what, the usage or an example, the fix."""
    context = error.ctx
    if context is None:
        return f"zoo: {error.format_message()}", "", "Fix: zoo --help"
    where = context.command_path
    usage = " ".join(context.get_usage().split())
    if isinstance(error, click.MissingParameter) and (examples := examples_of(context.command, where)):
        *first, last = examples[:2]
        what = f"{where}: {error.format_message().rstrip('.')}: {usage.removeprefix('Usage: ')}"
        return what, f"e.g. {first[0]}" if first else "", f"Fix: {last}, or see {where} --help"
    return f"{where}: {_message(error, context)}", usage, f"Fix: {where} --help"


def _message(error: click.UsageError, context: click.Context) -> str:
    """click's words, with what may have been meant by the rule that all our hints follow."""
    if isinstance(error, NoSuchOption):
        known = [name for one in context.command.get_params(context) if not _hidden(one) for name in one.opts]
        return _with_hint(error.message, did_you_mean(error.option_name, [one for one in known if one[:2] == "--"]))
    if isinstance(error, NoSuchCommand):
        return _with_hint(error.message, did_you_mean(error.command_name, _commands(context)))
    if isinstance(error, click.BadParameter) and isinstance(getattr(error.param, "type", None), click.Choice):
        given = re.match(r"'(.*?)' is not one of", error.message)
        hint = did_you_mean(given[1], map(str, error.param.type.choices)) if given else ""
        return _with_hint(error.format_message(), hint)
    return error.format_message()


def _with_hint(message: str, hint: str) -> str:
    return f"{message.rstrip('.')}; {hint}" if hint else message


def _hidden(parameter: click.Parameter) -> bool:
    return getattr(parameter, "hidden", False)


def _commands(context: click.Context) -> list[str]:
    return context.command.list_commands(context) if isinstance(context.command, click.Group) else []


def examples_of(command: click.Command, where: str) -> list[str]:
    """The lines of a command's help that can be typed."""
    lines = re.sub(r"\\\n\s*", "", command.help or "").splitlines()
    return [line.strip() for line in lines if line.strip().startswith(f"{where} ")]
