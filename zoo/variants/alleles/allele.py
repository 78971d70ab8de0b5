"""A row of a variants file, and one of its ALT alleles once it is compared with the genome."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Allele", "Edit", "Record"]


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the input, as it is written there.

    Attributes:
        number: 0-based number of the row among all variants of the input.
        line: its line in the file, from 1, for messages; in a BCF, and behind ``--regions``, its number from 1.
        chrom: name as written.
        pos: 0-based position of the first base of REF.
        id: the third column of a VCF; ``"."`` where there is none.
        ref: REF as written.
        alts: ALT alleles as written; empty where ALT is ``.``.
        end: 0-based half-open end that INFO/END gives; None without one.
        columns: the whole row as text: tabs between them give it back to the byte. Of a VCF or BCF they are the eight
            fixed columns (INFO is the last), and where there are samples one more, which holds FORMAT and all samples.
    """

    number: int
    line: int
    chrom: str
    pos: int
    id: str
    ref: str
    alts: tuple[str, ...]
    end: int | None
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """``ref`` at ``start`` (0-based, on the genome) becomes ``alt``; both upper case, either may be of any length."""

    start: int
    ref: str
    alt: str

    @property
    def end(self) -> int:
        """0-based half-open end of ``ref``."""
        return self.start + len(self.ref)


@dataclass(frozen=True, slots=True)
class Allele:
    """One ALT of one record: what is scored, or why it is not.

    Attributes:
        record: the row.
        index: which of its ALTs, from 0.
        contig: number of the chromosome in the genome; -1 where it has none.
        edit: the trimmed alleles; an insertion or deletion keeps one base. None where nothing is scored.
        status: why there is no score, a key of ``STATUSES``; ``""`` where there is one.
        written: the alleles as the file has them (of a symbolic ALT, REF twice), where REF is not the genome's and was
            taken as given: ``written.ref`` is laid over the genome at ``written.start`` in both windows, and ``edit``
            is made in what then stands there. It may be longer than ``edit``. None where the genome has REF.
    """

    record: Record
    index: int
    contig: int
    edit: Edit | None
    status: str = ""
    written: Edit | None = None

    @property
    def alt(self) -> str:
        """ALT as written."""
        return self.record.alts[self.index] if self.record.alts else "."
