"""The variants of one copy of a chromosome together, beside the sum of each alone: ``--haplotypes SAMPLE``.

A row is a variant that the sample carries, its *focal* variant, on one copy (haplotype 1, 2, ...), in one gene where
genes are scored. Its window is the one in which the focal variant would be scored alone. In it, ALT has all variants of
the same copy; the row's score is that of ALT against the plain reference, and beside it stand the sum of the scores of
the same variants each alone, all in this same window, and the difference: what they do together and not apart.

Which variants are together:

- Of a heterozygous focal variant, those that are phased with it: ``|`` in GT, and the same PS, or none in both.
- Homozygous ones, phased or not, are on each copy. A homozygous focal variant goes with the phase set of the nearest
  phased heterozygous one in its window, the left one of two.
- Those that lie wholly in the window, further from its ends than all insertions and deletions in it move bases.
- Heterozygous variants that are not phased, or of another phase set, are left out and counted (``left_out``), and so
  are rows whose genotype on this copy is not known. As focal variants, those not phased have the status ``unphased``.
- Where two variants of a copy change the same base, or one has no sequence, there is a status and no score. ``*`` is
  what the deletion that it stands for already does.

The file must be sorted; only what lies within a window of the focal variant is held.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError, UsageError
from zoo.variants.alleles.allele import Allele, Edit, Record
from zoo.variants.reading.genotype import genotype
from zoo.variants.run.scorer import Row, Scorer
from zoo.variants.scores.scores import Column
from zoo.variants.windows.aligned import Pair, Predicted
from zoo.variants.windows.changes import Changes
from zoo.variants.writers.table import NO_NUMBER
from zoo.words import counted, did_you_mean

if TYPE_CHECKING:
    from zoo.variants.reading.reading import VariantFile
    from zoo.variants.scores.genes import Gene

__all__ = ["ADDITIVE", "TEXTS", "Carried", "Focal", "HaplotypeScorer", "Haplotypes", "haplotype_columns", "sample_of"]

#: Scores of which a sum over variants means something.
ADDITIVE = {"diff", "log2fc", "logit"}
#: Columns behind those of the change.
TEXTS = ("haplotype", "phase_set", "variants", "left_out")
#: All copies, however many there are.
ANY = range(1, 1 << 20)
#: Statuses of an ALT that leaves the sequence as it is.
NO_CHANGE = ("same", "missing")
PIECE = "{chrom}:{pos}:{ref}>{alt}"


def sample_of(file: VariantFile, name: str) -> int:
    """Number of a sample.

    Raises:
        UsageError: the file has no such sample.
    """
    samples = file.header.samples
    if name in samples:
        return samples.index(name)
    has = f"{counted(len(samples), 'sample')}: {', '.join(samples[:4])}{', ...' if len(samples) > 4 else ''}"
    raise UsageError(
        f"--haplotypes {name}: {file.label} has no such sample",
        did_you_mean(name, samples) or (has if samples else "it has no samples"),
        f"Fix: --haplotypes {samples[0]}" if samples else "Fix: a VCF or BCF with phased genotypes",
    )


def _chosen(columns: Sequence[Column]) -> list[int]:
    """Columns of a variant as it is written, those that say where left out: several variants have no one place."""
    return [
        i for i, one in enumerate(columns) if not one.integer and not one.name.endswith(("_leftmost", "_rightmost"))
    ]


def haplotype_columns(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The scores of all variants together; of differences also the sum of each alone, and what is left."""
    kept = [columns[i] for i in _chosen(columns)]
    found = [
        dataclasses.replace(one, description=f"{one.description}; all variants of the copy together") for one in kept
    ]
    added = [one for one in kept if one.score in ADDITIVE]
    says = {"sum": "each variant of the copy alone in this window, summed up", "beyond_sum": "together less the sum"}
    for part, text in says.items():
        found += [
            dataclasses.replace(one, name=f"{one.name}_{part}", description=f"{one.name}: {text}") for one in added
        ]
    return tuple(found)


# ---------------------------------------------------------------- who carries what


@dataclass(frozen=True)
class Carried:
    """An ALT that the sample has.

    Attributes:
        allele: with its edit, or a status.
        copies: haplotypes that have it, from 1.
        everywhere: whether all copies have it.
        phased: whether the copies are known.
        phase_set: of PS; None where the row names none.
        unknown: copies on which the row's genotype is not known (``.``); only with the first ALT of a row.
    """

    allele: Allele
    copies: tuple[int, ...]
    everywhere: bool
    phased: bool
    phase_set: str | None
    unknown: Container[int] = ()

    @property
    def start(self) -> int:
        """0-based first base that is touched."""
        return self.allele.edit.start if self.allele.edit is not None else self.allele.record.pos

    @property
    def end(self) -> int:
        """0-based half-open end of it."""
        allele = self.allele
        if allele.edit is not None:
            return allele.edit.end
        return max(allele.record.end or 0, allele.record.pos + len(allele.record.ref))


@dataclass(frozen=True)
class Focal:
    """One row to be scored.

    Attributes:
        allele: the focal variant.
        haplotype: copy, from 1; 0 where it is not known.
        phase_set: that was put together; None where PS is not used.
        together: variants of the copy in the window, by place, the focal one among them; empty with a status.
        left_out: rows in the window of which nobody knows whether their variant is on this copy.
        status: why there is no score.
    """

    allele: Allele
    haplotype: int
    phase_set: str | None
    together: tuple[Allele, ...]
    left_out: int = 0
    status: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns of ``TEXTS``."""
        return (
            str(self.haplotype or NO_NUMBER),
            self.phase_set or ".",
            ",".join(map(_text, self.together)) or ".",
            str(self.left_out),
        )


def _text(allele: Allele) -> str:
    edit = allele.edit
    return PIECE.format(chrom=allele.record.chrom, pos=edit.start + 1, ref=edit.ref, alt=edit.alt)


def carried(record: Record, alleles: Sequence[Allele], sample: int) -> list[Carried]:
    """The ALTs of a row that a sample has; ``*`` is another row's, and not one.

    Where a copy is not known and no ALT is carried, one of no copies says so.
    """
    if not record.alts:
        return []
    found = genotype(record, sample)
    if found is None or all(number is None for number in found.alleles):
        return [Carried(alleles[0], (), False, False, None, ANY)]
    unknown = tuple(copy for copy, number in enumerate(found.alleles, 1) if number is None)
    kept: list[Carried] = []
    for allele in alleles:
        copies = tuple(copy for copy, number in enumerate(found.alleles, 1) if number == allele.index + 1)
        if copies and allele.status != "overlapping_deletion":
            everywhere = len(copies) == len(found.alleles)
            phased = found.phased or everywhere
            kept.append(Carried(allele, copies, everywhere, phased, found.phase_set, () if kept else unknown))
    if unknown and not kept:
        kept.append(Carried(alleles[0], (), False, found.phased, found.phase_set, unknown))
    return kept


class Haplotypes:
    """The rows of a sample, focal variant by focal variant, in the order of the file.

    Args:
        records: from the first on.
        alleles: of a record.
        sample: number of the sample.
        window: focal allele -> 0-based half-open window in which it would be scored.
        length: bp of it.

    Attributes:
        rows, unknown: rows that the sample carries, and those whose genotype is missing, of what was read so far.
    """

    def __init__(
        self,
        records: Callable[[], Iterable[Record]],
        alleles: Callable[[Record], Sequence[Allele]],
        sample: int,
        window: Callable[[Allele], tuple[int, int]],
        length: int,
    ) -> None:
        self._records, self._alleles, self._sample = records, alleles, sample
        self._window, self._length = window, length
        self._ready: dict[int, list[Focal]] = {}
        self.rows = self.unknown = 0

    def records(self, start: int = 0) -> Iterator[Record]:
        """The rows that the sample carries, from number ``start`` on; ``focals`` has what is to be scored of each."""
        for record, focals in self._stream():
            if record.number >= start:
                self._ready[record.number] = focals
                yield record

    def notes(self, name: str) -> list[str]:
        """What the user should know, once all was read.

        Args:
            name: of the sample.
        """
        found = []
        if self.unknown:
            rows = counted(self.unknown, "row has", "rows have")
            found.append(f"{rows} no genotype of {name}: counted as left out of the windows around")
        if not self.rows:
            found.append(f"{name} carries none of the variants")
        return found

    def focals(self, record: Record) -> list[Focal]:
        """Of a row that ``records`` has just given."""
        return self._ready.pop(record.number)

    def _stream(self) -> Iterator[tuple[Record, list[Focal]]]:
        """Rows with what is to be scored of them, once all that can stand in their windows was read."""
        near: deque[Carried] = deque()  # within reach of what waits
        waiting: deque[tuple[Record, list[Carried]]] = deque()
        for record in self._records():
            while waiting and self._is_past(waiting[0][0], record):
                yield self._emit(waiting, near)
            found = carried(record, self._alleles(record), self._sample)
            if not waiting:
                self._forget(near, record)
            near.extend(found)
            self.unknown += any(one.unknown is ANY for one in found)
            if mine := [one for one in found if one.copies]:
                self.rows += 1
                waiting.append((record, mine))
        while waiting:
            yield self._emit(waiting, near)

    def _is_past(self, first: Record, now: Record) -> bool:
        """Whether a row lies behind all windows of another."""
        return now.chrom != first.chrom or now.pos > first.pos + len(first.ref) + self._length

    def _emit(self, waiting: deque[tuple[Record, list[Carried]]], near: deque[Carried]) -> tuple[Record, list[Focal]]:
        record, mine = waiting.popleft()
        self._forget(near, record)
        beside = [one for one in near if one.allele.record.chrom == record.chrom]
        return record, [focal for one in mine for focal in self._of(one, beside)]

    def _forget(self, near: deque[Carried], record: Record) -> None:
        """Drop what cannot stand in the windows of a row and of those behind it."""
        # Long deletions that begin before the window reach into it: the longest that windows hold is twice its length.
        reach = record.pos - 2 * self._length
        while near and (near[0].allele.record.chrom != record.chrom or near[0].end < reach):
            near.popleft()

    def _of(self, one: Carried, beside: Sequence[Carried]) -> list[Focal]:
        if one.allele.edit is None:
            return [Focal(one.allele, copy, None, (), status=one.allele.status) for copy in one.copies]
        if not one.phased:
            return [Focal(one.allele, 0, None, (), status="unphased")]
        low, high = self._window(one.allele)
        inside = [other for other in beside if other.start < high and other.end > low]
        phase_set = one.phase_set if not one.everywhere else _nearest_set(one, inside)
        return [self._on(one, copy, phase_set, inside, low, high) for copy in one.copies]

    def _on(
        self, one: Carried, copy: int, phase_set: str | None, inside: Sequence[Carried], low: int, high: int
    ) -> Focal:
        known, left_out = [], 0
        for other in inside:
            if other is one or other.everywhere:
                known.append(other)
            elif copy in other.unknown:
                left_out += 1
            elif not other.copies:
                continue
            elif not other.phased or other.phase_set != phase_set:
                left_out += 1
            elif copy in other.copies:
                known.append(other)
        if _is_unknown(known):
            return Focal(one.allele, copy, phase_set, (), left_out, "unknown_neighbour")
        together = _that_fit(one, known, low, high)
        status = "" if _are_apart([other.allele.edit for other in together]) else "overlapping_variants"
        alleles = tuple(other.allele for other in together)
        return Focal(one.allele, copy, phase_set, alleles, left_out, status)


def _is_unknown(known: Sequence[Carried]) -> bool:
    """Whether nobody can write the copy: one of its variants has no sequence."""
    return any(other.allele.edit is None and other.allele.status not in NO_CHANGE for other in known)


def _nearest_set(one: Carried, inside: Sequence[Carried]) -> str | None:
    sets = [other for other in inside if other.copies and other.phased and not other.everywhere]
    return min(sets, key=lambda other: (abs(other.start - one.start), other.start)).phase_set if sets else None


def _that_fit(one: Carried, known: Sequence[Carried], low: int, high: int) -> list[Carried]:
    """Without those so near the ends of the window that insertions and deletions could move them out."""
    known = [other for other in known if other.allele.edit is not None]
    moved = sum(abs(len(other.allele.edit.alt) - len(other.allele.edit.ref)) for other in known)
    first, last = low + moved, high - moved
    kept = [other for other in known if other is one or (other.start > first and other.end < last)]
    return sorted(kept, key=lambda other: (other.start, other.end))


def _are_apart(edits: Sequence[Edit]) -> bool:
    try:
        Changes(edits)
    except InputError:
        return False
    return True


# ---------------------------------------------------------------- their scores


@dataclass(frozen=True)
class _Task:
    """One row before it is computed: all variants together, then each alone."""

    focal: Focal
    gene: Gene | None
    status: str = ""
    pairs: tuple[Pair, ...] = field(default=())

    @property
    def sequences(self) -> Sequence[bytes]:
        """What the network is asked for."""
        return tuple(sequence for pair in self.pairs for sequence in pair.sequences)


class HaplotypeScorer(Scorer):
    """Scores focal variants with all that stands on their copy. Arguments as of ``Scorer``."""

    def __init__(self, *others: Any) -> None:
        super().__init__(*others)
        columns = self.scores.columns
        self._chosen = _chosen(columns)
        self._added = [i for i in self._chosen if columns[i].score in ADDITIVE]

    def tasks(self, focal: Focal, centre: int | None = None) -> Iterator[_Task]:  # type: ignore[override]
        """What is to be computed of a focal variant on one copy; its own base is the centre."""
        if focal.status:
            yield _Task(focal, None, focal.status)
        elif self.genes is None:
            yield self._one(focal, None)
        else:
            genes = self.scores.genes_of(self.genes, focal.allele)
            if not genes:
                yield _Task(focal, None, "no_gene")
            for gene in genes:
                yield self._one(focal, gene)

    def _one(self, focal: Focal, gene: Gene | None) -> _Task:
        allele, edits = focal.allele, [other.edit for other in focal.together]
        alone = [[edit] for edit in edits] if len(edits) > 1 else []
        written = [other.written for other in focal.together if other.written is not None]
        pairs = []
        for some in (edits, *alone):
            found = self.plan.pair_edits(self.genome, allele.contig, allele.edit.start, some, gene, written)
            if isinstance(found, str):
                return _Task(focal, gene, found)
            pairs.append(found)
        return _Task(focal, gene, "", tuple(pairs))

    def row(self, task: _Task, predictions: Sequence[Predicted]) -> Row:  # type: ignore[override]
        """The scores of a task."""
        focal = task.focal
        if not task.pairs:
            return Row(focal.allele, task.gene, task.status, None, 0, None, texts=focal.texts)
        found, at = [], 0
        for pair in task.pairs:
            end = at + len(pair.sequences)
            found.append(self.scores.of(pair.join(predictions[at:end]), focal.allele, task.gene))
            at = end
        together, *alone = found
        added = together[self._added]
        total = np.sum([one[self._added] for one in alone], axis=0, dtype=np.float64) if alone else added
        values = np.concatenate([together[self._chosen], total, added - total]).astype(np.float32)
        pair = task.pairs[0]
        return Row(focal.allele, task.gene, "", pair.start, pair.unknown, values, texts=focal.texts)
