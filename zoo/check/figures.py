"""Level reproduces: the metrics of a card, made again by their commands where the data are at hand.

A command is ``python -m MODULE ...``, ``python FILE ...`` or ``zoo ...``, run in the top of the repository without a
shell. ``DIR`` in it stands for the data folder, ``OUT`` (or ``RUN``) for a folder to write to. It prints the records of
``evaluation`` as YAML or JSON on standard output, or after a line ``evaluation:``; the repository's own scripts are
asked for that with ``--yaml``.
"""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from zoo.check.confine import ROOT, Limits, run_confined
from zoo.check.findings import CODES, Finding
from zoo.check.runs import scratch_folder
from zoo.files import cache_folder

if TYPE_CHECKING:
    from zoo.cards.schema import Card, Evaluation

__all__ = ["check_figures"]

NEAR = 0.002  # how far a figure without an interval may be: machines round differently, cards keep three digits
FORBIDDEN = set("|&;<>`$")


def check_figures(name: str, folder: Path, card: Card, data: Path | None, limits: Limits) -> list[Finding]:
    """Run each command of the card once, and compare what it prints with what the card says."""
    by_command: dict[str, list[Evaluation]] = {}
    for one in card.evaluation:
        if one.command:
            by_command.setdefault(one.command, []).append(one)
    if not by_command:
        return []
    if data is None:
        what = f"{len(by_command)} command(s) of metrics were not run: no data folder"
        return [Finding(name, "reproduces", "metric", "note", what, "zoo check --data FOLDER")]
    return [
        finding
        for command, recorded in by_command.items()
        for finding in _checked(name, folder, command, recorded, data, limits)
    ]


def _checked(
    name: str, folder: Path, command: str, recorded: list[Evaluation], data: Path, limits: Limits
) -> Iterator[Finding]:
    words = _words(command, data)
    if words is None:
        what = f"the command {command!r} is not one of `python ...` or `zoo ...`, without a shell's signs"
        yield Finding(name, "reproduces", "metric", "error", what, "write a script of the repository or the entry")
        return
    with scratch_folder() as scratch:
        (scratch / "cache").mkdir(exist_ok=True)
        words = [str(scratch / "out") if word in ("OUT", "RUN") else word for word in words]
        reads = [data, folder, *(path for path in [cache_folder()] if path.is_dir())]
        program = "import os, sys, runpy; os.chdir(sys.argv[1]); sys.argv = sys.argv[2:]; " + RUN
        outcome = run_confined(
            [sys.executable, "-c", program, str(ROOT), *words],
            scratch,
            reads=reads,
            limits=limits,
            variables={"ZOO_CACHE": str(scratch / "cache"), "PYTHONPATH": f"{folder}:{ROOT}"},
        )
    if outcome.code or outcome.ended_for:
        last = (outcome.output.strip().splitlines() or ["it printed nothing"])[-1][:300]
        what = f"`{command}` did not work: {outcome.ended_for or last}"
        yield Finding(name, "reproduces", "metric", "error", what, "run it yourself", code=CODES["differs"])
        return
    found = _records(outcome.output)
    if not found:
        what = f"`{command}` printed no records of evaluation"
        fix = "print them as YAML: a list of metric, value, split, output"
        yield Finding(name, "reproduces", "metric", "warning", what, fix)
        return
    for one in recorded:
        yield from _compared(name, one, found)


#: Runs ``python -m MODULE``, ``python FILE`` or ``zoo`` by what follows, as the interpreter itself would.
RUN = (
    "first = sys.argv[0]; "
    "sys.path.insert(0, os.getcwd()); "
    "(sys.argv.pop(0), runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)) if first == '-m' else "
    "runpy.run_path(first, run_name='__main__')"
)


def _words(command: str, data: Path) -> list[str] | None:
    """What follows the interpreter's name; None where the command is of another kind."""
    if FORBIDDEN & set(command):
        return None
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if len(words) < 2 or words[0] not in ("python", "python3", "zoo"):
        return None
    words = ["-m", "zoo", *words[1:]] if words[0] == "zoo" else words[1:]
    if words[0].startswith("-") and words[0] != "-m":
        return None
    words = [str(data) if one == "DIR" else one.replace("DIR/", f"{data}/") for one in words]
    more = {"scripts.evaluate_entries": ["--yaml", "--data", str(data)], "scripts.yeast_atac.evaluate": ["--yaml"]}
    return [*words, *(more.get(words[1], []) if words[0] == "-m" else [])]


def _records(text: str) -> list[dict[str, Any]]:
    """The records that a command printed, among whatever else."""
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith(("- ", "[", "evaluation:", "{"))]
    for start in starts:
        for end in range(len(lines), start, -1):
            try:
                data = yaml.safe_load("\n".join(lines[start:end]))
            except yaml.YAMLError:
                continue
            data = data.get("evaluation") if isinstance(data, dict) else data
            if isinstance(data, list) and data and all(isinstance(one, dict) and "metric" in one for one in data):
                return data
    return []


def _compared(name: str, card: Evaluation, found: list[dict[str, Any]]) -> Iterator[Finding]:
    alike = [one for one in found if one["metric"] == card.metric and one.get("output", card.output) == card.output]
    exact = [one for one in alike if one.get("split", card.split) == card.split] or alike
    if not exact:
        what = f"{card.metric} is on the card, and its command does not print it"
        yield Finding(name, "reproduces", "metric", "error", what, "correct the card", code=CODES["differs"])
        return
    value = float(exact[0].get("value", math.nan))
    low, high = card.ci or (card.value - NEAR, card.value + NEAR)
    low, high = min(low, card.value - NEAR), max(high, card.value + NEAR)
    if not low <= value <= high:
        says = f"{card.value:.4g} ({low:.4g} to {high:.4g})"
        what = f"{card.metric} does not reproduce: {value:.4g}, and the card says {says}"
        yield Finding(name, "reproduces", "metric", "error", what, "correct the card, or the command", code=6)
    else:
        what = f"{card.metric} reproduces: {value:.4g}, the card says {card.value:.4g}"
        yield Finding(name, "reproduces", "metric", "note", what)
