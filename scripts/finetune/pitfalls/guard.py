"""What ``zoo finetune`` says to each pitfall, by running it: the text of its error, or the numbers that it gives."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import finetune
from finetune.config import VerdictConfig
from finetune.verdict.verdict import Judged, judge
from zoo.errors import ZooError

__all__ = ["BLOCK", "Guard", "command_refusal", "judged_sentence", "refusal"]

#: bp of a block of the bootstrap.
BLOCK = 100_000


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
        lines = f"error: {error.what}", f"  {error.extent}", f"  Fix: {error.fix.removeprefix('Fix: ')}"
        return Guard(call, "\n".join(lines), stops, short)
    raise RuntimeError(f"{call} was to refuse and did not")


def judged_sentence(call: str, stops: str, short: str, judged: Sequence[Judged], lines: Sequence[str] = ()) -> Guard:
    """What the verdict of ``zoo finetune`` and ``zoo evaluate`` says of predictions, by judging them.

    Args:
        lines: further lines of the verdict's figures, below its sentences.

    Raises:
        RuntimeError: it calls them a gain on every side, so that no page can claim that it does not.
    """
    verdict = judge(judged, VerdictConfig(block=BLOCK))
    if verdict.gained:
        raise RuntimeError(f"{call}: the verdict was to see no gain and says: {verdict.sentence}")
    said = [found["sentence"] for found in verdict.sides.values()]
    return Guard(call, "\n".join([*said, *lines]), stops, short)


def command_refusal(config: str, folder: Path, stops: str, short: str) -> Guard:
    """Run ``zoo finetune`` on a ``run.yaml`` that must be refused; what it printed, without our folders.

    Raises:
        RuntimeError: it was not refused by an error that is explained.
    """
    (folder / "run.yaml").write_text(config, encoding="utf-8")
    command = [str(Path(sys.executable).with_name("zoo")), "finetune", "run.yaml", "--prepare-only", "-q"]
    own = {"ZOO_CACHE": str(folder / "cache"), "PYTHONPATH": str(Path(finetune.__file__).resolve().parents[1])}
    done = subprocess.run(command, cwd=folder, env=os.environ | own, capture_output=True, text=True, check=False)
    if done.returncode not in (2, 3, 4):
        raise RuntimeError(f"zoo finetune was to refuse, and ended with {done.returncode}: {done.stderr}")
    said = done.stderr.strip().replace(f"{folder}/", "")
    return Guard(f"zoo finetune run.yaml --prepare-only   # run.yaml:\n{config.strip()}", said, stops, short)
