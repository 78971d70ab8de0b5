"""ChromBPNet's file of contributions, of ``chrombpnet contribs_bw`` (``generate_shap_dict``, kundajelab/chrombpnet).

    raw/seq             (N, 4, L) int8 one-hot
    shap/seq            (N, 4, L) float32 hypothetical contributions (ChromBPNet rounds them to float16)
    projected_shap/seq  (N, 4, L) float32, 0 at the bases that are not there

Windows stand on the genome's forward strand; ``OUT.regions.narrowPeak`` says where they lie, as ChromBPNet's
``interpreted_regions.bed`` does. ``modisco motifs -i`` and ``finemo extract-regions-chrombpnet-h5`` read it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from interpret.contribs.file import Source
from interpret.contribs.formats import write_peaks

__all__ = ["finals", "write"]

CHUNK_BYTES = 1 << 20


def finals(out: Path) -> list[Path]:
    """Windows, contributions."""
    return [out.with_name(f"{out.name[: -len(out.suffix)]}.regions.narrowPeak"), out]


def write(source: Source, paths: list[Path], run: dict[str, Any], overlap: str) -> None:
    """Write both files; the run record is an attribute too."""
    shape = (source.rows, 4, source.length)
    some = max(1, min(CHUNK_BYTES // (16 * source.length), source.rows))
    packed = {"chunks": (some, *shape[1:]), "compression": "gzip", "compression_opts": 1, "shuffle": True}
    with open(paths[0], "w", encoding="utf-8") as peaks, h5py.File(paths[1], "w") as file:
        for name, dtype in (("raw", "i1"), ("shap", "f4"), ("projected_shap", "f4")):
            file.create_dataset(f"{name}/seq", shape, dtype, **packed)
        for block in source.blocks():
            block = block.on_the_genome()
            write_peaks(peaks, block, source.length)
            file["raw/seq"][block.rows] = block.one_hot
            file["shap/seq"][block.rows] = block.hypothetical
            file["projected_shap/seq"][block.rows] = block.hypothetical * block.one_hot.astype(np.float32)
        file.attrs["run"] = json.dumps(run, default=str)
