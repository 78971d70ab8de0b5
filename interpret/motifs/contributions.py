"""Read a contributions file whole, as TF-MoDISco needs it, and refuse what is no such file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import InputError

__all__ = ["Contributions", "Regions", "read_contributions"]

FORMAT, VERSION = "seqzoo-contribs", 1
LAYOUTS = {"hypothetical": "N,4,L", "projected": "N,L"}


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
    """Sequences and what each base contributes, in the model's orientation.

    Attributes:
        path: the file.
        one_hot: (N, 4, L) uint8, channels A C G T; an unknown base is 0 in all.
        hypothetical: (N, 4, L) float32, the contribution each base would have.
        prediction: (N,) float32, the number that is explained.
        completeness_error: (N,) float32, NaN where the method has none.
        regions: where the sequences come from.
        run: how the file was made.
    """

    path: Path
    one_hot: np.ndarray
    hypothetical: np.ndarray
    prediction: np.ndarray
    completeness_error: np.ndarray
    regions: Regions
    run: dict[str, Any]

    @property
    def projected(self) -> np.ndarray:
        """(N, L) float32, the contribution of the base that is there."""
        return (self.hypothetical * self.one_hot).sum(axis=1, dtype=np.float32)

    @property
    def length(self) -> int:
        return self.one_hot.shape[2]


def read_contributions(path: str | Path) -> Contributions:
    """Read ``contribs.h5``.

    Raises:
        InputError: no such file, not of this format, empty, not finite, or arrays that do not fit each other.
    """
    import h5py

    path = Path(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        reason = "no such file" if not path.exists() else "not an HDF5 file"
        raise InputError(f"{path}: {reason}", "nothing was read", _fix()) from error
    with file:
        _check_format(path, file)
        contributions = _read(path, file)
    _check_values(path, contributions)
    return contributions


def _fix() -> str:
    return "Fix: zoo attribute MODEL BED -g FASTA -o contribs.h5"


def _check_format(path: Path, file: Any) -> None:
    if file.attrs.get("format") != FORMAT or file.attrs.get("version") != VERSION:
        found = f"{file.attrs.get('format', 'none')} version {file.attrs.get('version', 'none')}"
        raise InputError(f"{path}: not a contributions file", f"its format is {found}, not {FORMAT} {VERSION}", _fix())
    needed = ["one_hot", "hypothetical", "prediction", "regions/chrom", "regions/start", "regions/end",
              "windows/start", "windows/end", "windows/reverse"]
    lacking = [name for name in needed if name not in file]
    if lacking:
        raise InputError(f"{path}: {', '.join(lacking)} not in the file", f"{len(lacking)} of {len(needed)} datasets",
                         _fix())
    data = file["hypothetical"]
    kind, layout = data.attrs.get("kind"), data.attrs.get("layout")
    if kind != "hypothetical" or layout != LAYOUTS["hypothetical"]:
        raise InputError(
            f"{path}: /hypothetical holds {kind} contributions with layout {layout}",
            f"motifs need hypothetical contributions with layout {LAYOUTS['hypothetical']}", _fix(),
        )
    shape = file["one_hot"].shape
    if len(shape) != 3 or shape[1] != 4 or data.shape != shape:
        raise InputError(
            f"{path}: one_hot is {shape} and hypothetical {data.shape}", "both must be (N, 4, L)",
            "Fix: write the arrays in the order sequence, base, position",
        )


def _read(path: Path, file: Any) -> Contributions:
    n = len(file["one_hot"])

    def text(name: str) -> np.ndarray:
        return file[name].asstr()[:].astype(object) if name in file else np.full(n, ".", dtype=object)

    regions = Regions(
        text("regions/chrom"), file["regions/start"][:].astype(np.int64), file["regions/end"][:].astype(np.int64),
        text("regions/name"), file["windows/start"][:].astype(np.int64), file["windows/end"][:].astype(np.int64),
        file["windows/reverse"][:].astype(bool),
    )
    error = file["completeness_error"][:] if "completeness_error" in file else np.full(n, np.nan, np.float32)
    return Contributions(
        path, file["one_hot"][:], file["hypothetical"][:], file["prediction"][:], error, regions,
        json.loads(file.attrs.get("run", "{}")),
    )


def _check_values(path: Path, contributions: Contributions) -> None:
    n = len(contributions.one_hot)
    if n == 0:
        raise InputError(f"{path}: no regions", "0 sequences", "Fix: zoo attribute with a BED that has regions")
    regions = contributions.regions
    counts = {len(column) for column in vars(regions).values()} | {len(contributions.prediction)}
    if counts != {n}:
        raise InputError(f"{path}: {n} sequences but {sorted(counts)} regions, windows or predictions",
                         "lengths must be the same", _fix())
    bad = np.flatnonzero(~np.isfinite(contributions.hypothetical).all(axis=(1, 2)))
    if len(bad):
        raise InputError(f"{path}: contributions that are not finite, first in sequence {bad[0]}",
                         f"{len(bad):,} of {n:,} sequences",
                         "Fix: repeat zoo attribute; look at the model's output there")
    if not contributions.hypothetical.any():
        raise InputError(f"{path}: all contributions are 0", f"{n:,} sequences",
                         "Fix: choose an output that depends on the sequence")
    if contributions.one_hot.max() > 1 or contributions.one_hot.sum(axis=1).max() > 1:
        raise InputError(f"{path}: one_hot has positions with more than one base", f"{n:,} sequences", _fix())
    widths = regions.window_end - regions.window_start
    wrong = np.flatnonzero(widths != contributions.length)
    if len(wrong):
        raise InputError(f"{path}: window {wrong[0]} is {widths[wrong[0]]} bp, its sequence {contributions.length}",
                         f"{len(wrong):,} of {n:,} windows", _fix())
