"""What ``modisco motifs -s OUT.one_hot.npz -a OUT.npz`` reads: ``arr_0`` of (N, 4, L) in each.

Windows stand on the genome's forward strand, so that ``OUT.regions.narrowPeak`` says where they lie.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from interpret.contribs.file import Source
from interpret.contribs.formats import write_peaks

__all__ = ["finals", "write"]


def finals(out: Path) -> list[Path]:
    """Windows, one-hot sequences, hypothetical contributions."""
    stem = out.name[: -len(out.suffix)]
    return [out.with_name(f"{stem}.regions.narrowPeak"), out.with_name(f"{stem}.one_hot.npz"), out]


def write(source: Source, paths: list[Path], run: dict[str, Any], overlap: str) -> None:
    """Two archives with one array each; float32 contributions are stored as they are, letters packed."""
    shape = (source.rows, 4, source.length)
    with (
        open(paths[0], "w", encoding="utf-8") as peaks,
        zipfile.ZipFile(paths[1], "w", zipfile.ZIP_DEFLATED, compresslevel=1) as letters,
        letters.open("arr_0.npy", "w", force_zip64=True) as one_hot,
        zipfile.ZipFile(paths[2], "w", zipfile.ZIP_STORED) as scores,
        scores.open("arr_0.npy", "w", force_zip64=True) as hypothetical,
    ):
        _header(one_hot, shape, np.int8)
        _header(hypothetical, shape, np.float32)
        for block in source.blocks():
            block = block.on_the_genome()
            write_peaks(peaks, block, source.length)
            one_hot.write(block.one_hot.astype(np.int8).tobytes())
            hypothetical.write(np.ascontiguousarray(block.hypothetical, np.float32).tobytes())


def _header(file: BinaryIO, shape: tuple[int, ...], dtype: type) -> None:
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
