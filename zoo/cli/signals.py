"""Ctrl-C and SIGTERM during a run that can be resumed."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

__all__ = ["interrupted_once"]


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
