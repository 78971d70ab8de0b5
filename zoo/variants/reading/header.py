"""What stands above the rows of a variants file: the header of a VCF, or the line that names a table's columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from zoo.errors import InputError
from zoo.genome.assembly import load_assembly
from zoo.genome.bed_header import CHROM_NAMES, POSITION_NAMES, plain
from zoo.words import counted

__all__ = ["FIXED", "Header", "Layout", "table_header", "vcf_header"]

#: The columns that every VCF has.
FIXED = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
REF_NAMES = frozenset({"ref", "refallele", "reference", "referenceallele"})
ALT_NAMES = frozenset({"alt", "altallele", "alternate", "alternateallele", "alternative", "alternativeallele"})
ID_NAMES = frozenset({"id", "rsid", "snp", "name", "variantid", "snpid"})

_CONTIG = re.compile(r"##contig=<(.*)>\s*$")
_FIELD = re.compile(r'([A-Za-z0-9_.]+)=("(?:[^"\\]|\\.)*"|[^,]*)')
_OTHER_ASSEMBLY = re.compile(r"(hg|mm|rn|dm|ce|danRer|sacCer)\d+|(GRC[hmrz]|NCBIM?)\d+|b36", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9]+(?:\.p\d+)?")


@dataclass(frozen=True)
class Layout:
    """Which column of a row is what, from 0.

    Attributes:
        width: columns that every row has.
        pieces: how many pieces a row is cut into: FORMAT and the samples of a VCF stay one piece.
    """

    chrom: int
    pos: int
    ref: int
    alt: int
    id: int | None
    info: int | None
    width: int
    pieces: int


@dataclass(frozen=True)
class Header:
    """What a file says of its rows.

    Attributes:
        lines: all lines above the rows as they are, without their ends; the last names the columns.
        names: of the columns.
        samples: of a VCF.
        contigs: ``##contig``: name -> length in bp, None where it has none. Empty where none is declared.
        assemblies: those that ``##reference``, ``##assembly`` and ``##contig`` name, as UCSC writes them where they are
            known here.
        layout: of the rows.
    """

    lines: tuple[str, ...]
    names: tuple[str, ...]
    layout: Layout
    samples: tuple[str, ...] = ()
    contigs: Mapping[str, int | None] = field(default_factory=dict)
    assemblies: tuple[str, ...] = ()


def vcf_header(lines: Sequence[str], label: str) -> Header:
    """The header of a VCF.

    Args:
        lines: those that begin with ``#``, without their ends; the last is that of ``#CHROM``.

    Raises:
        InputError: the columns are not those of a VCF, or a sample's name stands twice.
    """
    where, names = f"{label}:{len(lines)}", tuple(lines[-1].split("\t"))
    if names[: len(FIXED)] != FIXED:
        raise _wrong_columns(lines[-1], names, where)
    samples = names[len(FIXED) + 1 :]
    if len(names) > len(FIXED) and names[len(FIXED)] != "FORMAT":
        raise InputError(
            f"{where}: column {len(FIXED) + 1} of the header is {names[len(FIXED)]!r}, where a VCF has FORMAT",
            f"{counted(len(names), 'column')}",
            "Fix: keep the eight columns of a VCF, or FORMAT and samples behind them: bcftools view -h shows a header",
        )
    if twice := sorted(
        {name for name in samples if samples.count(name) > 1} if len(set(samples)) < len(samples) else ()
    ):
        raise InputError(
            f"{where}: the sample {twice[0]!r} stands twice in the header",
            f"{counted(len(twice), 'name')} of {counted(len(samples), 'sample')}",
            "Fix: give each sample a name of its own: bcftools reheader -s NAMES.txt x.vcf > new.vcf",
        )
    contigs, assemblies = {}, []
    for line in lines[:-1]:
        if found := _CONTIG.match(line):
            fields = dict(_FIELD.findall(found[1]))
            length = fields.get("length", "").strip('"')
            contigs[fields.get("ID", "")] = int(length) if length.isascii() and length.isdecimal() else None
            assemblies.append(fields.get("assembly", "").strip('"'))
        elif line.startswith(("##reference=", "##assembly=")):
            assemblies += _WORD.findall(line.partition("=")[2])
    known = dict.fromkeys(name for text in dict.fromkeys(assemblies) if (name := _assembly_of(text)))
    layout = Layout(0, 1, 3, 4, 2, 7, len(names), len(FIXED) + 1)
    return Header(tuple(lines), names, layout, samples, contigs, tuple(known))


def _assembly_of(text: str) -> str:
    """The name of the assembly that a word is, also of one whose chromosomes are not known here; "" of another word."""
    if text and (assembly := load_assembly(text)):
        return assembly.name
    return text if _OTHER_ASSEMBLY.fullmatch(text) else ""


def _wrong_columns(line: str, names: tuple[str, ...], where: str) -> InputError:
    if tuple(line.split()[: len(FIXED)]) == FIXED:
        return InputError(
            f"{where}: the columns of the header are separated by blanks, where a VCF has tabs",
            "the tabs were lost, as where text is pasted",
            "Fix: put them back: sed -E '/^##/!s/ +/\\t/g' x.vcf > new.vcf",
        )
    wrong = next((i for i, (one, want) in enumerate(zip(names, FIXED, strict=False)) if one != want), len(names))
    has = repr(names[wrong]) if wrong < len(names) else "missing"
    return InputError(
        f"{where}: column {wrong + 1} of the header is {has}, where a VCF has {FIXED[wrong]}",
        f"a VCF has the columns {' '.join(FIXED)}, separated by tabs",
        "Fix: write them so; a table of other columns is read if it has no ## lines and names chrom, pos, ref, alt",
    )


def table_header(line: str) -> Header | None:
    """The header of a tab-separated table; None where the line does not name chrom, pos, ref and alt, once each."""
    names = tuple(line.split("\t"))
    bare = [plain(name) for name in names]
    places = []
    for wanted in (CHROM_NAMES, POSITION_NAMES, REF_NAMES, ALT_NAMES):
        found = [i for i, name in enumerate(bare) if name in wanted]
        if len(found) != 1:
            return None
        places += found
    ids = [i for i, name in enumerate(bare) if name in ID_NAMES]
    layout = Layout(*places, ids[0] if ids else None, None, len(names), len(names))
    return Header((line,), names, layout)
