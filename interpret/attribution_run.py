"""A run that explains windows into a file: the run of ``zoo predict`` with an explainer in the place of the model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interpret.attribution_options import AttributeOptions
from zoo.journal import Journal
from zoo.outputs import TrackChoice
from zoo.progress import Progress
from zoo.run.file_run import FileRun, signature_of
from zoo.run.job import PredictJob
from zoo.run.pipeline import BlockReader
from zoo.store.checksums import sha256_of

if TYPE_CHECKING:
    from zoo.outputs import OutputSpec
    from zoo.writers.base import Writer

__all__ = ["Notes", "Running", "run_file"]


class Notes:
    """Sentences for the user: said at once and kept for the record."""

    def __init__(self, first: list[str], say: Callable[[str], None]) -> None:
        self.texts: list[str] = []
        self._say = say
        self.add(*first)

    def say(self, note: str) -> None:
        """For the user only: what says nothing of the result."""
        self._say(note)

    def add(self, *notes: str) -> None:
        for note in notes:
            self.texts.append(note)
            self._say(note)


@dataclass
class Running:
    """What is known of a run while it lasts: its progress, and what its reader met."""

    bar: Progress | None = None
    reader: BlockReader | None = None

    @property
    def counts(self) -> dict[str, Any]:
        """Windows, and how many of them were padded, skipped, reversed ..."""
        return self.reader.counts.as_dict()


class ExplainJob(PredictJob):
    """A job whose runner explains; it is read in steps of the explainer's size, so that little work can be lost."""

    def reader(self, skip_until: int = 0) -> BlockReader:
        reader = super().reader(skip_until)
        reader.block_size = self.runner.batch_size
        return reader


def run_file(
    job: PredictJob,
    explainer: Any,
    writer: Writer,
    signature: dict[str, Any],
    notes: Notes,
    progress: Callable[[int, int], Progress] | None,
    running: Running,
) -> tuple[list[Path], float]:
    """Run windows through an explainer into a file, as ``zoo predict`` runs them through a model.

    Args:
        explainer: has ``batch_size``, ``done``, ``options`` and ``forward``.
        signature: what else must be equal for ``--resume``.
        running: is filled in.

    Returns:
        The files, and seconds.
    """
    specs: tuple[OutputSpec, ...] = writer.context.outputs
    fields = {field.name: getattr(job, field.name) for field in dataclasses.fields(PredictJob)}
    choice = TrackChoice(specs, {spec.name: None for spec in specs})
    own = ExplainJob(**fields | {"runner": explainer, "choice": choice})
    journal = Journal(writer.context.out)
    signature = _signature(own, explainer.options, writer.context.out) | signature
    state = journal.load(signature) if job.options.resume else None
    if state is not None:
        explainer.done = state.rows
        notes.say(f"resuming after {state.rows:,} windows")
    elif job.options.resume:
        notes.say("nothing to resume; starting from the first region")
    bar = progress(job.count_windows(), explainer.done) if progress else Progress(job.count_windows(), explainer.done)
    run = FileRun(own, writer, journal, signature, state)
    running.bar, running.reader = bar, run.reader
    try:
        return run.go(bar), bar.seconds
    finally:
        bar.clear()


def _signature(job: PredictJob, options: AttributeOptions, out: Path) -> dict[str, Any]:
    """What must be the same for a run to go on; ``allow_incomplete`` may change."""
    mine = dataclasses.asdict(options)
    del mine["allow_incomplete"]
    if options.references.endswith(".npz"):
        mine["references"] = sha256_of(Path(options.references))
    return signature_of(job, out) | mine
