"""``contribs.h5``: contributions of many windows, with what produced them. Typed, so that a mix-up is an error.

    attributes    format "seqzoo-contribs", version 1, run (JSON text)
    one_hot       (N, 4, L) uint8, 0 in all channels at an unknown base
    hypothetical  (N, 4, L) float32, attributes kind "hypothetical", layout "N,4,L"
    projected     (N, L) float32, attribute kind "projected": sum(hypothetical * one_hot) over the bases
    prediction, reference_prediction, completeness_error, pair_error    (N,) float32; NaN where a method has none
    regions/{chrom, start, end, name, score, strand}    as in the BED
    windows/{start, end, reverse}    what the model saw
    chroms/{name, size}    of the genome, in its order

``formats/h5.py`` writes it, ``motifs/contributions.py`` reads it whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from zoo.errors import InputError

__all__ = ["FORMAT", "NUMBERS", "TEXTS", "VERSION", "Contribs", "open_contribs", "plain_attribute"]

FORMAT, VERSION = "seqzoo-contribs", 1
NUMBERS = ("prediction", "reference_prediction", "completeness_error", "pair_error")
TEXTS = ("chrom", "name", "score", "strand")


@dataclass
class Contribs:
    """An open file of contributions; arrays are h5py datasets, read when sliced.

    Attributes:
        run: the run record.
        one_hot, hypothetical: (N, 4, L); projected: (N, L).
        prediction, reference_prediction, completeness_error: (N,).
    """

    path: Path
    file: h5py.File
    run: dict[str, Any]

    def __getattr__(self, name: str) -> h5py.Dataset:
        if name in (*NUMBERS, "one_hot", "hypothetical", "projected"):
            return self.file[name]
        raise AttributeError(name)

    def __len__(self) -> int:
        return len(self.file["one_hot"])

    @property
    def length(self) -> int:
        """bp of a window."""
        return self.file["one_hot"].shape[2]

    def regions(self) -> dict[str, np.ndarray]:
        """Columns chrom, start, end, name, score, strand, as in the BED."""
        group = self.file["regions"]
        names = ("chrom", "start", "end", "name", "score", "strand")
        return {name: group[name].asstr()[:] if name in TEXTS else group[name][:] for name in names}

    def windows(self) -> dict[str, np.ndarray]:
        """Columns start, end, reverse: what the model saw."""
        return {name: self.file["windows"][name][:] for name in ("start", "end", "reverse")}

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def __enter__(self) -> Contribs:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def open_contribs(path: str | Path) -> Contribs:
    """Open a file of contributions.

    Raises:
        InputError: no such file, another format or version, or arrays of another kind, layout or number.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file", "", "Fix: zoo attribute MODEL BED -g FASTA -o contribs.h5")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path}: is no HDF5 file: {error}", "", "Fix: a file of `zoo attribute`") from None
    try:
        _check(file, path)
        return Contribs(path, file, json.loads(file.attrs["run"]))
    except (KeyError, ValueError) as error:
        file.close()
        raise InputError(f"{path}: its run record cannot be read: {error}", "", "Fix: make the file again") from None
    except InputError:
        file.close()
        raise


def plain_attribute(item: h5py.File | h5py.Dataset, name: str) -> Any:
    """An attribute as a value of Python, which can be compared and shown; None where there is none."""
    value = item.attrs.get(name)
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _check(file: h5py.File, path: Path) -> None:
    fix = "Fix: a file of `zoo attribute MODEL BED -g FASTA -o contribs.h5`"
    found = plain_attribute(file, "format"), plain_attribute(file, "version")
    if found != (FORMAT, VERSION):
        what = f"{path}: format {found[0]!r}, version {found[1]!r}"
        raise InputError(what, f"{FORMAT!r} version {VERSION} is read", fix)
    n = file["one_hot"].shape[0] if "one_hot" in file else -1
    length = file["one_hot"].shape[-1] if "one_hot" in file else -1
    wanted = {
        "one_hot": ((n, 4, length), None),
        "hypothetical": ((n, 4, length), "hypothetical"),
        "projected": ((n, length), "projected"),
    } | {name: ((n,), None) for name in NUMBERS if name != "pair_error"}
    for name, (shape, kind) in wanted.items():
        if name not in file:
            raise InputError(f"{path}: has no array {name!r}", "", fix)
        dataset = file[name]
        if dataset.shape != shape:
            raise InputError(f"{path}: {name} has shape {dataset.shape}", f"{shape} is read", fix)
        if kind and (found := plain_attribute(dataset, "kind")) != kind:
            raise InputError(f"{path}: {name} holds values of kind {found!r}", f"{kind!r} is read", fix)
        if kind == "hypothetical" and (found := plain_attribute(dataset, "layout")) != "N,4,L":
            raise InputError(f"{path}: {name} has the layout {found!r}", "'N,4,L' is read", fix)
