"""The command ``zoo``. Each command lives in a file of its own and is imported only when called.

Exit codes: 0 ok, 1 bug, 2 usage, 3 input data, 4 model or card, 5 download or checksum,
6 expected output differs, 7 environment, 130 interrupted.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.exceptions import NoSuchCommand

from zoo.cli.helptext import COMMAND_GROUPS, in_groups
from zoo.cli.shared import CONTEXT, GROUP, over_line
from zoo.errors import ZooError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["cli", "main"]

COMMANDS = {
    "predict": "predict a model's outputs for the regions of a BED",
    "variants": "score what variants do to a prediction",
    "attribute": "find what each base contributes to a prediction",
    "list": "list the models",
    "search": "find models by words",
    "info": "show what is known about a model",
    "source": "add, list, update or remove folders and repositories of Kipoi models",
    "gallery": "write a static site to browse the models",
    "pull": "fetch all files that models need, so that they run offline",
    "cache": "list, check and delete files that were fetched",
    "genome": "fetch, list and remove genomes, which models then find by name",
    "test": "run a model on its example and compare with the expected predictions",
    "benchmark": "measure how fast a model predicts here, and how much memory it takes",
    "new": "draft an entry of your module, a Keras file, a checkpoint, a folder or a Hugging Face repo",
    "check": "check entries: files, behaviour, figures",
    "add": "draft an entry: `zoo new NAME --from SOURCE` by its older name",
    "upgrade": "rewrite cards in the newest version of their format",
    "convert": "extract the tensors of a pickled model, without running it",
    "export": "write a model for gReLU, Hugging Face or Kipoi",
    "push": "upload an entry to Hugging Face",
    "motifs": "find the motifs in contributions, name them, locate them in the genome",
    "report": "write an HTML page of the motifs that drive a model",
    "finetune": "adapt a model to new tracks or cell types, and judge what was gained",
    "evaluate": "judge a run or any model on held-out data, beside baselines",
    "tune": "search the settings of a run, and judge the best once",
    "doctor": "check this installation and say how to repair it",
    "completion": "let the shell complete commands, models, tracks and genomes",
}


class ReaderLeft(Exception):
    """The reader of our output closed it (``zoo list | head``): nothing is wrong."""


class LazyGroup(GROUP):
    """A group that knows its commands' names and first lines without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]  # once `zoo list` was called, `list` is the module zoo.cli.list here

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return importlib.import_module(f"zoo.cli.{name}").command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """``zoo help predict`` is ``zoo predict --help``."""
        if args[:1] == ["help"] and all(name in COMMANDS for name in args[1:2]):
            args = [*args[1:], "--help"]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args[:1] == ["help"]:  # of what is no command
            args = args[1:]
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would exit with 1, our code for a bug
            raise ReaderLeft from None
        except KeyboardInterrupt:  # click would print a blank line
            raise click.exceptions.Exit(_interrupted()) from None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands, without importing them, and options."""
        from click.shell_completion import CompletionItem

        options = click.Command.shell_complete(self, ctx, incomplete)
        names = [*COMMANDS, "help"] if not incomplete.startswith("-") else []
        return [
            CompletionItem(name, help=COMMANDS.get(name)) for name in names if name.startswith(incomplete)
        ] + options

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))  # one column for all groups
        for title, names in in_groups(COMMANDS, COMMAND_GROUPS, "Other commands").items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), COMMANDS[name]) for name in names])


@click.group(cls=LazyGroup, context_settings=CONTEXT)
@click.version_option(package_name="seqzoo", prog_name="zoo")
def cli() -> None:
    """Predict with published sequence-to-function models.

    \b
    zoo list
    zoo predict yeast-atac regions.bed -g sacCer3.fa -o predictions.bw
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    _mend_streams()
    sys.exit(run(arguments))


# What a machine, not a bug, does to a file or to standard output.
STATE_ERRNOS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ESTALE,
    errno.ENOMEM,
}


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    # pydantic looks for plugins of every installed package when first imported: 40 ms for none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    if not sys.warnoptions:  # python -W and PYTHONWARNINGS show the warnings of libraries and models
        warnings.simplefilter("ignore")
    try:
        result = cli.main(args=arguments, prog_name="zoo", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except ZooError as error:
        _tell(error.what, error.extent, error.fix)
        return error.exit_code
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        from zoo.cli.mistakes import explain

        _tell(*explain(error))
        return 2
    except click.ClickException as error:
        _tell(error.format_message(), "", "Fix: zoo --help")
        return 2
    except (KeyboardInterrupt, click.Abort):
        return _interrupted()
    except ReaderLeft:
        _discard_stdout()
        return 0
    except OSError as error:
        if error.errno not in STATE_ERRNOS:
            raise
        place = error.filename if error.filename is not None else "standard output"
        fix = "Fix: free space or choose another place"
        _tell(f"{place}: {error.strerror}", "what was written so far is incomplete", fix)
        _discard_stdout()
        return 7


def _interrupted() -> int:
    going_on = (
        "`zoo predict -o OUT`, `zoo variants -o OUT`, `zoo attribute`, `zoo report` and `zoo finetune` "
        "continue with --resume"
    )
    fix = f"Fix: repeat the command; {going_on}"
    _tell("interrupted", "no file bears the final name", fix)
    return 130


class ClosedStdout(io.TextIOBase):
    """Standard output of a process that was started without (``>&-``): what is written is lost, and that is said."""

    lost = True  # `check_out` refuses it as a place for a result
    encoding = "utf-8"
    _said = False

    def write(self, text: str) -> int:
        """Lose the text; say so once."""
        if text and not self._said:
            self._said = True
            click.echo("zoo: standard output is closed (>&-): what this command prints is lost", err=True)
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""


def _mend_streams() -> None:
    """Streams that are closed are said or silent; text that a terminal's encoding lacks is escaped, not an error."""
    if sys.stdout is None or sys.stderr is None:
        _fill_descriptors()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    if sys.stdout is None:
        sys.stdout = ClosedStdout()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fill_descriptors() -> None:
    """Give the null device to those of 0, 1 and 2 that are free.

    Else the next file that is opened gets such a number, and what a C library prints goes into it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def _discard_stdout() -> None:
    """Python flushes standard output once more when it ends, and would report the same error again."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # not a file, as in tests
        return


def _tell(what: str, extent: str, fix: str) -> None:
    """The three lines of an error, each on one line whatever a library put into its message."""
    fix = (fix or "zoo --help").removeprefix("Fix: ")
    lines = f"error: {what}", f"  {extent or 'nothing was written'}", f"  Fix: {fix}"
    click.echo(over_line() + "\n".join(" ".join(line.splitlines()).rstrip() for line in lines), err=True)
