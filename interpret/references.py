"""Reference sequences, with which an observed sequence is compared.

    dinucleotide    shuffles that keep every dinucleotide's count (tangermeme), ``n`` a sequence
    uniform         0.25 at every base, one a sequence
    zeros           all zero, one a sequence
    FILE.npz        sequences of the user: the array ``references`` or the only one, (n, 4, L) or (N, n, 4, L)

A shuffle depends on the seed and the sequence's number only, not on the batch it is in.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import InputError, UsageError
from zoo.extras import needs
from zoo.paths import given_path, refuse_url
from zoo.words import counted

if TYPE_CHECKING:
    import torch

__all__ = ["References", "parse_references", "reference_array", "shuffled"]

DEFAULT_N = 20  # Precision of planted motifs was 0.47 with one shuffle, 0.64 with five, 0.69 with twenty.


@dataclass(frozen=True)
class References:
    """Where references come from.

    Attributes:
        kind: ``dinucleotide``, ``uniform``, ``zeros`` or ``file``.
        n: references a sequence.
        seed: of the shuffles.
        given: (n, 4, L) or (N, n, 4, L) for ``file``.
        n_value: value of the four channels at an unknown base.
    """

    kind: str = "dinucleotide"
    n: int = DEFAULT_N
    seed: int = 0
    given: np.ndarray | None = None
    n_value: float = 0.0

    def of(self, one_hot: np.ndarray, first: int = 0) -> np.ndarray:
        """References of consecutive sequences.

        Args:
            one_hot: (N, 4, L) float32.
            first: number of the first of them in the whole run.

        Returns:
            (N, n, 4, L) float32.

        Raises:
            InputError: given references of another length or number.
        """
        if self.kind == "dinucleotide":
            return shuffled(one_hot, self.n, self.seed, first, self.n_value)
        shape = (len(one_hot), self.n, *one_hot.shape[1:])
        if self.kind in ("uniform", "zeros"):
            return np.full(shape, 0.25 if self.kind == "uniform" else 0.0, np.float32)
        given = self.given
        if given.shape[-1] != one_hot.shape[2]:
            raise InputError(
                f"the references are {given.shape[-1]:,} bp long",
                f"the model's windows are {one_hot.shape[2]:,} bp",
                "Fix: references of the model's length",
            )
        if given.ndim == 3:
            return np.broadcast_to(given, shape)
        if first + len(one_hot) > len(given):
            raise InputError(
                f"the references are for {counted(len(given), 'sequence')}",
                f"sequence {first + len(one_hot):,} has none",
                "Fix: an array (n, 4, L) for all sequences, or (N, n, 4, L)",
            )
        return given[first : first + len(one_hot)]


def parse_references(text: str, seed: int = 0, n_value: float = 0.0) -> References:
    """``N``, ``dinucleotide``, ``uniform``, ``zeros`` or ``FILE.npz``.

    Raises:
        UsageError: none of these. InputError: the file is not what it should be.
    """
    if text in ("uniform", "zeros"):
        return References(text, 1, seed, n_value=n_value)
    if text == "dinucleotide":
        return References("dinucleotide", DEFAULT_N, seed, n_value=n_value)
    if re.fullmatch(r"[1-9]\d{0,4}", text):
        return References("dinucleotide", int(text), seed, n_value=n_value)
    refuse_url(text, UsageError, option="--references")
    if text.endswith(".npz"):
        given = _read(given_path(text))
        return References("file", given.shape[-3], seed, given, n_value)
    raise UsageError(
        f"--references {text}: not known", "", "Fix: a number of shuffles, uniform, zeros, or FILE.npz with (n, 4, L)"
    )


def _read(path: Path) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = archive.files
            name = "references" if "references" in names else names[0] if len(names) == 1 else None
            if name is None:
                held = ", ".join(names) or "nothing"
                raise InputError(f"{path}: holds {held}", "", "Fix: name the array `references`")
            array = archive[name]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read: {error}", "", "Fix: numpy.savez(path, references=array)") from None
    if array.ndim not in (3, 4) or array.shape[-2] != 4 or 0 in array.shape or array.dtype.kind not in "fiub":
        raise InputError(
            f"{path}: {name} has shape {array.shape} and type {array.dtype}",
            "",
            "Fix: numbers of shape (n, 4, L) or (N, n, 4, L)",
        )
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise InputError(f"{path}: {name} holds NaN or infinity", "", "Fix: correct the references")
    return array


def shuffled(one_hot: np.ndarray, n: int, seed: int, first: int = 0, n_value: float = 0.0) -> np.ndarray:
    """Dinucleotide-preserving shuffles, (N, n, 4, L) float32; unknown bases are shuffled as a letter of their own."""
    import torch

    dinucleotide_shuffle = _shuffler()
    known = one_hot.max(1, keepdims=True) > 0.5
    letters = torch.from_numpy((one_hot * known).astype(np.int8))
    # tangermeme takes 32-bit seeds; neighbours of one run must not be each other's in a run with the next seed.
    seeds = [(seed * 1_000_003 + first + i) % (1 << 31) for i in range(len(one_hot))]
    if not len(one_hot):
        return np.empty((0, n, *one_hot.shape[1:]), np.float32)
    try:
        drawn = dinucleotide_shuffle(letters, n=n, random_state=seeds, allow_N=True)
    except ValueError as error:
        if "identical" not in str(error):
            raise
        drawn = torch.cat([_alone(row[None], n, seed) for row, seed in zip(letters, seeds, strict=True)])
    drawn = drawn.numpy().astype(np.float32)
    if n_value:
        drawn += n_value * (drawn.sum(2, keepdims=True) == 0)
    return drawn


def _shuffler() -> Callable[..., torch.Tensor]:
    with needs("tangermeme", "shuffling of sequences", "or --references uniform"):
        from tangermeme.ersatz import dinucleotide_shuffle
    return dinucleotide_shuffle


def _alone(letters: torch.Tensor, n: int, seed: int) -> torch.Tensor:
    """Shuffles of one sequence; where it has only one (all N, a homopolymer), n times that: tangermeme refuses it."""
    dinucleotide_shuffle = _shuffler()
    try:
        return dinucleotide_shuffle(letters, n=n, random_state=[seed], allow_N=True)
    except ValueError:
        return dinucleotide_shuffle(letters, n=1, random_state=[seed], allow_N=True).repeat(1, n, 1, 1)


# ---------------------------------------------------------------- references as an array beside the sequences


def reference_array(references: np.ndarray | References | None, one_hot: np.ndarray) -> np.ndarray:
    """(N, n, 4, L) float32.

    Raises:
        UsageError: another shape. InputError: NaN or infinity.
    """
    if references is None:
        references = References()
    if isinstance(references, References):
        return references.of(one_hot)
    array = np.asarray(references, dtype=np.float32)
    if array.ndim != 4 or array.shape[0] != len(one_hot) or array.shape[1] < 1 or array.shape[2:] != one_hot.shape[1:]:
        raise UsageError(
            f"the references have shape {array.shape}",
            f"the sequences have shape {one_hot.shape}",
            "Fix: (N, n, 4, L), n for each sequence",
        )
    if not np.isfinite(array).all():
        raise InputError("the references hold NaN or infinity", "", "Fix: correct the references")
    return array
