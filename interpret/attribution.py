"""``attribute``: a model, regions and a genome in; ``contribs.h5`` or another file of contributions out.

The order of work is that of ``zoo.run.predict``: check everything, load the model, choose what is explained,
then read, explain and write block by block (``explainer`` stands where the model's runner does). What is spooled
survives an interruption; the result is made from it at the end (``contribs_writer``, ``formats``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from interpret.attribution_options import MARGINALIZE, AttributeOptions, AttributeResult, split_options
from interpret.attribution_record import record_of
from interpret.attribution_run import Notes, Running, run_file
from interpret.completeness import check_complete, completeness_note
from interpret.contribs_writer import ContribsWriter, writer_context_for
from interpret.explainer import Explainer
from interpret.formats import Format, choose_format
from interpret.integrated_gradients import FIX
from interpret.marginal_effects import measure, read_motif
from zoo.errors import InputError, UsageError
from zoo.genome.intervals import RegionFile
from zoo.progress import Progress
from zoo.run.job import PredictJob, PredictOptions, prepare, writer_context
from zoo.run.predict import counted_notes
from zoo.store.lock import hold_lock

if TYPE_CHECKING:
    from zoo.models.loaded import LoadedModel

__all__ = ["AttributeOptions", "AttributeResult", "attribute"]


def attribute(
    model: str | Path | LoadedModel,
    regions: str | Path,
    genome: str | Path | None = None,
    out: str | Path = "contribs.h5",
    *,
    report: Callable[[str], None] | None = None,
    progress: Callable[[int, int], Progress] | None = None,
    **options: Any,
) -> AttributeResult:
    """Attribute a model's output to the bases of regions and write a file of contributions.

    Args:
        model, regions, genome: as in ``zoo.predict``.
        out: the file; its suffix gives the format (``formats.choose_format``), or ``format`` does.
        report: called with each note for the user.
        progress: ``(total, done) -> Progress``.
        **options: of ``AttributeOptions``, and of ``PredictOptions`` for regions, genome, device and resuming.

    Raises:
        ZooError: nothing bears the final name.
        MismatchError: contributions that do not add up.
    """
    chosen, reading = split_options(options)
    out, say = Path(out), report or (lambda note: None)
    format = None
    if chosen.method != MARGINALIZE:
        format = choose_format(out, reading.format)
    elif not out.name.lower().endswith((".tsv", ".tsv.gz")):
        raise UsageError(
            f"{out}: marginalize gives an effect a window, no contributions of bases",
            "it is written as a table",
            "Fix: -o effects.tsv",
        )
    elif reading.format is not None:
        raise UsageError(f"--format {reading.format}: marginalize writes a table", "", "Fix: leave out --format")
    else:
        read_motif(chosen.motif)  # a mistake shows before the model is loaded
    # What a model's Python prints is no part of the result.
    with RegionFile(regions) as region_file, contextlib.redirect_stdout(sys.stderr):
        # The format is ours; that of predictions is checked by name only.
        job = prepare(model, region_file, genome, dataclasses.replace(reading, format="tsv"), str(out))
        if not job.summary.regions:
            raise InputError(f"{region_file.label}: holds no region", "", "Fix: a BED with regions")

        def refuse(holder: str) -> None:
            raise UsageError(f"{out}: is being written by another run", f"{holder} holds its lock", "Fix: wait for it")

        with hold_lock(out.with_name(f"{out.name}.partial.lock"), refuse):
            if format is None:
                return measure(job, out, chosen, say, progress)
            return _attribute(job, out, chosen, reading, format, say, progress)


def _attribute(
    job: PredictJob,
    out: Path,
    options: AttributeOptions,
    reading: PredictOptions,
    format: Format,
    say: Callable[[str], None],
    progress: Callable[[int, int], Progress] | None,
) -> AttributeResult:
    notes = Notes(job.notes, say)
    explainer = Explainer(job.model, options, job.runner.device)
    notes.add(*explainer.notes)
    running = Running()

    def check(errors: np.ndarray) -> None:
        if explainer.method.complete and not options.allow_incomplete:
            method = explainer.method.name
            check_complete(errors, method, fix=FIX if method == "integrated_gradients" else "")

    def record(errors: np.ndarray) -> dict[str, Any]:
        notes.add(*counted_notes(running.counts, job), *filter(None, [completeness_note(errors)]))
        return record_of(job, explainer, len(errors), notes.texts, running.bar.seconds) | {"counts": running.counts}

    writer = ContribsWriter(
        writer_context_for(out, job.model.length, writer_context(job, out).chrom_sizes, reading.overlap),
        format,
        check,
        record,
    )
    signature = {"format": format.name, "overlap": reading.overlap}
    paths, seconds = run_file(job, explainer, writer, signature, notes, progress, running)
    return AttributeResult(out, explainer.done, notes.texts, seconds, paths)
