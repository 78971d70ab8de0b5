"""Say every second that a long step still runs, and what it said last."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zoo.progress import duration

__all__ = ["Said", "saying"]


class Said(io.StringIO):
    """Standard output of a step: kept whole, its last line at hand."""

    @property
    def last(self) -> str:
        lines = self.getvalue().split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


@contextmanager
def saying(step: str, say: Callable[[str], None] | None, seconds: float = 1.0) -> Iterator[Said]:
    """Call ``say`` with the step's name, its last line and the minutes gone, again and again until the block ends.

    Args:
        step: its name.
        say: takes the line; None says nothing. It runs in a thread of its own beside a step that forks, so it must
            take no lock that a child could need: ``os.write``, not ``print``.
        seconds: between two lines.
    """
    said, over, begun = Said(), threading.Event(), time.monotonic()

    def repeat() -> None:
        while not over.wait(seconds):
            say(f"{step}, {duration(int(time.monotonic() - begun))}" + (f": {said.last}" if said.last else ""))

    thread = threading.Thread(target=repeat, daemon=True) if say else None
    if thread:
        thread.start()
    try:
        yield said
    finally:
        over.set()
        if thread:
            thread.join()
