"""What TF-MoDISco needs of ``contribs.h5``: the central window of every sequence, checked, in memory.

The file's own reader (``interpret/contribs/file.py``) says what is a file of contributions; here its central window is
read block by block, so that 100,000 sequences of 2 kb looked at in their middle 400 bp take 800 MB and not 4 GB.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interpret.contribs.file import Contribs, open_contribs
from zoo.errors import InputError, UsageError
from zoo.words import counted, counted_of

__all__ = ["UNSIGNED", "Contributions", "Regions", "no_such_window", "one_sign", "read_contributions", "read_rows"]

BLOCK_BYTES = 1 << 26
#: Methods whose contributions have no sign, in which no motif can be found.
UNSIGNED = ("saliency",)


@dataclass(frozen=True)
class Regions:
    """Where the sequences come from.

    Attributes:
        chrom, name: (N,) text.
        start, end: (N,) int64, the regions as the BED has them, 0-based half-open.
        window_start, window_end: (N,) int64, what the model saw; may pass a chromosome's ends.
        reverse: (N,) bool, whether the model saw the other strand, so that position 0 is the window's end.
    """

    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    name: np.ndarray
    window_start: np.ndarray
    window_end: np.ndarray
    reverse: np.ndarray

    def __len__(self) -> int:
        return len(self.chrom)


@dataclass(frozen=True)
class Contributions:
    """The central window of the sequences and what each base contributes, in the model's orientation.

    Attributes:
        path: the file.
        one_hot: (N, 4, W) uint8, channels A C G T; an unknown base is 0 in all.
        hypothetical: (N, 4, W) float32, the contribution each base would have.
        offset, length: where the window begins in the sequences, and their length in bp.
        total, size: (N,) float32, sums over the whole sequence of the contributions and of their absolute values.
        prediction: (N,) float32, the number that is explained.
        completeness_error: (N,) float32, NaN where the method has none. pair_error: the same of pairs of sequence and
            reference (``explanation.Explanation``), or None in files without.
        regions: where the sequences come from.
        run: how the file was made.
    """

    path: Path
    one_hot: np.ndarray
    hypothetical: np.ndarray
    offset: int
    length: int
    total: np.ndarray
    size: np.ndarray
    prediction: np.ndarray
    completeness_error: np.ndarray
    pair_error: np.ndarray | None
    regions: Regions
    run: dict[str, Any]

    @property
    def projected(self) -> np.ndarray:
        """(N, W) float32, the contribution of the base that is there."""
        return (self.hypothetical * self.one_hot).sum(axis=1, dtype=np.float32)

    @property
    def window(self) -> int:
        """bp of the window."""
        return self.one_hot.shape[2]


def read_contributions(path: str | Path, central: int | None = None) -> Contributions:
    """Read the central window of ``contribs.h5``.

    Args:
        path: file of ``zoo attribute``.
        central: bp around the centre; None is the whole sequence.

    Raises:
        InputError: no such file, not of this format, empty, shorter than the window, not finite, of one sign only,
            or arrays that do not fit each other.
    """
    with open_contribs(path) as file:
        n, length = len(file), file.length
        if n == 0:
            raise InputError(f"{path}: no regions", "0 sequences", "Fix: zoo attribute with a BED that has regions")
        if central is not None and central > length:
            raise InputError(
                f"--central {central}: the sequences are {length} bp",
                counted(n, "sequence"),
                f"Fix: --central {length} or less",
            )
        regions = _regions(file, n)
        width = length if central is None else central
        pair_error = file.file["pair_error"][:] if "pair_error" in file.file else None
        return Contributions(
            file.path,
            *_central(file, width),
            *_sums(file),
            file.prediction[:],
            file.completeness_error[:],
            pair_error,
            regions,
            file.run,
        )


def no_such_window(value: object) -> UsageError:
    """The error for ``window``, which once was the name of ``central``."""
    if value in ("center", "summit", "tile"):
        return UsageError(
            f"--window {value}: motifs are found in the windows that the contributions have",
            "a report of MODEL REGIONS centres one on each region",
            f"Fix: zoo attribute MODEL REGIONS -g FASTA --window {value} -o contribs.h5, then zoo motifs contribs.h5",
        )
    return UsageError(
        f"--window {value}: the bp around the centre of each window are --central now",
        "--window is center, summit or tile, an option of `zoo predict` and `zoo attribute`",
        f"Fix: --central {value if str(value).isdecimal() else 500}",
    )


def one_sign(where: str | Path, method: str | None, lacking: str = "negative") -> InputError:
    """The error for contributions of one sign: TF-MoDISco compares them with a null distribution of both."""
    return InputError(
        f"{where}: TF-MoDISco needs contributions of both signs, and none is {lacking}",
        "saliency says how strongly a base acts, not in which direction" if method in UNSIGNED else f"method {method}",
        "Fix: zoo attribute MODEL REGIONS --method inputxgradient -o contribs.h5 (as quick as saliency, with signs)",
    )


def read_rows(path: str | Path, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole sequences (k, 4, L) uint8 and contributions of their bases (k, L) float32 of some rows, in their order."""
    order, back = np.unique(rows, return_inverse=True)
    with open_contribs(path) as file:
        return file.one_hot[order][back], file.projected[order][back]


def _regions(file: Contribs, n: int) -> Regions:
    try:
        columns, windows = file.regions(), file.windows()
    except KeyError as error:
        raise InputError(
            f"{file.path}: its regions are incomplete: {error.args[0]}", counted(n, "sequence"), _fix()
        ) from None
    counts = {len(column) for column in (*columns.values(), *windows.values())}
    if counts != {n}:
        raise InputError(
            f"{file.path}: {counted(n, 'sequence')} but {sorted(counts)} regions or windows",
            "their numbers must be the same",
            _fix(),
        )
    widths = windows["end"] - windows["start"]
    wrong = np.flatnonzero(widths != file.length)
    if len(wrong):
        raise InputError(
            f"{file.path}: window {wrong[0]} is {widths[wrong[0]]} bp, its sequence {file.length}",
            counted_of(len(wrong), n, "window"),
            _fix(),
        )
    return Regions(
        columns["chrom"].astype(object),
        columns["start"].astype(np.int64),
        columns["end"].astype(np.int64),
        columns["name"].astype(object),
        windows["start"].astype(np.int64),
        windows["end"].astype(np.int64),
        windows["reverse"].astype(bool),
    )


def _central(file: Contribs, width: int) -> tuple[np.ndarray, np.ndarray, int, int]:
    """one_hot, hypothetical, offset and length; every value in the window is looked at once."""
    n, length = len(file), file.length
    offset = length // 2 - width // 2
    one_hot, hypothetical = np.empty((n, 4, width), np.uint8), np.empty((n, 4, width), np.float32)
    bad: list[int] = []
    signs: set[float] = set()
    for rows in _blocks(n, length):
        one_hot[rows] = file.one_hot[rows][:, :, offset : offset + width]
        hypothetical[rows] = file.hypothetical[rows][:, :, offset : offset + width]
        bad += (rows.start + np.flatnonzero(~np.isfinite(hypothetical[rows]).all(axis=(1, 2)))).tolist()
        projected = np.einsum("nal,nal->nl", hypothetical[rows], one_hot[rows], dtype=np.float32)
        signs |= {float(np.sign(projected.min())), float(np.sign(projected.max()))}
        if one_hot[rows].sum(axis=1).max() > 1:
            raise InputError(
                f"{file.path}: one_hot has positions with more than one base",
                f"sequences {rows.start} to {rows.stop}",
                _fix(),
            )
    if bad:
        raise InputError(
            f"{file.path}: contributions that are not finite, first in sequence {bad[0]}",
            counted_of(len(bad), n, "sequence"),
            "Fix: repeat zoo attribute; look at the model's output there",
        )
    if not hypothetical.any():
        raise InputError(
            f"{file.path}: all contributions are 0",
            f"{counted(n, 'sequence')}, central {width:,} bp",
            "Fix: choose an output that depends on the sequence",
        )
    if len(signs & {-1.0, 1.0}) < 2:
        raise one_sign(file.path, file.run.get("method"), "negative" if 1.0 in signs else "positive")
    return one_hot, hypothetical, offset, length


def _sums(file: Contribs) -> tuple[np.ndarray, np.ndarray]:
    """(N,) sums of projected contributions over the whole sequences, and of their absolute values."""
    n = len(file)
    total, size = np.empty(n, np.float32), np.empty(n, np.float32)
    for rows in _blocks(n, file.length):
        projected = file.projected[rows]
        total[rows], size[rows] = projected.sum(axis=1), np.abs(projected).sum(axis=1)
    return total, size


def _blocks(n: int, length: int) -> list[slice]:
    step = max(1, BLOCK_BYTES // (16 * length))
    return [slice(first, min(first + step, n)) for first in range(0, n, step)]


def _fix() -> str:
    return "Fix: zoo attribute MODEL BED -g FASTA -o contribs.h5"
