"""Letters to one-hot arrays and back strand: A, C, G, T in channels 0-3.

Soft-masked (lower-case) letters count as upper-case. Everything that is not A, C, G or T
(N, IUPAC codes, gaps) is an unknown base: all four channels hold ``n_value``.
"""

from __future__ import annotations

import numpy as np

__all__ = ["BASES", "IUPAC", "one_hot", "one_hot_counted", "reverse_complement", "reverse_complement_one_hot"]

BASES = "ACGT"
#: Bases, and the ambiguity codes of NC-IUB 1984 (doi:10.1093/nar/13.9.3021).
IUPAC = "ACGTRYSWKMBDHVN"
_UPPER = np.uint8(0xDF)  # clears the bit that marks ASCII lower case
_CODES = tuple(np.uint8(ord(base)) for base in BASES)


def _complement_table() -> np.ndarray:
    pairs = dict(zip(IUPAC, "TGCAYRSWMKVHDBN", strict=True))
    table = np.arange(256, dtype=np.uint8)
    for base, partner in pairs.items():
        table[ord(base)], table[ord(base.lower())] = ord(partner), ord(partner.lower())
    return table


_COMPLEMENT = _complement_table()
_IUPAC_ONLY = np.zeros(256, dtype=bool)
_IUPAC_ONLY[[ord(c) for c in IUPAC + IUPAC.lower() if c not in "ACGTNacgtn"]] = True


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


def one_hot_counted(letters: np.ndarray, n_value: float = 0.0) -> tuple[np.ndarray, int]:
    """Like ``one_hot``; also returns how many letters are ambiguity codes other than N."""
    n, length = letters.shape
    encoded = np.empty((n, 4, length), dtype=np.float32)
    upper = letters & _UPPER
    known = np.zeros_like(upper, dtype=bool)
    for channel, code in enumerate(_CODES):
        is_base = upper == code
        encoded[:, channel] = is_base
        known |= is_base
    if known.all():
        return encoded, 0
    unknown = ~known
    if n_value:
        rows, columns = np.nonzero(unknown)
        encoded[rows, :, columns] = n_value
    return encoded, int(_IUPAC_ONLY[letters[unknown]].sum())


def reverse_complement(letters: np.ndarray) -> np.ndarray:
    """(N, L) uint8 letters of the other strand; IUPAC codes and case are kept."""
    return _COMPLEMENT[letters[:, ::-1]]


def reverse_complement_one_hot(batch: np.ndarray) -> np.ndarray:
    """(N, 4, L) one-hot of the other strand: both axes reversed, as A,C,G,T mirror T,G,C,A."""
    return batch[:, ::-1, ::-1]
