"""A run that writes a file: journaled, resumable, and nothing under the final name until it is whole."""

from __future__ import annotations

import dataclasses
import errno
import time
from pathlib import Path
from typing import Any

from zoo.errors import InputError, SystemStateError, UsageError, ZooError
from zoo.genome.windows import WindowCounts
from zoo.journal import Journal, JournalState
from zoo.outputs import PredictionBatch
from zoo.progress import Progress
from zoo.run.job import PredictJob
from zoo.run.pipeline import BlockReader, predict_blocks
from zoo.run_record import genome_fingerprint
from zoo.store.checksums import sha256_of
from zoo.writers.base import Writer

__all__ = ["FileRun", "signature_of"]

CHECKPOINT_SECONDS = 10.0


class FileRun:
    """Writes a file with a journal, so that what is done survives an interruption."""

    def __init__(
        self, job: PredictJob, writer: Writer, journal: Journal, signature: dict[str, Any], state: JournalState | None
    ) -> None:
        self.job, self.writer, self.journal, self.signature, self.state = job, writer, journal, signature, state
        self.reader = job.reader(state.cursor if state else 0)
        if state:
            _restore_counts(self.reader, state.counts)
        self.cursor, self.rows = (state.cursor, state.rows) if state else (0, 0)
        self.counts = self.reader.counts.as_dict()
        self._saved = time.monotonic()

    def go(self, bar: Progress) -> list[Path]:
        if self.state is None:
            self.journal.remove()
        try:
            self.writer.open(self.state.writer if self.state else None)
            predict_blocks(iter(self.reader), self.job.runner, self.job.choice, self._write, bar.advance)
            paths = self.writer.finish()
        except BaseException as error:
            self._leave(error)
            if isinstance(error, OSError):
                raise _explain_os_error(error, self.writer.context.out, self.journal.path.exists()) from error
            raise
        self.journal.remove()
        return paths

    def _write(self, batch: PredictionBatch, cursor: int, counts: dict[str, Any]) -> None:
        if len(batch):
            self.writer.write(batch)
        self.cursor, self.rows, self.counts = cursor, self.rows + len(batch), counts
        if time.monotonic() - self._saved > CHECKPOINT_SECONDS:
            self._save()

    def _save(self) -> None:
        self.journal.save(JournalState(self.signature, self.cursor, self.rows, self.counts, self.writer.checkpoint()))
        self._saved = time.monotonic()

    def _leave(self, error: BaseException) -> None:
        """Interrupted: keep what is done. Failed: keep it only if it was journaled and can go on."""
        if isinstance(error, KeyboardInterrupt) and self.cursor:
            self._save()
            self.writer.suspend()
        elif self.journal.path.exists() and not isinstance(error, InputError | UsageError):
            self.writer.suspend()
        else:
            self.journal.remove()
            self.writer.discard()


def _explain_os_error(error: OSError, out: Path, resumable: bool) -> ZooError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        limited = error.errno == errno.EFBIG
        what = "a file may not become so large here (ulimit -f)" if limited else f"the disk is full ({error.strerror})"
        return SystemStateError(
            f"{out}: {what}",
            "no file bears the final name",
            ("Fix: raise the limit" if limited else "Fix: free space")
            + (", then repeat the command with --resume" if resumable else " or write elsewhere with -o"),
        )
    return UsageError(
        f"{out}: cannot be written: {error.strerror or error}",
        "no file bears the final name",
        "Fix: check the folder, or write elsewhere with -o",
    )


def signature_of(job: PredictJob, out: Path) -> dict[str, Any]:
    options = job.options
    return {
        "model": job.model.hashes,
        "regions": sha256_of(job.regions.path),
        "genome": genome_fingerprint(job.genome.sizes, job.genome.path),
        "output": str(out.resolve()),
        "window": options.window,
        "stride": options.stride,
        "edges": options.edges,
        "strand": job.use_strand,
        "rc_average": options.rc_average,
        "precision": options.precision,
        "batch_size": job.runner.batch_size,
        "tracks": [[spec.name, list(spec.tracks)] for spec in job.choice.outputs],
        "limit": options.limit,
        "overlap": options.overlap,
        "format": options.format,
        "translate_chroms": options.translate_chroms,
    }


def _restore_counts(reader: BlockReader, counts: dict[str, Any]) -> None:
    windows = {f.name: counts[f.name] for f in dataclasses.fields(WindowCounts)}
    reader.counts.windows = WindowCounts(**windows)
    reader.counts.iupac_bases = counts["iupac_bases"]
    reader.counts.reversed_windows = counts["reversed_windows"]
