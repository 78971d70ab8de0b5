"""Scores of a background, against which those of a file are ranked (``zoo.variants.ranks.ranks``).

``--background N``: N variants of each kind of change that the file has (``ranks.change_kinds``), since a row is ranked
among its own kind alone. They are drawn from the file's scorable ALTs of that kind, each at most once where
there are enough, else each equally often, and keep their alleles: so substitutions have the file's share of each
REF>ALT, insertions and deletions its lengths. The bases on either side of the alleles, as far as windows reach, are
shuffled, each side by itself, with every dinucleotide as often as before (``ranks.shuffle``); where a gene lies,
its strand and its exons stay where they are. The background of a kind is one for all variants of that kind.

``--background FILE``: the variants of another file, scored like those of the first, on the same genome. A kind of which
it has fewer than ``LEAST`` scores ranks nothing.

Scores are kept in the cache, under all that can change them: the same model, options, variants and seed are not
computed again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError, UsageError
from zoo.files import cache_folder, sha256_of
from zoo.genome.fasta import Genome
from zoo.genome.fasta_index import Contig
from zoo.paths import given_path
from zoo.progress import Progress
from zoo.results.record import genome_fingerprint
from zoo.results.whole import replacing
from zoo.variants.alleles.allele import Allele, Edit
from zoo.variants.alleles.reference import check_variants, reference_notes
from zoo.variants.alleles.resolve import alleles_of
from zoo.variants.ranks.change_kinds import change_kind, kind_text
from zoo.variants.ranks.shuffle import dinucleotide_shuffle
from zoo.variants.reading.reading import open_variants
from zoo.variants.run.conditions import conditions
from zoo.words import counted

if TYPE_CHECKING:
    from zoo.variants.options import VariantOptions
    from zoo.variants.run.job import VariantJob
    from zoo.variants.run.scorer import Scorer
    from zoo.variants.scores.genes import Gene, Genes

__all__ = [
    "LEAST",
    "Background",
    "BackgroundScores",
    "ShuffledGenes",
    "ShuffledGenome",
    "background_of",
    "drawn",
    "score_background",
]

#: bp beyond the window that a place in a repeat, a wide bin or an anchor may need.
MARGIN = 256
MOST = 1_000_000
#: Scores of a kind that another file must have: with fewer no p could be 0.05. Who gives a number chose it.
LEAST = 19
#: Shuffled sequences that are kept: windows of one variant are read several times in a row.
KEPT = 4

#: Raised whenever what is kept, or the kinds that are kept with it, changes.
KEPT_AS = 2

MakeProgress = Callable[[int, int], Progress]


@dataclass(frozen=True)
class Background:
    """What ``--background`` asks for.

    Attributes:
        n: variants of each kind to draw from the file itself; 0 where another file is given.
        path: of that file.
    """

    n: int = 0
    path: Path | None = None

    @property
    def least(self) -> int:
        """Scores of a kind that it must have, so that rows of that kind are ranked."""
        return 1 if self.path is None else LEAST


@dataclass(frozen=True)
class BackgroundScores:
    """What was scored of it.

    Attributes:
        values: (n, columns) float32, a row for each variant, and gene, that has scores.
        kinds: (n,) uint8, see ``zoo.variants.ranks.change_kinds``.
    """

    values: np.ndarray
    kinds: np.ndarray


def background_of(given: int | str | Path) -> Background:
    """``1000`` or a file.

    Raises:
        UsageError: no positive number, or one beyond a million. InputError: no such file.
    """
    if (isinstance(given, int) and not isinstance(given, bool)) or (isinstance(given, str) and given.isdecimal()):
        n = int(given)
        if not 1 <= n <= MOST:
            raise UsageError(
                f"--background {n}: is not between 1 and {MOST:,}",
                "p cannot be below 1 / (N + 1)",
                "Fix: --background 1000, say",
            )
        return Background(n)
    path = given_path(given)
    if not path.exists():
        raise InputError(
            f"--background {given}: no such file", "", "Fix: a VCF, BCF or TSV of variants, or a number of them"
        )
    return Background(0, path)


# ---------------------------------------------------------------- variants on shuffled flanks


def drawn(alleles: Iterable[Allele], n: int, seed: int) -> list[Allele]:
    """``n`` of the alleles of each kind that have an edit, in the order of the file; fewer are taken in turn.

    Every allele of a kind is as likely as any other (Vitter's algorithm R), and what is drawn of a kind does not depend
    on others; memory is that of ``n`` alleles a kind.
    """
    kept: dict[int, _Kept] = {}
    for allele in alleles:
        if allele.edit is not None and not allele.status:
            kind = change_kind(allele.edit)
            if kind not in kept:
                kept[kind] = _Kept(n, np.random.default_rng((seed, n, kind)))
            kept[kind].add(allele)
    return [allele for kind in sorted(kept) for allele in kept[kind].in_turn()]


class _Kept:
    """``n`` of what was added, at random."""

    def __init__(self, n: int, random: np.random.Generator) -> None:
        self._n, self._random, self._met = n, random, 0
        self._kept: list[tuple[int, Allele]] = []

    def add(self, allele: Allele) -> None:
        if self._met < self._n:
            self._kept.append((self._met, allele))
        elif (place := int(self._random.integers(0, self._met + 1))) < self._n:
            self._kept[place] = (self._met, allele)
        self._met += 1

    def in_turn(self) -> list[Allele]:
        found = [allele for _, allele in sorted(self._kept, key=lambda item: item[0])]
        return [found[i % len(found)] for i in range(self._n)]


class ShuffledGenome(Genome):
    """A genome of one contig a variant: its alleles' bases in the middle, shuffled ones around.

    Args:
        genome: of the variants.
        alleles: with an edit each.
        flank: bp on either side.
        seed: of the shuffles, with the variant's number and side.

    Attributes:
        alleles: the same changes, on these contigs.
    """

    def __init__(self, genome: Genome, alleles: Sequence[Allele], flank: int, seed: int) -> None:
        lengths = [2 * flank + len(allele.edit.ref) for allele in alleles]
        super().__init__(genome.path, [Contig(f"shuffled_{i}", n, 0, n, n + 1) for i, n in enumerate(lengths)])
        self._genome, self._origins, self.flank, self._seed = genome, alleles, flank, seed
        self._kept: dict[int, bytes] = {}
        self.alleles = [
            dataclasses.replace(
                allele, contig=i, edit=Edit(flank, allele.edit.ref, allele.edit.alt), written=None, status=""
            )
            for i, allele in enumerate(alleles)
        ]

    def _gather_inside(self, numbers: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        rows = [
            np.frombuffer(self._letters(number), np.uint8, length, start)
            for number, start in zip(numbers.tolist(), starts.tolist(), strict=True)
        ]
        return np.stack(rows) if rows else np.empty((0, length), np.uint8)

    def _letters(self, number: int) -> bytes:
        found = self._kept.get(number)
        if found is None:
            edit, contig = self._origins[number].edit, self._origins[number].contig
            sides = [self._side(contig, at, (self._seed, number, side)) for side, at in enumerate(self._ends(edit))]
            found = edit.ref.encode().join(sides)
            while len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[number] = found
        return found

    def _ends(self, edit: Edit) -> tuple[int, int]:
        """Where the two sides begin."""
        return edit.start - self.flank, edit.end

    def _side(self, contig: int, start: int, seed: tuple[int, ...]) -> bytes:
        letters = self._genome.gather(np.array([contig]), np.array([start], dtype=np.int64), self.flank)
        return dinucleotide_shuffle(letters.tobytes().upper(), seed)


class ShuffledGenes:
    """The genes of the places that a ``ShuffledGenome`` was made of, in its coordinates."""

    def __init__(self, genes: Genes, origins: Sequence[Allele], flank: int) -> None:
        self._genes, self._origins, self._flank = genes, origins, flank

    def at(self, contig: int, start: int, end: int) -> list[Gene]:
        """As ``Genes.at``."""
        origin = self._origins[contig]
        moved = origin.edit.start - self._flank
        found = self._genes.at(origin.contig, start + moved, end + moved)
        return [_moved(gene, contig, -moved) for gene in found]


def _moved(gene: Gene, contig: int, by: int) -> Gene:
    return dataclasses.replace(
        gene,
        contig=contig,
        start=gene.start + by,
        end=gene.end + by,
        exons=tuple((start + by, end + by) for start, end in gene.exons),
        acceptors=tuple(at + by for at in gene.acceptors),
        donors=tuple(at + by for at in gene.donors),
    )


# ---------------------------------------------------------------- its scores


def score_background(
    job: VariantJob,
    wanted: Background,
    scorer_on: Callable[[Genome, Any], Scorer],
    *,
    batch_size: int,
    machine: dict[str, Any],
    progress: MakeProgress,
) -> tuple[BackgroundScores, list[str]]:
    """Scores of the background, from the cache or computed.

    Args:
        job: of the file that is ranked.
        scorer_on: a genome, and genes of it or None -> what scores by the run's model and options.
        batch_size, machine: see ``zoo.variants.run.conditions``.
        progress: ``(total, done) -> Progress``.

    Returns:
        What was scored, and sentences for the user.

    Raises:
        InputError: no variant of the other file has scores; and as the run itself, about that file.
    """
    with contextlib.ExitStack() as stack:
        if wanted.path is None:
            source: _Source = _Drawn(job, wanted.n)
        else:
            source = _Other(job, wanted.path, stack)
        key = _key(job, source, batch_size, machine)
        found = _cached(key)
        computed = found is None
        if found is None:
            found = _computed(source, scorer_on, len(job.scores.columns), progress)
            _keep(key, found)
    if wanted.path is not None and not len(found.values):
        raise InputError(
            f"--background {wanted.path}: no variant of it could be scored",
            f"{counted(source.n, 'ALT')} in it",
            "Fix: variants of this genome, or --background 1000 for shuffled flanks",
        )
    few = _says_few(wanted)
    return found, [*source.notes, _says(job.options, wanted, source.n, found.kinds, computed), *few]


def _says_few(wanted: Background) -> list[str]:
    """That a small number allows no small p."""
    if wanted.path is not None or wanted.n >= LEAST:
        return []
    least = f"1/{wanted.n + 1} = {1 / (wanted.n + 1):.2g}"
    return [f"--background {wanted.n}: no p can be below {least}; {LEAST} are the fewest by which one can be 0.05"]


def _says(options: VariantOptions, wanted: Background, n: int, kinds: np.ndarray, computed: bool) -> str:
    what = (
        f"{counted(n, 'ALT')} of {wanted.path}"
        if wanted.path is not None
        else f"{counted(wanted.n, 'variant')} of each kind of this file on shuffled flanks, seed {options.seed}"
    )
    scored = Counter(kinds.tolist())
    each = ", ".join(f"{kind_text(kind)} {scored[kind]:,}" for kind in sorted(scored))
    rows = (
        f"rows with scores, each kind ranked by itself: {each}" if each else "none has scores, so that none has ranks"
    )
    return f"background: {what}; {rows}{'' if computed else ' (computed before)'}"


class _Source:
    """Where a background comes from.

    Attributes:
        n: alleles. notes: sentences for the user. identity: what makes it this one, for the cache.
    """

    n: int
    notes: list[str]
    identity: dict[str, Any]

    def rows(self, scorer_on: Callable[[Genome, Any], Scorer]) -> Iterator[Any]:
        raise NotImplementedError


class _Drawn(_Source):
    def __init__(self, job: VariantJob, n: int) -> None:
        self._job, self.notes = job, []
        self._origins = drawn((one for record in job.records() for one in job.alleles(record)), n, job.options.seed)
        self.n = len(self._origins)
        longest = max((len(one.edit.ref) + len(one.edit.alt) for one in self._origins), default=0)
        self._flank = job.model.length + max(map(abs, job.plan.shifts)) + longest + MARGIN
        digest = hashlib.sha256()
        for one in self._origins:
            digest.update(f"{one.contig}\t{one.edit.start}\t{one.edit.ref}\t{one.edit.alt}\n".encode())
        self.identity = {"drawn": digest.hexdigest(), "seed": job.options.seed, "flank": self._flank}

    def rows(self, scorer_on: Callable[[Genome, Any], Scorer]) -> Iterator[Any]:
        job = self._job
        genome = ShuffledGenome(job.genome, self._origins, self._flank, job.options.seed)
        genes = ShuffledGenes(job.genes, self._origins, self._flank) if job.genes is not None else None
        return scorer_on(genome, genes).score(genome.alleles)


class _Other(_Source):
    def __init__(self, job: VariantJob, path: Path, stack: contextlib.ExitStack) -> None:
        options = job.options
        self._job, self._file = job, stack.enter_context(open_variants(path))
        self._summary = check_variants(
            self._file,
            job.genome,
            translate=options.translate_chroms,
            mismatch=options.ref_mismatch,
            any_genome=options.any_genome,
        )
        told = [*self._summary.notes, *reference_notes(self._summary, options.ref_mismatch)]
        self.notes = [f"--background {path}: {note}" for note in told]
        self.n = self._summary.alleles
        self.identity = {
            "file": sha256_of(self._file.path),
            "ref_mismatch": options.ref_mismatch,
            "normalise": options.normalise,
            "max_length": options.max_length,
        }

    def rows(self, scorer_on: Callable[[Genome, Any], Scorer]) -> Iterator[Any]:
        job, options = self._job, self._job.options
        alleles = (
            allele
            for record in self._file.records()
            for allele in alleles_of(
                record,
                job.genome,
                self._summary.aliases,
                mismatch=options.ref_mismatch,
                normalise=options.normalise,
                max_length=options.max_length,
            )
        )
        return scorer_on(job.genome, job.genes).score(alleles)


def _computed(
    source: _Source, scorer_on: Callable[[Genome, Any], Scorer], columns: int, progress: MakeProgress
) -> BackgroundScores:
    bar = progress(source.n, 0)
    bar.noun = "background variant"
    found, kinds, last = [], [], None
    try:
        for row in source.rows(scorer_on):
            if row.values is not None:
                found.append(row.values)
                kinds.append(change_kind(row.allele.edit))
            if row.allele is not last:
                last = row.allele
                bar.advance(1)
    finally:
        bar.clear()
    values = np.stack(found) if found else np.empty((0, columns), np.float32)
    return BackgroundScores(values, np.array(kinds, np.uint8))


# ---------------------------------------------------------------- kept in the cache


def _key(job: VariantJob, source: _Source, batch_size: int, machine: dict[str, Any]) -> Path | None:
    """Where the scores are kept; None for a model that was not loaded from files."""
    if not job.model.hashes:
        return None
    genome = json.dumps(genome_fingerprint(job.genome.sizes, job.genome.path))
    of = conditions(job.model, job.options, job.scores.columns, genome, batch_size=batch_size, machine=machine)
    name = hashlib.sha256(json.dumps([KEPT_AS, of, source.identity], sort_keys=True).encode()).hexdigest()
    return cache_folder() / "backgrounds" / f"{name}.npz"


def _cached(path: Path | None) -> BackgroundScores | None:
    if path is None or not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as kept:
            values, kinds = kept["values"].astype(np.float32), kept["kinds"].astype(np.uint8)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # damaged: it is computed again
        return None
    return BackgroundScores(values, kinds) if values.ndim == 2 and kinds.shape == values.shape[:1] else None


def _keep(path: Path | None, found: BackgroundScores) -> None:
    if path is None:
        return
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, no result
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, shared=True) as partial, open(partial, "wb") as file:
            np.savez(file, values=found.values, kinds=found.kinds)
