"""``attribute``: a model, regions and a genome in; ``contribs.h5`` or another file of contributions out.

The order of work is that of ``zoo.run.predict``: check everything, load the model, choose what is explained,
then read, explain and write block by block (``explainer`` stands where the model's runner does). What is spooled
survives an interruption; the result is made from it at the end (``contribs_writer``, ``formats``).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from interpret.attribution_options import (
    MARGINALIZE,
    TABLES,
    AttributeOptions,
    AttributeResult,
    inputs_of_options,
    split_options,
)
from interpret.attribution_record import record_of
from interpret.completeness import check_complete, completeness_note
from interpret.contribs_writer import ContribsWriter, writer_context_for
from interpret.explainer import Explainer
from interpret.formats import Format, choose_format
from interpret.integrated_gradients import FIX
from interpret.marginal_effects import Marginalizer, measure, read_motif
from zoo.errors import InputError, UsageError
from zoo.genome.intervals import RegionFile
from zoo.models.runner import pick_device
from zoo.progress import Notes, Progress
from zoo.results import check_out, sole_writer
from zoo.run.file_run import FileRun
from zoo.run.job import Job, counted_notes, inputs_of, opened, prepare

if TYPE_CHECKING:
    from zoo.models.array_model import ArrayModel
    from zoo.models.entry import Entry
    from zoo.models.loaded import LoadedModel

__all__ = ["AttributeOptions", "AttributeResult", "attribute"]

EFFECTS = "marginalize gives an effect a window, no contributions of bases; its table"


def attribute(
    model: str | Path | Entry | LoadedModel | ArrayModel,
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
        **options: of ``AttributeOptions``; and those of ``zoo.predict`` that say how windows are read and run:
            ``window, stride, edges, strand, limit, translate_chroms, any_genome, settings, trust, device, batch_size,
            overlap, resume, dry_run``. ``batch_size`` is sequences a pass, of deepliftshap each with its references.

    Raises:
        ZooError: nothing bears the final name.
        UsageError: an option that is not known, or means nothing here (``precision``).
        MismatchError: contributions that do not add up.
    """
    chosen, reading = split_options(options)
    format = None if chosen.method == MARGINALIZE else choose_format(Path(out), reading.format)
    regions, genome = reading.inputs(regions, genome)
    given = [*inputs_of(model, regions, genome, reading.settings), *inputs_of_options(chosen)]
    out = check_out(
        out,
        inputs=given,
        suffixes=TABLES if format is None else format.suffixes,
        beside=format and format.finals,
        what=EFFECTS if format is None else f"contributions as {format.name}",
    )
    if format is None and reading.format is not None:
        raise UsageError(f"--format {reading.format}: marginalize writes a table", "", "Fix: leave out --format")
    if format is None:
        read_motif(chosen.motif)  # a mistake shows before the model is loaded
    # What a model's Python prints is no part of the result.
    alone = contextlib.nullcontext() if reading.dry_run else sole_writer(out)
    with RegionFile(regions) as region_file, alone, contextlib.redirect_stdout(sys.stderr):
        job = prepare(opened(model, trust=reading.trust), region_file, genome, reading)
        if not job.summary.regions:
            raise InputError(f"{region_file.label}: holds no region", "", "Fix: a BED with regions")
        notes = Notes(report, job.notes)
        kind = Marginalizer if format is None else Explainer
        compute = kind(job.model, chosen, pick_device(reading.device), reading.sequences_a_pass)
        notes.add(*compute.notes)
        if reading.dry_run:
            return AttributeResult(out, job.count_windows(), notes.texts, 0.0, [], _plan_counts(job, compute))
        if format is None:
            return measure(job, compute, out, notes, progress)
        return _attribute(job, compute, out, format, notes, progress)


def _plan_counts(job: Job, compute: Explainer | Marginalizer) -> dict[str, Any]:
    """What a dry run tells."""
    return job.counted({}) | {
        "window_bp": job.plan.length,
        "device": str(compute.device),
        "batch_size": compute.batch_size or "auto",
        "outputs": {compute.target.output.name: len(compute.target.tracks)},
        "method": compute.options.method,
    }


def _attribute(
    job: Job,
    explainer: Explainer,
    out: Path,
    format: Format,
    notes: Notes,
    progress: Callable[[int, int], Progress] | None,
) -> AttributeResult:
    method, overlap = explainer.method, job.options.overlap

    def check(errors: np.ndarray) -> None:
        if method.complete and not explainer.options.allow_incomplete:
            check_complete(errors, method.name, fix=FIX if method.name == "integrated_gradients" else "")

    def record(errors: np.ndarray) -> dict[str, Any]:
        notes.add(*counted_notes(run.counts, job), *filter(None, [completeness_note(errors)]))
        return record_of(job, explainer, len(errors), notes.texts, run.seconds) | {"counts": run.counts}

    context = writer_context_for(out, job.model.length, job.chrom_sizes(), overlap)
    run = FileRun(job, explainer, ContribsWriter(context, format, check, record), notes, progress)
    paths = run.go()
    return AttributeResult(out, run.rows, notes.texts, run.seconds, paths, job.counted(run.counts))
