"""What ``zoo finetune`` says to each pitfall, by running it: the text of its error, or the numbers that it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zoo.errors import ZooError

__all__ = ["Guard", "refusal"]


@dataclass(frozen=True)
class Guard:
    """A guard at work.

    Attributes:
        call: what was run, as a command or Python. said: what came back, word by word.
        stops: how that stops the pitfall, one sentence.
        short: for a table.
    """

    call: str
    said: str
    stops: str
    short: str


def refusal(call: str, stops: str, short: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Guard:
    """Run a function that must refuse; its error as the command line prints it.

    Raises:
        RuntimeError: it did not refuse, so that no page can claim that it does.
    """
    try:
        function(*args, **kwargs)
    except ZooError as error:
        return Guard(call, f"Error: {error}", stops, short)
    raise RuntimeError(f"{call} was to refuse and did not")
