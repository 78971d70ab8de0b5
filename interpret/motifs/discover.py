"""TF-MoDISco by modisco-lite 3, every option of it reachable, and nothing printed by it."""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import InputError, UsageError
from zoo.extras import needs
from zoo.progress import duration
from zoo.words import counted

__all__ = ["DEFAULTS", "Said", "capped", "modisco_options", "parse_options", "run_modisco", "saying", "too_few"]

# Where the command line of modisco-lite differs from its function, we take the command line's choice.
DEFAULTS = {"target_seqlet_fdr": 0.05, "n_leiden_runs": 2, "sliding_window_size": 20, "flank_size": 5}
GIVEN = ("one_hot", "hypothetical_contribs", "verbose")
# TF-MoDISco takes at least min_passing_windows_frac of all places as seqlets. Where few places stand out, one seqlet
# takes 12 of them: 11.5 to 12.4 for 5 to 160 yeast promoters of 200 to 1,280 bp (deepliftshap), fewer elsewhere
# (inputxgradient 8, bpnet-k562-ctcf 2 to 7).
PLACES_A_SEQLET = 12


def modisco_options() -> dict[str, Any]:
    """Options of ``modiscolite.tfmodisco.TFMoDISco`` with the values used when none is given."""
    parameters = inspect.signature(_modisco().TFMoDISco).parameters
    return {name: parameter.default for name, parameter in parameters.items() if name not in GIVEN} | DEFAULTS


def parse_options(items: Iterable[str]) -> dict[str, Any]:
    """``NAME=VALUE`` of the command line as options of TF-MoDISco.

    Raises:
        UsageError: no such option, or a value that is no Python literal.
    """
    known, options = modisco_options(), {}
    for item in items:
        name, _, value = item.partition("=")
        if name not in known:
            raise UsageError(
                f"--modisco {item}: TF-MoDISco has no option {name!r}",
                f"it has {', '.join(known)}",
                "Fix: --modisco NAME=VALUE with one of these names",
            )
        try:
            options[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError) as error:
            raise UsageError(
                f"--modisco {item}: {value!r} is no value",
                f"the default of {name} is {known[name]!r}",
                "Fix: --modisco NAME=VALUE, the value a number or a list",
            ) from error
    return options


def run_modisco(
    one_hot: np.ndarray,
    hypothetical: np.ndarray,
    path: Path,
    options: dict[str, Any],
    say: Callable[[str], None] | None = None,
) -> tuple[int, int, str]:
    """Find patterns and write them to ``path`` as modisco-lite does.

    modisco-lite seeds all its random choices itself, so equal input gives equal output.

    Args:
        one_hot, hypothetical: (N, 4, W).
        options: of ``modisco_options``.
        say: takes a line each second, see ``saying``.

    Returns:
        numbers of positive and negative patterns, and what modisco-lite said.
    """
    modisco = _modisco()
    keep_compiled()
    window = one_hot.shape[2]
    tracks = [np.ascontiguousarray(array.transpose(0, 2, 1), dtype=np.float32) for array in (one_hot, hypothetical)]
    _check_window(window, modisco_options() | options)
    with saying("TF-MoDISco", say) as said, contextlib.redirect_stdout(said):
        positive, negative = _run(modisco, tracks, modisco_options() | options)
    with needs("modiscolite", "discovery of motifs"):
        from modiscolite.io import save_hdf5

    save_hdf5(str(path), positive, negative, window)
    return len(positive or []), len(negative or []), said.getvalue()


def capped(said: str, options: dict[str, Any]) -> str | None:
    """A sentence where TF-MoDISco left seqlets out: it takes the first of the file, not the strongest."""
    most = (modisco_options() | options)["max_seqlets_per_metacluster"]
    full = [sign for number, sign in re.findall(r"(\d+) (positive|negative) seqlets", said) if int(number) >= most]
    if not full:
        return None
    return (
        f"TF-MoDISco looked at the first {most:,} {' and '.join(full)} seqlets of the file only: "
        f"--max-seqlets takes more, and shuffling the regions makes them a sample"
    )


def too_few(regions: int, window: int, options: dict[str, Any]) -> str | None:
    """A sentence, before the work, where so few regions may give no pattern, or cannot give one.

    TF-MoDISco looks at a sign with more than ``min_metacluster_size`` seqlets only.

    Args:
        regions, window: how many, and the bp of each that are looked at. options: of ``modisco_options``, those given.
    """
    chosen = modisco_options() | options
    size, flank, least = (chosen[name] for name in ("sliding_window_size", "flank_size", "min_metacluster_size"))
    places = window - size + 1
    share = chosen["min_passing_windows_frac"] / PLACES_A_SEQLET
    # Places within half a window and a flank of a seqlet hold no other; at the ends there must be room for a flank.
    most = regions * max(-(-(places - 2 * flank) // (size // 2 + flank + 1)), 0)
    if places <= 2 * flank or regions * places * share > least:
        return None  # the window itself is refused elsewhere
    enough = int(least / (places * share)) + 1
    what = f"TF-MoDISco looks at a sign with more than {counted(least, 'seqlet')}"
    if most <= least:
        have = f"{counted(regions, 'region')} of {window:,} bp cannot hold more than {most:,}"
        return f"{what}, and {have}: it will find no motif; {counted(enough, 'region is', 'regions are')} surely enough"
    have = f"{counted(regions, 'region')} of {window:,} bp may give as few as {int(regions * places * share):,}"
    return f"{what}, and {have}: it may find no motif; {counted(enough, 'region is', 'regions are')} enough"


def _check_window(window: int, options: dict[str, Any]) -> None:
    needed = options["sliding_window_size"] + 2 * options["flank_size"]
    if window < needed:
        raise InputError(
            f"windows of {window} bp are shorter than a seqlet with its flanks, {needed} bp",
            "no motif can be found",
            "Fix: longer regions, or --modisco sliding_window_size=15",
        )


def _run(modisco: Any, tracks: list[np.ndarray], options: dict[str, Any]) -> tuple[Any, Any]:
    try:
        return modisco.TFMoDISco(*tracks, **options, verbose=True)
    except (ValueError, IndexError, ZeroDivisionError) as error:
        # Too few windows for its null distribution, or none that passes: what it raises depends on how few.
        if len(tracks[0]) * tracks[0].shape[1] > 200_000:
            raise
        raise InputError(
            f"TF-MoDISco failed on {counted(len(tracks[0]), 'sequence')} of {tracks[0].shape[1]} bp: {error}",
            "too few for its statistics, most likely",
            "Fix: give more regions",
        ) from error


def _modisco() -> Any:
    with needs("modiscolite", "discovery of motifs"):
        from modiscolite import tfmodisco
    return tfmodisco


def keep_compiled() -> None:
    """Let numba keep on disk what it compiles for TF-MoDISco, where a folder for it can be written.

    modisco-lite asks for that itself where it may fork. Another thread (that of ``saying``, a notebook's) forbids it,
    and then each process would compile anew, for twenty seconds.
    """
    with suppress(ImportError, RuntimeError):  # a modisco-lite without it; no folder that can be written
        from modiscolite.precompile import _kernels

        for group in _kernels():
            for kernel, _ in group:
                kernel.enable_caching()


# ---------------------------------------------------------------- a line a second while it runs


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
