"""What scores the variants of a job: passes or the engine, a store of scores, a background, copies of a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zoo.errors import InputError
from zoo.progress import Notes, Progress
from zoo.variants.alleles.allele import Allele
from zoo.variants.ranks.background import background_of, score_background
from zoo.variants.ranks.ranks import Ranks
from zoo.variants.run.conditions import check_model, conditions, machine_of
from zoo.variants.run.engine import open_engine
from zoo.variants.run.haplotypes import Haplotypes, HaplotypeScorer, sample_of
from zoo.variants.run.job import VariantJob
from zoo.variants.run.scorer import Scorer
from zoo.variants.run.shared_passes import SharedPasses
from zoo.variants.run.store import Shelf, Store, StoredScorer
from zoo.variants.writers.ranked import Second
from zoo.words import counted

if TYPE_CHECKING:
    from zoo.genome.fasta import Genome
    from zoo.variants.run.passes import Passes

__all__ = ["Scoring"]


class Scoring:
    """The parts of a run that score, as its options ask for them.

    Args:
        notes: is told what a store does not have.
        progress: ``(total, done) -> Progress``, of the background.

    Attributes:
        runner: the model on its device.
        haplotypes: copies of a sample, where they are scored; else None.
        ranked: ranks among a background, once they were asked for.
    """

    def __init__(self, job: VariantJob, notes: Notes, progress: Callable[[int, int], Progress]) -> None:
        from zoo.models.loaded import Runner  # torch: not before the rows are checked
        from zoo.variants.run.steady import SteadyRunner

        options = job.options
        self.job, self.notes, self._progress = job, notes, progress
        self.runner = Runner(job.model, options.device, options.precision, options.rc_average, options.batch_size)
        self._steady: SteadyRunner | None = None
        self._store = Store(options.store, inputs=[job.file.path, job.genome.path]) if options.store else None
        if self._store is not None:
            check_model(job.model)
        self._shelf: Shelf | None = None
        self._passes: Passes | SharedPasses | None = None
        self.ranked: Ranks | None = None
        self.haplotypes = _haplotypes(job) if options.haplotypes is not None else None
        for name in ("regions", "limit"):
            if self.haplotypes is not None and getattr(options, name) is not None:
                notes.add(f"--haplotypes with --{name}: rows that are not read stand in no window")

    def scorer(self, keep_aligned: bool = False) -> Scorer:
        """What scores; the first call tries which size of batches gives the same bits for all its sequences."""
        from zoo.variants.run.passes import Passes
        from zoo.variants.run.steady import SteadyRunner

        job = self.job
        if job.shares:
            engine = open_engine(self.runner, job.plan.read)
            self._passes = SharedPasses(engine, job.summary.alleles)
            return Scorer(job.genome, job.plan, self._passes, job.scores, job.genes, keep_aligned=keep_aligned)
        self._steady = self._steady or SteadyRunner(self.runner, self._known_batch_size())
        self._passes = Passes(self._steady, job.plan.read)
        if self.haplotypes is not None:
            return HaplotypeScorer(job.genome, job.plan, self._passes, job.scores, job.genes)
        if self._store is None:
            return Scorer(job.genome, job.plan, self._passes, job.scores, job.genes, keep_aligned=keep_aligned)
        shelf = self._shelf = self._shelf or self._open_shelf(self._store)
        return StoredScorer(job.genome, job.plan, self._passes, job.scores, job.genes, shelf=shelf)

    @property
    def batch_size(self) -> int:
        """Sequences of a forward pass."""
        return self.runner.batch_size if self._steady is None else self._steady.batch_size

    def ranks(self, scorer: Scorer) -> Ranks | None:
        """Against the background that was asked for."""
        job = self.job
        if job.options.background is None:
            return None

        def scorer_on(genome: Genome, genes: Any) -> Scorer:
            if genome is job.genome:
                return scorer
            return Scorer(genome, job.plan, self._passes, job.scores, genes)

        wanted = background_of(job.options.background)
        found, notes = score_background(
            job,
            wanted,
            scorer_on,
            batch_size=self.batch_size,
            machine=machine_of(self.runner.device),
            progress=self._progress,
        )
        self.notes.add(*notes)
        self.ranked = Ranks(job.scores.columns, found.values, found.kinds, wanted.least)
        return self.ranked

    def second(self) -> Second:
        """The variants once more, for what waits until all is known."""
        job = self.job
        genes_of = job.scores.genes_of
        return Second(
            job.records, job.alleles, lambda allele: genes_of(job.genes, allele) if job.genes is not None else ()
        )

    def _known_batch_size(self) -> int | None:
        """What is remembered of the trial; None for a model that was not loaded from files."""
        from zoo.variants.run.steady import remembered, steady_batch_size

        model, options, runner = self.job.model, self.job.options, self.runner
        if not model.hashes:
            return None
        made_by = {
            "files": model.hashes,
            "at_most": runner.batch_size,
            "rc_average": options.rc_average,
            "precision": options.precision,
            "settings": options.settings,
            "machine": machine_of(runner.device),
        }
        return remembered(made_by, lambda: steady_batch_size(runner))

    def _open_shelf(self, store: Store) -> Shelf:
        job, columns = self.job, self.job.scores.columns
        key = conditions(
            job.model,
            job.options,
            columns,
            store.genome_sha256(job.genome),
            batch_size=self.batch_size,
            machine=machine_of(self.runner.device),
        )
        shelf = store.shelf(key, len(columns))
        self.notes.add(*store.notes_on(shelf))
        return shelf

    def counts(self) -> dict[str, Any]:
        """What was predicted, followed, found in a store and put into it by this process, for the record."""
        found: dict[str, Any] = {"sequences_predicted": self._passes.n_predicted}
        if self.job.shares:
            found["engine"] = self._passes.details()
        return found | self._stored()

    def ranked_counts(self) -> dict[str, Any]:
        """How many rows and background scores each kind has, where there is a background."""
        return {"background": self.ranked.as_dict()} if self.ranked is not None else {}

    def _stored(self) -> dict[str, int]:
        """Rows that the store had, and that it got."""
        if self._shelf is None:
            return {}
        self._shelf.flush()
        return {"from_store": self._shelf.found, "to_store": self._shelf.kept}

    def notes_at_end(self, resumed: bool = False) -> list[str]:
        """What the user should know of copies and of the store, once all is scored.

        Args:
            resumed: whether an earlier process did a part of it.
        """
        found = self.haplotypes.notes(self.job.options.haplotypes) if self.haplotypes is not None else []
        if self.ranked is not None:
            found = [*found, *self.ranked.notes()]
        if stored := self._stored():
            there = counted(stored["from_store"], "row was", "rows were")
            since = " since the run was resumed" if resumed else ""
            found = [*found, f"{self.job.options.store}: {there} there, {stored['to_store']:,} new{since}"]
        return found

    def close(self) -> None:
        """Keep what was scored, also where the run ends early."""
        if self._shelf is not None:
            self._shelf.close()
            self._store.update_list()


def _haplotypes(job: VariantJob) -> Haplotypes:
    """The rows of the sample.

    Raises:
        InputError: the rows are not sorted. UsageError: there is no such sample.
    """
    sample = sample_of(job.file, job.options.haplotypes)
    if not job.summary.sorted:
        raise InputError(
            f"--haplotypes: the rows of {job.file.label} are not sorted",
            "which variants stand in one window is only seen where they follow each other",
            "Fix: `bcftools sort FILE -Oz -o sorted.vcf.gz`",
        )

    def window(allele: Allele) -> tuple[int, int]:
        return job.plan.window(allele.edit.start)

    return Haplotypes(job.records, job.alleles, sample, window, job.model.length)
