"""Contributions block by block: what every file format of ``zoo attribute`` is made from.

A run spools its windows (``spooled_outputs`` says how), and ``SpoolSource`` reads them back; ``FileSource`` reads
a finished ``contribs.h5``, so that it can be written in another format without running the model again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from interpret.contribs import NUMBERS, TEXTS, Contribs
from interpret.multipliers import Explanation
from zoo.errors import InputError
from zoo.outputs import OutputSpec
from zoo.writers.spool import RowSpool

__all__ = ["ContribBlock", "FileSource", "Source", "SpoolSource", "spooled_outputs", "spooled_values"]

UNKNOWN = 4  # the letter that is none of A, C, G, T
BLOCK_BYTES = 8 << 20


@dataclass(frozen=True)
class ContribBlock:
    """Consecutive windows.

    Attributes:
        first: number of the first.
        regions: chrom, start, end, name, score, strand, as in the BED; texts as object arrays.
        windows: start, end, reverse: what the model saw.
        one_hot: (n, 4, L) uint8, 0 in all channels at an unknown base.
        hypothetical: (n, 4, L) float32.
        numbers: each of ``contribs.NUMBERS`` -> (n,) float32.
    """

    first: int
    regions: dict[str, np.ndarray]
    windows: dict[str, np.ndarray]
    one_hot: np.ndarray
    hypothetical: np.ndarray
    numbers: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.one_hot)

    @property
    def rows(self) -> slice:
        """Their place among all."""
        return slice(self.first, self.first + len(self))

    @property
    def projected(self) -> np.ndarray:
        """(n, L) float32, the contributions of the bases that are there."""
        return (self.hypothetical * self.one_hot).sum(1, dtype=np.float32)

    def on_the_genome(self) -> ContribBlock:
        """The same with windows that the model saw reversed turned to the genome's strand."""
        turned = self.windows["reverse"]
        if not turned.any():
            return self
        one_hot, hypothetical = self.one_hot.copy(), self.hypothetical.copy()
        one_hot[turned] = one_hot[turned][:, ::-1, ::-1]
        hypothetical[turned] = hypothetical[turned][:, ::-1, ::-1]
        windows = self.windows | {"reverse": np.zeros_like(turned)}
        return dataclasses.replace(self, one_hot=one_hot, hypothetical=hypothetical, windows=windows)


class Source(Protocol):
    """Windows that can be read again and again.

    Attributes:
        rows: how many.
        length: bp of a window.
        chrom_sizes: chromosome -> bp, in the genome's order.
    """

    rows: int
    length: int
    chrom_sizes: dict[str, int]

    def blocks(self) -> Iterator[ContribBlock]:
        """The windows in order, about 8 MB at a time."""


def spooled_outputs(length: int) -> tuple[OutputSpec, ...]:
    """How a window is spooled; a letter is the number of its base, or 4 where it is unknown."""
    return (
        OutputSpec("hypothetical", "profile", tuple("ACGT"), length),
        OutputSpec("letters", "profile", ("letter",), length),
        OutputSpec("numbers", "scalar", NUMBERS),
    )


def spooled_values(one_hot: np.ndarray, found: Explanation) -> dict[str, np.ndarray]:
    """Values of ``spooled_outputs`` for windows (n, 4, L)."""
    letters = np.where(one_hot.max(1) > 0.5, one_hot.argmax(1), UNKNOWN)
    numbers = [np.asarray(getattr(found, name), np.float32) for name in NUMBERS]
    return {
        "hypothetical": found.hypothetical,
        "letters": letters[:, None].astype(np.float32),
        "numbers": np.stack(numbers, 1),
    }


class SpoolSource:
    """The spool of a run."""

    def __init__(self, spool: RowSpool, length: int, chrom_sizes: dict[str, int], rows_a_block: int) -> None:
        self.spool, self.length, self.chrom_sizes = spool, length, chrom_sizes
        self.rows, self._step = spool.rows, rows_a_block

    def blocks(self) -> Iterator[ContribBlock]:
        for block in self.spool.blocks(self._step):
            at = block.positions
            texts = {name: np.array(values, dtype=object) for name, values in block.texts.items()}
            yield ContribBlock(
                block.first,
                texts | {"start": at["start"], "end": at["end"]},
                {"start": at["window_start"], "end": at["window_end"], "reverse": at["reverse"]},
                _one_hot(block.values["letters"][:, 0]),
                block.values["hypothetical"],
                dict(zip(NUMBERS, block.values["numbers"].T, strict=True)),
            )


class FileSource:
    """A finished ``contribs.h5``.

    Raises:
        InputError: it does not hold the chromosomes' lengths, as the first files of this format.
    """

    def __init__(self, contribs: Contribs) -> None:
        self.contribs, self.rows, self.length = contribs, len(contribs), contribs.length
        group: Any = contribs.file.get("chroms")
        if group is None:
            raise InputError(f"{contribs.path}: has no chromosome lengths", "", "Fix: make it again: zoo attribute")
        self.chrom_sizes = dict(zip(group["name"].asstr()[:], group["size"][:].tolist(), strict=True))

    def blocks(self) -> Iterator[ContribBlock]:
        step, file = max(1, BLOCK_BYTES // (20 * self.length)), self.contribs.file
        for first in range(0, self.rows, step):
            part = slice(first, first + step)
            regions = {name: file[f"regions/{name}"].asstr()[part].astype(object) for name in TEXTS}
            regions |= {name: file[f"regions/{name}"][part] for name in ("start", "end")}
            windows = {name: file[f"windows/{name}"][part] for name in ("start", "end", "reverse")}
            numbers = {name: file[name][part] for name in NUMBERS}
            yield ContribBlock(first, regions, windows, file["one_hot"][part], file["hypothetical"][part], numbers)


def _one_hot(letters: np.ndarray) -> np.ndarray:
    return (letters[:, None] == np.arange(4, dtype=np.float32)[:, None]).astype(np.uint8)
