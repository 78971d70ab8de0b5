"""From a row to its alleles: each ALT is compared with the genome, trimmed, or has a status.

What is decided here, where the specification of VCF leaves room:

* Letters are compared without case; U of an RNA genome is T. A letter of REF that is no A, C, G or T is compared with
  nothing. Where the genome has an ambiguity code, REF must be its first base in the alphabet, as VCF 4.3 writes such
  places (R is A); the allele then is not known to be the genome's, and has the status ``unknown_letters``. N in the
  genome agrees with no base.
* ALT that is equal to REF has the status ``same``: zero would be a result.
* ``<DEL>``, ``<INV>`` and ``<DUP>`` (also ``<DUP:TANDEM>``, ``<DEL:ME>`` and its kinds) change the bases behind POS, to
  END; the copy of a ``<DUP>`` follows what it copies. END is INFO/END; without it, or with several such ALTs,
  POS + |SVLEN| of the allele, as VCF 4.4 has it. Of ``<CNV>``, ``<INS>``, ``<CN0>``, ``<DUP:DISPERSED>`` and the like
  nobody says the sequence; nor where SVCLAIM is D, a claim of depth alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from zoo.genome.fasta import Genome
from zoo.variants.alleles.allele import Allele, Edit, Record
from zoo.variants.alleles.bases import Bases, bases_of
from zoo.variants.alleles.normalise import changed_bases, leftmost, reference_of, trim

__all__ = ["FIRST_BASE", "KNOWN", "Mismatch", "agrees", "alleles_of", "is_breakend"]

#: What becomes of a REF that is not the genome's.
Mismatch = Literal["stop", "skip", "as-given"]

KNOWN = frozenset("ACGT")
#: Ambiguity code -> its first base in the alphabet.
FIRST_BASE = {"R": "A", "Y": "C", "S": "C", "W": "A", "K": "G", "M": "A", "B": "C", "D": "A", "H": "A", "V": "A"}
#: Longer pieces than any window are not read for a symbolic allele.
LONGEST = 1 << 21

_COMPLEMENT = str.maketrans("ACGTRYKMBDHV", "TGCAYRMKVHDB")
_SYMBOLIC = re.compile(r"<(DEL(:ME(:[^<>]*)?)?|INV|DUP(:TANDEM)?)>")
_SVCLAIM = re.compile(r"(?:^|;)SVCLAIM=([^;]*)")
_SVLEN = re.compile(r"(?:^|;)SVLEN=([^;]*)")
INFO = 7


def alleles_of(
    record: Record,
    genome: Genome | Bases,
    aliases: Mapping[str, str] | None = None,
    *,
    mismatch: Mismatch = "stop",
    normalise: bool = False,
    max_length: int | None = None,
) -> tuple[Allele, ...]:
    """The ALT alleles of a row in order, each with its edit of the genome or its status; never none.

    Args:
        aliases: chromosome names of the file -> those of the FASTA, for names that the FASTA has not.
        mismatch: what becomes of a REF that is not the genome's: ``"as-given"`` sets ``Allele.written``; otherwise the
            allele has the status ``ref_mismatch`` (``"stop"``: ``check_variants`` has stopped the run before).
        normalise: move insertions and deletions as far left as they go.
        max_length: in bp: changes of more bases have the status ``too_long``.
    """
    bases = bases_of(genome)
    contig = bases.number(record.chrom, aliases)
    if not record.alts:
        return (Allele(record, 0, contig, None, "missing"),)
    ref = record.ref.upper()
    there = bases.read(contig, record.pos, record.pos + len(ref)) if contig >= 0 and record.pos >= 0 else ""
    fits, inside, known = agrees(ref, there), len(there) == len(ref), KNOWN.issuperset(there)
    found = []
    for index, text in enumerate(record.alts):
        alt = text.upper()
        status, edit, written, symbolic = _status(ref, alt), None, None, alt[0] == "<"
        if not (status or (fits and (known or symbolic))):
            if mismatch == "as-given" and inside:
                written = Edit(record.pos, ref, ref if symbolic else alt)
            else:
                status = "unknown_letters" if fits else "ref_mismatch"
        if not status:
            status, edit = _resolved(record, index, alt, bases, contig, written, normalise, max_length)
        found.append(Allele(record, index, contig, edit, status, None if status else written))
    return tuple(found)


def agrees(ref: str, there: str) -> bool:
    """Whether REF, upper case, may stand where the genome has ``there``."""
    if ref == there:
        return True
    if len(ref) != len(there):
        return False
    return all(
        one == other or one not in KNOWN or FIRST_BASE.get(other) == one for one, other in zip(ref, there, strict=True)
    )


def is_breakend(alt: str) -> bool:
    """Whether an ALT joins two places, or ends at an unknown one (``A.``)."""
    return "[" in alt or "]" in alt or (len(alt) > 1 and "." in (alt[0], alt[-1]))


def _status(ref: str, alt: str) -> str:
    """Why an ALT, upper case, cannot be scored by what is written; "" where it may be."""
    if alt == "*":
        return "overlapping_deletion"
    if alt == ".":
        return "missing"
    if is_breakend(alt):
        return "breakend"
    if alt[0] == "<":
        return "" if _SYMBOLIC.fullmatch(alt) else "no_sequence"
    if not (KNOWN.issuperset(ref) and KNOWN.issuperset(alt)):
        return "unknown_letters"
    return "same" if ref == alt else ""


def _resolved(
    record: Record,
    index: int,
    alt: str,
    bases: Bases,
    contig: int,
    written: Edit | None,
    normalise: bool,
    max_length: int | None,
) -> tuple[str, Edit | None]:
    """Status and trimmed edit of an allele that may be scored."""
    base_at = reference_of(bases, contig, written)
    if alt[0] == "<":
        if _claims_depth_alone(record, index):
            return "no_sequence", None
        end = _end_of(record, index)
        if end is None or record.pos < 0 or end <= record.pos + 1 or end > bases.length(contig):
            return "no_end", None
        if max_length is not None and end - record.pos - 1 > max_length:
            return "too_long", None
        if end - record.pos > LONGEST:
            return "beyond_window", None
        edit = _symbolic_edit(alt, record.pos, end, bases, contig, written)
        if not (KNOWN.issuperset(edit.ref) and KNOWN.issuperset(edit.alt)):
            return "unknown_letters", None
        if edit.ref == edit.alt:
            return "same", None
    else:
        edit = Edit(record.pos, record.ref.upper(), alt)
    edit = trim(edit, base_at)
    if max_length is not None and changed_bases(edit) > max_length:
        return "too_long", None
    return "", leftmost(edit, base_at) if normalise else edit


def _symbolic_edit(alt: str, pos: int, end: int, bases: Bases, contig: int, written: Edit | None) -> Edit:
    """What ``<DEL>``, ``<DUP>`` or ``<INV>`` of the bases behind ``pos`` makes of them."""
    text = bases.read(contig, pos, end)
    if written is not None:
        text = written.ref[: len(text)] + text[len(written.ref) :]
    before, piece = text[0], text[1:]
    if alt.startswith("<DEL"):
        return Edit(pos, text, before)
    if alt.startswith("<DUP"):
        return Edit(pos, before, text)
    return Edit(pos + 1, piece, piece.translate(_COMPLEMENT)[::-1])


def _claims_depth_alone(record: Record, index: int) -> bool:
    """Whether VCF 4.4's SVCLAIM says that there is more or less of this sequence, and not where it is joined."""
    found = _SVCLAIM.search(record.columns[INFO]) if len(record.columns) > INFO else None
    claims = found[1].split(",") if found else []
    return len(claims) == len(record.alts) and claims[index] == "D"


def _end_of(record: Record, index: int) -> int | None:
    """0-based half-open end of a symbolic allele."""
    if record.end is not None and sum(map(bool, map(_SYMBOLIC.fullmatch, map(str.upper, record.alts)))) == 1:
        return record.end
    found = _SVLEN.search(record.columns[INFO]) if len(record.columns) > INFO else None
    lengths = found[1].split(",") if found else []
    if len(lengths) == len(record.alts) and lengths[index].removeprefix("-").isdecimal():
        return record.pos + 1 + int(lengths[index].removeprefix("-"))
    return None
