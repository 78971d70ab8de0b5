"""``--saturate``: every substitution of the loci of a BED, as the rows of a VCF that is made of them.

All substitutions of a locus are read in one window, which has the locus in its centre. A locus that is longer than what
one window predicts is read in pieces of equal length, each in its own window.
"""

from __future__ import annotations

import bisect
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.genome.checks import check_regions
from zoo.genome.encode import BASES
from zoo.genome.intervals import RegionFile
from zoo.outputs import common_part
from zoo.variants.alleles.allele import Allele, Record
from zoo.variants.reading.reading import VariantFile
from zoo.variants.run.sharing import Resolved
from zoo.words import counted

if TYPE_CHECKING:
    from zoo.genome.fasta import Genome
    from zoo.genome.region_table import Regions
    from zoo.outputs import OutputSpec

__all__ = ["SaturatedLoci"]

#: Bases that a window keeps beside a piece, of the two that every change has beside it.
BESIDE = 4


class SaturatedLoci(VariantFile):
    """The substitutions of loci: a row a base, its ALT the three others; an unknown base has all four, and a status.

    Args:
        bed: loci; ``name``, where there is one, is the ID of their rows.
        genome: has the bases.
        translate: join chromosome names of different styles.

    Raises:
        InputError: no BED, or one of another genome; see ``zoo.genome.checks``.
    """

    def __init__(self, bed: Regions, genome: Genome, *, translate: bool = False) -> None:
        with RegionFile(bed) as regions:
            summary, aliases = check_regions(regions, genome, translate=translate)
            self._starts, self._firsts = [], []  # of each locus: on the genome, and the number of its first row
            file = tempfile.NamedTemporaryFile("w", suffix=".vcf", encoding="utf-8")  # noqa: SIM115 - close() does
            try:
                self._rows = _write(file, regions, genome, aliases, self._starts, self._firsts)
                file.flush()
                super().__init__(file.name)
            except BaseException:
                file.close()
                raise
            self._spool, self.label = file, regions.label
        self.notes += summary.notes
        self.is_argument = True
        self._most = max(self._rows, 1)

    def where(self, line: int) -> str:
        """How a row is named in messages."""
        return f"{self.label}, base {line - 2}"

    def lay(self, outputs: Sequence[OutputSpec], length: int, shifts: Sequence[int]) -> list[str]:
        """Decide the pieces, by what a window of ``length`` bp predicts; notes of loci that are longer.

        Args:
            shifts: bp that windows are moved by.
        """
        placed = all(spec.placed for spec in outputs)
        seen = min(common_part(outputs, length)[1] if placed else length, length - BESIDE)
        self._most = max(1, seen - (max(shifts) - min(shifts)))
        long = sum(size > self._most for size in self._sizes())
        if not long:
            return []
        are = "is" if long == 1 else "are"
        return [f"{counted(long, 'locus', 'loci')} {are} longer than {self._most:,} bp and read in several windows"]

    def place(self, records: Iterable[Resolved]) -> Iterator[tuple[Record, Sequence[Allele], int | None]]:
        """Records with the centres of their windows."""
        sizes = self._sizes()
        for record, alleles in records:
            locus = bisect.bisect_right(self._firsts, record.number) - 1
            pieces = -(-sizes[locus] // self._most)
            edges = [sizes[locus] * piece // pieces for piece in range(pieces + 1)]
            piece = bisect.bisect_right(edges, record.number - self._firsts[locus]) - 1
            yield record, alleles, self._starts[locus] + (edges[piece] + edges[piece + 1]) // 2

    def _sizes(self) -> list[int]:
        ends = [*self._firsts[1:], self._rows]
        return [end - first for first, end in zip(self._firsts, ends, strict=True)]


def _write(
    file: tempfile._TemporaryFileWrapper[str],
    regions: RegionFile,
    genome: Genome,
    aliases: dict[str, str],
    starts: list[int],
    firsts: list[int],
) -> int:
    """Write the rows; note where each locus begins; how many there are."""
    file.write("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
    rows = 0
    for chunk in regions.chunks():
        contigs = genome.numbers(chunk.chrom, aliases)
        for chrom, name, contig, start, end in zip(
            chunk.chrom, chunk.name, contigs, chunk.start.tolist(), chunk.end.tolist(), strict=True
        ):
            starts.append(start)
            firsts.append(rows)
            letters = genome.gather(np.array([contig]), np.array([start], dtype=np.int64), end - start)
            for place, ref in enumerate(letters.tobytes().decode("ascii").upper(), start + 1):
                others = ",".join(base for base in BASES if base != ref)
                file.write(f"{chrom}\t{place}\t{_id(name)}\t{ref}\t{others}\t.\t.\t.\n")
            rows += end - start
    return rows


def _id(name: str) -> str:
    """A name as the third column of a VCF takes it."""
    return "_".join(name.replace(";", "_").split()) or "."
