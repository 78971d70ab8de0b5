"""What looks like a BED and is not: recognised in one place, and refused with the command that converts it.

Most tables of regions have chromosome, start and end, and so could be read as a BED: one base off, or with other
columns in the place of these. A file is recognised, in this order,

1. by its first bytes, where it is no text (``MAGIC``);
2. by the text it begins with, or a comment in its head (``MARKS``);
3. by a line that names its columns (``bed_header``);
4. by the shape of its rows (``SHAPES``), which all of the first ``SAMPLE_ROWS`` must have.

A BED of any kind must pass: with 3 to 12 columns and more, peaks, what bedtools joins. So a shape that a BED might have
by chance is refused only when chance is out of the question. A column that is end - start + 1 in all rows (R's
``width``, MACS's ``length``) is proof in one row when the strand or MACS's summit stands behind it, and in
``CERTAIN_ROWS`` when it takes different values or is 10 and more (one more where it could be a score); where it is no
proof, a note says that the file was read as it is. Two regions a row are a BEDPE when they are of two chromosomes or
have two strands; else they may be of ``bedtools closest``, and a note says that the first is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from zoo.errors import InputError
from zoo.genome.bed_header import Header, base_by_width, read_header
from zoo.genome.region_table import HEADER_PREFIXES
from zoo.genome.row_shapes import (
    GFF_GUARD,
    GFF_PRINT,
    PAIRS,
    SAM,
    SHAPES,
    VCF_GUARD,
    VCF_NOTE,
    VCF_PRINT,
    Shape,
    has_summits,
    has_two_regions,
    is_proof,
    is_region,
    pairs_of,
)
from zoo.genome.to_bed import Source, as_bed6, awk
from zoo.words import counted

__all__ = ["SAMPLE_ROWS", "Head", "refuse_bytes", "refuse_header", "refuse_text"]

SAMPLE_ROWS = 1_000
COMMENTS = 20  # so many lines above the rows may name the columns

# ---------------------------------------------------------------- 1: by the first bytes

TEXT_OF = "write its chrom, start (counted from 0) and end as tab-separated text and give that"
SHEET = "save the sheet as tab-separated text, with the columns chrom, start (counted from 0), end and no header"
UNPACK = "unpack it, or compress it as gzip"
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
            raise _no_bed(source, what, fix, wanted="UTF-8" if "UTF" in what else "a text file")
    if head.startswith(b"PK\3\4"):
        what, fix = next(((what, fix) for what, fix, mark in ZIPPED if mark in head), ("a zip file", UNPACK))
        raise _no_bed(source, what, fix, wanted="a text file")


# ---------------------------------------------------------------- 2: by its first line or a comment

GENOME = "give the regions first and the genome with -g"
DOWNLOAD = "fetch the file itself: the link behind `raw` or `download`, as by curl -L -o x.bed URL"


@dataclass(frozen=True)
class Mark:
    """How a text begins that is no BED.

    Attributes:
        what: it is. pattern: of its beginning; with ``anywhere``, of a comment in its head.
        fix: what to do; or guard, print_: awk's, which convert it.
        unless_regions: whether it may stand over the rows of a BED, as a comment that a conversion has left.
    """

    what: str
    pattern: str
    fix: str = ""
    guard: str = ""
    print_: str = ""
    anywhere: bool = False
    unless_regions: bool = False


MARKS = (
    Mark("a FASTA", r">", GENOME),
    Mark("a FASTQ", r"@\S+.*\n[ACGTUN.]+\n\+", "give regions as a BED; reads have no place in a genome yet"),
    Mark("a VCF", r"##fileformat=VCF", guard=VCF_GUARD, print_=VCF_PRINT, unless_regions=True),
    Mark(
        "a GFF or GTF",
        r"##gff-version|##?gtf\b|#!gtf|#!genome-build",
        guard=GFF_GUARD,
        print_=GFF_PRINT,
        unless_regions=True,
    ),
    Mark("an alignment of genomes (MAF)", r"##maf", "give a BED of regions in one of its genomes"),
    Mark("alignments of BLAT (PSL)", r"psLayout", guard="NR>5", print_='$14,$16,$17,$10,".",$9'),
    Mark("a chain of liftOver", r"chain \d+ \S+ \d+ [+-]", "give the BED that liftOver made by it"),
    Mark(
        "a wiggle track, which holds values",
        r"(track [^\n]*type=[\"']?wiggle_0[^\n]*\n)?\s*(fixedStep|variableStep)\b",
        "give the peaks that were called on it, as a BED",
    ),
    Mark("a page of HTML", r"(?i)<(!doctype|html|head|body|!--|title|script)", DOWNLOAD),
    Mark("XML", r"<", DOWNLOAD),
    Mark("JSON", r"[\[{]\s*[\[{\"\]}]", TEXT_OF),
    Mark(
        "a table of MACS (_peaks.xls), which counts from 1",
        r"# This file is generated by MACS",
        guard="!/^#/&&$2+0>0",
        print_="$1,$2-1,$3,$NF",
        anywhere=True,
    ),
)


def _refuse_mark(head: Head, source: Source) -> None:
    begin = "\n".join(text for _, text in head.lines[:4]) + "\n"
    for mark in MARKS:
        found = re.match(mark.pattern, begin.lstrip())
        if mark.anywhere:
            found = any(re.match(mark.pattern, comment) for _, comment in head.comments)
        if found and mark.unless_regions and head.rows and all(map(is_region, head.rows)):
            continue
        if found and mark.fix:
            raise _no_bed(source, mark.what, mark.fix)
        if found:
            command = awk(source, mark.print_, guard=mark.guard, separator="\\t")
            raise _no_bed(source, mark.what, _convert(command, mark.what))


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
        head.quoted = any(field[:1] == field[-1:] == '"' for line in sample for field in head.split(line))
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
        bare = not self.lines or not self.at or self.lines[0][0] == self.at[0]
        guard = guard or ("" if bare else "!/^(#|@|track|browser)/&&") + "NF"
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
        head.summits = has_summits(head.rows)
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
        for number, comment in reversed(head.comments[-COMMENTS:]):
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
    command = head.command(source, _print_of(header, head, header.base))
    raise InputError(where, "", f"Fix: {_convert(command, header.kind)}")


def _print_of(header: Header, head: Head, base: int) -> str:
    if header.kind == "a BEDPE":
        return pairs_of(head.rows)
    if header.kind == "a VCF":
        names = [name.lower() for name in header.names]
        start, ref = header.start + 1, names.index("ref") + 1
        name = "" if header.name is None else f",${header.name + 1}"
        return f"${header.chrom + 1},${start}-1,${start}-1+length(${ref}){name}"
    columns = (header.chrom, header.start, header.end, header.name, header.score, header.strand)
    return as_bed6(*columns, base=base, strand_values=head.values(header.strand))


# ---------------------------------------------------------------- 4: by the shape of its rows


def _refuse_shape(head: Head, source: Source) -> None:
    rows = head.rows
    for shape in SHAPES:
        if shape.fits(rows):
            raise _no_bed(source, shape.what, _fix_of(shape, head, source), head.at[0])
    if not is_region(rows[0]):
        return
    _refuse_width(head, source)
    if has_two_regions(rows):
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
    if print_ == PAIRS:
        print_ = pairs_of(head.rows)
    fix = _convert(head.command(source, print_, shape.guard), shape.what)
    when, other = shape.also
    return f"{fix}   ({when}: {head.command(source, other)})" if when and not head.sam_header else fix


def _refuse_width(head: Head, source: Source) -> None:
    """A column that is end - start + 1 in all rows: see the top of this file for when that is proof."""
    rows = head.rows
    for at in range(3, min(map(len, rows))):
        if base_by_width(rows, 1, 2, at) != 1:
            continue
        strand = 4 if at == 3 and head.values(4) and head.values(4) <= {"+", "-", "*"} else None
        if is_proof(rows, at) or strand is not None:
            print_ = as_bed6(0, 1, 2, strand=strand, strand_values=head.values(strand))
            some = "first " if len(rows) > SAMPLE_ROWS else ""
            raise InputError(
                f"{source.label}:{head.at[0]}: counts from 1: column {at + 1} is end - start + 1, the width",
                f"in all of the {some}{counted(len(rows), 'row')}, as in tables of R and of MACS",
                f"Fix: {_convert(head.command(source, print_), '')}",
            )
        if at == 3:
            head.notes.append(
                f"{source.label}: column 4 is end - start + 1, as in tables of R and of MACS, which count from 1; "
                f"{counted(len(rows), 'row')} are no proof, and they were read as BED, counted from 0"
            )


def _convert(command: str, what: str) -> str:
    fix = command if command.startswith(("put ", "subtract ")) else f"convert it: {command}"
    return f"{fix}   ({VCF_NOTE})" if what.startswith("a VCF") else fix


def _no_bed(source: Source, what: str, fix: str, line: int | None = None, wanted: str = "a BED") -> InputError:
    where = source.label if line is None else f"{source.label}:{line}"
    return InputError(f"{where}: is {what}, not {wanted}", "", f"Fix: {fix}")
