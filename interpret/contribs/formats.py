"""The files that ``zoo attribute`` writes, one module a format; each is made from ``file.Source``.

h5              contribs.h5, what `zoo motifs` reads
modisco-npz     what `modisco motifs -s OUT.one_hot.npz -a OUT.npz` reads
chrombpnet-h5   what `modisco motifs -i OUT`, ChromBPNet's bigWig maker and fi-nemo read
bw              projected contributions as a bigWig
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from interpret.contribs.file import ContribBlock, Source
from zoo.errors import UsageError

__all__ = ["FORMATS", "Format", "choose_format", "write_peaks"]


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        name: of ``--format``.
        suffixes: of the result; the first is the usual one.
        record_inside: whether the file holds the run record itself, so that there is no OUT.run.json.
    """

    name: str
    suffixes: tuple[str, ...]
    record_inside: bool = False

    @property
    def _module(self) -> Any:
        return importlib.import_module(f"interpret.contribs.{self.name.replace('-', '_')}")

    @property
    def write(self) -> Callable[[Source, list[Path], dict[str, Any], str], None]:
        """``(source, paths, run record, overlap)``: write the whole result to ``paths``; they get their names later."""
        return self._module.write

    def finals(self, out: Path) -> list[Path]:
        """The files of a result, the one that is named by ``-o`` last."""
        return self._module.finals(out)


FORMATS = {
    found.name: found
    for found in (
        Format("h5", (".h5", ".hdf5"), True),
        Format("modisco-npz", (".npz",)),
        Format("chrombpnet-h5", (".h5", ".hdf5")),
        Format("bw", (".bw", ".bigwig")),
    )
}


def choose_format(out: Path, name: str | None = None) -> Format:
    """The format by its name, or by the suffix of the result.

    Raises:
        UsageError: neither tells, or they contradict each other.
    """
    suffix = out.suffix.lower()
    if name is not None and name not in FORMATS:
        raise UsageError(f"--format {name}: not known", "", f"Fix: one of {', '.join(FORMATS)}")
    if name is None:
        found = next((f for f in FORMATS.values() if suffix in f.suffixes), None)
        if found is None:
            raise UsageError(
                f"{out}: contributions are written as .h5, .npz or .bw",
                "",
                "Fix: -o contribs.h5; a .tsv is written for --method marginalize",
            )
        return found
    if suffix not in FORMATS[name].suffixes:
        raise UsageError(
            f"{out}: --format {name} writes {FORMATS[name].suffixes[0]}",
            "",
            f"Fix: -o {out.with_suffix(FORMATS[name].suffixes[0])}",
        )
    return FORMATS[name]


# ---------------- the windows beside a peer's file, as narrowPeak: row i is where its row i lies


def write_peaks(file: TextIO, block: ContribBlock, length: int) -> None:
    """Append the windows of a block. ChromBPNet and fi-nemo cut ``length`` bp around column 2 + column 10."""
    start, end = block.windows["start"], block.windows["end"]
    centre = start + length // 2
    first = np.maximum(start, 0)
    for row in zip(block.regions["chrom"], first, end, block.regions["name"], centre - first, strict=True):
        chrom, low, high, name, summit = row
        file.write(f"{chrom}\t{low}\t{high}\t{name}\t0\t.\t0\t-1\t-1\t{summit}\n")
