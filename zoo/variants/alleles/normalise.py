"""One change of sequence, one form: alleles trimmed, an indel anchored; where else an indel may be placed.

The rule is that of VCF (4.5, section 1.6.1): what both alleles share at the end is left out, then what they share at
the start, and each keeps one base. An insertion or deletion so keeps the base before it; one that is written with the
base behind it (``A>GA``) gets the one before, if there is any: at the start of a chromosome the base behind stands.

An indel in a repeat can be placed in several ways that give the same sequence. As written is how it stands after the
trimming; ``leftmost`` and ``placements`` move it along the genome.
"""

from __future__ import annotations

from collections.abc import Callable

from zoo.genome.fasta import Genome
from zoo.variants.alleles.allele import Edit
from zoo.variants.alleles.bases import Bases, bases_of

__all__ = ["changed_bases", "is_indel", "leftmost", "placements", "trim"]

#: Position on the contig -> its letter.
BaseAt = Callable[[int], str]


def trim(edit: Edit, base_at: BaseAt) -> Edit:
    """Without what both alleles share; each keeps at least one base.

    Args:
        edit: upper-case alleles of one base or more.
        base_at: the reference, which is asked only for the base before an indel that is written with the base behind.
    """
    start, ref, alt = edit.start, edit.ref, edit.alt
    shortest = min(len(ref), len(alt))
    end = 0
    while end < shortest - 1 and ref[-1 - end] == alt[-1 - end]:
        end += 1
    if end:
        ref, alt = ref[:-end], alt[:-end]
    begin, shortest = 0, min(len(ref), len(alt))
    while begin < shortest - 1 and ref[begin] == alt[begin]:
        begin += 1
    start, ref, alt = start + begin, ref[begin:], alt[begin:]
    if len(ref) != len(alt) and 1 in (len(ref), len(alt)) and ref[0] != alt[0] and ref[-1] == alt[-1] and start > 0:
        before = base_at(start - 1)
        start, ref, alt = start - 1, before + ref[:-1], before + alt[:-1]
    return Edit(start, ref, alt)


def is_indel(edit: Edit) -> bool:
    """Whether a trimmed edit only inserts, or only deletes, beside the one base that it keeps."""
    ref, alt = edit.ref, edit.alt
    return len(ref) != len(alt) and 1 in (len(ref), len(alt)) and (ref[0] == alt[0] or ref[-1] == alt[-1])


def changed_bases(edit: Edit) -> int:
    """How many bases a trimmed edit replaces, inserts or deletes; the base that an indel keeps is not counted."""
    return max(len(edit.ref), len(edit.alt)) - is_indel(edit)


def leftmost(edit: Edit, base_at: BaseAt) -> Edit:
    """An indel as far left as it can be; anything else as it is."""
    return _moved(edit, base_at, 0, -1) if is_indel(edit) else edit


def placements(genome: Genome | Bases, contig: int, edit: Edit, written: Edit | None = None) -> tuple[Edit, Edit]:
    """Leftmost and rightmost place of a trimmed edit; both give the same sequence.

    Args:
        genome: where it is moved.
        contig: number of its chromosome.
        edit: of an ``Allele``.
        written: of the same ``Allele``: what stands in the place of the genome.

    Returns:
        Two equal edits where it is no indel, or one that has a single place.
    """
    if not is_indel(edit):
        return edit, edit
    bases = bases_of(genome)
    base_at, length = reference_of(bases, contig, written), bases.length(contig)
    return _moved(edit, base_at, length, -1), _moved(edit, base_at, length, 1)


def reference_of(bases: Bases, contig: int, written: Edit | None) -> BaseAt:
    """The reference of an allele: the genome, or what was written over it; "" outside of the contig."""
    if written is None:
        return lambda at: bases.read(contig, at, at + 1)
    start, end, text = written.start, written.end, written.ref
    return lambda at: text[at - start] if start <= at < end else bases.read(contig, at, at + 1)


def _moved(edit: Edit, base_at: BaseAt, length: int, direction: int) -> Edit:
    """An indel at the end of its repeat: to the left where ``direction`` is -1, to the right where it is 1."""
    longer, inserts = (edit.alt, True) if len(edit.alt) > len(edit.ref) else (edit.ref, False)
    before = edit.ref[0] == edit.alt[0]  # else the base behind it is kept, at the start of the contig
    piece, at = (longer[1:], edit.start + 1) if before else (longer[:-1], edit.start)
    size, first, moved = len(piece), at, 0
    # ``piece`` stands in front of ``at`` (inserted), or at it (deleted). It is rotated once, at the end.
    if direction < 0:
        while at > 0 and base_at(at - 1) == piece[(-1 - moved) % size]:
            at, moved = at - 1, moved + 1
        turn = -moved % size
    else:
        skip = 0 if inserts else size
        while at + skip < length and base_at(at + skip) == piece[moved % size]:
            at, moved = at + 1, moved + 1
        turn = moved % size
    return edit if at == first else _anchored(at, piece[turn:] + piece[:turn], inserts, base_at)


def _anchored(at: int, piece: str, inserts: bool, base_at: BaseAt) -> Edit:
    """The edit that inserts ``piece`` in front of ``at``, or deletes it there, with the base that it keeps."""
    if at > 0:
        before = base_at(at - 1)
        short, long, start = before, before + piece, at - 1
    else:
        behind = base_at(0 if inserts else len(piece))
        short, long, start = behind, piece + behind, 0
    return Edit(start, short, long) if inserts else Edit(start, long, short)
