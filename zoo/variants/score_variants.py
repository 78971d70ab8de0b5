"""``score_variants``: a model, variants and a genome in; a file of scores out, or rows in memory.

The order of work: read and check every row against the genome, load the model (``job``), then read, predict, score and
write at once (``stream``), as ``zoo.run.predict`` does for regions.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import InputError, UsageError
from zoo.models.entry import Entry
from zoo.progress import Notes, Progress, notebook_progress, warn
from zoo.results import check_out, left_behind, sole_writer, write_run_record
from zoo.run.file_run import JournaledRun
from zoo.run.job import inputs_of, opened
from zoo.variants.allele import Allele, Record
from zoo.variants.background import background_of, score_background
from zoo.variants.conditions import check_model, conditions, machine_of
from zoo.variants.counts import VariantCounts, counted_notes
from zoo.variants.engine import open_engine
from zoo.variants.haplotypes import TEXTS, Haplotypes, HaplotypeScorer, haplotype_columns, sample_of
from zoo.variants.job import VariantJob, default_prefix, opened_genome, prepare, scored_outputs
from zoo.variants.options import VariantOptions, variant_options
from zoo.variants.ranks import Ranks, no_ranks
from zoo.variants.reading import VariantFile, open_variants
from zoo.variants.returned import VariantResult, VariantScores
from zoo.variants.saturate import SaturatedLoci
from zoo.variants.scorer import Row, Scorer
from zoo.variants.shared_passes import SharedPasses
from zoo.variants.sharing import Resolved, check_sharing
from zoo.variants.status import STATUSES
from zoo.variants.store import Shelf, Store, StoredScorer
from zoo.variants.stream import score_records
from zoo.variants.writers import FORMATS, check_format, open_writer
from zoo.variants.writers.ranked import RankedStream, RankedWriter, Second, ranked_rows
from zoo.variants.writers.stream import StreamWriter
from zoo.variants.writers.table import ScoredRecord, VariantContext, own_columns, values_of
from zoo.words import counted

if TYPE_CHECKING:
    from zoo.genome.fasta import Genome
    from zoo.models.array_model import ArrayModel
    from zoo.models.loaded import LoadedModel
    from zoo.writers.base import Writer

__all__ = ["score_variants"]

MakeProgress = Callable[[int, int], Progress]


def score_variants(
    model: str | Path | Entry | LoadedModel | ArrayModel,
    variants: Any,
    genome: str | Path | None = None,
    out: str | Path | None = None,
    *,
    report: Callable[[str], None] | None = None,
    progress: MakeProgress | None = None,
    **options: Any,
) -> VariantResult | VariantScores:
    """Score variants by what they do to a model's predictions, and write the scores or return them.

    Args:
        model: as in ``zoo.predict``; one that reads a window of sequence.
        variants: VCF, BCF or a TSV with ``chrom, pos, ref, alt`` (``pos`` from 1), plain or gzip; ``-`` is standard
            input; ``"chr7:1000:A>G"``, or a list of such.
        genome: as in ``zoo.predict``.
        out: result; its suffix gives the format: ``.vcf .vcf.gz .bcf .tsv .tsv.gz .parquet .h5``; ``-`` is TSV on
            standard output. None: nothing is written, all rows are kept in memory and returned.
        report: called with each note for the user. Without one, and without ``out``, notes are Python's warnings.
        progress: ``(total, done) -> Progress``; default a bar in a notebook, nothing elsewhere.
        **options: see ``VariantOptions``.

    Returns:
        What was written and counted; without ``out`` the ``VariantScores`` (``.to_pandas()``).

    Raises:
        ZooError: see ``zoo.errors`` for the kinds; nothing is left under the final name.
    """
    chosen = variant_options(options)
    check_sharing(chosen)
    _check_haplotypes(chosen)
    if variants is not None and chosen.saturate is not None:
        raise UsageError(
            f"--saturate {chosen.saturate}: is given in place of VARIANTS, which are given too",
            "",
            "Fix: leave out one of them",
        )
    if variants is None and chosen.saturate is None:
        raise UsageError(
            "VARIANTS is missing: a VCF, BCF or TSV, - for standard input, or a variant",
            "",
            "Fix: `zoo variants yeast-atac calls.vcf -g sacCer3.fa`, or chrI:100000:A>G in place of the file",
        )
    given = opened(model, trust=chosen.trust)
    if chosen.store is not None:
        Store(chosen.store)
    neutral = background_of(chosen.background).path if chosen.background is not None else None
    if out is not None:
        inputs = [*inputs_of(model, variants, genome, chosen.settings), chosen.genes, chosen.saturate, neutral]
        out = _result_path(out, inputs, chosen)
    stdout = sys.stdout
    # What a model's Python prints is no part of the result, which may go to standard output.
    with _opened(variants, given, genome, chosen) as file, contextlib.redirect_stdout(sys.stderr):
        if chosen.haplotypes is not None:
            sample_of(file, chosen.haplotypes)
        job = prepare(given, file, genome, chosen)
        notes = Notes(report or (warn if out is None else None), job.notes)
        notes.keep(*job.recorded)
        context = _context(job, Path("-") if out is None else out)
        run = _Run(job, context, notes, progress)
        with contextlib.closing(run):
            if chosen.dry_run:
                return run.planned()
            if out is None:
                return run.returned()
            if str(out) == "-":
                return run.to_stream(lambda of: StreamWriter(of, stdout, chosen.format or "tsv"))
            with sole_writer(out):
                return run.to_file(lambda of: open_writer(of, chosen.format))


def _opened(
    variants: Any, model: Entry | LoadedModel | ArrayModel, genome: str | Path | None, options: VariantOptions
) -> VariantFile:
    """The variants; or every substitution of loci."""
    if options.saturate is None:
        return open_variants(variants, options.regions)
    _, fasta, translate = opened_genome(model, genome, options)
    with contextlib.closing(fasta):
        return SaturatedLoci(options.saturate, fasta, translate=translate)


def _check_haplotypes(options: VariantOptions) -> None:
    for name in ("background", "store"):
        if options.haplotypes is not None and getattr(options, name) is not None:
            raise UsageError(
                f"--haplotypes with --{name}",
                "the one scores several variants at once, the other each alone",
                f"Fix: one run with --haplotypes and one with --{name}",
            )


def _result_path(out: str | Path, inputs: list[Any], options: VariantOptions) -> Path:
    """What can be known of the result before the work; where it is written."""
    out = check_out(
        out, inputs=inputs, suffixes=() if options.format else tuple(FORMATS), what="scores of variants", stdout=True
    )
    if str(out) == "-" and options.resume:
        raise UsageError("--resume goes on with a file, not with standard output", "", "Fix: add -o OUT")
    written = check_format(out, options.format)
    if options.haplotypes is not None and written not in (".tsv", ".tsv.gz", ".parquet"):
        raise UsageError(
            f"--haplotypes gives a row a variant and copy, for which {written} has no place",
            "",
            "Fix: -o OUT.tsv, .tsv.gz or .parquet",
        )
    if written == ".h5":
        for name in ("store", "background"):
            if getattr(options, name) is not None:
                raise UsageError(
                    f"--{name} keeps scores; an .h5 also has the predictions of both alleles",
                    "",
                    f"Fix: leave out --{name}, or write .tsv.gz or .parquet",
                )
    return out


def _context(job: VariantJob, out: Path) -> VariantContext:
    """What a writer is told.

    Raises:
        UsageError: the format cannot hold these scores.
    """
    card = job.model.card
    about = {"model": f"{job.model.name} {card.version}" if card else job.model.name}
    about["seqzoo"] = importlib.metadata.version("seqzoo")
    names = [column.name for column in job.scores.columns]
    context = VariantContext(
        out,
        scored_outputs(job.plan, job.choice),
        job.genome.sizes,
        "error",
        {},
        columns=job.scores.columns if job.options.haplotypes is None else haplotype_columns(job.scores.columns),
        texts=() if job.options.haplotypes is None else TEXTS,
        own=own_columns(job.file.header, names) if job.file.kind == "tsv" else (),
        genes=job.genes is not None,
        length=job.model.length,
        header=job.file.header.lines if job.file.kind != "tsv" else (),
        prefix=default_prefix(job.model.name) if job.options.prefix is None else job.options.prefix,
        about=about,
        statuses=STATUSES,
        splicing=job.options.splicing,
    )
    if check_format(out, job.options.format) in (".vcf", ".vcf.gz", ".bcf"):
        from zoo.variants.writers.vcf import check_fields

        ranks = no_ranks(context.columns) if job.options.background is not None else ()
        check_fields(dataclasses.replace(context, columns=(*context.columns, *ranks)))
    return context


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


class _Run:
    """One run of a job: to a file, to standard output, or to memory."""

    def __init__(self, job: VariantJob, context: VariantContext, notes: Notes, progress: MakeProgress | None) -> None:
        from zoo.models.loaded import Runner  # torch: not before the rows are checked
        from zoo.variants.passes import Passes
        from zoo.variants.steady import SteadyRunner

        options = job.options
        self.job, self.context, self.notes = job, context, notes
        self.runner = Runner(job.model, options.device, options.precision, options.rc_average, options.batch_size)
        self._steady: SteadyRunner | None = None
        self._store = Store(options.store, inputs=[job.file.path, job.genome.path]) if options.store else None
        if self._store is not None:
            check_model(job.model)
        self._shelf: Shelf | None = None
        self._passes: Passes | SharedPasses | None = None
        self._progress = progress or notebook_progress
        self._ranks: Ranks | None = None
        self._haplotypes = _haplotypes(job) if options.haplotypes is not None else None
        for name in ("regions", "limit"):
            if self._haplotypes is not None and getattr(options, name) is not None:
                notes.add(f"--haplotypes with --{name}: rows that are not read stand in no window")
        self.seconds = 0.0

    def scorer(self, keep_aligned: bool = False) -> Scorer:
        """What scores; the first call tries which size of batches gives the same bits for all its sequences."""
        from zoo.variants.passes import Passes
        from zoo.variants.steady import SteadyRunner

        job = self.job
        if job.shares:
            engine = open_engine(self.runner, job.choice)
            self._passes = SharedPasses(engine, job.summary.alleles)
            return Scorer(job.genome, job.plan, self._passes, job.scores, job.genes, keep_aligned=keep_aligned)
        self._steady = self._steady or SteadyRunner(self.runner, self._known_batch_size())
        self._passes = Passes(self._steady, job.choice)
        if self._haplotypes is not None:
            return HaplotypeScorer(job.genome, job.plan, self._passes, job.scores, job.genes)
        if self._store is None:
            return Scorer(job.genome, job.plan, self._passes, job.scores, job.genes, keep_aligned=keep_aligned)
        shelf = self._shelf = self._shelf or self._open_shelf(self._store)
        return StoredScorer(job.genome, job.plan, self._passes, job.scores, job.genes, shelf=shelf)

    @property
    def _batch_size(self) -> int:
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

        values, notes = score_background(
            job,
            background_of(job.options.background),
            scorer_on,
            batch_size=self._batch_size,
            machine=machine_of(self.runner.device),
            progress=self._progress,
        )
        self.notes.add(*notes)
        self._ranks = Ranks(job.scores.columns, values)
        return self._ranks

    def _second(self) -> Second:
        """The variants once more, for what waits until all is known."""
        job = self.job
        genes_of = job.scores.genes_of
        return Second(
            job.records, job.alleles, lambda allele: genes_of(job.genes, allele) if job.genes is not None else ()
        )

    def _known_batch_size(self) -> int | None:
        """What is remembered of the trial; None for a model that was not loaded from files."""
        from zoo.variants.steady import remembered, steady_batch_size

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
            batch_size=self._batch_size,
            machine=machine_of(self.runner.device),
        )
        shelf = store.shelf(key, len(columns))
        self.notes.add(*store.notes_on(shelf))
        return shelf

    def _stored(self) -> dict[str, int]:
        """Scores that the store had, and that it got, for the record."""
        if self._shelf is None:
            return {}
        self._shelf.flush()
        return {"from_store": self._shelf.found, "to_store": self._shelf.kept}

    def _store_notes(self) -> list[str]:
        if not (stored := self._stored()):
            return []
        there = counted(stored["from_store"], "row was", "rows were")
        return [f"{self.job.options.store}: {there} there, {stored['to_store']:,} new"]

    def close(self) -> None:
        """Keep what was scored, also where the run ends early."""
        if self._shelf is not None:
            self._shelf.close()
            self._store.update_list()

    def _counts(self, earlier: dict[str, Any] | None = None) -> VariantCounts:
        return VariantCounts(self.job.genome, self.job.model.length, earlier)

    def planned(self) -> VariantResult:
        """Of a dry run."""
        counts = {
            "window_bp": self.job.model.length,
            "device": str(self.runner.device),
            "batch_size": self.runner.batch_size,
            "columns": [column.name for column in self.context.columns],
        }
        return VariantResult([], self.job.n_records, 0, 0, counts, self.notes.texts, dry_run=True)

    def _go(
        self,
        scorer: Scorer,
        counts: VariantCounts,
        consume: Callable[[list[ScoredRecord]], None],
        start: int = 0,
    ) -> None:
        bar = self._progress(self.job.n_records, start)
        bar.noun = "variant"
        began = time.monotonic()

        def write(batch: list[ScoredRecord]) -> None:
            for scored in batch:
                counts.add(scored.rows)
            consume(batch)

        def placing(records: Iterable[Resolved]) -> Iterator[tuple[Record, Sequence[Allele], int | None]]:
            # Where a window stands may depend on the rows before the first that is left to do.
            return (one for one in self.job.placing(records) if one[0].number >= start)

        try:
            job, copies = self.job, self._haplotypes
            records, alleles = (copies.records, copies.focals) if copies is not None else (job.records, job.alleles)
            score_records(records(0 if job.shares else start), alleles, scorer, write, bar.advance, placing)
            self.notes.add(*(copies.notes(job.options.haplotypes) if copies is not None else ()))
        finally:
            self.seconds = time.monotonic() - began
            bar.clear()

    def returned(self) -> VariantScores:
        """All rows, in memory."""
        rows: list[Row] = []
        counts, context, scorer = self._counts(), self.context, self.scorer()
        ranks = self.ranks(scorer)
        self._go(scorer, counts, lambda batch: rows.extend(row for scored in batch for row in scored.rows))
        if ranks is not None:
            ranks.count(values_of(rows, len(context.columns)))
            rows = ranked_rows(rows, ranks, len(context.columns))
            context = dataclasses.replace(context, columns=context.columns + ranks.columns)
        found = counts.as_dict()
        self.notes.add(*counted_notes(found, self.job.model.length), *self._store_notes())
        return VariantScores(rows, context.columns, found, self.notes.texts, self.seconds, context)

    def to_stream(self, make: Callable[[VariantContext], StreamWriter]) -> VariantResult:
        """To standard output, as rows come; those with ranks when all are known."""
        counts, scorer = self._counts(), self.scorer()
        writer: StreamWriter | RankedStream
        if (ranks := self.ranks(scorer)) is not None:
            whole = dataclasses.replace(self.context, columns=self.context.columns + ranks.columns)
            writer = RankedStream(make(whole), len(self.context.columns), ranks, self._second())
        else:
            writer = make(self.context)
        writer.open()
        self._go(scorer, counts, writer.write)
        writer.finish()
        return self._result([], counts)

    def to_file(self, make: Callable[[VariantContext], Writer]) -> VariantResult:
        """To a file, with a journal and a record."""
        job, out, writer = self.job, self.context.out, make(self.context)
        writer.check_finals(inputs_of(job.model, job.file.path, job.genome.path, job.options.settings))
        scorer = self.scorer(keep_aligned=getattr(writer, "keeps_aligned", False))
        signature = job.signature(out, self._batch_size)
        if (ranks := self.ranks(scorer)) is not None:
            writer = RankedWriter(self.context, ranks, self._second(), make)
            signature["background_scores"] = ranks.sha256
        journaled = JournaledRun(job.model, writer, signature, job.options.resume)
        if journaled.state is not None:
            self.notes.say(f"resuming after {counted(journaled.cursor, 'variant')}")
        elif job.options.resume:
            self.notes.say("nothing to resume; starting from the first variant")
        counts = self._counts(journaled.counts)

        def write(batch: list[ScoredRecord]) -> None:
            writer.write(batch)
            rows = sum(len(scored.rows) for scored in batch)
            journaled.reached(batch[-1].record.number + 1, rows, counts.as_dict())

        left = job.n_records - journaled.cursor
        paths = journaled.write_all(lambda: self._go(scorer, counts, write, journaled.cursor), left)
        self.notes.add(*left_behind(out, paths), *getattr(writer, "notes", ()))
        result = self._result(paths, counts)
        self.notes.add(*self._record(out, result))
        return result

    def _followed(self) -> dict[str, Any]:
        """How sequences of shared windows were predicted, for the record."""
        return {"engine": self._passes.details()} if self.job.shares else {}

    def _result(self, paths: list[Path], counts: VariantCounts) -> VariantResult:
        found = counts.as_dict()
        self.notes.add(*counted_notes(found, self.job.model.length), *self._store_notes())
        return VariantResult(
            paths, found["records"], found["rows"], found["scored"], found, self.notes.texts, self.seconds
        )

    def _record(self, out: Path, result: VariantResult) -> list[str]:
        """Write OUT.run.json; return a note when that failed, as the result itself is whole."""
        job, ranked = self.job, self._ranks.columns if self._ranks is not None else ()
        record = job.record() | {
            "options": dataclasses.asdict(job.options),
            "device": str(self.runner.device),
            "batch_size": self._batch_size,
            "columns": [dataclasses.asdict(column) for column in (*self.context.columns, *ranked)],
            "counts": result.counts
            | {"sequences_predicted": self._passes.n_predicted}
            | self._followed()
            | self._stored(),
            "notes": result.notes,
            "files": [str(path) for path in result.paths],
            "seconds": round(result.seconds, 3),
        }
        try:
            write_run_record(out, record)
        except OSError as error:
            return [f"{out}.run.json, the record of this run, could not be written: {error.strerror}"]
        return []
