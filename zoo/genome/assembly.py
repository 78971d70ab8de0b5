"""Which assembly a genome file is, and which names mean the same chromosome.

UCSC writes ``chr1``, Ensembl ``1``, RefSeq ``NC_000001.11`` and GenBank ``CM000663.2``. The
table in ``zoo/data/assemblies.json`` (made by ``scripts/make_assemblies.py``) holds the four
names and the length of each chromosome of the assemblies that are known; alternative loci,
patches and unplaced scaffolds are not in it. It is read when first needed, without numpy.
"""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = [
    "Assembly",
    "AssemblyCheck",
    "ChromStyle",
    "Chromosome",
    "alias_map",
    "aliases",
    "chrom_style",
    "compare_lengths",
    "guess_assembly",
    "known_assemblies",
    "load_assembly",
]

ChromStyle = Literal["ucsc", "plain", "refseq", "genbank", "unknown"]

_TABLE = Path(__file__).resolve().parents[1] / "data" / "assemblies.json"

_PATTERNS: tuple[tuple[ChromStyle, re.Pattern[str]], ...] = (
    ("ucsc", re.compile(r"chr\w+")),
    ("refseq", re.compile(r"N[CTWGZ]_\d+(\.\d+)?")),
    ("genbank", re.compile(r"[A-Z]{1,6}\d{5,}\.\d+")),
    ("plain", re.compile(r"\d{1,2}[LR]?|[IVX]+|[XYZWM]|MT|Mito")),
)

#: What files call the mitochondrion, lower case.
_MITO = frozenset({"chrm", "m", "mt", "chrmt", "mito", "mtdna", "mitochondrion", "mitochondrion_genome"})


@dataclass(frozen=True)
class Chromosome:
    """One chromosome of a known assembly.

    Attributes:
        ucsc: ``chr1``.
        plain: ``1`` as Ensembl writes it; None where the sequence has no such name.
        genbank, refseq: accession with its version; None where the table has none.
        length: bp.
        other: further names, e.g. ``Mito``.
    """

    ucsc: str
    plain: str | None
    genbank: str | None
    refseq: str | None
    length: int
    other: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every name of this chromosome, the UCSC one first."""
        named = (self.ucsc, self.plain, self.genbank, self.refseq, *self.other)
        return tuple(name for name in named if name)

    @property
    def is_mito(self) -> bool:
        return self.ucsc.lower() in _MITO


@dataclass(frozen=True)
class Assembly:
    """A known assembly: its name (``hg38``), synonyms (``GRCh38``) and chromosomes, in order."""

    name: str
    chromosomes: tuple[Chromosome, ...]
    synonyms: tuple[str, ...] = ()

    @functools.cached_property
    def _by_name(self) -> dict[str, Chromosome]:
        table = {name: chrom for chrom in self.chromosomes for name in chrom.names}
        for chrom in self.chromosomes:
            for accession in (chrom.genbank, chrom.refseq):
                if accession:
                    table.setdefault(accession.partition(".")[0], chrom)
        return table

    def find(self, name: str) -> Chromosome | None:
        """The chromosome of this name in any style, or None."""
        return self._by_name.get(name)

    def candidates(self, name: str) -> tuple[Chromosome, ...]:
        """Chromosomes that ``name`` may mean, likeliest first.

        Several only for a mitochondrion: hg19 has two (UCSC's chrM of 16,571 bp and the
        revised chrMT of 16,569 bp), and both are called chrM, M or MT somewhere.
        """
        exact = self.find(name)
        found = [exact] if exact else []
        if name.lower() in _MITO:
            found += [chrom for chrom in self.chromosomes if chrom.is_mito and chrom is not exact]
        return tuple(found)


@dataclass(frozen=True)
class AssemblyCheck:
    """How the contigs of a file compare with an assembly.

    Attributes:
        assembly: name of the assembly.
        matching: contigs whose length is the assembly's, as the file names them.
        differing: (contig, expected bp, found bp) for known chromosomes of another length.
        unknown: contigs that are no chromosome of the assembly under any name.
    """

    assembly: str
    matching: tuple[str, ...]
    differing: tuple[tuple[str, int, int], ...]
    unknown: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """No chromosome contradicts the assembly (there may be none to compare)."""
        return not self.differing


@functools.cache
def _assemblies() -> dict[str, Assembly]:
    table = json.loads(_TABLE.read_text(encoding="utf-8"))
    return {
        name: Assembly(
            name=name,
            chromosomes=tuple(Chromosome(*row[:-1], other=tuple(row[-1])) for row in entry["chromosomes"]),
            synonyms=tuple(entry["synonyms"]),
        )
        for name, entry in table["assemblies"].items()
    }


def known_assemblies() -> tuple[str, ...]:
    """Names of the assemblies in the table."""
    return tuple(_assemblies())


def load_assembly(name: str) -> Assembly | None:
    """The assembly of this name or synonym (``GRCh38``, ``grch38.p14``), or None when unknown."""
    wanted = re.sub(r"\.p\d+$", "", name.strip().lower())
    for assembly in _assemblies().values():
        if wanted in {known.lower() for known in (assembly.name, *assembly.synonyms)}:
            return assembly
    return None


def aliases(name: str) -> dict[str, Chromosome]:
    """What a chromosome name means: assembly name -> its chromosome of that name.

    An accession belongs to one assembly, ``chr1`` to nearly all; empty for an unknown name.
    """
    found = {key: assembly.find(name) for key, assembly in _assemblies().items()}
    return {key: chrom for key, chrom in found.items() if chrom is not None}


def _style(name: str) -> ChromStyle:
    """The style of one name by its form."""
    for style, pattern in _PATTERNS:
        if pattern.fullmatch(name):
            return style
    return "unknown"


def chrom_style(names: Iterable[str]) -> ChromStyle:
    """The naming style of most of ``names``.

    Names of known chromosomes decide alone where there are any: an Ensembl file has 25
    chromosomes in plain style and 169 scaffolds under GenBank accessions, and it is plain.
    """
    names = list(names)
    known = [name for name in names if aliases(name)]
    styles = Counter(_style(name) for name in known or names)
    return styles.most_common(1)[0][0] if styles else "unknown"


def compare_lengths(assembly: Assembly, available: Mapping[str, int]) -> AssemblyCheck:
    """Compare contig lengths with those of an assembly.

    Args:
        assembly: from ``load_assembly``.
        available: contig name in any style -> length in bp.
    """
    matching: list[str] = []
    differing: list[tuple[str, int, int]] = []
    unknown: list[str] = []
    for contig, length in available.items():
        candidates = assembly.candidates(contig)
        if not candidates:
            unknown.append(contig)
        elif any(chrom.length == length for chrom in candidates):
            matching.append(contig)
        else:
            differing.append((contig, candidates[0].length, length))
    return AssemblyCheck(assembly.name, tuple(matching), tuple(differing), tuple(unknown))


def guess_assembly(available: Mapping[str, int]) -> str | None:
    """The one assembly whose chromosomes have these names and lengths, or None.

    None as well when the file contradicts the best candidate more often than it agrees, and
    when several fit equally (a file of the human mitochondrion alone fits three).

    Args:
        available: contig name in any style -> length in bp.
    """
    fits: dict[str, int] = {}
    for assembly in _assemblies().values():
        check = compare_lengths(assembly, available)
        if len(check.matching) > len(check.differing):
            fits[assembly.name] = len(check.matching)
    best = [name for name, fit in fits.items() if fit == max(fits.values())]
    return best[0] if len(best) == 1 else None


def alias_map(wanted: Sequence[str], available: Mapping[str, int]) -> dict[str, str]:
    """Map chromosome names to the contigs of a FASTA that are the same chromosome.

    An identical name wins. Next, the lengths say which assembly the FASTA is, and its table
    joins the names. Where no assembly is recognised (a slice, another species), names are
    joined by form alone: with and without ``chr``, the names of a mitochondrion, and an
    accession with the chromosome that it stands for.

    Args:
        wanted: names as in a regions file, each at least once.
        available: contig name -> length in bp.

    Returns:
        wanted name -> contig. A name with no contig, or with more than one, is absent.
    """
    guessed = guess_assembly(available)
    assembly = _assemblies()[guessed] if guessed else None
    by_chromosome = _contigs_by_chromosome(assembly, available) if assembly else {}
    by_bare_name = _contigs_by_bare_name(available)
    found: dict[str, str] = {}
    for name in dict.fromkeys(wanted):
        if name in available:
            contig: str | None = name
        elif assembly and (chromosomes := _meant(assembly, name)):
            contig = _only([c for chrom in chromosomes for c in by_chromosome.get(chrom.ucsc, [])])
        elif assembly and _accession_of(name):
            contig = None  # an accession of another assembly: other coordinates
        else:
            contig = _only([c for c in by_bare_name.get(_bare(name), []) if _compatible(name, c)])
        if contig is not None:
            found[name] = contig
    return found


def _only(contigs: list[str]) -> str | None:
    return contigs[0] if len(contigs) == 1 else None


def _meant(assembly: Assembly, name: str) -> tuple[Chromosome, ...]:
    """What a name without a length means: the exact entry, or any mitochondrion for its nicknames."""
    exact = assembly.find(name)
    return (exact,) if exact else assembly.candidates(name)


def _contigs_by_chromosome(assembly: Assembly, available: Mapping[str, int]) -> dict[str, list[str]]:
    """UCSC name -> contigs of the file; the length chooses where a name may mean two."""
    contigs: dict[str, list[str]] = {}
    for contig, length in available.items():
        candidates = assembly.candidates(contig)
        if candidates:
            fitting = [chrom for chrom in candidates if chrom.length == length]
            contigs.setdefault((fitting or candidates)[0].ucsc, []).append(contig)
    return contigs


def _contigs_by_bare_name(available: Mapping[str, int]) -> dict[str, list[str]]:
    contigs: dict[str, list[str]] = {}
    for contig in available:
        contigs.setdefault(_bare(contig), []).append(contig)
    return contigs


@functools.cache
def _accession_of(name: str) -> frozenset[str]:
    """The assemblies that an accession belongs to; empty for a name that is no known accession."""
    if _style(name) not in ("refseq", "genbank"):
        return frozenset()
    return frozenset(aliases(name))


def _bare(name: str) -> str:
    """The name without its style: ``1`` for ``chr1`` and, where it is known, an accession of chr1."""
    if _accession_of(name):
        name = next(iter(aliases(name).values())).ucsc
    if name.lower() in _MITO:
        return "M"
    return name[3:] if name[:3].lower() == "chr" else name


def _compatible(name: str, contig: str) -> bool:
    """False for accessions of two assemblies: the same chromosome, but other coordinates."""
    left, right = _accession_of(name), _accession_of(contig)
    return not (left and right) or bool(left & right)
