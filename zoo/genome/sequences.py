"""Sequences of a user, as letters or one-hot, as the array (N, 4, L) that models and methods take.

One rule for ``model.predict``, the methods of ``interpret`` and whatever else takes sequences. Letters mean what they
mean in a FASTA (``zoo.genome.encode``): lower case counts as upper case, N and the other IUPAC codes are unknown
bases. What a FASTA reader lets pass, gaps, U, spaces, is an error here: nobody means it in a sequence that is typed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from zoo.errors import InputError, UsageError
from zoo.extras import is_a
from zoo.genome.encode import IUPAC, one_hot

if TYPE_CHECKING:
    import torch

__all__ = ["Sequences", "as_one_hot"]

#: What stands for N sequences.
Sequences: TypeAlias = "np.ndarray | torch.Tensor | Iterable[str]"

_KNOWN = np.zeros(256, dtype=bool)
_KNOWN[[ord(letter) for letter in IUPAC + IUPAC.lower()]] = True


def as_one_hot(
    sequences: Sequences, length: int | None = None, n_value: float = 0.0, taker: str = "the model"
) -> np.ndarray | torch.Tensor:
    """Letters to one-hot; one-hot is returned as it is, once its shape is right.

    Args:
        sequences: strings of A, C, G, T, N and other IUPAC codes, all of one length; or (N, 4, L), channels A, C, G, T.
        length: the L that is taken; None for any.
        n_value: what the four channels hold at an unknown base.
        taker: what takes the sequences, for messages.

    Returns:
        (N, 4, L); float32 where letters were given.

    Raises:
        UsageError: another shape or length, or one string where a list is due. InputError: another letter.
    """
    if isinstance(sequences, str | bytes):
        raise UsageError(
            f"one string where sequences are expected: {_short(sequences)}",
            f"{taker} takes N sequences at once",
            "Fix: give a list: [sequence]",
        )
    array = _as_array(sequences)
    if isinstance(array, list):
        return one_hot(_letters(array, length, taker), n_value)
    shape = tuple(array.shape)
    if len(shape) != 3 or shape[1] != 4 or length not in (None, shape[2]):
        wanted = "L" if length is None else length
        raise UsageError(
            f"one_hot has shape {shape}",
            f"{taker} takes (N, 4, {wanted})",
            "Fix: channels A, C, G, T on axis 1, sequence on axis 2",
        )
    return array


def _as_array(sequences: Any) -> Any:
    """An array as it is, strings as a list, a list of arrays as one array."""
    if is_a(sequences, "torch", "Tensor"):
        return sequences
    if isinstance(sequences, np.ndarray) and sequences.dtype.kind not in "OSTU":
        return sequences
    if not isinstance(sequences, Iterable):
        raise UsageError(
            f"{type(sequences).__name__} where sequences are expected", "", "Fix: a list of strings, or (N, 4, L)"
        )
    rows = list(sequences)
    if not rows or any(isinstance(row, str | bytes) for row in rows):
        return rows
    try:
        return np.asarray(rows, dtype=np.float32)
    except (TypeError, ValueError):
        raise UsageError(
            "sequences are neither strings nor arrays of one shape",
            f"{len(rows):,} of type {type(rows[0]).__name__}",
            "Fix: a list of strings, or (N, 4, L)",
        ) from None


def _letters(rows: list[Any], length: int | None, taker: str) -> np.ndarray:
    """(N, L) ASCII letters, all known."""
    for i, row in enumerate(rows):
        if not isinstance(row, str):
            raise UsageError(
                f"sequences[{i}] is {type(row).__name__}, others are strings", "", "Fix: strings of letters throughout"
            )
    wanted = length if length is not None else len(rows[0]) if rows else 0
    wrong = [i for i, row in enumerate(rows) if len(row) != wanted]
    if wrong:
        whose = f"{taker} takes {wanted:,}" if length is not None else f"sequences[0] has {wanted:,}"
        raise UsageError(
            f"sequences[{wrong[0]}] has {len(rows[wrong[0]]):,} letters",
            f"{len(wrong):,} of {len(rows):,} sequences have another length; {whose}",
            f"Fix: cut them, or pad them with N, to {wanted:,} letters",
        )
    if not wanted:
        raise UsageError("there is no sequence, or none with a letter", "", "Fix: give sequences of letters")
    # A letter outside latin-1 becomes '?', which is unknown too: one byte a letter either way.
    letters = np.frombuffer("".join(rows).encode("latin-1", "replace"), np.uint8).reshape(len(rows), wanted)
    bad = ~_KNOWN[letters]
    if bad.any():
        row, column = (int(first) for first in np.argwhere(bad)[0])
        letter = rows[row][column]
        fix = "write T for U" if letter in "Uu" else "write N for an unknown base, and leave out gaps and spaces"
        raise InputError(
            f"sequences[{row}][{column}] is {letter!r}, no base",
            f"{int(bad.sum()):,} such letters in {int(bad.any(1).sum()):,} of {len(rows):,} sequences; "
            f"known are {', '.join(IUPAC)}",
            f"Fix: {fix}",
        )
    return letters


def _short(text: str | bytes) -> str:
    return repr(text if len(text) <= 20 else text[:20]) + ("" if len(text) <= 20 else "...")
