"""Columns of a file of scores: what each number is, and a name that every format can hold."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Column", "column_name"]


@dataclass(frozen=True)
class Column:
    """One number of a row of scores.

    Attributes:
        name: as in files: letters, digits and ``_``, so that it is a key of INFO, too; unique in a run.
        score: a key of ``SCORES``, or one of ``zoo.variants.scores.splicing``.
        output, track: of the model, as the card writes them.
        units: of the number.
        description: a sentence for the header of a file.
        integer: whether it is a whole number.
    """

    name: str
    score: str
    output: str
    track: str
    units: str
    description: str
    integer: bool = False


def column_name(text: str, taken: set[str]) -> str:
    """A name of letters, digits and ``_`` that is not taken yet, which it then is.

    A ``+`` or ``-`` that ends a word is a strand, and told by name: ``CNhs10853+`` is ``CNhs10853_plus``.
    """
    text = re.sub(r"\+(?=\W|$)", "_plus", re.sub(r"-(?=\)|\]|\s|$)", "_minus", text))
    name = wanted = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")
    number = 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name)
    return name
