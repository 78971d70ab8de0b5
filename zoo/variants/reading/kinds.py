"""What a file that is given as variants is: a VCF, a BCF or a table; else what it is in truth, and what to do."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from zoo.errors import InputError
from zoo.genome.bed_header import CHROM_NAMES, END_NAMES, POSITION_NAMES, START_NAMES, plain
from zoo.genome.lookalikes import MAGIC
from zoo.genome.region_stream import is_text
from zoo.genome.row_shapes import SHAPES, is_region
from zoo.variants.reading.header import ALT_NAMES, FIXED, REF_NAMES, table_header

__all__ = ["Kind", "kind_of_bytes", "refuse_text"]

Kind = Literal["vcf", "bcf", "tsv"]

WANTED = "a VCF, a BCF, or a table whose header names chrom, pos, ref and alt"
SHEET = "save the sheet as tab-separated text whose first row names chrom, pos, ref and alt, and give that"
_SHAPED = re.compile(r"[^\t]+\t\d+\t[^\t]*\t[A-Za-z]+\t[^\t]+\t[^\t]*\t[^\t]*\t[^\t]*")
_HEADER = "\\t".join(FIXED)


def kind_of_bytes(begin: bytes, label: str) -> Kind:
    """The kind by the first bytes of a file, unpacked; ``"tsv"`` is any other text.

    Raises:
        InputError: it is empty, no text, or a VCF of version 3.
    """
    if begin[:4] == b"BCF\2":
        return "bcf"
    if begin.startswith(b"BCF"):
        raise InputError(f"{label}: is a BCF of version 1", "", "Fix: give version 2, or a VCF")
    for what, fix, marks in (*MAGIC, ("an Excel file, or another zip archive", SHEET, (b"PK\3\4",))):
        if begin.startswith(marks):
            kept = what.startswith("an index") or "compressed" in what
            fix = fix if kept else SHEET if fix.startswith("save the sheet") else f"give {WANTED}"
            fix = "convert it: iconv -f UTF-16 -t UTF-8 x.txt > x.vcf" if "UTF-16" in what else fix
            raise InputError(f"{label}: is {what}, not a file of variants", "", f"Fix: {fix}")
    if begin.startswith(b"\x6c\x1b"):
        raise InputError(
            f"{label}: is genotypes of PLINK, not a file of variants",
            "",
            "Fix: convert them: plink2 --bfile x --export vcf bgz --ref-from-fa --fa genome.fa",
        )
    if not is_text(begin):
        binary = b"\0" in begin
        raise InputError(
            f"{label}: is no text{'' if binary else ' in UTF-8'}",
            "",
            f"Fix: give {WANTED}" if binary else "Fix: convert the file: iconv -f LATIN1 -t UTF-8 x > new",
        )
    if not begin.strip():
        raise InputError(f"{label}: is empty", "no variant can be read", f"Fix: give {WANTED}")
    if begin.startswith(b"##fileformat=VCFv3"):
        raise InputError(
            f"{label}: is a VCF of version 3, whose alleles are written otherwise",
            "",
            "Fix: convert it to version 4: vcf-convert of vcftools does it",
        )
    return "vcf" if begin.removeprefix(b"\xef\xbb\xbf").startswith(b"##fileformat=VCF") else "tsv"


@dataclass(frozen=True)
class _Text:
    """The first lines of a text that is neither a VCF nor a table of variants.

    Attributes:
        label: of the file. where: of its first line that may be a header or a row.
        lines: all. line: that line; fields: of it; names: of its fields, bare.
        rows: fields of lines without ``#``. compressed: whether the file is gzip.
    """

    label: str
    where: str
    lines: Sequence[str]
    line: str
    rows: Sequence[Sequence[str]]
    compressed: bool

    @classmethod
    def of(cls, lines: Sequence[str], label: str, compressed: bool) -> _Text:
        may_be = ((i, one) for i, one in enumerate(lines, 1) if one.strip() and (one[0] != "#" or "\t" in one))
        number, line = next(may_be, (1, lines[0] if lines else ""))
        rows = [one.split("\t") for one in lines if one.strip() and one[0] != "#"]
        return cls(label, f"{label}:{number}", lines, line, rows, compressed)

    @property
    def fields(self) -> list[str]:
        return self.line.split("\t")

    @property
    def names(self) -> list[str]:
        return [plain(one) for one in self.fields]

    def place(self, wanted: frozenset[str]) -> int | None:
        """Which column, from 1, has one of the names."""
        return next((i for i, name in enumerate(self.names, 1) if name in wanted), None)


def refuse_text(lines: Sequence[str], label: str, compressed: bool = False) -> InputError:
    """The error of a text that is neither a VCF nor a table of variants.

    Args:
        lines: the first of the file, without their ends, from line 1.
        compressed: whether it is gzip.
    """
    text = _Text.of(lines, label, compressed)
    return next(error for recognise in _RECOGNISED if (error := recognise(text)) is not None)


def _lacks_version(text: _Text) -> InputError | None:
    if not any(one.split()[:5] == list(FIXED[:5]) for one in text.lines if one.startswith("#CHROM")):
        return None
    return InputError(
        f"{text.label}:1: a VCF begins with ##fileformat=VCFv4.2 (or a later version), and this file does not",
        "without the version nobody can say how its alleles are written",
        "Fix: (echo '##fileformat=VCFv4.2'; cat x.vcf) > new.vcf",
    )


def _is_maf(text: _Text) -> InputError | None:
    if "hugosymbol" not in text.names:
        return None
    return InputError(
        f"{text.where}: is a MAF of mutations, not a VCF",
        "it writes insertions and deletions with '-', without the base before them",
        "Fix: convert it: maf2vcf.pl --input-maf x.maf --ref-fasta genome.fa --output-dir OUT (of vcf2maf)",
    )


def _is_23andme(text: _Text) -> InputError | None:
    if not any("rsid" in one.lower() and "genotype" in one.lower() for one in text.lines[:60]):
        return None
    return InputError(
        f"{text.label}: is a list of genotypes of 23andMe (or the like), which names no REF and ALT",
        "",
        "Fix: convert it: bcftools convert --tsv2vcf x.txt -c ID,CHROM,POS,AA -f genome.fa -s ME -o x.vcf",
    )


def _has_start(text: _Text) -> InputError | None:
    """A table with a start in the place of a position: where it counts from shows by its end, if at all."""
    chrom, start, ref, alt = map(text.place, (CHROM_NAMES, START_NAMES, REF_NAMES, ALT_NAMES))
    if None in (chrom, start, ref, alt) or text.place(POSITION_NAMES) is not None:
        return None
    read = f"gzip -dc {shlex.quote(text.label)} | awk" if text.compressed else "awk"
    given = "" if text.compressed else f" {shlex.quote(text.label)}"
    names = 'NR==1{print "chrom","pos","ref","alt";next}'
    zero = f"{read} -F'\\t' -v OFS='\\t' '{names}{{print ${chrom},${start}+1,${ref},${alt}}}'{given} > x.tsv"
    one = zero.replace("+1,", ",")
    base = _base_of(text, start, text.place(END_NAMES), ref)
    told = "nothing says whether it counts from 0 or 1" if base is None else f"start counts from {base}, by end and REF"
    fix = f"if from 0: {zero}   (if from 1: {one})" if base is None else (zero, one)[base]
    return InputError(f"{text.where}: the table names {text.fields[start - 1]!r}, not pos", told, f"Fix: {fix}")


def _base_of(text: _Text, start: int, end: int | None, ref: int) -> int | None:
    """0 or 1, where end - start is the length of REF, or one less, in all rows; columns count from 1."""
    found = set()
    for row in text.rows:
        if end is None or len(row) < max(start, end, ref):
            return None
        low, high = row[start - 1], row[end - 1]
        if low.isdecimal() and high.isdecimal():
            found.add(len(row[ref - 1]) - (int(high) - int(low)))
    return found.pop() if found in ({0}, {1}) else None


def _names_a_column_twice(text: _Text) -> InputError | None:
    if text.place(REF_NAMES) is None or text.place(ALT_NAMES) is None:
        return None
    for wanted in (CHROM_NAMES, POSITION_NAMES, REF_NAMES, ALT_NAMES):
        found = [one for one in text.fields if plain(one) in wanted]
        if len(found) > 1:
            return InputError(
                f"{text.where}: the table names {found[0]!r} and {found[1]!r}, which mean the same column",
                "nobody can say which of them is meant",
                "Fix: give one of them another name",
            )
    return None


def _lost_its_tabs(text: _Text) -> InputError | None:
    if "\t" in text.line:
        return None
    if table_header("\t".join(text.line.split())) is not None:
        return InputError(
            f"{text.where}: its columns are separated by blanks, not tabs",
            "",
            "Fix: put tabs between them: sed -E 's/ +/\\t/g' x > x.tsv",
        )
    if text.line.count(",") > 2:
        return InputError(
            f"{text.where}: its columns are separated by commas, not tabs",
            "",
            "Fix: tr ',' '\\t' < x.csv > x.tsv; its header must name chrom, pos, ref and alt",
        )
    return None


def _lacks_a_header(text: _Text) -> InputError | None:
    if any(_SHAPED.match(one) for one in text.lines) and text.place(REF_NAMES) is None:
        return InputError(
            f"{text.where}: rows of a VCF without the header line that names its columns (#CHROM POS ID REF ALT ...)",
            "the header was lost, as by grep -v '^#'",
            f"Fix: put it back: (printf '##fileformat=VCFv4.2\\n{_HEADER}\\n'; cat x.vcf) > new.vcf",
        )
    if not text.rows or not all(_alleles_at(row, 2) or _alleles_at(row, 3) for row in text.rows):
        return None
    names = ["chrom", "pos", "ref", "alt"] if _alleles_at(text.rows[0], 2) else ["chrom", "start", "end", "ref", "alt"]
    names += ["..."] if len(text.rows[0]) > len(names) else []
    return InputError(
        f"{text.where}: a table of variants without a header, so that nobody can say which column is what",
        "",
        "Fix: name them: (printf '" + "\\t".join(names) + "\\n'; cat x) > x.tsv   (pos counts from 1)",
    )


def _is_something_else(text: _Text) -> InputError | None:
    where, rows = text.where, text.rows
    if text.line.startswith(">"):
        return InputError(f"{where}: is a FASTA, not a file of variants", "", f"Fix: give {WANTED}; the FASTA with -g")
    if rows and all(is_region(row) for row in rows):
        return InputError(
            f"{where}: is a BED of regions, which does not say what changes",
            "",
            f"Fix: give {WANTED}; predictions of regions are made by `zoo predict`",
        )
    what = next((shape.what for shape in SHAPES if rows and shape.fits(rows)), "")
    if what or text.line[:1] in ("<", "{", "["):
        what = f"{what}, not a file of variants" if what else "no table (HTML, XML or JSON)"
        return InputError(f"{where}: is {what}", "", f"Fix: give {WANTED}")
    return None


def _is_unknown(text: _Text) -> InputError:
    wanted = {"chrom": CHROM_NAMES, "pos": POSITION_NAMES, "ref": REF_NAMES, "alt": ALT_NAMES}
    missing = [name for name, names in wanted.items() if text.place(names) is None]
    some = ", ".join(text.fields[:6]) + (", ..." if len(text.fields) > 6 else "")
    return InputError(
        f"{text.where}: is no VCF, and no header that names chrom, pos, ref and alt once each",
        f"it has {some[:80]!r}" + (f"; missing: {', '.join(missing)}" if 0 < len(missing) < len(wanted) else ""),
        f"Fix: give {WANTED}, separated by tabs; pos counts from 1",
    )


def _alleles_at(row: Sequence[str], at: int) -> bool:
    """Whether two alleles stand behind a position, or a region, and its columns."""
    alleles = len(row) > at + 1 and all(re.fullmatch(r"[ACGTNacgtn]+|-", one) for one in row[at : at + 2])
    return alleles and all(one.isdecimal() for one in row[1:at])


#: The first that knows a text gives its error; the last knows all.
_RECOGNISED = (
    _lacks_version,
    _is_maf,
    _is_23andme,
    _has_start,
    _names_a_column_twice,
    _lost_its_tabs,
    _lacks_a_header,
    _is_something_else,
    _is_unknown,
)
