"""Letters to one-hot arrays and back strand: A, C, G, T in channels 0-3; sequences that a user gives.

Soft-masked (lower-case) letters count as upper-case, and U, of RNA, as T. Everything else that is not A, C, G or T
(N, IUPAC codes, gaps) is an unknown base: all four channels hold ``n_value``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from zoo.errors import InputError, UsageError
from zoo.extras import is_a
from zoo.genome.unknown import Met, UnknownBases, unknown_notes
from zoo.progress import warn
from zoo.words import counted, counted_of

if TYPE_CHECKING:
    import torch

__all__ = [
    "BASES",
    "IUPAC",
    "LETTERS",
    "Sequences",
    "as_one_hot",
    "letters_met",
    "one_hot",
    "one_hot_counted",
    "random_windows",
    "reverse_complement",
    "reverse_complement_one_hot",
]

BASES = "ACGT"
#: Bases, and the ambiguity codes of NC-IUB 1984 (doi:10.1093/nar/13.9.3021).
IUPAC = "ACGTRYSWKMBDHVN"
_UPPER = np.uint8(0xDF)  # clears the bit that marks ASCII lower case
_CODES = tuple(np.uint8(ord(base)) for base in BASES)
_U = np.uint8(ord("U"))
#: The letters that stand for each base.
LETTERS = {"A": "Aa", "C": "Cc", "G": "Gg", "T": "TtUu"}


def _complement_table() -> np.ndarray:
    pairs = dict(zip(IUPAC, "TGCAYRSWMKVHDBN", strict=True))
    table = np.arange(256, dtype=np.uint8)
    for base, partner in pairs.items():
        table[ord(base)], table[ord(base.lower())] = ord(partner), ord(partner.lower())
    table[ord("U")], table[ord("u")] = ord("A"), ord("a")
    return table


_COMPLEMENT = _complement_table()
_N, _CODE, _URACIL, _OTHER = range(4)


def _kind_table() -> np.ndarray:
    """What a letter that is no A, C, G, T is."""
    table = np.full(256, _OTHER, dtype=np.uint8)
    for letter in IUPAC[len(BASES) :]:
        table[[ord(letter), ord(letter.lower())]] = _N if letter == "N" else _CODE
    table[[ord("U"), ord("u")]] = _URACIL
    return table


_KIND = _kind_table()


def one_hot(letters: np.ndarray, n_value: float = 0.0) -> np.ndarray:
    """Encode ASCII letters.

    Args:
        letters: (N, L) uint8.
        n_value: what the four channels hold at an unknown base: 0 (ours and gReLU's) or
            0.25 (kipoiseq's).

    Returns:
        (N, 4, L) float32.
    """
    return one_hot_counted(letters, n_value)[0]


def one_hot_counted(letters: np.ndarray, n_value: float = 0.0) -> tuple[np.ndarray, Met | None]:
    """Like ``one_hot``; also returns what else than A, C, G, T was met, None where nothing was."""
    n, length = letters.shape
    encoded = np.empty((n, 4, length), dtype=np.float32)
    upper = letters & _UPPER
    known = np.zeros_like(upper, dtype=bool)
    for channel, code in enumerate(_CODES):
        is_base = upper == code
        encoded[:, channel] = is_base
        known |= is_base
    if known.all():
        return encoded, None
    uracil = upper == _U
    met = _met(letters, known, uracil)
    if met.rna:
        encoded[:, BASES.index("T")] += uracil
        known |= uracil
    if n_value:
        rows, columns = np.nonzero(~known)
        encoded[rows, :, columns] = n_value
    return encoded, met


def letters_met(letters: np.ndarray) -> Met | None:
    """What else than A, C, G, T stands in (N, L) uint8 letters; None where nothing does."""
    upper = letters & _UPPER
    known = np.zeros_like(upper, dtype=bool)
    for code in _CODES:
        known |= upper == code
    return None if known.all() else _met(letters, known, upper == _U)


def _met(letters: np.ndarray, known: np.ndarray, uracil: np.ndarray) -> Met:
    """``known`` and ``uracil`` are (N, L) bool: A, C, G, T; and U."""
    kinds = np.bincount(_KIND[letters[~known]], minlength=4).tolist()
    if kinds[_URACIL]:
        known = known | uracil
    unknown = kinds[_N] + kinds[_CODE] + kinds[_OTHER]
    return Met(unknown, np.flatnonzero(~known.any(axis=1)), kinds[_CODE], kinds[_URACIL], kinds[_OTHER])


def random_windows(n: int, length: int, seed: int = 0) -> np.ndarray:
    """(n, 4, length) float32 one-hot of random sequences, the same for every model of a length: to ask a model by."""
    letters = np.random.default_rng(seed).integers(0, 4, (n, length))
    return np.ascontiguousarray(np.eye(4, dtype=np.float32)[letters].transpose(0, 2, 1))


def reverse_complement(letters: np.ndarray) -> np.ndarray:
    """(N, L) uint8 letters of the other strand; IUPAC codes and case are kept."""
    return _COMPLEMENT[letters[:, ::-1]]


def reverse_complement_one_hot(batch: np.ndarray) -> np.ndarray:
    """(N, 4, L) one-hot of the other strand: both axes reversed, as A,C,G,T mirror T,G,C,A."""
    return batch[:, ::-1, ::-1]


# ---------------- sequences of a user, letters or one-hot, as (N, 4, L)

# One rule for `model.predict`, the methods of `interpret` and whatever else takes sequences. Letters mean what they do
# in a FASTA. What a FASTA reader lets pass, gaps, U, spaces, is an error here: nobody means it in what is typed.


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
        (N, 4, L); float32 where letters were given. Sequences of unknown bases, wholly or for a large part, are a
        warning (``ZooWarning``).

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
        return _told(_letters(array, length, taker), n_value)
    shape = tuple(array.shape)
    if len(shape) != 3 or shape[1] != 4 or length not in (None, shape[2]):
        wanted = "L" if length is None else length
        raise UsageError(
            f"one_hot has shape {shape}",
            f"{taker} takes (N, 4, {wanted})",
            "Fix: channels A, C, G, T on axis 1, sequence on axis 2",
        )
    return array


def _told(letters: np.ndarray, n_value: float) -> np.ndarray:
    """Encoded, with a warning of unknown bases as a run over regions has notes."""
    encoded, met = one_hot_counted(letters, n_value)
    if met is not None:
        counts = UnknownBases()
        counts.add(met)
        counts.name([f"sequences[{row}]" for row in met.whole])
        for note in unknown_notes(counts, len(letters), letters.size, "sequence"):
            warn(note)
    return encoded


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
            f"sequences[{wrong[0]}] has {counted(len(rows[wrong[0]]), 'letter')}",
            f"{counted_of(len(wrong), len(rows), 'sequence', 'have')} another length; {whose}",
            f"Fix: cut them, or pad them with N, to {counted(wanted, 'letter')}",
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
            f"{counted(int(bad.sum()), 'such letter')} in {counted_of(int(bad.any(1).sum()), len(rows), 'sequence')}; "
            f"known are {', '.join(IUPAC)}",
            f"Fix: {fix}",
        )
    return letters


def _short(text: str | bytes) -> str:
    return repr(text if len(text) <= 20 else text[:20]) + ("" if len(text) <= 20 else "...")
