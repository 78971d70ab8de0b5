"""What looks like a BED and is not: recognised in one place, and refused with the command that converts it.

Most tables of regions have chromosome, start and end, and so could be read as a BED: one base off, or with other
columns in the place of these. A file is recognised, in this order,

1. by its first bytes, where it is no text (``MAGIC``);
2. by the text it begins with, or a comment in its head (``MARKS``);
3. by a line that names its columns (``bed_header``);
4. by the shape of its rows (``SHAPES``), which all of the first ``SAMPLE_ROWS`` must have.

A BED of any kind must pass: with 3 to 12 columns and more, peaks, what bedtools joins. So a shape that a BED might have
by chance is refused only when chance is out of the question. A column that is end - start + 1 in all rows (R's
``width``, MACS's ``length``) is proof when it takes different values, when the strand or MACS's summit stands behind
it, or in ``FIXED_ROWS`` rows of 10 bp and more; where it is not, a note says that the file was read as it is. Two
regions a row are a BEDPE when they are of two chromosomes or have two strands; else they may be of ``bedtools
closest``, and a note says that the first is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from zoo.errors import InputError
from zoo.genome.bed_header import Header, base_by_width, read_header
from zoo.genome.region_table import HEADER_PREFIXES
from zoo.genome.to_bed import Source, as_bed6, awk

__all__ = ["SAMPLE_ROWS", "Head", "refuse_bytes", "refuse_header", "refuse_text"]

SAMPLE_ROWS = 1_000
FIXED_ROWS = 5
Rows = Sequence[Sequence[str]]

# ---------------------------------------------------------------- 1: by the first bytes

TEXT_OF = "write its chrom, start (counted from 0) and end as tab-separated text and give that"
SHEET = "save the sheet as tab-separated text, with the columns chrom, start (counted from 0), end and no header"
UNPACK = "unpack it, or compress it as gzip"
SAM = "convert it: samtools view -b x.sam | bedtools bamtobed > x.bed"
BAM = "convert it: bedtools bamtobed -i x.bam > x.bed"
#: What a file is, what to do, and its first bytes (behind gzip, where it is that).
MAGIC: tuple[tuple[str, str, tuple[bytes, ...]], ...] = (
    ("a BAM file", BAM, (b"BAM\1",)),
    ("a CRAM file", "convert it: samtools view -b -T genome.fa x.cram | bedtools bamtobed > x.bed", (b"CRAM",)),
    ("a BCF file", "convert it: bcftools query -f '%CHROM\\t%POS0\\t%END\\t%ID\\n' x.bcf > x.bed", (b"BCF\2",)),
    ("a bigBed", "convert it: bigBedToBed x.bb x.bed", (b"\xeb\xf2\x89\x87", b"\x87\x89\xf2\xeb")),
    (
        "a bigWig, which holds values and no regions",
        "give the peaks that were called on it, as a BED",
        (b"\x26\xfc\x8f\x88", b"\x88\x8f\xfc\x26"),
    ),
    ("a 2bit genome", "give the regions in its place", (b"\x43\x27\x41\x1a", b"\x1a\x41\x27\x43")),
    ("an index of another file", "give the file that it belongs to", (b"TBI\1", b"CSI\1", b"BAI\1")),
    ("an HDF5 file", TEXT_OF, (b"\x89HDF\r\n\x1a\n",)),
    ("a Parquet file", TEXT_OF, (b"PAR1",)),
    ("an Arrow or Feather file", TEXT_OF, (b"ARROW1", b"FEA1")),
    ("an array of numpy", TEXT_OF, (b"\x93NUMPY",)),
    ("a pickle of Python", TEXT_OF, tuple(b"\x80" + bytes([n]) for n in (2, 3, 4, 5))),
    ("data of R (.rds or .RData)", TEXT_OF, (b"RDX2\n", b"RDX3\n", b"X\n\0\0\0", b"A\n2\n", b"A\n3\n")),
    ("an SQLite database", TEXT_OF, (b"SQLite format 3\0",)),
    ("an old Excel or Word file", SHEET, (b"\xd0\xcf\x11\xe0",)),
    ("a PDF", "give the table that was printed, as a BED", (b"%PDF",)),
    ("an image", "give a BED", (b"\x89PNG", b"\xff\xd8\xff", b"GIF8")),
    ("compressed by bzip2", UNPACK, (b"BZh",)),
    ("compressed by xz", UNPACK, (b"\xfd7zXZ",)),
    ("compressed by zstd", UNPACK, (b"\x28\xb5\x2f\xfd",)),
    ("text in UTF-16", "convert it: iconv -f UTF-16 -t UTF-8 x.txt > x.bed", (b"\xff\xfe", b"\xfe\xff")),
)
#: What a zip file is by a name in it.
ZIPPED = (
    ("an Excel file (.xlsx)", SHEET, b"xl/"),
    ("a Word file (.docx)", SHEET.replace("sheet", "table"), b"word/"),
    ("an OpenDocument file", SHEET, b"mimetypeapplication/vnd.oasis"),
    ("arrays of numpy (.npz)", TEXT_OF, b".npy"),
)


def refuse_bytes(head: bytes, source: Source) -> None:
    """Refuse what is no text by the first bytes of a file (4 kB of it), unpacked where it is gzip.

    Raises:
        InputError: it is another kind of file.
    """
    for what, fix, marks in MAGIC:
        if head.startswith(marks):
            raise _no_bed(source, what, fix)
    if head.startswith(b"PK\3\4"):
        what, fix = next(((what, fix) for what, fix, mark in ZIPPED if mark in head), ("a zip file", UNPACK))
        raise _no_bed(source, what, fix)


# ---------------------------------------------------------------- 2: by its first line or a comment

GENOME = "give the regions first and the genome with -g"
DOWNLOAD = "fetch the file itself: the link behind `raw` or `download`, as by curl -L -o x.bed URL"
REF_SPAN = "$1,$2-1,$2-1+length($4),$3"
#: Regions of variants are the bases that REF has. (`zoo variants` will score the variants themselves.)
VCF_GUARD, VCF_PRINT = "!/^#/", REF_SPAN
GFF_GUARD, GFF_PRINT = "!/^#/&&NF>7", '$1,$4-1,$5,$3,".",$7'


@dataclass(frozen=True)
class Mark:
    """How a text begins that is no BED; or what a comment in its head says, with ``anywhere``."""

    what: str
    pattern: str
    fix: str = ""
    guard: str = ""
    print_: str = ""
    anywhere: bool = False


MARKS = (
    Mark("a FASTA", r">", GENOME),
    Mark("a FASTQ", r"@\S+.*\n[ACGTUN.]+\n\+", "give regions as a BED; reads have no place in a genome yet"),
    Mark("a VCF", r"##fileformat=VCF", guard=VCF_GUARD, print_=VCF_PRINT),
    Mark("a GFF or GTF", r"##gff-version|##gtf|#gtf|#!gtf|#!genome-build", guard=GFF_GUARD, print_=GFF_PRINT),
    Mark("an alignment of genomes (MAF)", r"##maf", "give a BED of regions in one of its genomes"),
    Mark("alignments of BLAT (PSL)", r"psLayout", guard="NR>5", print_='$14,$16,$17,$10,".",$9'),
    Mark("a chain of liftOver", r"chain \d+ \S+ \d+ [+-]", "give the BED that liftOver made by it"),
    Mark(
        "a wiggle track, which holds values",
        r"(track [^\n]*type=[\"']?wiggle_0[^\n]*\n)?\s*(fixedStep|variableStep)\b",
        "give the peaks that were called on it, as a BED",
    ),
    Mark("a pointer of Git LFS", r"version https://git-lfs", "git lfs pull, in its repository, fetches the file"),
    Mark("a page of HTML", r"(?i)<(!doctype|html|head|body|!--|title|script)", DOWNLOAD),
    Mark("XML", r"<", DOWNLOAD),
    Mark("JSON", r"[\[{]\s*[\[{\"\]}]", TEXT_OF),
    Mark(
        "a table of MACS (_peaks.xls), which counts from 1",
        r"# This file is generated by MACS",
        guard="!/^#/&&$2+0>0",
        print_="$1,$2-1,$3",
        anywhere=True,
    ),
)


def _refuse_mark(head: Head, source: Source) -> None:
    begin = "\n".join(text for _, text in head.lines[:4]) + "\n"
    for mark in MARKS:
        found = re.match(mark.pattern, begin.lstrip())
        if mark.anywhere:
            found = any(re.match(mark.pattern, comment) for _, comment in head.comments)
        if found and mark.fix:
            raise _no_bed(source, mark.what, mark.fix)
        if found:
            raise _no_bed(source, mark.what, _convert(awk(source, mark.print_, guard=mark.guard, separator="\\t")))


# ---------------------------------------------------------------- the head of a text


@dataclass
class Head:
    """The first lines of a text.

    Attributes:
        lines: the first few that are not blank, with their numbers, as they are.
        comments: lines behind ``#``. rows: fields of the others, of at most ``SAMPLE_ROWS``; at: their lines.
        header: the line that names the columns, if there is one.
        separator: what stands between fields, as awk writes it; None for blanks.
        quoted: whether fields stand in quotes. sam_header: whether a line is of a SAM's header.
        notes: what was assumed. summits: whether column 10 holds the summits of narrowPeak.
    """

    lines: list[tuple[int, str]] = field(default_factory=list)
    comments: list[tuple[int, str]] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    header: Header | None = None
    separator: str | None = None
    quoted: bool = False
    sam_header: bool = False
    notes: list[str] = field(default_factory=list)
    summits: bool = False

    @classmethod
    def of(cls, text: Iterable[str]) -> Head:
        """Read as many lines as are needed."""
        head, raw = cls(), []
        for number, line in enumerate(text, 1):
            line = line.rstrip("\n")
            if not line.strip():
                continue
            if len(head.lines) < 4:
                head.lines.append((number, line[:4096]))
            if line.startswith("#"):
                head.comments.append((number, line))
            elif SAM_HEADER.match(line):
                head.sam_header = True
            elif not f"{line}\t".startswith(HEADER_PREFIXES):
                raw.append(line)
                head.at.append(number)
                if len(raw) > SAMPLE_ROWS:
                    break
        sample = raw[:2] + raw[-1:]
        if any("\t" in line for line in sample):
            head.separator = "\\t"
        elif sample and all(line.count(",") > 1 for line in sample):
            head.separator = ","
        head.quoted = any('"' in line for line in sample)
        head.rows = [head.split(line) for line in raw]
        return head

    def split(self, line: str) -> list[str]:
        """Fields without their quotes."""
        line = line.strip(" ")
        fields = line.split({"\\t": "\t", ",": ",", None: None}[self.separator])
        return [one.strip(' "') for one in fields] if self.quoted else fields

    def command(self, source: Source, print_: str, guard: str = "") -> str:
        """The awk command for its rows."""
        skip = self.header.line if self.header else 0
        guard = guard or ("!/^[#@]/" if self.lines and self.lines[0][1].startswith(("#", "@")) else "")
        clean = 'gsub(/"/,"")' if self.quoted else ""
        return awk(source, print_, skip=skip, guard=guard, separator=self.separator, clean=clean)

    def values(self, at: int | None) -> frozenset[str]:
        """All values of a column in the sample."""
        return frozenset() if at is None else frozenset(row[at] for row in self.rows if len(row) > at)


SAM_HEADER = re.compile(r"@(HD|SQ|RG|PG|CO)\t")


def refuse_text(text: Iterable[str], source: Source, *, ambiguous: bool = True) -> Head:
    """Refuse a text that is no BED, by its first lines; return what was found of one that may be.

    Args:
        text: lines, from the first.
        ambiguous: whether a header that does not say where counting begins is refused too.

    Raises:
        InputError: it is another kind of file, or a table of which nobody can say where it counts from.
    """
    head = Head.of(text)
    _refuse_mark(head, source)
    _read_names(head, source, ambiguous)
    if head.rows:
        _refuse_shape(head, source)
        head.summits = _has_summits(head.rows)
    if head.sam_header:
        raise _no_bed(source, "a SAM file (or an interval list of Picard's that lacks columns)", SAM)
    return head


# ---------------------------------------------------------------- 3: by the names of its columns


def _read_names(head: Head, source: Source, ambiguous: bool) -> None:
    """Find the line that names columns: the first row, or the last comment; judge it."""
    if head.rows and (found := read_header(head.at[0], head.rows[0], head.rows[1:], commented=False)):
        head.header = found
        del head.rows[0], head.at[0]
    else:
        for number, comment in reversed(head.comments):
            if found := read_header(number, head.split(comment.lstrip("#")), head.rows[:SAMPLE_ROWS], commented=True):
                head.header = found
                break
    if head.header is not None:
        head.notes += refuse_header(head.header, head, source, ambiguous)


def refuse_header(header: Header, head: Head, source: Source, ambiguous: bool = True) -> list[str]:
    """Refuse a table by its header, or return the note that says how it is read.

    Raises:
        InputError: see ``bed_header``.
    """
    named = ", ".join(header.names[:6]) + (", ..." if len(header.names) > 6 else "")
    if header.read_as_bed:
        known = "" if header.base == 0 else "; nothing says so, and a table that counts from 1 would be one base off"
        return [f"{source.label}:{header.line} names the columns ({named}): read as BED, counted from 0{known}"]
    where = f"{source.label}:{header.line}: names its columns ({named})"
    if header.base is None:
        if not ambiguous:
            return []
        zero, one = (head.command(source, _print_of(header, head, base)) for base in (0, 1))
        raise InputError(
            f"{where}: a table, not a BED",
            f"nothing says whether {header.names[min(header.start, len(header.names) - 1)]!r} counts from 0 or from 1",
            f"Fix: if from 1: {one}   (if from 0: {zero})",
        )
    if header.base == 1:
        where += f": {header.kind}, which counts from 1"
    else:
        where += f": {header.kind}, whose columns are not those of a BED"
    raise InputError(where, "", f"Fix: {_convert(head.command(source, _print_of(header, head, header.base)))}")


def _print_of(header: Header, head: Head, base: int) -> str:
    if header.kind == "a BEDPE":
        return PAIRS
    if header.kind == "a VCF":
        names = [name.lower() for name in header.names]
        start, ref = header.start + 1, names.index("ref") + 1
        name = "" if header.name is None else f",${header.name + 1}"
        return f"${header.chrom + 1},${start}-1,${start}-1+length(${ref}){name}"
    columns = (header.chrom, header.start, header.end, header.name, header.score, header.strand)
    return as_bed6(*columns, base=base, strand_values=head.values(header.strand))


# ---------------------------------------------------------------- 4: by the shape of its rows

STRAND = frozenset("+-")
NUCLEOTIDES = re.compile(r"[ACGTNacgtn]+")
ALLELES = re.compile(r"[ACGTNacgtn]+(,[ACGTNacgtn*]+|,<[^>]+>)*|<[^>]+>|[*.]|.*[\[\]].*")
CIGAR = re.compile(r"(\d+[MIDNSHP=X])+|\*")
PAIRS = "{print $1,$2,$3,$7,$8,$9;print $4,$5,$6,$7,$8,$10}"


def _int(row: Sequence[str], *at: int) -> bool:
    return len(row) > max(at) and all(row[i].isascii() and row[i].isdecimal() for i in at)


def _is_region(row: Sequence[str]) -> bool:
    return _int(row, 1, 2)


def _is_sam(row: Sequence[str]) -> bool:
    return len(row) > 10 and _int(row, 1, 3) and CIGAR.fullmatch(row[5]) is not None


def _is_paf(row: Sequence[str]) -> bool:
    return len(row) > 11 and _int(row, 1, 2, 3, 6, 7, 8) and row[4] in STRAND and int(row[1]) > int(row[2])


def _is_gff(row: Sequence[str]) -> bool:
    shaped = len(row) > 7 and _int(row, 3, 4) and row[6] in ("+", "-", ".", "?") and row[7] in ("0", "1", "2", ".")
    return shaped and not _is_region(row)


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
    return _int(row, 2, 3) and not _int(row, 1)


def _is_saf(row: Sequence[str]) -> bool:
    return _has_id_first(row) and len(row) > 4 and row[4] in ("+", "-", ".", "*", "0", "1")


def _is_picard(row: Sequence[str]) -> bool:
    return len(row) == 5 and _is_region(row) and row[3] in STRAND


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
    return _is_region(row) and len(row) > 5 and (_int(row, 4, 5) or row[3:6] == [".", "-1", "-1"]) and not _int(row, 3)


def _second_is_of_chromosomes(rows: Rows) -> bool:
    chroms = {row[0] for row in rows}
    return all(_two_regions(row) and (row[3] in chroms or row[3][:3] == "chr" or row[3] == ".") for row in rows)


def _is_pairs(rows: Rows) -> bool:
    if not _second_is_of_chromosomes(rows):
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


def _refuse_shape(head: Head, source: Source) -> None:
    rows = head.rows
    for shape in SHAPES:
        if shape.fits(rows):
            raise _no_bed(source, shape.what, _fix_of(shape, head, source), head.at[0])
    if not _is_region(rows[0]):
        return
    _refuse_width(head, source)
    if _second_is_of_chromosomes(rows):
        head.notes.append(
            f"{source.label}: columns 4 to 6 hold a second region (bedtools closest, BEDPE): the first was read"
        )


def _fix_of(shape: Shape, head: Head, source: Source) -> str:
    if shape.fix:
        return shape.fix
    print_ = shape.print_
    if shape.columns:
        strand = shape.columns[5] if len(shape.columns) > 5 else None
        print_ = as_bed6(*shape.columns, base=shape.base, strand_values=head.values(strand))
    fix = _convert(head.command(source, print_, shape.guard))
    when, other = shape.also
    return f"{fix}   ({when}: {head.command(source, other)})" if when else fix


def _refuse_width(head: Head, source: Source) -> None:
    """A column that is end - start + 1 in all rows: see the top of this file for when that is proof."""
    rows = head.rows
    for at in range(3, min(map(len, rows))):
        if base_by_width(rows, 1, 2, at) != 1:
            continue
        strand = 4 if at == 3 and head.values(4) and head.values(4) <= {"+", "-", "*"} else None
        if _is_proof(rows, at) or strand is not None:
            print_ = as_bed6(0, 1, 2, strand=strand, strand_values=head.values(strand))
            some = "first " if len(rows) > SAMPLE_ROWS else ""
            raise InputError(
                f"{source.label}:{head.at[0]}: counts from 1: column {at + 1} is end - start + 1, the width",
                f"in all of the {some}{len(rows):,} rows, as in tables of R and of MACS",
                f"Fix: {_convert(head.command(source, print_))}",
            )
        if at == 3:
            head.notes.append(
                f"{source.label}: column 4 is end - start + 1, as in tables of R and of MACS, which count from 1; "
                f"{len(rows)} row(s) are no proof, and they were read as BED, counted from 0"
            )


def _is_proof(rows: Rows, at: int) -> bool:
    """Whether a column of widths cannot be another number by chance."""
    widths = {int(row[at]) for row in rows}
    if at == 3 and all(_has_macs_summit(row) for row in rows):
        return True
    if at > 3 and len(rows) < 3:  # a score may be any number
        return False
    return len(widths) > 1 or (len(rows) >= FIXED_ROWS and min(widths) >= 10)


def _has_macs_summit(row: Sequence[str]) -> bool:
    """Column 5 as MACS's ``abs_summit``, and its pileup in column 6, where a BED has its strand."""
    inside = _int(row, 4) and int(row[1]) <= int(row[4]) <= int(row[2])
    return inside and (len(row) == 5 or row[5] not in ("+", "-", "."))


def _has_summits(rows: Rows) -> bool:
    """Whether these are narrowPeaks whose summits are known."""
    for row in rows:
        if len(row) != 10 or not _is_region(row) or not (_int(row, 9) or row[9] == "-1"):
            return False
        if int(row[9]) >= int(row[2]) - int(row[1]) or not all(map(_is_number, row[6:9])):
            return False
    return any(row[9] != "-1" for row in rows)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == "."
    return True


def _convert(command: str) -> str:
    return command if command.startswith(("put ", "subtract ")) else f"convert it: {command}"


def _no_bed(source: Source, what: str, fix: str, line: int | None = None) -> InputError:
    where = source.label if line is None else f"{source.label}:{line}"
    return InputError(f"{where}: is {what}, not a BED", "", f"Fix: {fix}")
