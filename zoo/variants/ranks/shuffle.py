"""Sequences in which the bases around a variant are shuffled: every dinucleotide as often as before.

Of each letter the bases that follow it are put in another order, all but the last of them, and the sequence is walked
again from its first letter (Altschul and Erickson's argument: so every base is reached; the same as in tangermeme). The
first and the last letter stay. N, and what is no base, is a letter of its own.
"""

from __future__ import annotations

import numpy as np

__all__ = ["dinucleotide_shuffle"]


def dinucleotide_shuffle(letters: bytes, seed: int | tuple[int, ...]) -> bytes:
    """One shuffle of a sequence; the same seed gives the same.

    Args:
        letters: ASCII, case counts.
    """
    if len(letters) < 4:  # first and last stay: nothing to change places
        return letters
    random = np.random.default_rng(seed)
    array = np.frombuffer(letters, np.uint8)
    following: dict[int, list[int]] = {}
    for letter in np.unique(array[:-1]).tolist():
        behind = array[1:][array[:-1] == letter]
        behind[:-1] = random.permutation(behind[:-1])
        following[letter] = behind[::-1].tolist()  # taken from the end
    made = bytearray(len(letters))
    letter = made[0] = letters[0]
    for i in range(1, len(letters)):
        letter = made[i] = following[letter].pop()
    return bytes(made)
