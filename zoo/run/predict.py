"""``predict``: a model, regions and a genome in; a file of predictions out.

The order of work: read the model's YAML, check every region against the genome, load the
model, lay windows (``predict_job``), then read, compute and write at once (``pipeline``, ``file_run``).
The module is not called ``predict.py`` because ``zoo.predict`` is the function.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from zoo.errors import InputError, UsageError
from zoo.genome.intervals import RegionFile
from zoo.journal import Journal
from zoo.models.entry import has_own_loader, open_entry
from zoo.outputs import PredictionBatch
from zoo.progress import Progress
from zoo.run.file_run import FileRun, signature_of
from zoo.run.job import (
    PredictJob,
    PredictOptions,
    PredictResult,
    open_file_writer,
    options_from,
    prepare,
    writer_context,
)
from zoo.run.pipeline import BlockReader, predict_blocks
from zoo.run_record import genome_fingerprint, write_run_record
from zoo.store.checksums import sha256_of
from zoo.store.lock import hold_lock
from zoo.writers import StreamWriter

if TYPE_CHECKING:
    from zoo.models.array_model import ArrayModel
    from zoo.models.entry import Entry
    from zoo.models.loaded import LoadedModel

__all__ = ["PredictOptions", "PredictResult", "counted_notes", "predict", "predict_regions"]


def predict(
    model: str | Path | LoadedModel | ArrayModel,
    regions: str | Path,
    genome: str | Path | None = None,
    out: str | Path = "-",
    *,
    report: Callable[[str], None] | None = None,
    progress: Callable[[int, int], Progress] | None = None,
    **options: Any,
) -> PredictResult:
    """Predict for the regions of a BED and write the result.

    Args:
        model: registry name, ``name@version``, entry or Kipoi folder, gReLU ``.ckpt``, or a loaded model.
        regions: BED3-BED12 or narrowPeak, plain or gzip; ``-`` is standard input.
        genome: plain or bgzip FASTA; default ``$ZOO_GENOMES/<assembly>.fa[.gz]``.
        out: result; its suffix gives the format; ``-`` is TSV on standard output.
        report: called with each note for the user.
        progress: ``(total, done) -> Progress``.
        **options: see ``PredictOptions``.

    Returns:
        What was written and counted.

    Raises:
        ZooError: see ``zoo.errors`` for the kinds; nothing is left under the final name.
    """
    chosen = options_from(options)
    own = _with_own_loader(model, chosen.trust)
    if own is not None:
        from zoo.run.own_loader import predict_with_own_loader

        given = None if genome is None else str(genome)
        return predict_with_own_loader(own, str(regions), given, str(out), chosen, report, progress)
    regions, genome = chosen.settings.get("intervals_file", regions), chosen.settings.get("fasta_file", genome)
    stdout = sys.stdout
    # What a model's Python prints is no part of the result, which may go to standard output.
    with RegionFile(regions) as region_file, contextlib.redirect_stdout(sys.stderr):
        job = prepare(model, region_file, genome, chosen, str(out))
        result = PredictResult(notes=job.notes)
        total = job.count_windows()
        if chosen.dry_run:
            for note in job.notes:
                _say(report, note)
            result.regions, result.windows = job.summary.regions, total
            result.counts = plan_counts(job)
            return result
        if str(out) == "-":
            _run_to_stream(job, stdout, result, total, progress, report)
        else:
            _run_to_file(job, Path(out), result, total, progress, report)
        notes = counted_notes(result.counts, job)
        if result.paths:
            notes += _record(job, Path(out), result, notes)
        for note in notes:
            result.notes.append(note)
            _say(report, note)
    return result


def _with_own_loader(model: str | Path | LoadedModel | ArrayModel, trust: bool) -> Entry | ArrayModel | None:
    """The model where its dataloader must run itself, loaded or not yet; None for all others."""
    if isinstance(model, str | Path):
        entry = open_entry(model, trust=trust)
        return entry if has_own_loader(entry) else None
    return None if hasattr(model, "loader") else model  # an ArrayModel, whose module would import torch here


def predict_regions(model: LoadedModel, regions: str | Path, fasta: str | Path, **options: Any) -> PredictionBatch:
    """Predict for regions and return everything in memory, in input order.

    Returns:
        One ``PredictionBatch`` of all windows; ``.values`` maps output name -> float32 array.
    """
    chosen = options_from(options)
    with RegionFile(regions) as region_file:
        job = prepare(model, region_file, fasta, chosen, "-")
        batches: list[PredictionBatch] = []
        predict_blocks(iter(job.reader()), job.runner, job.choice, lambda b, *_: batches.append(b), lambda _: None)
    return _concatenate([batch for batch in batches if len(batch)])


def _run_to_stream(
    job: PredictJob,
    stdout: TextIO,
    result: PredictResult,
    total: int,
    progress: Any,
    report: Callable[[str], None] | None,
) -> None:
    writer = StreamWriter(writer_context(job, Path("-")), stdout, job.options.format or "tsv")
    for note in job.notes:
        _say(report, note)
    reader = job.reader()
    bar = progress(total, 0) if progress else Progress(total)
    try:
        writer.open()
        predict_blocks(iter(reader), job.runner, job.choice, lambda batch, *_: writer.write(batch), bar.advance)
        writer.finish()
    finally:
        bar.clear()
    _summarise(result, job, reader, bar)


def _run_to_file(
    job: PredictJob, out: Path, result: PredictResult, total: int, progress: Any, report: Callable[[str], None] | None
) -> None:
    def refuse(holder: str) -> None:
        raise UsageError(
            f"{out}: is being written by another run",
            f"{holder} holds its lock",
            "Fix: wait for it, stop it, or give another name with -o",
        )

    with hold_lock(out.with_name(f"{out.name}.partial.lock"), refuse):
        _run_locked(job, out, result, total, progress, report)


def _run_locked(
    job: PredictJob, out: Path, result: PredictResult, total: int, progress: Any, report: Callable[[str], None] | None
) -> None:
    writer, journal = open_file_writer(job, out), Journal(out)
    signature = signature_of(job, out)
    state = journal.load(signature) if job.options.resume else None
    for note in job.notes:
        _say(report, note)
    if state is not None:
        _say(report, f"resuming after {state.rows:,} predictions")
    elif job.options.resume:
        _say(report, "nothing to resume; starting from the first region")
    run = FileRun(job, writer, journal, signature, state)
    bar = progress(total, state.rows if state else 0) if progress else Progress(total)
    try:
        result.paths = run.go(bar)
    finally:
        bar.clear()
    _summarise(result, job, run.reader, bar)


def _summarise(result: PredictResult, job: PredictJob, reader: BlockReader, bar: Progress) -> None:
    result.counts = {
        "regions": job.summary.regions,
        "skipped_lines": job.summary.skipped_lines,
    } | reader.counts.as_dict()
    result.regions, result.windows = job.summary.regions, result.counts["windows"]
    result.seconds = bar.seconds


def plan_counts(job: PredictJob) -> dict[str, Any]:
    return {
        "regions": job.summary.regions,
        "skipped_lines": job.summary.skipped_lines,
        "window_bp": job.plan.length,
        "device": str(job.runner.device),
        "batch_size": job.runner.batch_size,
        "outputs": {spec.name: len(spec.tracks) for spec in job.choice.outputs},
    }


def counted_notes(counts: dict[str, Any], job: PredictJob) -> list[str]:
    """What the user should know of the windows that were read, in sentences."""
    notes = []
    if counts.get("padded"):
        notes.append(f"{counts['padded']:,} windows pass the end of their chromosome and were padded with N (--edges)")
    if counts.get("skipped"):
        notes.append(
            f"{counts['skipped']:,} windows pass the end of their chromosome and were skipped (--edges skip), "
            f"first: {counts['first_skipped'][0]}"
        )
    if counts.get("cut_regions"):
        notes.append(
            f"{counts['cut_regions']:,} regions are longer than the model's {job.plan.length:,} bp window: "
            "only their centre was seen (--window tile covers them)"
        )
    if counts.get("iupac_bases"):
        notes.append(f"{counts['iupac_bases']:,} IUPAC ambiguity codes were read as N")
    return notes


def _record(job: PredictJob, out: Path, result: PredictResult, notes: list[str]) -> list[str]:
    """Write OUT.run.json; return a note when that failed, as the result itself is whole."""
    options = asdict(job.options)
    record = {
        "model": {"name": job.model.name, **job.model.info, "sha256": job.model.hashes},
        "regions": {"path": str(job.regions.label), "sha256": sha256_of(job.regions.path)},
        "genome": genome_fingerprint(job.genome.sizes, job.genome.path),
        "options": options | {"tracks": list(options["tracks"])},
        "device": str(job.runner.device),
        "batch_size": job.runner.batch_size,
        "strand_used": job.use_strand,
        "outputs": [asdict(spec) for spec in job.choice.outputs],
        "counts": result.counts,
        "notes": result.notes + notes,
        "files": [str(path) for path in result.paths],
        "seconds": round(result.seconds, 3),
    }
    try:
        write_run_record(out, record)
    except OSError as error:
        return [f"{out}.run.json, the record of this run, could not be written: {error.strerror}"]
    return []


def _say(report: Callable[[str], None] | None, note: str) -> None:
    if report is not None:
        report(note)


def _concatenate(batches: list[PredictionBatch]) -> PredictionBatch:
    if not batches:
        raise InputError("no window was predicted", "every window leaves its chromosome", "Fix: --edges pad")
    columns = {
        f.name: np.concatenate([getattr(batch, f.name) for batch in batches])
        for f in dataclasses.fields(PredictionBatch)
        if f.name != "values"
    }
    values = {name: np.concatenate([batch.values[name] for batch in batches]) for name in batches[0].values}
    return PredictionBatch(**columns, values=values)
