"""The genome contract: regions, FASTA and model must speak of the same chromosomes.

All of it is checked from names and lengths, before a model is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from zoo.errors import InputError
from zoo.genome.assembly import (
    alias_map,
    chrom_style,
    compare_lengths,
    guess_assembly,
    load_assembly,
)
from zoo.genome.fasta import Genome
from zoo.genome.intervals import RegionFile, RegionSummary
from zoo.genome.library import KeptGenome, kept_genome
from zoo.words import counted, counted_of, did_you_mean, near_names

if TYPE_CHECKING:
    from zoo.cards.schema import Card

__all__ = ["check_assembly", "check_names", "check_regions", "training_note"]


def check_regions(
    regions: RegionFile, genome: Genome, *, translate: bool, limit: int | None = None, summits: bool = False
) -> tuple[RegionSummary, dict[str, str]]:
    """Check all regions against the genome.

    Args:
        translate: join chromosome names of different styles (chr1, 1, NC_000001.11).
        limit: look at this many regions only.
        summits: read the summits of a narrowPeak, which every row must have.

    Returns:
        The summary, and a map of region-file names to contigs for names that are not contigs themselves.

    Raises:
        InputError: a malformed row, a region past its chromosome's end, another naming style, or an
            unknown chromosome.
    """
    aliases: dict[str, str] = {}
    if translate:
        names = regions.scan(limit=limit, summits=summits).chrom_counts
        joined = alias_map(list(names), genome.sizes)
        aliases = {name: contig for name, contig in joined.items() if name != contig}
    sizes = genome.sizes | {name: genome.sizes[contig] for name, contig in aliases.items()}
    summary = regions.scan(sizes, limit, summits)
    check_names(summary.chrom_counts, summary.first_line, genome, sizes, where=lambda line: f"{regions.label}:{line}")
    return summary, aliases


def check_names(
    counts: Mapping[str, int],
    first_line: Mapping[str, int],
    genome: Genome,
    sizes: Mapping[str, int],
    *,
    where: Callable[[int], str],
    one: str = "region",
) -> None:
    """Refuse names of chromosomes that are none of the genome's.

    Args:
        counts: name -> rows that have it. first_line: name -> line of the first.
        sizes: lengths of the genome's contigs, and of names that are joined with them.
        where: line -> how it is named in the error. one: what a row is.

    Raises:
        InputError: the names are of another style, or of other chromosomes.
    """
    unknown = [name for name in counts if name not in sizes]
    if not unknown:
        return
    first = min(unknown, key=first_line.__getitem__)
    place = where(first_line[first])
    count, rows = sum(counts[name] for name in unknown), sum(counts.values())
    chromosomes = "a chromosome" if count == 1 else "chromosomes"
    extent = f"{counted_of(count, rows, one, 'are')} on {chromosomes} that the FASTA lacks"
    if len(unknown) > 1:
        extent += f" ({counted(len(unknown), 'name')}: {_some(unknown)})"
    joinable = alias_map(unknown, genome.sizes)
    if joinable:
        joined = first if first in joinable else min(joinable, key=first_line.__getitem__)
        written = repr(joinable[joined]) + ("" if joined == first else f" for {joined!r}")
        if left := [name for name in unknown if name not in joinable]:
            extent += f"; --translate-chroms knows all of them but {counted(len(left), 'name')}: {_some(left)}"
        raise InputError(
            f"{place}: chromosome {first!r} is not in {genome.path}, which writes {written}: "
            "the names are of another style",
            extent,
            "Fix: add --translate-chroms, or rename the chromosomes in one of the files",
        )
    if (kept := kept_genome(genome.path)) and _is_missing_of(kept, first):
        raise InputError(
            f"{place}: chromosome {first!r} is not in the genome of {kept.assembly} that `zoo genome add` kept",
            f"{extent}; it is from {kept.source}",
            "Fix: remove the rows; or give with -g, or with `zoo genome remove "
            f"{kept.assembly}` and `zoo genome add {kept.assembly} --from FILE`, a FASTA that has it",
        )
    meant = did_you_mean(first, genome.sizes) if _is_a_typo(first, genome.sizes) else ""
    style = chrom_style(genome.sizes)
    raise InputError(
        f"{place}: chromosome {first!r} is not in {genome.path}",
        "; ".join(filter(None, (extent, meant))),
        f"Fix: use the FASTA that the {one}s were called on (this one has {_some(genome.sizes)}"
        f"{'' if style == 'unknown' else f'; {style} style'}), or remove the rows",
    )


def _is_missing_of(kept: KeptGenome, name: str) -> bool:
    """Whether a chromosome is one of the assembly that `zoo genome add` said is not in the kept file."""
    assembly = load_assembly(kept.assembly)
    chromosome = assembly.find(name) if assembly else None
    return chromosome is not None and chromosome.ucsc in kept.record.get("checked", {}).get("missing", ())


def _is_a_typo(name: str, known: Iterable[str]) -> bool:
    """Whether a near name may be meant: not where it is another chromosome, of another number (chr23, chr22)."""
    numbers = {_number(one) for one in (name, *near_names(name, known, 1))} - {""}
    return len(numbers) < 2


def _number(name: str) -> str:
    """Digits of a name, or the Roman numeral or letter behind ``chr``; "" where it is neither."""
    bare = name.lower().removeprefix("chr")
    digits = "".join(one for one in name if one.isdigit())
    return digits or (bare if set(bare) <= set("ivxmtyzw") else "")


def check_assembly(card: Card | None, genome: Genome) -> str | None:
    """Compare the FASTA's chromosome lengths with the assembly that the card names.

    Returns:
        A note for the user when nothing could be compared, else None.

    Raises:
        InputError: chromosomes have other lengths: it is another assembly.
    """
    if card is None or card.genome is None:
        return None
    assembly = load_assembly(card.genome.assembly)
    if assembly is None:
        return f"assembly {card.genome.assembly} is not in the table of known lengths; the genome was not checked"
    check = compare_lengths(assembly, genome.sizes)
    if check.differing:
        contig, expected, found = check.differing[0]
        guess = guess_assembly(genome.sizes)
        raise InputError(
            f"{genome.path}: {contig} has {found:,} bp; in {assembly.name}, which {card.name} was trained on, "
            f"it has {expected:,}",
            counted_of(len(check.differing), len(check.differing) + len(check.matching), "known chromosome", "differ")
            + _looks_like(guess, assembly.name),
            f"Fix: give the {assembly.name} FASTA, or --any-genome if another one is meant",
        )
    if not check.matching:
        return f"no contig of {genome.path.name} is a chromosome of {assembly.name}; the assembly was not checked"
    return None


def _looks_like(guess: str | None, wanted: str) -> str:
    if guess == wanted:
        return f"; the others are those of {wanted}: the file may be cut off"
    return f"; the file looks like {guess}" if guess else ""


def training_note(card: Card | None, chroms: Mapping[str, int], one: str = "region") -> str | None:
    """What to know before predictions are compared with measurements: regions on chromosomes of the training.

    Args:
        chroms: chromosome name -> number of regions.
        one: what a row is.
    """
    if card is None or card.training.splits is None or isinstance(card.training.splits.train, str):
        return None
    trained = set(card.training.splits.train)
    assembly = load_assembly(card.genome.assembly) if card.genome else None
    count = sum(n for name, n in chroms.items() if _is_one_of(name, trained, assembly))
    if not count:
        return None
    return (
        f"{counted_of(count, sum(chroms.values()), one, 'lie')} on chromosomes that {card.name} was trained on; "
        "agreement with measurements there flatters the model"
    )


def _is_one_of(name: str, trained: set[str], assembly: object) -> bool:
    if name in trained:
        return True
    chromosome = assembly.find(name) if assembly is not None else None
    return chromosome is not None and not trained.isdisjoint(chromosome.names)


def _some(names: Iterable[str], n: int = 4) -> str:
    names = list(names)
    return ", ".join(names[:n]) + (", ..." if len(names) > n else "")
