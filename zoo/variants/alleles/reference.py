"""Are the variants of the genome that was given: every row is checked before a model is loaded.

In one pass, in blocks: the form of each row, its chromosome, whether it lies inside, and whether REF is what the FASTA
has there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from zoo.errors import InputError
from zoo.genome.assembly import alias_map, guess_assembly
from zoo.genome.checks import check_names
from zoo.genome.fasta import Genome
from zoo.genome.region_rows import LineNumbers, Problem, error_of
from zoo.variants.alleles.bases import bases_of
from zoo.variants.alleles.resolve import FIRST_BASE, KNOWN, Mismatch, agrees, is_breakend
from zoo.variants.reading.header import Layout
from zoo.variants.reading.indexed import name_in_commands
from zoo.variants.reading.reading import VariantFile
from zoo.variants.reading.rows import Row, check_rows
from zoo.words import counted

__all__ = ["VariantSummary", "check_variants", "reference_notes"]

SHOWN = 3
#: Longer REF alleles are compared one by one.
LONGEST = 1 << 10
#: More mismatches than this share are said to look like another assembly: of random bases three in four differ.
OTHER_SHARE, OTHER_LEAST = 0.4, 5
#: Of the mismatches: if REF is the next base in more, positions seem to count from 0. By chance it is in a third.
SHIFTED_SHARE = 0.9

_UPPER = np.frombuffer(bytes.maketrans(b"abcdefghijklmnopqrstuvwxyzU", b"ABCDEFGHIJKLMNOPQRSTTVWXYZT"), np.uint8)
#: (256,) bool: letters that are compared with the genome.
_COMPARED = np.isin(np.arange(256), [ord(one) for one in "ACGT"])
#: Ambiguity code -> what REF has there.
_REDUCED = np.arange(256, dtype=np.uint8)
for _code, _base in FIRST_BASE.items():
    _REDUCED[ord(_code)] = ord(_base)


@dataclass
class VariantSummary:
    """What the check of a whole file found.

    Attributes:
        records: rows. alleles: ALT alleles; a row whose ALT is ``.`` counts one.
        chrom_counts: name as written -> rows. first_line: name -> line of its first row.
        aliases: names of the file -> contigs of the FASTA, for names that are not contigs themselves.
        mismatches: rows whose REF the genome has not. swapped: of them, those with an ALT that it has.
        uneven: of the mismatches, those with an ALT of another length than REF.
        first_mismatches: the first three: where, chromosome, position from 1, REF, ALT, what the genome has.
        sorted: whether each chromosome is one block of rows with ascending positions, as an index wants it.
        imprecise: rows with a symbolic ALT whose place INFO calls IMPRECISE.
        undeclared: names that no ``##contig`` declares, where none is declared at all.
        info_names: fields that INFO of some row has, of those that begin with a prefix that was asked about.
        notes: what the user should know.
    """

    records: int = 0
    alleles: int = 0
    chrom_counts: Counter[str] = field(default_factory=Counter)
    first_line: dict[str, int] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    mismatches: int = 0
    swapped: int = 0
    uneven: int = 0
    first_mismatches: list[tuple[str, str, int, str, str, str]] = field(default_factory=list)
    sorted: bool = True
    imprecise: int = 0
    undeclared: list[str] = field(default_factory=list)
    info_names: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def check_variants(
    file: VariantFile,
    genome: Genome,
    *,
    translate: bool = False,
    mismatch: Mismatch = "stop",
    any_genome: bool = False,
    limit: int | None = None,
    prefix: str | None = None,
) -> VariantSummary:
    """Check all rows, and compare REF with the genome, ignoring case.

    Args:
        translate: join chromosome names of different styles (chr1, 1, NC_000001.11).
        mismatch: ``"stop"`` raises where a REF is not the genome's; otherwise it is counted.
        any_genome: take a header of another assembly for the genome's.
        limit: check this many rows only.
        prefix: fields of INFO that begin with it are looked for in the rows, since a header may not declare them.

    Raises:
        InputError: a malformed row, a chromosome that the FASTA lacks, a position past its end, a header of another
            assembly, no row at all; or mismatches, with the first three of them and how many are swapped.
    """
    return _Check(file, genome, translate, any_genome, prefix).run(mismatch, limit)


def _name(field_of_info: str) -> str:
    return field_of_info.partition("=")[0]


class _Check:
    """One pass over a file."""

    def __init__(
        self, file: VariantFile, genome: Genome, translate: bool, any_genome: bool, prefix: str | None
    ) -> None:
        self.file, self.genome, self.bases = file, genome, bases_of(genome)
        self.translate, self.any_genome, self.prefix = translate, any_genome, prefix
        self.summary = VariantSummary()
        self.problems: dict[str, Problem] = {}
        self._numbers: dict[str, int] = {}  # name as written -> contig, -1 where there is none
        self._right = 0  # mismatches whose REF stands one base further right
        self._begun: set[str] = set()
        self._last = ("", -1)  # name and position of the last row

    def run(self, mismatch: Mismatch, limit: int | None) -> VariantSummary:
        summary, file = self.summary, self.file
        self._check_assembly()
        for rows, lines in file.blocks(self.problems, limit):
            if rows:
                self._block(rows, lines)
        if self.problems:
            wrong_width = sum(self.problems[one].count for one in ("columns", "blanks") if one in self.problems)
            raise error_of(self.problems, summary.records + wrong_width, file.where, "variant")
        if not summary.records:
            raise InputError(
                f"{file.label}: no variants" + (" in the regions" if file.has_regions else ""),
                "its header is whole, and no row follows it" if not file.has_regions else "",
                "Fix: " + ("give other regions" if file.has_regions else "give a file that has rows"),
            )
        sizes = self.genome.sizes | {name: self.genome.sizes[contig] for name, contig in summary.aliases.items()}
        check_names(summary.chrom_counts, summary.first_line, self.genome, sizes, where=file.where, one="variant")
        if summary.mismatches and mismatch == "stop":
            raise self._mismatch_error()
        self._note_header()
        return summary

    def _block(self, rows: list[Row], lines: LineNumbers) -> None:
        layout, summary = self.file.header.layout, self.summary
        summary.records += len(rows)
        right = check_rows(rows, lines, layout, self.problems)
        if not right:
            return
        rows, numbers = [rows[i] for i in right], [lines[i] for i in right]
        names = [row[layout.chrom] for row in rows]
        for name, line in zip(names, numbers, strict=True):
            if name not in self._numbers:
                self._new_name(name, line)
        summary.chrom_counts.update(names)
        summary.alleles += sum(row[layout.alt].count(",") + 1 for row in rows)
        if layout.info is not None:
            summary.imprecise += sum(
                "IMPRECISE" in row[layout.info].split(";") for row in rows if "<" in row[layout.alt]
            )
            if self.prefix is not None:
                found = {one for row in rows if self.prefix in row[layout.info] for one in row[layout.info].split(";")}
                summary.info_names |= {name for name in map(_name, found) if name.startswith(self.prefix)}
        contigs = np.array([self._numbers[name] for name in names], dtype=np.int64)
        positions = np.array([int(row[layout.pos]) - 1 for row in rows], dtype=np.int64)
        self._order(names, positions)
        inside = self._inside(rows, numbers, contigs, positions, layout)
        if len(inside):
            self._compare([rows[i] for i in inside], [numbers[i] for i in inside], contigs[inside], positions[inside])

    def _new_name(self, name: str, line: int) -> None:
        """Find the contig of a name that is met for the first time; what the header says of it must be true."""
        number = self.bases.number(name)
        if number < 0 and self.translate:
            contig = alias_map([name], self.genome.sizes).get(name)
            if contig is not None:
                self.summary.aliases[name] = contig
                number = self.bases.number(contig)
        self._numbers[name] = number
        self.summary.first_line[name] = line
        declared = self.file.header.contigs
        if not declared:
            self.summary.undeclared.append(name)
        elif name not in declared:
            raise InputError(
                f"{self.file.where(line)}: chromosome {name!r} is not declared in the header",
                f"which declares {counted(len(declared), 'chromosome')}: {', '.join(list(declared)[:4])}"
                f"{', ...' if len(declared) > 4 else ''}",
                f"Fix: declare the chromosomes of the FASTA: bcftools reheader --fai {self.genome.path}.fai "
                f"{name_in_commands(self.file.label)} > new.vcf",
            )
        length = declared.get(name)
        if number >= 0 and length is not None and length != self.bases.length(number) and not self.any_genome:
            raise self._other_assembly(name, length, number)

    def _order(self, names: list[str], positions: np.ndarray) -> None:
        """Whether the rows go on in the order that an index wants."""
        if not self.summary.sorted:
            return
        name, last = self._last
        for at in [0, *(np.flatnonzero(np.array(names[1:], dtype=object) != np.array(names[:-1], dtype=object)) + 1)]:
            if names[at] != name:
                self.summary.sorted &= names[at] not in self._begun
                name = names[at]
                self._begun.add(name)
            elif at == 0:
                self.summary.sorted &= bool(positions[0] >= last)
        same = np.array([one == other for one, other in pairwise(names)], dtype=bool)
        self.summary.sorted &= not bool((same & (np.diff(positions) < 0)).any())
        self._last = names[-1], int(positions[-1])

    def _inside(
        self, rows: list[Row], numbers: list[int], contigs: np.ndarray, positions: np.ndarray, layout: Layout
    ) -> np.ndarray:
        """Rows whose REF lies in a chromosome of the FASTA; others are noted."""
        sizes = np.where(contigs >= 0, self.genome.lengths(np.maximum(contigs, 0)), -1)
        ends = positions + np.array([len(row[layout.ref]) for row in rows], dtype=np.int64)
        wrong = (contigs >= 0) & ((positions < 0) | (ends > sizes))
        for i in np.flatnonzero(wrong):
            row, size = rows[i], int(sizes[i])
            if (positions[i] < 0 or positions[i] == size) and all(map(is_breakend, row[layout.alt].split(","))):
                continue  # position 0 and the one behind the last are telomeres, which breakends may join
            where = f"{row[layout.chrom]}:{int(positions[i]) + 1}"
            reach = "is" if positions[i] >= size else f"with REF of {counted(len(row[layout.ref]), 'base')} reaches"
            problem = Problem(
                numbers[i],
                f"{where} {reach} past the end of {row[layout.chrom]} ({size:,} bp in the FASTA)",
                "give the FASTA that the variants were called on, or remove the rows",
            )
            self.problems.setdefault("past", problem).count += 1
        return np.flatnonzero((contigs >= 0) & ~wrong)

    def _compare(self, rows: list[Row], numbers: list[int], contigs: np.ndarray, positions: np.ndarray) -> None:
        """Count rows whose REF is not the genome's."""
        at = self.file.header.layout.ref
        lengths = np.array([len(row[at]) for row in rows], dtype=np.int64)
        differ = np.zeros(len(rows), dtype=bool)
        width = 1
        while width <= LONGEST:  # REFs of 1, 2, 3 to 4, 5 to 8, ... bases at once
            some = np.flatnonzero((lengths <= width) & (lengths > width // 2))
            if len(some):
                text = b"".join(rows[i][at].encode().ljust(width) for i in some)
                refs = _UPPER[np.frombuffer(text, np.uint8)].reshape(-1, width)
                there = _UPPER[self.genome.gather(contigs[some], positions[some], width)]
                differ[some] = (_COMPARED[refs] & (refs != there) & (refs != _REDUCED[there])).any(1)
            width *= 2
        for i in np.flatnonzero(lengths > LONGEST):
            ref = rows[i][at].upper()
            there = self.bases.read(int(contigs[i]), int(positions[i]), int(positions[i]) + len(ref))
            differ[i] = not agrees(ref, there)
        for i in np.flatnonzero(differ):
            self._mismatch(rows[i], numbers[i], int(contigs[i]), int(positions[i]))

    def _mismatch(self, row: Row, line: int, contig: int, pos: int) -> None:
        summary, layout = self.summary, self.file.header.layout
        summary.mismatches += 1
        alts = row[layout.alt].upper().split(",")
        swapped = any(KNOWN.issuperset(alt) and self.bases.read(contig, pos, pos + len(alt)) == alt for alt in alts)
        summary.swapped += swapped
        ref = row[layout.ref].upper()
        summary.uneven += any(KNOWN.issuperset(alt) and len(alt) != len(ref) for alt in alts)
        self._right += self.bases.read(contig, pos + 1, pos + 1 + len(ref)) == ref
        if len(summary.first_mismatches) < SHOWN:
            there = self.bases.read(contig, pos, pos + len(ref))
            shown = tuple(_short(text) for text in (row[layout.ref], row[layout.alt], there))
            summary.first_mismatches.append((self.file.where(line), row[layout.chrom], pos + 1, *shown))

    # ------------------------------------------------------------ errors and notes

    def _mismatch_error(self) -> InputError:
        summary = self.summary
        (where, chrom, pos, ref, alt, there), *more = summary.first_mismatches
        others = "; ".join(f"{at}: {name}:{n} {a}>{b}, genome {c}" for at, name, n, a, b, c in more)
        have = "has" if summary.records == 1 else "have"
        extent = f"{summary.mismatches:,} of {counted(summary.records, 'variant')} {have} such a REF"
        extent += f" (also {others})" if others else ""
        extent += f"; in {summary.swapped:,} of {summary.mismatches:,} ALT is what the genome has (swapped)"
        fix = ""
        strange = summary.mismatches - summary.swapped
        if summary.mismatches >= OTHER_LEAST and self._right > SHIFTED_SHARE * summary.mismatches:
            extent += f"; in {self._right:,} REF is what stands one base further right: positions seem to count from 0"
            fix = "add 1 to each position, if the file counts from 0; or "
        elif strange >= OTHER_LEAST and strange > OTHER_SHARE * summary.records:
            extent += "; so many differ where the FASTA is of another assembly"
        return InputError(
            f"{where}: REF of {chrom}:{pos} {ref}>{alt} is not the genome's, which has {there}",
            extent,
            f"Fix: {fix}give the FASTA that the variants were called on; or --ref-mismatch skip (no score for these), "
            "or --ref-mismatch as-given (REF is written over the genome, ALT minus REF keeps its sign)",
        )

    def _check_assembly(self) -> None:
        """The header must not name another assembly than that of the FASTA."""
        header, sizes = self.file.header, self.genome.sizes
        ours = guess_assembly(sizes)
        if self.any_genome or ours is None:
            return
        lengths = {name: length for name, length in header.contigs.items() if length is not None}
        theirs = guess_assembly(lengths) if lengths else None
        if theirs is None and not any(length == sizes.get(name) for name, length in lengths.items()):
            named = [name for name in header.assemblies if name != ours]
            theirs = named[0] if len(named) == len(header.assemblies) and named else None
        if theirs is not None and theirs != ours:
            raise InputError(
                f"{self.file.label}: its header is of {theirs}, and {self.genome.path} is {ours}",
                "positions of one assembly are other bases in the other",
                f"Fix: give the FASTA of {theirs}, or --any-genome if the header is wrong",
            )

    def _other_assembly(self, name: str, length: int, number: int) -> InputError:
        contigs, sizes = self.file.header.contigs, self.genome.sizes
        both = [(one, sizes[one]) for one in contigs if one in sizes and contigs[one] is not None]
        differ = sum(contigs[one] != size for one, size in both)
        theirs = guess_assembly({one: n for one, n in contigs.items() if n is not None}) or next(
            iter(self.file.header.assemblies), None
        )
        ours = guess_assembly(sizes)
        fasta = f"of {theirs}" if theirs and theirs != ours else "that the variants were called on"
        is_of = f"; the header is of {theirs}" if theirs else ""
        is_of += f"; the FASTA is {ours}" if ours else ""
        return InputError(
            f"{self.file.label}: chromosome {name!r} has {length:,} bp in the header, and "
            f"{self.bases.length(number):,} bp in {self.genome.path}",
            f"{max(differ, 1)} of {counted(max(len(both), 1), 'chromosome')} differ{is_of}",
            f"Fix: give the FASTA {fasta}, or --any-genome if another one is meant",
        )

    def _note_header(self) -> None:
        summary, file = self.summary, self.file
        summary.notes += file.notes
        if file.crlf:
            summary.notes.append(f"{file.label}: its lines end as those of Windows (CR LF), and are read as others")
        if summary.imprecise:
            summary.notes.append(
                f"{counted(summary.imprecise, 'variant is', 'variants are')} IMPRECISE: what <DEL>, <DUP> and <INV> "
                "change is read from POS to END as they stand there"
            )
        if summary.undeclared and file.kind != "tsv" and not file.is_argument:
            summary.notes.append(
                f"{file.label}: its header declares no ##contig, so that nothing but REF was compared with the FASTA"
            )


def reference_notes(summary: VariantSummary, mismatch: Mismatch) -> list[str]:
    """What was done with rows whose REF is not the genome's, in sentences."""
    if not summary.mismatches:
        return []
    what = f"REF is not the genome's in {summary.mismatches:,} of {counted(summary.records, 'variant')}"
    swapped = f" (ALT is, in {summary.swapped:,} of them)" if summary.swapped else ""
    done = "they have no score" if mismatch == "skip" else "REF as given was written over the genome"
    notes = [f"{what}{swapped}: {done}"]
    if mismatch == "as-given" and summary.uneven:
        notes.append(
            f"{counted(summary.uneven, 'of these inserts or deletes', 'of these insert or delete')}: REF takes the "
            "place of as many bases of the genome, which is nobody's sequence where the genome has ALT"
        )
    return notes


def _short(text: str) -> str:
    return text if len(text) <= 20 else f"{text[:17]}..."
