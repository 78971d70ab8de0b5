"""What a file that is given as variants is: a VCF, a BCF or a table; else what it is in truth, and what to do."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Literal

from zoo.errors import InputError
from zoo.genome.bed_header import CHROM_NAMES, END_NAMES, POSITION_NAMES, START_NAMES, plain
from zoo.genome.lookalikes import MAGIC
from zoo.genome.region_stream import is_text
from zoo.genome.row_shapes import SHAPES, is_region
from zoo.variants.header import ALT_NAMES, FIXED, REF_NAMES, table_header

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


def refuse_text(lines: Sequence[str], label: str, compressed: bool = False) -> InputError:
    """The error of a text that is neither a VCF nor a table of variants.

    Args:
        lines: the first of the file, without their ends, from line 1.
        compressed: whether it is gzip.
    """
    number, line = next(((i, one) for i, one in enumerate(lines, 1) if one.strip() and one[:2] != "##"), (1, ""))
    where, fields = f"{label}:{number}", line.split("\t")
    bare = [plain(one) for one in fields]
    names = set(bare)
    rows = [one.split("\t") for one in lines if one.strip() and one[0] != "#"]
    if line.startswith("#CHROM") and line.split()[:5] == list(FIXED[:5]):
        return InputError(
            f"{label}:1: a VCF begins with ##fileformat=VCFv4.2 (or a later version), and this file does not",
            "without the version nobody can say how its alleles are written",
            "Fix: (echo '##fileformat=VCFv4.2'; cat x.vcf) > new.vcf",
        )
    if "hugosymbol" in names:
        return InputError(
            f"{where}: is a MAF of mutations, not a VCF",
            "it writes insertions and deletions with '-', without the base before them",
            "Fix: convert it: maf2vcf.pl --input-maf x.maf --ref-fasta genome.fa --output-dir OUT (of vcf2maf)",
        )
    if any("rsid" in one.lower() and "genotype" in one.lower() for one in lines[:60]):
        return InputError(
            f"{label}: is a list of genotypes of 23andMe (or the like), which names no REF and ALT",
            "",
            "Fix: convert it: bcftools convert --tsv2vcf x.txt -c ID,CHROM,POS,AA -f genome.fa -s ME -o x.vcf",
        )
    if START_NAMES & names and not names.isdisjoint(CHROM_NAMES) and ALT_NAMES & names and REF_NAMES & names:
        chrom, start, ref, alt = (
            next(i for i, one in enumerate(bare, 1) if one in wanted)
            for wanted in (CHROM_NAMES, START_NAMES, REF_NAMES, ALT_NAMES)
        )
        end = next((i for i, one in enumerate(bare, 1) if one in END_NAMES), None)
        read = f"gzip -dc {shlex.quote(label)} | awk" if compressed else "awk"
        given = "" if compressed else f" {shlex.quote(label)}"
        return _has_start(where, fields, rows, (chrom, start, end, ref, alt), read, given)
    for wanted in (CHROM_NAMES, POSITION_NAMES, REF_NAMES, ALT_NAMES):
        found = [one for one in fields if plain(one) in wanted]
        if len(found) > 1 and names & REF_NAMES and names & ALT_NAMES:
            return InputError(
                f"{where}: the table names {found[0]!r} and {found[1]!r}, which mean the same column",
                "nobody can say which of them is meant",
                "Fix: give one of them another name",
            )
    if "\t" not in line and table_header("\t".join(line.split())) is not None:
        return InputError(
            f"{where}: its columns are separated by blanks, not tabs",
            "",
            "Fix: put tabs between them: sed -E 's/ +/\\t/g' x > x.tsv",
        )
    if line.count(",") > 2 and "\t" not in line:
        return InputError(
            f"{where}: its columns are separated by commas, not tabs",
            "",
            "Fix: tr ',' '\\t' < x.csv > x.tsv; its header must name chrom, pos, ref and alt",
        )
    if any(_SHAPED.match(one) for one in lines) and not names & REF_NAMES:
        return InputError(
            f"{where}: rows of a VCF without the header line that names its columns (#CHROM POS ID REF ALT ...)",
            "the header was lost, as by grep -v '^#'",
            f"Fix: put it back: (printf '##fileformat=VCFv4.2\\n{_HEADER}\\n'; cat x.vcf) > new.vcf",
        )
    if line.startswith(">"):
        return InputError(f"{where}: is a FASTA, not a file of variants", "", f"Fix: give {WANTED}; the FASTA with -g")
    if rows and all(_alleles_at(row, 2) or _alleles_at(row, 3) for row in rows):
        names = "chrom\\tpos\\tref\\talt" if _alleles_at(rows[0], 2) else "chrom\\tstart\\tend\\tref\\talt"
        more = "\\t..." if len(rows[0]) > names.count("\\t") + 1 else ""
        return InputError(
            f"{where}: a table of variants without a header, so that nobody can say which column is what",
            "",
            f"Fix: name them: (printf '{names}{more}\\n'; cat x) > x.tsv   (pos counts from 1)",
        )
    if rows and all(is_region(row) for row in rows):
        return InputError(
            f"{where}: is a BED of regions, which does not say what changes",
            "",
            f"Fix: give {WANTED}; predictions of regions are made by `zoo predict`",
        )
    for shape in SHAPES:
        if rows and shape.fits(rows):
            return InputError(f"{where}: is {shape.what}, not a file of variants", "", f"Fix: give {WANTED}")
    if line[:1] in "<{[":
        return InputError(f"{where}: is no table (HTML, XML or JSON)", "", f"Fix: give {WANTED}")
    missing = [
        name
        for name, wanted in (("chrom", CHROM_NAMES), ("pos", POSITION_NAMES), ("ref", REF_NAMES))
        if not names & wanted
    ] + ([] if names & ALT_NAMES else ["alt"])
    some = ", ".join(fields[:6]) + (", ..." if len(fields) > 6 else "")
    return InputError(
        f"{where}: is no VCF, and no header that names chrom, pos, ref and alt once each",
        f"it has {some[:80]!r}" + (f"; missing: {', '.join(missing)}" if missing and len(missing) < 4 else ""),
        f"Fix: give {WANTED}, separated by tabs; pos counts from 1",
    )


def _alleles_at(row: Sequence[str], at: int) -> bool:
    """Whether two alleles stand behind a position, or a region, and its columns."""
    alleles = len(row) > at + 1 and all(re.fullmatch(r"[ACGTNacgtn]+|-", one) for one in row[at : at + 2])
    return alleles and all(one.isdecimal() for one in row[1:at])


def _has_start(
    where: str,
    fields: Sequence[str],
    rows: Sequence[Sequence[str]],
    at: tuple[int, int, int | None, int, int],
    awk: str,
    given: str,
) -> InputError:
    """A table of variants with a start in the place of a position: where it counts from shows by its end, if at all."""
    chrom, start, end, ref, alt = at
    printed = f"${chrom},${start}+1,${ref},${alt}"
    names = 'NR==1{print "chrom","pos","ref","alt";next}'
    zero = f"{awk} -F'\\t' -v OFS='\\t' '{names}{{print {printed}}}'{given} > x.tsv"
    one = zero.replace("+1,", ",")
    widths = set()
    for row in rows[:1000]:
        if end is not None and len(row) >= max(chrom, start, end, ref, alt) and row[start - 1].isdecimal():
            widths.add(
                int(row[end - 1]) - int(row[start - 1]) - len(row[ref - 1]) if row[end - 1].isdecimal() else None
            )
    told = {frozenset({0}): ("0", zero), frozenset({-1}): ("1", one)}.get(frozenset(widths))
    base = f"start counts from {told[0]}, by its end and REF" if told else "nothing says whether it counts from 0 or 1"
    fix = told[1] if told else f"if from 0: {zero}   (if from 1: {one})"
    return InputError(f"{where}: the table names {fields[start - 1]!r}, not pos", base, f"Fix: {fix}")
