"""One run of a job of variants: into a file, to standard output, or into memory."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.progress import Notes, Progress, notebook_progress
from zoo.results.record import left_behind, record_beside
from zoo.run.file_run import JournaledRun
from zoo.run.job import inputs_of
from zoo.variants.alleles.allele import Allele, Record
from zoo.variants.ranks.ranks import kinds_of
from zoo.variants.run.counts import VariantCounts, counted_notes
from zoo.variants.run.job import VariantJob
from zoo.variants.run.returned import VariantResult, VariantScores
from zoo.variants.run.scorer import Row, Scorer
from zoo.variants.run.scoring import Scoring
from zoo.variants.run.sharing import Resolved
from zoo.variants.run.stream import score_records
from zoo.variants.writers.ranked import RankedStream, RankedWriter, ranked_rows, with_ranks
from zoo.variants.writers.stream import StreamWriter
from zoo.variants.writers.table import ScoredRecord, VariantContext, values_of
from zoo.words import counted

if TYPE_CHECKING:
    from zoo.writers.base import Writer

__all__ = ["VariantRun"]


class VariantRun:
    """One run.

    Args:
        context: what a writer is told.
        notes: is told what was met.
        progress: ``(total, done) -> Progress``; default a bar in a notebook.

    Attributes:
        seconds: of reading, computing and writing.
    """

    def __init__(
        self,
        job: VariantJob,
        context: VariantContext,
        notes: Notes,
        progress: Callable[[int, int], Progress] | None = None,
    ) -> None:
        self.job, self.context, self.notes = job, context, notes
        self._progress = progress or notebook_progress
        self._scoring = Scoring(job, notes, self._progress)
        self.seconds = 0.0
        self._resumed_after: int | None = None  # rows that an interrupted run had left

    def close(self) -> None:
        """Keep what was scored, also where the run ends early."""
        self._scoring.close()

    def planned(self) -> VariantResult:
        """Of a dry run."""
        counts = {
            "window_bp": self.job.model.length,
            "device": str(self._scoring.runner.device),
            "batch_size": self._scoring.runner.batch_size,
            "columns": [column.name for column in self.context.columns],
        }
        return VariantResult([], self.job.n_records, 0, 0, counts, self.notes.texts, dry_run=True)

    def returned(self) -> VariantScores:
        """All rows, in memory."""
        rows: list[Row] = []
        counts, context, scorer = self._counts(), self.context, self._scoring.scorer()
        ranks = self._scoring.ranks(scorer)
        self._go(scorer, counts, lambda batch: rows.extend(row for scored in batch for row in scored.rows))
        if ranks is not None:
            ranks.count(values_of(rows, len(context.columns)), kinds_of(rows))
            rows = ranked_rows(rows, ranks, len(context.columns))
            context = with_ranks(context, ranks.columns)
        found = counts.as_dict() | self._scoring.ranked_counts()
        self.notes.add(*counted_notes(found, self.job.model.length), *self._scoring.notes_at_end())
        return VariantScores(rows, context.columns, found, self.notes.texts, self.seconds, context)

    def to_stream(self, make: Callable[[VariantContext], StreamWriter]) -> VariantResult:
        """To standard output, as rows come; those with ranks when all are known."""
        counts, scorer = self._counts(), self._scoring.scorer()
        writer: StreamWriter | RankedStream
        if (ranks := self._scoring.ranks(scorer)) is not None:
            whole = with_ranks(self.context, ranks.columns)
            writer = RankedStream(make(whole), len(self.context.columns), ranks, self._scoring.second())
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
        scorer = self._scoring.scorer(keep_aligned=getattr(writer, "keeps_aligned", False))
        signature = job.signature(out, self._scoring.batch_size)
        if (ranks := self._scoring.ranks(scorer)) is not None:
            writer = RankedWriter(self.context, ranks, self._scoring.second(), make)
            signature["background_scores"] = ranks.sha256
        journaled = JournaledRun(job.model, writer, signature, job.options.resume)
        if journaled.state is not None:
            self._resumed_after = journaled.cursor
            self.notes.say(f"resuming after {counted(journaled.cursor, 'variant')}")
        elif job.options.resume:
            self.notes.say("nothing to resume; starting from the first variant")
        counts = self._counts(journaled.counts)
        earlier = counts.numbers["scored"]

        def write(batch: list[ScoredRecord]) -> None:
            writer.write(batch)
            rows = sum(len(scored.rows) for scored in batch)
            journaled.reached(batch[-1].record.number + 1, rows, counts.as_dict())

        left = job.n_records - journaled.cursor
        paths = journaled.write_all(lambda: self._go(scorer, counts, write, journaled.cursor), left)
        self.notes.add(*left_behind(out, paths), *getattr(writer, "notes", ()))
        result = self._result(paths, counts, earlier)
        self.notes.add(*self._record(out, result))
        return result

    def _counts(self, earlier: dict[str, Any] | None = None) -> VariantCounts:
        return VariantCounts(self.job.genome, self.job.model.length, earlier)

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
            job, copies = self.job, self._scoring.haplotypes
            records, alleles = (copies.records, copies.focals) if copies is not None else (job.records, job.alleles)
            score_records(records(0 if job.shares else start), alleles, scorer, write, bar.advance, placing)
        finally:
            self.seconds = time.monotonic() - began
            bar.clear()

    def _result(self, paths: list[Path], counts: VariantCounts, earlier: int = 0) -> VariantResult:
        found = counts.as_dict()
        at_end = self._scoring.notes_at_end(resumed=self._resumed_after is not None)
        self.notes.add(*counted_notes(found, self.job.model.length), *at_end)
        several = self.job.genes is not None or self.job.options.haplotypes is not None
        return VariantResult(
            paths,
            found["records"],
            found["rows"],
            found["scored"],
            found,
            self.notes.texts,
            self.seconds,
            earlier=earlier,
            row="row" if several else "ALT",
        )

    def _record(self, out: Path, result: VariantResult) -> list[str]:
        """Write OUT.run.json; return a note when that failed, as the result itself is whole."""
        job, ranked = self.job, self._scoring.ranked.columns if self._scoring.ranked is not None else ()
        record = job.record() | {
            "options": dataclasses.asdict(job.options),
            "device": str(self._scoring.runner.device),
            "batch_size": self._scoring.batch_size,
            "columns": [dataclasses.asdict(column) for column in (*self.context.columns, *ranked)],
            "counts": result.counts | self._computed(),
            "notes": result.notes,
            "files": [str(path) for path in result.paths],
            "seconds": round(result.seconds, 3),
        }
        return record_beside(out, record)

    def _computed(self) -> dict[str, Any]:
        """What was computed; of a resumed run by the name of its last part, since the others kept no count of it."""
        found = self._scoring.counts()
        if self._resumed_after is not None:
            found = {"since_resumed": {"after_records": self._resumed_after, **found}}
        return found | self._scoring.ranked_counts()
