"""Kinds of changes: like is ranked among like (``zoo.variants.ranks.ranks``).

What both alleles share at their ends is no part of a change. What is left of both, as long as each other, is a
``substitution``; of ALT alone an ``insertion``; of REF alone a ``deletion``; of both in other lengths a ``mixture``.
Its size is the longer of what is left, in bp, and of each there are the kinds of 1, 2-4, 5-16, 17-64 bp and so on, each
four times as long as the one before. So ``deletion_1`` and ``deletion_17-64`` are two kinds.
"""

from __future__ import annotations

from zoo.variants.alleles.allele import Edit

__all__ = ["NO_KIND", "change_kind", "kind_name", "kind_text"]

SORTS = ("substitution", "insertion", "deletion", "mixture")
#: Sizes of a sort; the last has no end.
SIZES = 16
#: Of what has no edit.
NO_KIND = 255


def change_kind(edit: Edit | None) -> int:
    """The number of a change's kind, which fits a byte; ``NO_KIND`` of none.

    Args:
        edit: trimmed or not.
    """
    if edit is None:
        return NO_KIND
    ref, alt = edit.ref, edit.alt
    if len(ref) == len(alt) == 1:
        return 0
    shortest = min(len(ref), len(alt))
    shared = min(shortest, _shared(ref, alt) + _shared(ref[::-1], alt[::-1]))
    left, put = len(ref) - shared, len(alt) - shared
    size = max(left, put, 1)
    sort = 0 if left == put else 1 if not left else 2 if not put else 3
    return SIZES * sort + min(((size - 1).bit_length() + 1) // 2, SIZES - 1)


def _shared(one: str, other: str) -> int:
    """Letters that both begin with."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def kind_name(kind: int) -> str:
    """``deletion_2-4``, as it is written to files; ``.`` of none."""
    if kind == NO_KIND:
        return "."
    return f"{SORTS[kind // SIZES]}_{_sizes(kind)}"


def kind_text(kind: int) -> str:
    """``deletion of 2-4 bp``."""
    return f"{SORTS[kind // SIZES]} of {_sizes(kind)} bp"


def _sizes(kind: int) -> str:
    step = kind % SIZES
    return f"{4 ** (step - 1) + 1}-{4**step}" if step else "1"
