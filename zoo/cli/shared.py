"""What commands share besides their options: click's classes, notes on stderr, runs that may be interrupted."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from zoo.cli.helptext import WIDEST, HelpCommand, HelpGroup
from zoo.progress import CLEAR, can_rewrite, columns_of, rewritten

__all__ = [
    "COMMAND",
    "CONTEXT",
    "GROUP",
    "interrupted_once",
    "lines_unless",
    "long_run",
    "note",
    "notes_unless",
    "over_line",
]

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": WIDEST}
COMMAND, GROUP = HelpCommand, HelpGroup


def note(text: str) -> None:
    """Say a sentence on stderr."""
    click.echo(f"{over_line()}zoo: {text}", err=True)


class _Line:
    """Whether a line that ``lines_unless`` wrote stands on the terminal."""

    left = False


def over_line() -> str:
    """What removes the line that ``lines_unless`` left on the terminal; nothing where there is none."""
    left, _Line.left = _Line.left, False
    return CLEAR if left else ""


def notes_unless(quiet: bool) -> Callable[[str], None] | None:
    """What takes notes; None where ``--quiet`` was given."""
    return None if quiet else note


def lines_unless(quiet: bool) -> Callable[[str], None] | None:
    """What takes the lines of a step that says every second that it still runs; None where nobody would see them."""
    return None if quiet or not (sys.stderr.isatty() and can_rewrite()) else _rewrite


def _rewrite(line: str) -> None:
    """Put a line in the place of the last one; by the file descriptor, since TF-MoDISco forks meanwhile."""
    _Line.left = True
    os.write(2, rewritten(line, columns_of(2)).encode())


@contextlib.contextmanager
def long_run(quiet: bool) -> Iterator[dict[str, Any]]:
    """A run of a model: Ctrl-C saves what is done, downloads and windows show their progress.

    Yields:
        ``report`` and ``progress``, as ``zoo.predict`` takes them.
    """
    # OpenMP threads that spin while they wait take the core from reading and writing: on two cores
    # a small net costs 20 times less CPU when they sleep (the benchmark of predict measures it).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from zoo.progress import Quiet, StderrListener, listening, stderr_progress

    with interrupted_once(), listening(Quiet() if quiet else StderrListener()):
        yield {"report": notes_unless(quiet), "progress": None if quiet else stderr_progress}


@contextlib.contextmanager
def interrupted_once() -> Iterator[None]:
    """Ctrl-C and SIGTERM (with which a batch system ends jobs) interrupt the run so that it can be resumed.

    Further ones are ignored while what is done is saved, which takes no longer than a batch, and
    until the process has ended.
    """
    interrupted = False

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, interrupt)}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored, as it is under nohup
        before[signal.SIGINT] = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        if not interrupted:
            for number, handler in before.items():
                signal.signal(number, handler)
