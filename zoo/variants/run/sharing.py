"""Where windows stand that several variants share: neighbours, or all substitutions of a locus.

A model answers for what lies around a base, and its answer for a base away from the centre is another one, if a similar
one: so windows are shared where it is asked for, and only there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from zoo.errors import UsageError
from zoo.variants.alleles.allele import Allele, Record
from zoo.variants.options import VariantOptions

__all__ = ["Placing", "Resolved", "check_sharing", "each_its_own", "neighbours"]

#: A record and its alleles.
Resolved = tuple[Record, Sequence[Allele]]
#: Gives records, in their order, with the position of the genome that their windows are centred on; None: their own.
Placing = Callable[[Iterable[Resolved]], Iterator[tuple[Record, Sequence[Allele], int | None]]]

#: Records of a window at most: what waits in memory.
MOST = 4096


def each_its_own(records: Iterable[Resolved]) -> Iterator[tuple[Record, Sequence[Allele], int | None]]:
    """Every variant in the centre of a window of its own."""
    return ((record, alleles, None) for record, alleles in records)


def neighbours(within: int) -> Placing:
    """Windows that are shared by consecutive variants of a chromosome whose first bases lie within so many bp.

    The middle of their first bases is centred, so that none stands further than half of ``within`` from where a window
    of its own would have it. Variants in another order than the genome's are taken as they come.
    """

    def place(records: Iterable[Resolved]) -> Iterator[tuple[Record, Sequence[Allele], int | None]]:
        group: list[Resolved] = []
        contig = low = high = None
        for record, alleles in records:
            starts = [allele.edit.start for allele in alleles if allele.edit is not None]
            if starts:
                own = next(allele.contig for allele in alleles if allele.edit is not None)
                fits = contig == own and max(high, *starts) - min(low, *starts) <= within
                if contig is not None and not (fits and len(group) < MOST):
                    yield from _centred(group, (low + high) // 2)
                    group, contig = [], None
                known = [] if contig is None else [low, high]
                low, high, contig = min(*known, *starts, starts[0]), max(*known, *starts, starts[0]), own
            elif len(group) >= MOST:
                yield from _centred(group, None if contig is None else (low + high) // 2)
                group, contig = [], None
            group.append((record, alleles))
        yield from _centred(group, None if contig is None else (low + high) // 2)

    return place


def _centred(group: list[Resolved], centre: int | None) -> Iterator[tuple[Record, Sequence[Allele], int | None]]:
    return ((record, alleles, centre) for record, alleles in group)


def check_sharing(options: VariantOptions) -> None:
    """Refuse what does not go with windows that are shared.

    Raises:
        UsageError: names both options.
    """
    flag = "--saturate" if options.saturate is not None else "--share-window"
    if options.saturate is None and options.share_window is None:
        return
    if options.saturate is not None and options.share_window is not None:
        raise UsageError(
            "--saturate with --share-window",
            "all substitutions of a locus share a window already",
            "Fix: leave out --share-window",
        )
    if options.saturate is not None and options.regions is not None:
        raise UsageError("--saturate with --regions", "its BED says which regions", "Fix: leave out --regions")
    for name, why in (
        ("store", "its scores are of variants in the centre of a window"),
        ("background", "its scores are of variants in the centre of a window"),
        ("haplotypes", "they have windows of their own"),
    ):
        if getattr(options, name) is not None:
            raise UsageError(f"{flag} with --{name}", why, f"Fix: leave out --{name}, or {flag}")
