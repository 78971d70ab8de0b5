"""A run that writes a file: journaled, resumable, and nothing under the final name until it is whole."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import InputError, SystemStateError, UsageError, ZooError
from zoo.outputs import PredictionBatch
from zoo.progress import Notes, Progress, notebook_progress
from zoo.results.whole import partial_of, replacing, require_room
from zoo.run.job import Job
from zoo.run.not_finite import NotFinite
from zoo.run.pipeline import BlockSource, Compute, compute_blocks
from zoo.words import counted
from zoo.writers.base import Writer

if TYPE_CHECKING:
    from zoo.models.loaded import LoadedModel

__all__ = ["FileRun", "Journal", "JournalState", "JournaledRun"]

CHECKPOINT_SECONDS = 10.0


class JournaledRun:
    """A run into a file that can be interrupted and gone on with, whatever it computes.

    Args:
        model: what computes; a run of one that was not loaded from a file cannot be gone on with.
        writer: not opened.
        signature: what must be equal for an interrupted run to go on, as JSON takes it.
        resume: go on with an earlier run, where there is one.

    Attributes:
        state: of the earlier run; None where this one starts anew.
        cursor: how far the input was read, in whatever the run counts.
        rows: what was written, that of an earlier run included.
        counts: what reading met up to there.

    Raises:
        UsageError: ``--resume``, and the earlier run was another one.
    """

    def __init__(self, model: LoadedModel, writer: Writer, signature: dict[str, Any], resume: bool) -> None:
        self.writer, self.signature = writer, signature
        self.journal = Journal(writer.context.out)
        self.state = self._earlier(model) if resume else None
        self.cursor, self.rows = (self.state.cursor, self.state.rows) if self.state else (0, 0)
        self.counts: dict[str, Any] = self.state.counts if self.state else {}
        self._saved = time.monotonic()

    def _earlier(self, model: LoadedModel) -> JournalState | None:
        if model.folder is None and not model.hashes:
            raise UsageError(
                f"--resume: {model.name} was not loaded from a file, so that it may be another model by now",
                "",
                "Fix: start again without --resume",
            )
        return self.journal.load(self.signature)

    def write_all(self, work: Callable[[], None], rows: int) -> list[Path]:
        """Open the writer, let ``work`` write everything, finish it; returns the files.

        Args:
            work: computes, gives the writer what it computed and calls ``reached``.
            rows: how many of them are still to be written.

        Raises:
            Whatever ``work`` or the writer raises; nothing bears the final name then.
        """
        if self.state is None:
            self.journal.remove()
        try:
            require_room(self.writer.partial.parent, self.writer.least_bytes(rows), one_file=False)
            self.writer.open(self.state.writer if self.state else None)
            work()
            paths = self.writer.finish()
        except BaseException as error:
            self._leave(error)
            if isinstance(error, OSError):
                raise _explain_os_error(error, self.writer.context.out, self.journal.path.exists()) from error
            raise
        self.journal.remove()
        return paths

    def reached(self, cursor: int, rows: int, counts: dict[str, Any]) -> None:
        """All up to ``cursor``, ``rows`` more, was given to the writer; it is journaled now and then."""
        self.cursor, self.rows, self.counts = cursor, self.rows + rows, counts
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


class FileRun(JournaledRun):
    """One run into a file: windows of a job, computed and written, with a journal of what is done.

    Args:
        job: what is read.
        compute: what is computed of it.
        writer: of ``compute.outputs``, not opened.
        notes: is told where an earlier run is gone on with.
        progress: ``(total, done) -> Progress``; default a bar in a notebook.
        read: (windows a step, cursor) -> blocks; default the windows of the job's regions. Another source may give
            several sequences of a window, for instance its alleles; their rows stand in the blocks' batches.
        count_not_finite: count values that are no numbers, see ``NotFinite``. Where they cannot be, the writer refuses.

    Attributes:
        seconds: since ``go`` began.

    Raises:
        UsageError: ``--resume``, and the earlier run was another one.
    """

    def __init__(
        self,
        job: Job,
        compute: Compute,
        writer: Writer,
        notes: Notes | None = None,
        progress: Callable[[int, int], Progress] | None = None,
        read: Callable[[int, int], BlockSource] | None = None,
        count_not_finite: bool = False,
    ) -> None:
        signature = job.signature(writer.context.out) | compute.signature()
        super().__init__(job.model, writer, signature, job.options.resume)
        self.job, self.compute, self.notes = job, compute, notes or Notes()
        self.reader = (read or job.reader)(compute.step, self.cursor)
        if self.state:
            self._restore(self.state.counts)
        self._not_finite = NotFinite(self.state.counts if self.state else None) if count_not_finite else None
        self.counts = self._counted(self.reader.counts.as_dict())
        self._progress = progress or notebook_progress
        self._bar: Progress | None = None

    @property
    def seconds(self) -> float:
        """Wall-clock time so far."""
        return self._bar.seconds if self._bar else 0.0

    def _restore(self, counts: dict[str, Any]) -> None:
        try:
            self.reader.counts.restore(counts)
        except KeyError as lacking:
            raise UsageError(
                f"--resume: the interrupted run was of an earlier version, which did not count {lacking}",
                "",
                "Fix: start again without --resume",
            ) from None

    def go(self) -> list[Path]:
        """Run to the end; returns the files.

        Raises:
            Whatever reading, computing or writing raises; nothing bears the final name then.
        """
        if self.state is not None:
            self.notes.say(f"resuming after {counted(self.rows, 'window')}")
        elif self.job.options.resume:
            self.notes.say("nothing to resume; starting from the first region")
        bar = self._bar = self._progress(self.job.count_windows(), self.rows)
        try:
            return self.write_all(
                lambda: compute_blocks(self.reader, self.compute, self._write, bar.advance), bar.total - self.rows
            )
        finally:
            bar.clear()

    def _write(self, batch: PredictionBatch, cursor: int, counts: dict[str, Any]) -> None:
        if len(batch):
            if self._not_finite is not None:
                self._not_finite.add(batch)
            self.writer.write(batch)
        self.reached(cursor, len(batch), self._counted(counts))

    def _counted(self, counts: dict[str, Any]) -> dict[str, Any]:
        return counts if self._not_finite is None else counts | self._not_finite.as_dict()


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


@dataclass(frozen=True)
class JournalState:
    """How far a run has come.

    Attributes:
        signature: what must be equal for the rest to fit: model, regions, genome, options.
        cursor: windows laid over the regions so far.
        rows: predictions written so far.
        counts: the reader's counts at the cursor.
        writer: what the writer's ``checkpoint`` returned.
    """

    signature: dict[str, Any]
    cursor: int
    rows: int
    counts: dict[str, Any]
    writer: dict[str, Any]


class Journal:
    """The journal of one result."""

    def __init__(self, out: Path) -> None:
        partial = partial_of(out)
        self.path = partial.with_name(partial.name + ".json")

    def save(self, state: JournalState) -> None:
        with replacing(self.path) as partial:
            partial.write_text(json.dumps(asdict(state)), encoding="utf-8")

    def load(self, signature: dict[str, Any]) -> JournalState | None:
        """The state to resume from, or None when there is none.

        Raises:
            UsageError: the earlier run had other arguments or files.
        """
        try:
            state = JournalState(**json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise UsageError(
                f"{self.path}: the journal of the interrupted run is damaged", "", "Fix: start again without --resume"
            ) from None
        expected = json.loads(json.dumps(signature))
        differing = [key for key in expected if state.signature.get(key) != expected[key]]
        if differing:
            key = differing[0]
            raise UsageError(
                f"--resume: the interrupted run had another {key}: {_short(state.signature.get(key))}, "
                f"now {_short(expected[key])}",
                f"{counted(len(differing), 'thing differs', 'things differ')}: {', '.join(differing)}",
                "Fix: repeat the command with the earlier arguments, or start again without --resume",
            )
        return state

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
