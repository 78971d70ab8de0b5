"""What a run tells its user: notes, and progress on stderr.

Progress is one line that is rewritten on a terminal, and a plain line now and then elsewhere.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import TextIO

__all__ = ["Notes", "Progress"]

TERMINAL_SECONDS = 0.2
PLAIN_SECONDS = 30.0


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
        """For the user only: what says nothing of the result."""
        if self._tell is not None:
            self._tell(note)

    def add(self, *notes: str) -> None:
        """Tell and keep."""
        for note in notes:
            self.texts.append(note)
            self.say(note)


class Progress:
    """Counts windows done of a known total.

    Args:
        total: windows in all.
        done: windows done by an earlier run.
        stream: where to write; None is silent.
    """

    def __init__(self, total: int, done: int = 0, stream: TextIO | None = None) -> None:
        self.total, self.done, self._before = total, done, done
        self._stream = stream
        self._terminal = bool(stream and stream.isatty())
        self._every = TERMINAL_SECONDS if self._terminal else PLAIN_SECONDS
        self._start = self._shown = time.monotonic()
        self._drawn = False

    def advance(self, n: int) -> None:
        self.done += n
        now = time.monotonic()
        if self._stream is not None and now - self._shown >= self._every:
            self._shown = now
            self._draw(now)

    def _draw(self, now: float) -> None:
        rate = (self.done - self._before) / max(now - self._start, 1e-9)
        left = (self.total - self.done) / rate if rate else float("inf")
        text = (
            f"{self.done:,} of {self.total:,} windows ({self.done / max(self.total, 1):.0%}), "
            f"{rate:,.0f}/s, {_duration(left)} left"
        )
        end = "\x1b[K\r" if self._terminal else "\n"
        self._stream.write(f"zoo: {text}{end}")
        self._stream.flush()
        self._drawn = True

    def clear(self) -> None:
        """Remove the line from a terminal."""
        if self._terminal and self._drawn:
            self._stream.write("\x1b[2K\r")
            self._stream.flush()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start


def _duration(seconds: float) -> str:
    if seconds == float("inf"):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def stderr_progress(total: int, done: int = 0) -> Progress:
    """Progress on stderr."""
    return Progress(total, done, sys.stderr)
