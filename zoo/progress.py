"""What runs and downloads tell their user: notes, and progress on stderr or to a callback.

Progress is one line that is rewritten on a terminal, one bar in a notebook, and a plain line now and then elsewhere.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, TextIO

from zoo.notebook import NotebookBar, in_notebook
from zoo.words import counted, plural_of

__all__ = [
    "CLEAR",
    "Listener",
    "Notes",
    "Progress",
    "Quiet",
    "Silent",
    "StatusLine",
    "StderrListener",
    "TransferState",
    "ZooWarning",
    "can_rewrite",
    "columns_of",
    "current_listener",
    "duration",
    "human_bytes",
    "listening",
    "notebook_progress",
    "pace",
    "rewritten",
    "stderr_progress",
    "warn",
]

OURS = ("zoo", "interpret", "finetune")

TERMINAL_SECONDS = 0.2
PLAIN_SECONDS = 30.0
#: What removes the line from a terminal.
CLEAR = "\x1b[2K\r"


def rewritten(text: str, columns: int = 0) -> str:
    """A line for a terminal that the next one replaces.

    A longer one than the terminal is wide would wrap, and the next would not cover it: its middle is left out.

    Args:
        columns: of the terminal; 0 where that is not known.
    """
    line, room = f"zoo: {text}", max(columns - 1, 12)
    if columns and len(line) > room:
        end = room // 2
        line = f"{line[: room - end - 1]}…{line[-end:]}"
    return f"{line}\x1b[K\r"


def columns_of(descriptor: int) -> int:
    """Columns of a terminal; 0 where they are not known."""
    try:
        return os.get_terminal_size(descriptor).columns
    except (OSError, ValueError):  # no terminal, or one that does not say
        return 0


def can_rewrite() -> bool:
    """Whether the terminal knows how to remove a line; one that is ``dumb`` does not."""
    return os.environ.get("TERM") != "dumb"


class StatusLine:
    """The line that says how far something is.

    Args:
        stream: where to write; None is silent. In a notebook, stderr is a bar instead: its kernel has no terminal, and
            keeps every line.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._bar = NotebookBar() if stream is not None and stream is sys.stderr and in_notebook() else None
        self._terminal = bool(stream and stream.isatty()) and can_rewrite()
        self._shown = time.monotonic()
        self._drawn = False

    def due(self) -> bool:
        """Whether it is time for the next line; asked thousands of times a second, so that texts are made rarely."""
        now, every = time.monotonic(), TERMINAL_SECONDS if self._terminal or self._bar else PLAIN_SECONDS
        if self._stream is None or now - self._shown < every:
            return False
        self._shown = now
        return True

    def show(self, text: str, share: float | None = None) -> None:
        """Put the text in the place of the last one on a terminal or in a notebook, as a line of its own elsewhere.

        Args:
            share: how much is done, from 0 to 1, where that is known.
        """
        if self._bar is not None:
            self._bar.show(text, share)
            self._drawn = True
            return
        self._stream.write(rewritten(text, self._columns()) if self._terminal else f"zoo: {text}\n")
        self._stream.flush()
        self._drawn = self._terminal

    def _columns(self) -> int:
        """Asked for each line: a window of a terminal is made narrower while a run goes on."""
        try:
            return columns_of(self._stream.fileno())
        except (OSError, AttributeError, ValueError):  # a stream of Python's own
            return 0

    def clear(self, last: str = "", share: float | None = None) -> None:
        """Remove the line from a terminal; in a notebook the bar stays, and ends with the text ``last``."""
        if self._bar is not None:
            if last:
                self._bar.show(last, share)
        elif self._drawn:
            self._stream.write(CLEAR)
            self._stream.flush()
        self._drawn = False


class ZooWarning(UserWarning):
    """What a function that returns values alone has to say of them, where nobody listens (``report``)."""


def warn(text: str) -> None:
    """Tell a note as a warning of Python, at the line that called into these packages."""
    depth, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in OURS:
        depth, frame = depth + 1, frame.f_back
    warnings.warn(text, ZooWarning, stacklevel=depth + 1)


class Notes:
    """Sentences for the user, told at once and kept for the run record.

    Args:
        tell: called with each.
        first: those that are there already.
    """

    def __init__(self, tell: Callable[[str], None] | None = None, first: Iterable[str] = ()) -> None:
        self.texts: list[str] = []
        self._tell = tell
        self.add(*first)

    def say(self, note: str) -> None:
        """Tell the user something that says nothing of the result, and is not kept."""
        if self._tell is not None:
            self._tell(note)

    def keep(self, *notes: str) -> None:
        """Keep without telling: what matters to who reads the record."""
        self.texts += notes

    def add(self, *notes: str) -> None:
        """Tell and keep; what was told already is not told twice."""
        for note in notes:
            if note not in self.texts:
                self.texts.append(note)
                self.say(note)


class Progress:
    """Counts windows done of a known total.

    Args:
        total: windows in all.
        done: windows done by an earlier run.
        stream: where to write; None is silent.

    Attributes:
        noun: what is counted.
    """

    noun = "window"

    def __init__(self, total: int, done: int = 0, stream: TextIO | None = None) -> None:
        self.total, self.done, self._before = total, done, done
        self._line = StatusLine(stream)
        self._start = time.monotonic()

    def advance(self, n: int) -> None:
        self.done += n
        if self._line.due():
            rate = (self.done - self._before) / max(self.seconds, 1e-9)
            left = duration((self.total - self.done) / rate) if rate else "?"
            self._line.show(
                f"{self.done:,} of {self.total:,} {plural_of(self.noun)} ({self.done / max(self.total, 1):.0%}), "
                f"{pace(self.done - self._before, self.seconds, self.noun)}, {left} left",
                self.done / max(self.total, 1),
            )

    def clear(self) -> None:
        """Remove the line from a terminal; a bar of a notebook ends with what was done."""
        all_of_them = counted(self.total, self.noun)
        windows = all_of_them if self.done == self.total else f"{self.done:,} of {all_of_them}"
        self._line.clear(f"{windows} in {duration(self.seconds)}", self.done / max(self.total, 1))

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start


def duration(seconds: float) -> str:
    """``1:07`` minutes, ``2:00:09`` hours."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def pace(windows: int, seconds: float, noun: str = "window") -> str:
    """``200/s``, ``3.1/s``; below one a second the time that one takes: ``2.5 s a window``, ``1:40 a window``."""
    rate = windows / seconds if seconds else 0.0
    if rate == 0 or rate >= 9.95:
        return f"{rate:,.0f}/s"
    if rate >= 1:
        return f"{rate:.1f}/s"
    each = 1 / rate
    if each >= 99.5:
        return f"{duration(each)} a {noun}"
    return f"{each:.{0 if each >= 9.95 else 1}f} s a {noun}"


def stderr_progress(total: int, done: int = 0) -> Progress:
    """Progress on stderr."""
    return Progress(total, done, sys.stderr)


def notebook_progress(total: int, done: int = 0) -> Progress:
    """Progress of a function that is called in Python: a bar in a notebook, nothing elsewhere."""
    return Progress(total, done, sys.stderr if in_notebook() else None)


# ---------------------------------------------------------------- downloads


@dataclass(frozen=True)
class TransferState:
    """How far one download is.

    Attributes:
        name: the file.
        done: bytes that are there.
        total: bytes in all, or None where nobody says.
        fetched: bytes of this run (``done`` less what an earlier run left).
        seconds: since this run began.
    """

    name: str
    done: int
    total: int | None
    fetched: int
    seconds: float

    @property
    def rate(self) -> float:
        """Bytes a second of this run."""
        return self.fetched / max(self.seconds, 1e-9)

    @property
    def remaining(self) -> float | None:
        """Seconds left at this rate, or None where that cannot be said."""
        return (self.total - self.done) / self.rate if self.total is not None and self.fetched else None


class Listener(Protocol):
    """Receives the notes and the progress of a download."""

    def note(self, text: str) -> None:
        """A sentence for the user."""

    def progress(self, state: TransferState) -> None:
        """Called after each block, thousands of times."""

    def finished(self) -> None:
        """The download ended, well or not."""


class Silent:
    """Tells nobody."""

    def note(self, text: str) -> None: ...

    def progress(self, state: TransferState) -> None: ...

    def finished(self) -> None: ...


class Quiet(Silent):
    """Tells only what ``--quiet`` does not switch off: what a licence forbids or asks for, on stderr."""

    def must(self, text: str) -> None:
        """A sentence that has to be said."""
        sys.stderr.write(f"zoo: {text}\n")
        sys.stderr.flush()


class StderrListener:
    """Notes as lines; progress as one line that is rewritten on a terminal, a plain line now and then elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._line = StatusLine(self._stream)
        self._last: tuple[str, float | None] = ("", None)

    def note(self, text: str) -> None:
        self.finished()
        self._stream.write(f"zoo: {text}\n")
        self._stream.flush()

    def progress(self, state: TransferState) -> None:
        if not self._line.due():
            return
        of = f" of {human_bytes(state.total)} ({state.done / max(state.total, 1):.0%})" if state.total else ""
        left = f", {duration(state.remaining)} left" if state.remaining is not None else ""
        share = state.done / max(state.total, 1) if state.total else None
        self._line.show(f"{state.name}: {human_bytes(state.done)}{of}, {human_bytes(state.rate)}/s{left}", share)
        self._last = f"{state.name}: {human_bytes(state.done)}{of}", share

    def finished(self) -> None:
        last, self._last = self._last, ("", None)
        self._line.clear(*last)


_listener: ContextVar[Listener | None] = ContextVar("zoo_transfer_listener", default=None)


def current_listener() -> Listener:
    """The listener that ``listening`` chose, or one that writes to stderr."""
    return _listener.get() or StderrListener()


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell ``listener`` of all downloads in this block.

    As in ``with listening(Silent()): zoo.load_model(...)``.
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def human_bytes(n: float) -> str:
    """``13.2 MB``, with powers of 1,000."""
    for unit in ("bytes", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "bytes" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.2f} GB"
