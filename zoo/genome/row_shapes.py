"""The shapes of rows that are no BED, and those that only look so. ``lookalikes`` says when each is asked for.

A row is a sequence of fields; a shape must be that of all rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = [
    "GFF_GUARD",
    "GFF_PRINT",
    "PAIRS",
    "SAM",
    "SHAPES",
    "VCF_GUARD",
    "VCF_NOTE",
    "VCF_PRINT",
    "Rows",
    "Shape",
    "has_blocks",
    "has_summits",
    "has_two_regions",
    "is_proof",
    "is_region",
    "pairs_of",
]

Rows = Sequence[Sequence[str]]
CERTAIN_ROWS = 2

SAM = "convert it: samtools view -b x.sam | bedtools bamtobed > x.bed"
VCF_GUARD, VCF_PRINT = "!/^#/&&NF", "$1,$2-1,$2-1+length($4),$3"
#: What is said of a VCF, wherever it is recognised, behind the command.
VCF_NOTE = (
    "the regions are then the bases of REF; what ALT changes is told by `zoo variants MODEL x.vcf -g genome.fa -o OUT`"
)
GFF_GUARD, GFF_PRINT = "!/^#/&&NF>7", '$1,$4-1,$5,$3,".",$7'

STRAND = frozenset("+-")
NUCLEOTIDES = re.compile(r"[ACGTNacgtn]+")
ALLELES = re.compile(r"[ACGTNacgtn]+(,[ACGTNacgtn*]+|,<[^>]+>)*|<[^>]+>|[*.]|.*[\[\]].*")
CIGAR = re.compile(r"(\d+[MIDNSHP=X])+|\*")
PAIRS = "{print $1,$2,$3,$7,$8,$9;print $4,$5,$6,$7,$8,$10}"


def _int(row: Sequence[str], *at: int) -> bool:
    return len(row) > max(at) and all(row[i].isascii() and row[i].isdecimal() for i in at)


def is_region(row: Sequence[str]) -> bool:
    """Whether columns 2 and 3 are positions."""
    return _int(row, 1, 2)


def _is_sam(row: Sequence[str]) -> bool:
    return len(row) > 10 and _int(row, 1, 3) and CIGAR.fullmatch(row[5]) is not None


def _is_paf(row: Sequence[str]) -> bool:
    return len(row) > 11 and _int(row, 1, 2, 3, 6, 7, 8) and row[4] in STRAND and int(row[1]) > int(row[2])


def _is_gff(row: Sequence[str]) -> bool:
    shaped = len(row) > 7 and _int(row, 3, 4) and row[6] in ("+", "-", ".", "?") and row[7] in ("0", "1", "2", ".")
    return shaped and not is_region(row)


def _is_vcf(row: Sequence[str]) -> bool:
    if not (_int(row, 1) and len(row) > 4 and NUCLEOTIDES.fullmatch(row[3]) and ALLELES.fullmatch(row[4])):
        return False
    if not _int(row, 2):
        return True
    # An id of digits alone: a BED of variants (chrom, start, end, ref, alt) spans REF.
    return len(row) > 7 and int(row[2]) - int(row[1]) != len(row[3])


def _is_variant(row: Sequence[str]) -> bool:
    return _int(row, 1) and len(row) > 3 and all(NUCLEOTIDES.fullmatch(one) for one in row[2:4])


def _is_bim(row: Sequence[str]) -> bool:
    alleles = len(row) == 6 and all(NUCLEOTIDES.fullmatch(one) or one in "0." for one in row[4:6])
    return alleles and _int(row, 3) and not _int(row, 1)


def _has_bin(row: Sequence[str]) -> bool:
    return _int(row, 0, 2, 3) and not _int(row, 1)


def _is_gene_pred(row: Sequence[str]) -> bool:
    return _int(row, 3, 4) and row[2] in STRAND and not _int(row, 1)


def _is_ref_flat(row: Sequence[str]) -> bool:
    return _int(row, 4, 5) and row[3] in STRAND and not _int(row, 1) and not _int(row, 2)


def _has_id_first(row: Sequence[str]) -> bool:
    return _int(row, 2, 3) and not _int(row, 1) and row[0] != ""


def _is_saf(row: Sequence[str]) -> bool:
    return _has_id_first(row) and len(row) > 4 and row[4] in ("+", "-", ".", "*", "0", "1")


def _is_numbered_saf(row: Sequence[str]) -> bool:
    """A SAF whose genes have numbers, as those of Entrez: where a UCSC table has the region's name, it has a strand."""
    return len(row) == 5 and _has_bin(row) and row[4] in STRAND


def _is_numbered_range(row: Sequence[str]) -> bool:
    """A row of R behind its number: the region, counted from 1, its width and its strand."""
    shaped = len(row) > 5 and _has_bin(row) and _int(row, 4) and row[5] in ("+", "-", "*")
    return shaped and int(row[4]) == int(row[3]) - int(row[2]) + 1


def _are_numbered_ranges(rows: Rows) -> bool:
    """Rows 1, 2, 3, ... of a table of R without its header; bins are no such numbers."""
    return all(_is_numbered_range(row) and row[0] == str(i) for i, row in enumerate(rows, 1))


def _is_picard(row: Sequence[str]) -> bool:
    return len(row) == 5 and is_region(row) and row[3] in STRAND


def _is_size(row: Sequence[str]) -> bool:
    return len(row) == 2 and _int(row, 1)


def _each(fits: Callable[[Sequence[str]], bool]) -> Callable[[Rows], bool]:
    return lambda rows: all(fits(row) for row in rows)


def _is_fai(rows: Rows) -> bool:
    """Name, length, offset, bases and bytes a line; each sequence begins behind the one before it."""
    if not all(len(row) == 5 and _int(row, 1, 2, 3, 4) and int(row[4]) - int(row[3]) in (1, 2) for row in rows):
        return False
    sizes = [(int(row[1]), int(row[2])) for row in rows]
    if len(sizes) == 1:
        return sizes[0][0] > sizes[0][1]
    return all(next_ > length + offset for (length, offset), (_, next_) in pairwise(sizes))


def _two_regions(row: Sequence[str]) -> bool:
    return is_region(row) and len(row) > 5 and (_int(row, 4, 5) or row[3:6] == [".", "-1", "-1"]) and not _int(row, 3)


def has_two_regions(rows: Rows) -> bool:
    """Whether columns 4 to 6 are a region too, or none (``. -1 -1``), in all rows."""
    chroms = {row[0] for row in rows}
    return all(_two_regions(row) and (row[3] in chroms or row[3][:3] == "chr" or row[3] == ".") for row in rows)


def _is_pairs(rows: Rows) -> bool:
    if not has_two_regions(rows):
        return False
    two_strands = all(len(row) > 9 and row[8] in "+-." and row[9] in "+-." for row in rows)
    return two_strands or any(row[3] not in (row[0], ".") for row in rows)


@dataclass(frozen=True)
class Shape:
    """Rows that are no BED.

    Attributes:
        what: what has them. fits: whether all rows do.
        print_: what awk prints of a row. Or columns: as ``as_bed6`` takes them, with its strand and first base.
        also: what else the rows may be, and its awk. fix: what to do where awk does not.
    """

    what: str
    fits: Callable[[Rows], bool]
    print_: str = ""
    columns: tuple[int | None, ...] = ()
    base: int = 1
    guard: str = ""
    also: tuple[str, str] = ("", "")
    fix: str = ""


#: The first that fits is the answer.
SHAPES = (
    Shape("a SAM file", _each(_is_sam), fix=SAM),
    Shape("alignments in PAF", _each(_is_paf), columns=(5, 7, 8, 0, None, 4), base=0),
    Shape("a GFF or GTF, which counts from 1", _each(_is_gff), GFF_PRINT, guard=GFF_GUARD),
    Shape("a VCF, which counts from 1", _each(_is_vcf), VCF_PRINT),
    Shape("a table of variants, which counts from 1", _each(_is_variant), "$1,$2-1,$2-1+length($3)"),
    Shape("variants of PLINK (.bim), which count from 1", _each(_is_bim), columns=(0, 3, 3, 1)),
    Shape("a SAF, which counts from 1", _each(_is_numbered_saf), columns=(1, 2, 3, 0, None, 4)),
    Shape("R's table of GenomicRanges, which counts from 1", _are_numbered_ranges, columns=(1, 2, 3, None, None, 5)),
    Shape("a table of the UCSC browser, with its bin first", _each(_has_bin), print_='{sub(/^[^\\t ]*[\\t ]+/,"")}1'),
    Shape("genes of the UCSC browser", _each(_is_gene_pred), columns=(1, 3, 4, 0, None, 2), base=0),
    Shape("genes of the UCSC browser (refFlat)", _each(_is_ref_flat), columns=(2, 4, 5, 1, None, 3), base=0),
    Shape("a SAF or a peak file of HOMER, which count from 1", _each(_is_saf), columns=(1, 2, 3, 0, None, 4)),
    Shape(
        "a table with a name in front of the region",
        _each(_has_id_first),
        columns=(1, 2, 3, 0),
        also=("if it counts from 0", "$2,$3,$4,$1"),
    ),
    Shape("an index of a FASTA (.fai)", _is_fai, "$1,0,$2"),
    Shape(
        "a list of chromosomes with their sizes, or of positions",
        _each(_is_size),
        "$1,0,$2",
        also=("if the numbers are positions that count from 1", "$1,$2-1,$2"),
    ),
    Shape(
        "a Picard interval list, which counts from 1",
        _each(_is_picard),
        columns=(0, 1, 2, 4, None, 3),
        also=("if it counts from 0", '$1,$2,$3,$5,".",$4'),
    ),
    Shape("a BEDPE, two regions a row", _is_pairs, PAIRS),
)


def pairs_of(rows: Rows) -> str:
    """Both regions of a BEDPE, with name, score and strands where all rows have them."""
    return PAIRS if rows and min(map(len, rows)) > 9 else "{print $1,$2,$3;print $4,$5,$6}"


def is_proof(rows: Rows, at: int) -> bool:
    """Whether a column of widths cannot be another number by chance."""
    widths = {int(row[at]) for row in rows}
    if at == 3 and all(_has_macs_summit(row) for row in rows):
        return True
    if len(rows) < CERTAIN_ROWS + (at > 3):  # column 5 and those behind it may be any number
        return False
    return len(widths) > 1 or min(widths) >= 10


def _has_macs_summit(row: Sequence[str]) -> bool:
    """Column 5 as MACS's ``abs_summit``, and its pileup in column 6, where a BED has its strand."""
    inside = _int(row, 4) and int(row[1]) <= int(row[4]) <= int(row[2])
    return inside and (len(row) == 5 or row[5] not in ("+", "-", "."))


def has_summits(rows: Rows) -> bool:
    """Whether these are narrowPeaks whose summits are known."""
    for row in rows:
        if len(row) != 10 or not is_region(row) or not (_int(row, 9) or row[9] == "-1"):
            return False
        if int(row[9]) >= int(row[2]) - int(row[1]) or not all(map(_is_number, row[6:9])):
            return False
    return any(row[9] != "-1" for row in rows)


def has_blocks(row: Sequence[str]) -> bool:
    """Whether column 10 counts the blocks of columns 11 and 12, as in BED12 and gappedPeak."""
    if len(row) < 12 or not _int(row, 6, 7, 9):
        return False
    lists = [one.rstrip(",").split(",") for one in row[10:12]]
    return all(len(one) == int(row[9]) and all(map(str.isdecimal, one)) for one in lists)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == "."
    return True
