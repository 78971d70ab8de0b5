"""When a region has a strand: exactly ``+`` or ``-`` in column 6, ``.`` being none.

Nothing else is guessed. Where strands are used, a row with another text in column 6, or without that column and with a
strand in column 4 or 5, is an error; where they are not, neither matters. What a scan found of this stands in
``RegionSummary``, as only the model says whether strands are used.
"""

from __future__ import annotations

import math

from zoo.errors import InputError
from zoo.genome.region_rows import RegionSummary
from zoo.words import counted, counted_of

__all__ = ["check_strands", "strand_notes"]


def check_strands(summary: RegionSummary, label: str, user: str, otherwise: str) -> None:
    """Refuse strands that are none, where they are used.

    Args:
        user: what uses them, for the error. otherwise: how to do without, behind "or".

    Raises:
        InputError: with the first line, how many there are, and the fix.
    """
    if summary.first_odd is not None:
        line, text = summary.first_odd
        raise InputError(
            f"{label}:{line}: the strand (column 6) is {text!r}, not +, - or .",
            f"{counted_of(summary.odd_strand, summary.regions, 'region', 'have')} such a one, and {user}",
            f"Fix: {_fix(text)}, or {otherwise}",
        )
    if summary.first_misplaced is not None:
        line, column, text = summary.first_misplaced
        fields = '$1,$2,$3,".",0,$4' if column == 4 else "$1,$2,$3,$4,0,$5"
        raise InputError(
            f"{label}:{line}: has {text!r} in column {column} and no column 6, where a BED has its strand",
            f"{counted_of(summary.misplaced_strand, summary.regions, 'region', 'have')} it there, and {user}",
            f"Fix: move it: awk -v OFS='\\t' '{{print {fields}}}' x > x.bed, or {otherwise}",
        )


def strand_notes(summary: RegionSummary, label: str, use: bool) -> list[str]:
    """What was done with the strands, in sentences.

    Args:
        use: whether regions on ``-`` are reverse-complemented.
    """
    stranded = summary.plus_strand + summary.minus_strand
    notes = []
    if summary.minus_strand:
        notes.append(
            f"{counted(summary.minus_strand, 'region')} on '-': "
            + ("predicted from the reverse complement" if use else "strand ignored (--strand use honours it)")
        )
    if use and not stranded:
        notes.append(f"strands are used, but {label} has none (column 6): all regions were read as '+'")
    elif use and stranded < summary.regions:
        unstranded = counted(summary.regions - stranded, "region has", "regions have")
        were = "was" if summary.regions - stranded == 1 else "were"
        notes.append(f"{unstranded} no strand ('.') and {were} read as '+'")
    return notes


def _fix(text: str) -> str:
    """What to do with a text that is no strand."""
    bare = text.strip().strip("\"'").strip()
    if not bare:
        return "write . for no strand in column 6"
    if bare in ("+", "-", "."):
        return f"remove what stands around the {bare} in column 6: quotes by tr -d '\"', blanks by tr -d ' '"
    if bare == "*":
        return "write . for R's * in column 6"
    if bare in ("\u2212", "\u2013", "\u2014", "\ufe63", "\uff0d"):
        return f"write the hyphen - for {bare!r}, which looks like it, in column 6"
    if bare.lower() in ("plus", "minus", "forward", "reverse", "fwd", "rev", "f", "r", "pos", "neg", "watson", "crick"):
        return f"write + or - for {bare!r} in column 6"
    if _is_number(bare):
        return (
            "put the strand (or .) into column 6: this table has a number there, so its columns are not those of a BED"
        )
    return "put the strand, one of + - ., into column 6"


def _is_number(text: str) -> bool:
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False
