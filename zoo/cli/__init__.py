"""The command ``zoo``. Each command lives in a file of its own and is imported only when called.

Exit codes: 0 ok, 1 bug, 2 usage, 3 input data, 4 model or card, 5 download or checksum,
6 expected output differs, 7 environment, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, NoReturn

import click

from zoo.cli.style import GROUP
from zoo.errors import ZooError

__all__ = ["cli", "main"]

COMMANDS = {
    "predict": "predict a model's outputs for the regions of a BED",
    "list": "list the models",
    "search": "find models by words",
    "info": "show what is known of a model",
    "test": "run a model on its example and compare with what is expected",
    "doctor": "check the installation",
}


class LazyGroup(GROUP):
    """A group that knows its commands' names and first lines without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return importlib.import_module(f"zoo.cli.{name}").command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from zoo.store.registry import near_names

            near = near_names(args[0], COMMANDS)
            raise click.UsageError(
                f"no command {args[0]!r}" + (f"; near names: {', '.join(near)}" if near else ""), ctx
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="seqzoo", prog_name="zoo")
def cli() -> None:
    """Predict with published sequence-to-function models.

    \b
    zoo list
    zoo predict yeast-atac regions.bed -g sacCer3.fa -o predictions.bw
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    # pydantic looks for plugins of every installed package when first imported: 40 ms for none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        result = cli.main(args=arguments, prog_name="zoo", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except ZooError as error:
        _tell(error.what, error.extent, error.fix)
        return error.exit_code
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "zoo"
        usage = " ".join(error.ctx.get_usage().split()) if error.ctx else ""
        _tell(f"{where}: {error.format_message()}", usage, f"Fix: {where} --help")
        return 2
    except click.ClickException as error:
        _tell(error.format_message(), "", "Fix: zoo --help")
        return 2
    except (KeyboardInterrupt, click.Abort):
        _tell("interrupted", "no file bears the final name", "Fix: repeat the command, with --resume for `zoo predict -o`")
        return 130
    except BrokenPipeError:
        # The reader of our output closed it (`zoo list | head`): nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _tell(what: str, extent: str, fix: str) -> None:
    """The three lines of an error."""
    click.echo(f"error: {what}\n  {extent or 'nothing was written'}\n  {fix or 'Fix: zoo --help'}", err=True)
