"""What a download tells while it runs: notes and progress, on stderr or to a callback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, TextIO

from zoo.progress import StatusLine, duration

__all__ = ["Listener", "Silent", "StderrListener", "TransferState", "current_listener", "human_bytes", "listening"]


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
    """Who is told."""

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


class StderrListener:
    """Notes as lines; progress as one line that is rewritten on a terminal, a plain line now and then elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._line = StatusLine(self._stream)

    def note(self, text: str) -> None:
        self.finished()
        self._stream.write(f"zoo: {text}\n")
        self._stream.flush()

    def progress(self, state: TransferState) -> None:
        if not self._line.due():
            return
        of = f" of {human_bytes(state.total)} ({state.done / max(state.total, 1):.0%})" if state.total else ""
        left = f", {duration(state.remaining)} left" if state.remaining is not None else ""
        self._line.show(f"{state.name}: {human_bytes(state.done)}{of}, {human_bytes(state.rate)}/s{left}")

    def finished(self) -> None:
        self._line.clear()


_listener: ContextVar[Listener | None] = ContextVar("zoo_transfer_listener", default=None)


def current_listener() -> Listener:
    """Whom ``listening`` chose, else stderr."""
    return _listener.get() or StderrListener()


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell ``listener`` of all downloads in this block: ``with listening(Silent()): zoo.load_model(...)``."""
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
