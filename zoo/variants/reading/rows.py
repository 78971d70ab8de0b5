"""Rows of variants: lines to columns, and what is wrong with one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from zoo.genome.region_rows import LineNumbers, Problem
from zoo.variants.alleles.allele import Record
from zoo.variants.reading.header import Layout
from zoo.words import counted

__all__ = ["UNWRITABLE", "check_rows", "record_of", "split_lines"]

Row = Sequence[str]

#: Those of IUPAC, which have a status; no other letter stands for a base.
LETTERS = frozenset("ACGTNRYSWKMBDHVacgtnryswkmbdhv")
_PLAIN = re.compile(r"[ACGTNRYSWKMBDHVacgtnryswkmbdhv]+")
_ALT = re.compile(
    r"[ACGTNRYSWKMBDHVacgtnryswkmbdhv]+|\*|\.|<[^<>\s]+>"  # bases, a deletion by another record, none, symbolic
    r"|[ACGTNacgtn]*[\[\]][^\[\]\s]+[\[\]][ACGTNacgtn.]*|\.?[\[\]][^\[\]\s]+[\[\]]"  # breakends
    r"|\.[ACGTNacgtn]+|[ACGTNacgtn]+\."  # single breakends
)
_END = re.compile(r"(?:^|;)END=(\d+)(?=;|$)")
UNWRITABLE = re.compile("[\ud800-\udfff\0]")

ANCHORED = "a VCF writes an insertion or deletion with the base before it (CA to C, not A to -)"


def split_lines(
    lines: list[str], layout: Layout, problems: dict[str, Problem], first: int
) -> tuple[list[Row], list[int]]:
    """Rows of lines, cut into ``layout.pieces``, and the positions of lines that are none.

    Lines of the wrong number of columns are noted as problems, and left out.
    """
    rows, left_out = [], []
    tabs, cuts = layout.width - 1, layout.pieces - 1
    for position, line in enumerate(lines):
        line = line.rstrip("\r\n")
        if line.count("\t") == tabs and line[:1] != "#":
            rows.append(line.split("\t", cuts))
            continue
        left_out.append(position)
        if line.strip():
            kind, text, fix = _wrong_line(line, layout.width)
            problems.setdefault(kind, Problem(first + position, text, fix)).count += 1
    return rows, left_out


def _wrong_line(line: str, width: int) -> tuple[str, str, str]:
    if line.startswith("#"):
        text = f"a line of a header ({_short(line)}) stands among the rows: files seem to be joined"
        return "header", text, "join them by bcftools concat, or leave out every header but the first"
    fields = line.split("\t")
    if len(fields) == 1 and len(line.split()) > 1:
        text = f"the columns are separated by blanks, not tabs: {_short(line)}"
        return "blanks", text, "put the tabs back: sed -E '/^#/!s/ +/\\t/g' x > new"
    text = f"{counted(len(fields), 'column')} where the header has {width}: {_short(line)}"
    if any(" " in one for one in fields) and len(line.split()) == width:
        return "columns", text, "tabs were lost, and blanks stand in their place: sed -E '/^#/!s/ +/\\t/g' x > new"
    return "columns", text, "give each row all columns of the header, separated by tabs; or fetch the file again"


def record_of(row: Row, layout: Layout, number: int, line: int) -> Record:
    """A checked row."""
    alt = row[layout.alt]
    end = None
    if layout.info is not None and "END=" in row[layout.info] and (found := _END.search(row[layout.info])):
        end = int(found[1])
    return Record(
        number,
        line,
        row[layout.chrom],
        int(row[layout.pos]) - 1,
        "." if layout.id is None else row[layout.id],
        row[layout.ref],
        () if alt == "." else tuple(alt.split(",")),
        end,
        tuple(row),
    )


# ---------------------------------------------------------------- what is wrong with rows


def check_rows(
    rows: list[Row], numbers: Sequence[int] | LineNumbers, layout: Layout, problems: dict[str, Problem]
) -> list[int]:
    """Note what is wrong in the form of rows; return the positions of those that are right."""
    if _well_formed(rows, layout):
        return list(range(len(rows)))
    right = []
    for i, row in enumerate(rows):
        wrong = _wrong(row, layout)
        if wrong is None:
            right.append(i)
            continue
        kind, text, fix = wrong
        problems.setdefault(kind, Problem(numbers[i], text, fix)).count += 1
    return right


def _well_formed(rows: list[Row], layout: Layout) -> bool:
    """Whether all rows are right, by few looks at all of them."""
    positions = [row[layout.pos] for row in rows]
    if not all(positions) or max(map(len, positions), default=0) > 12:
        return False
    digits = "".join(positions)
    if not (digits.isascii() and digits.isdecimal()) or any(one[0] == "0" for one in positions):
        return False
    refs = [row[layout.ref] for row in rows]
    if not (all(refs) and LETTERS.issuperset("".join(refs))):
        return False
    chroms = {row[layout.chrom] for row in rows}
    if any(_wrong_chrom(name) for name in chroms):
        return False
    alts = {row[layout.alt] for row in rows}
    if not all(_PLAIN.fullmatch(alt) or all(map(_ALT.fullmatch, alt.split(","))) for alt in alts):
        return False
    return not any("\0" in one or not (one.isascii() or not UNWRITABLE.search(one)) for row in rows for one in row)


def _wrong(row: Row, layout: Layout) -> tuple[str, str, str] | None:
    """Kind, text and fix of what is wrong with a row."""
    chrom, pos, ref, alt = (row[at] for at in (layout.chrom, layout.pos, layout.ref, layout.alt))
    if wrong := _wrong_chrom(chrom):
        return "chrom", wrong, "write the chromosome's name as the FASTA has it"
    if not (pos.isascii() and pos.isdecimal() and len(pos) <= 12):
        return "pos", f"POS must be a whole number, not {_short(pos)}", _pos_fix(pos)
    if not ref or ref in (".", "-"):
        return "ref", f"REF is {_empty(ref)} at {chrom}:{pos}", f"write the bases that the genome has there; {ANCHORED}"
    if not _PLAIN.fullmatch(ref):
        return "ref letters", f"REF {_short(ref)} at {chrom}:{pos} holds what is no letter of DNA", _letters_fix(ref)
    for one in alt.split(","):
        if one in ("", "-"):
            fix = f"write . where there is no other allele; {ANCHORED}"
            return "alt", f"ALT is {_empty(one)} at {chrom}:{pos}", fix
        if not _ALT.fullmatch(one):
            return "alt letters", f"ALT {_short(one)} at {chrom}:{pos} is no allele of a VCF", _letters_fix(one)
    if int(pos) == 0 and not all("[" in one or "]" in one or one[0] == "." for one in alt.split(",")):
        text = f"POS is 0 at {chrom}, where no base is: a VCF counts from 1, and writes 0 for what joins a telomere"
        return (
            "pos 0",
            text,
            "where positions count from 0, add 1; to those of a file: awk -v OFS='\\t' '!/^#/{$2+=1}1' x.vcf > new.vcf",
        )
    if "\0" in "".join(row):
        return "NUL", "the row holds a NUL byte", "remove it: tr -d '\\000' < x > new"
    if UNWRITABLE.search("".join(row)):
        return "UTF-8", "the row is not UTF-8", "convert the file: iconv -f LATIN1 -t UTF-8 x > new"
    return None


def _wrong_chrom(name: str) -> str:
    if not name:
        return "the chromosome's name is empty"
    if name != name.strip() or not name.isprintable() or " " in name or name[0] in "\"'":
        return f"the chromosome's name {_short(name)} holds a blank, a quote or what cannot be seen"
    return ""


def _empty(text: str) -> str:
    return repr(text) if text else "empty"


def _pos_fix(pos: str) -> str:
    if pos.strip() != pos:
        return "remove the blanks around it: sed -E '/^#/!s/ *\\t */\\t/g' x > new"
    return "write positions as plain digits, counted from 1 (no 1e6, 1,000 or 10.0)"


def _letters_fix(text: str) -> str:
    if text != text.strip() or " " in text:
        return "remove the blanks: sed -E '/^#/!s/ *\\t */\\t/g' x > new"
    if set(text.upper()) <= set("ACGTUN"):
        return "write T for U"
    if "/" in text or "|" in text or ";" in text:
        return "separate several ALT alleles by commas, and leave REF out of them"
    return f"write bases, <SYMBOLIC>, *, . or a breakend; {ANCHORED}"


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
