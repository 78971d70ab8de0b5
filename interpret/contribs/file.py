"""``contribs.h5``: contributions of many windows, with what produced them. Typed, so that a mix-up is an error.

    attributes    format "seqzoo-contribs", version 1, run (JSON text)
    one_hot       (N, 4, L) uint8, 0 in all channels at an unknown base
    hypothetical  (N, 4, L) float32, attributes kind "hypothetical", layout "N,4,L"
    projected     (N, L) float32, attribute kind "projected": sum(hypothetical * one_hot) over the bases
    prediction, reference_prediction, completeness_error, pair_error    (N,) float32; NaN where a method has none
    projection_error    (N,) float32: what `projected` misses of prediction - reference_prediction, of that difference;
                        more than completeness_error where unknown bases contribute. Early files have none
    regions/{chrom, start, end, name, score, strand}    as in the BED
    windows/{start, end, reverse}    what the model saw
    chroms/{name, size}    of the genome, in its order

``h5.py`` writes it, ``central.py`` reads its middle whole.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

import h5py
import numpy as np

from zoo.errors import InputError
from zoo.outputs import OutputSpec
from zoo.paths import given_path, near_file
from zoo.writers.spool import RowSpool

if TYPE_CHECKING:
    from interpret.explanation import Explanation

__all__ = [
    "FORMAT",
    "NUMBERS",
    "TEXTS",
    "VERSION",
    "ContribBlock",
    "Contribs",
    "FileSource",
    "Source",
    "SpoolSource",
    "open_contribs",
    "plain_attribute",
    "spooled_outputs",
    "spooled_values",
]

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
    path = given_path(path)
    if not path.is_file():
        raise InputError(
            f"{path}: no such file", near_file(path), "Fix: zoo attribute MODEL BED -g FASTA -o contribs.h5"
        )
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


def format_of(path: object) -> str | None:
    """The format that an HDF5 file of ours names; None for anything else, a model say."""
    if not isinstance(path, str | Path) or not Path(path).is_file():
        return None
    try:
        with h5py.File(path, "r") as file:
            return plain_attribute(file, "format")
    except OSError:
        return None


def is_contribs(path: object) -> bool:
    """Whether a path is that of a file of ``zoo attribute``."""
    return format_of(path) == FORMAT


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


# ---------------------------------------------------------------- block by block: what every format is made from


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

    @property
    def projection_error(self) -> np.ndarray:
        """(n,) float32: by how much ``projected`` misses the difference to the references, relative as completeness.

        Unknown bases contribute where the references differ there, and their share stands at no base. NaN for methods
        without references.
        """
        import torch

        from interpret.explanation import relative_error

        prediction, reference = (
            torch.from_numpy(np.array(self.numbers[name], np.float64))
            for name in ("prediction", "reference_prediction")
        )
        each = torch.from_numpy(self.projected).double()
        difference = prediction - reference
        scale = torch.maximum(prediction.abs(), reference.abs())
        error = (each.sum(1) - difference).abs()
        return relative_error(error, difference.abs(), scale, each.abs().sum(1)).float().numpy()

    @property
    def has_unknown(self) -> np.ndarray:
        """(n,) bool, windows with an unknown base."""
        return ~self.one_hot.any(1).all(1)

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
