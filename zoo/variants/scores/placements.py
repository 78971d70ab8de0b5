"""An insertion or deletion in a repeat has several places that give one sequence; what is aligned depends on the place.

The sequence of ALT is the same wherever the indel is said to be, but which of its bases stands for which of the
reference is not, and so neither are differences base by base: an acceptor that ``A>AGGTTG`` loses and gains two bases
further on is, with the insertion written at the other end of the repeat, where it always was. So an indel is scored
as it is written, and as the leftmost and the rightmost of its places; ``Scores`` writes all, and says where the last
two disagree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.variants.alleles.allele import Allele
from zoo.variants.alleles.normalise import placements
from zoo.variants.windows.aligned import Aligned, Pair, Predicted

if TYPE_CHECKING:
    from zoo.genome.fasta import Genome
    from zoo.variants.scores.genes import Gene
    from zoo.variants.windows.windows import PairPlan

__all__ = ["Places", "places_of"]


@dataclass(frozen=True)
class Places:
    """What is read of an indel that has several places.

    Attributes:
        own: as it is written (after trimming).
        leftmost, rightmost: each with its allele; the window lies around the place.
    """

    own: Pair
    leftmost: tuple[Allele, Pair]
    rightmost: tuple[Allele, Pair]

    @property
    def sequences(self) -> tuple[bytes, ...]:
        """Those of all three; equal ones of them stand here again."""
        return self.own.sequences + self.leftmost[1].sequences + self.rightmost[1].sequences

    def join(self, predictions: Sequence[Predicted]) -> tuple[Aligned, tuple[tuple[Aligned, Allele], ...]]:
        """Predictions of ``sequences`` -> aligned as written, and what ``Scores.of`` takes as ``placed``."""
        at = len(self.own.sequences)
        own, placed = self.own.join(predictions[:at]), []
        for allele, pair in (self.leftmost, self.rightmost):
            end = at + len(pair.sequences)
            placed.append((pair.join(predictions[at:end]), allele))
            at = end
        return own, tuple(placed)


def places_of(
    plan: PairPlan, genome: Genome, allele: Allele, gene: Gene | None, own: Pair, centre: int | None = None
) -> Places | None:
    """The places of an allele, or None where it has one, or where one of them does not fit the window.

    Args:
        own: of ``plan.pair`` for the same allele and gene. centre: as it was given there.
    """
    if len(allele.edit.ref) == len(allele.edit.alt):
        return None
    edits = placements(genome, allele.contig, allele.edit, allele.written)
    if edits[0] == edits[1]:
        return None
    found = []
    for edit in edits:
        other = dataclasses.replace(allele, edit=edit)
        pair = own if edit == allele.edit else plan.pair(genome, other, gene, centre)
        if isinstance(pair, str):
            return None
        found.append((other, pair))
    return Places(own, *found)
