"""``predict``: a model, regions and a genome in; a file of predictions out.

The order of work: read the model's YAML, check every region against the genome, load the model, lay windows
(``job``), say what is computed of them (``compute``), then read, compute and write at once (``pipeline``,
``file_run``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from zoo.errors import InputError, UsageError
from zoo.genome.intervals import RegionFile
from zoo.genome.region_table import Regions
from zoo.models.entry import Entry, has_own_loader
from zoo.outputs import PredictionBatch, common_part
from zoo.progress import Notes, Progress, notebook_progress, warn
from zoo.results.record import left_behind, record_beside
from zoo.results.whole import sole_writer
from zoo.run.file_run import FileRun
from zoo.run.hub import check_hub, hub_facts, hub_notes
from zoo.run.job import (
    Job,
    PredictOptions,
    PredictResult,
    check_predictions_format,
    check_predictions_out,
    counted_notes,
    inputs_of,
    is_loaded,
    no_places,
    opened,
    options_from,
    prepare,
)
from zoo.run.not_finite import NotFinite, not_finite_notes
from zoo.run.pipeline import BlockSource, Compute, compute_blocks
from zoo.run.predictions import Predictions
from zoo.words import counted
from zoo.writers import StreamWriter, open_hub, open_writer
from zoo.writers.base import Writer, WriterContext
from zoo.writers.bed import AGGREGATES

if TYPE_CHECKING:
    from zoo.models.array_model import ArrayModel
    from zoo.models.loaded import LoadedModel
    from zoo.outputs import TrackChoice

__all__ = [
    "PredictOptions",
    "PredictResult",
    "Prediction",
    "Predictions",
    "check_in_memory",
    "open_file_writer",
    "predict",
    "predict_regions",
    "run_in_memory",
    "windows_a_step",
]


def predict(
    model: str | Path | Entry | LoadedModel | ArrayModel,
    regions: Regions,
    genome: str | Path | None = None,
    out: str | Path | None = None,
    *,
    report: Callable[[str], None] | None = None,
    progress: Callable[[int, int], Progress] | None = None,
    **options: Any,
) -> PredictResult | Predictions:
    """Predict for the regions of a BED, and write the result or return it.

    Args:
        model: registry name, ``name@version``, entry or Kipoi folder, gReLU ``.ckpt``, Keras ``.h5`` or
            ``.keras``, or a model that is loaded
            (``zoo.load_model``) or opened (``open_entry``) already.
        regions: BED3-BED12 or narrowPeak, plain or gzip; ``-`` is standard input. Or a pandas or polars frame with
            ``chrom, start, end`` (0-based half-open) and maybe ``name, score, strand`` and ``peak`` (bp from start to
            the summit), or tuples of these.
        genome: plain or bgzip FASTA, or the name of an assembly; default the genome of the model's assembly, which
            is ``$ZOO_GENOMES/<assembly>.fa[.gz]`` or what `zoo genome add` kept.
        out: result; its suffix gives the format; ``-`` is TSV on standard output. None, and no ``track_hub``: nothing
            is written, all predictions are kept in memory and returned.
        report: called with each note for the user. Without one, and without ``out``, notes are Python's warnings.
        progress: ``(total, done) -> Progress``; default a bar in a notebook, nothing elsewhere.
        **options: see ``PredictOptions``.

    Returns:
        What was written and counted; without ``out`` the ``Predictions`` (``.to_pandas()``, ``.to_anndata()``,
        ``.to_xarray()``), of a dry run what would be done.

    Raises:
        ZooError: see ``zoo.errors`` for the kinds; nothing is left under the final name.
    """
    chosen = options_from(options)
    given = opened(model, trust=chosen.trust)
    if out is None and chosen.track_hub is None and not chosen.dry_run:
        return _returned(given, regions, genome, chosen, report, progress)
    if chosen.track_hub is None and out is None:
        out = "-"
    if _has_own_loader(given):
        from zoo.run.own_loader import fasta_of, path_of, predict_with_own_loader, refuse_hub

        refuse_hub(given, chosen)

        read = path_of(given, regions), fasta_of(genome)
        return predict_with_own_loader(given, *read, str(out), chosen, report, progress)
    regions, genome = chosen.inputs(regions, genome)
    read = inputs_of(model, regions, genome, chosen.settings)
    out = _check_result(out, read, chosen) if chosen.track_hub is None else check_hub(chosen, out, read)
    stdout = sys.stdout
    # What a model's Python prints is no part of the result, which may go to standard output.
    with RegionFile(regions) as region_file, contextlib.redirect_stdout(sys.stderr):
        job = prepare(given, region_file, genome, chosen)
        compute = Prediction(job.model, job.choice, chosen)
        notes = Notes(report, job.notes)
        notes.keep(*job.recorded)
        if chosen.track_hub is not None:
            notes.add(*hub_notes(job, hub_facts(job)))
        if chosen.dry_run:
            windows, counts = job.count_windows(), _plan_counts(job, compute)
            notes.add(*counted_notes(job.count_uncovered(), job))
            return PredictResult([], job.n_regions, windows, counts, notes.texts)
        if str(out) == "-":
            result = _run_to_stream(job, compute, stdout, notes, progress)
        else:
            result = _run_to_file(job, compute, out, notes, progress)
        if result.paths:
            notes.add(*_record(job, compute, out, result))
    return result


def _returned(
    given: Entry | LoadedModel | ArrayModel,
    regions: Regions,
    genome: str | Path | None,
    options: PredictOptions,
    report: Callable[[str], None] | None,
    progress: Callable[[int, int], Progress] | None,
) -> Predictions:
    """``predict`` without OUT."""
    check_in_memory(options)
    if _has_own_loader(given):
        from zoo.run.own_loader import fasta_of, path_of, returned_by_own_loader

        read = path_of(given, regions), fasta_of(genome)
        return returned_by_own_loader(given, *read, options, report, progress)
    regions, genome = options.inputs(regions, genome)
    with RegionFile(regions) as region_file, contextlib.redirect_stdout(sys.stderr):
        job = prepare(given, region_file, genome, options)
        return _predictions(job, options, Notes(report or warn, job.notes), progress)


def check_in_memory(options: PredictOptions) -> None:
    """Refuse options that say how a file is written, where none is.

    Raises:
        UsageError: one is given.
    """
    usual = PredictOptions()
    for name in ("format", "aggregate", "overlap", "resume", "track_hub"):
        if getattr(options, name) != getattr(usual, name):
            raise UsageError(
                f"{name}={getattr(options, name)!r} is for a file, and no OUT was given",
                "the predictions are returned",
                "Fix: name a file, zoo.predict(MODEL, REGIONS, FASTA, OUT), or leave it out",
            )


def _predictions(
    job: Job, options: PredictOptions, notes: Notes, progress: Callable[[int, int], Progress] | None
) -> Predictions:
    compute, counts, started = Prediction(job.model, job.choice, options), {}, time.monotonic()
    batch = run_in_memory(job, compute, notes=notes, progress=progress, counts=counts)
    not_finite = NotFinite()
    not_finite.add(batch)
    counts |= not_finite.as_dict()
    notes.add(*not_finite_notes(counts, left_out=False))
    return Predictions.of(
        batch,
        compute.outputs,
        job.model.name,
        job.model.card,
        counts=job.counted(counts),
        notes=notes.texts,
        seconds=time.monotonic() - started,
    )


def _has_own_loader(model: Entry | LoadedModel | ArrayModel) -> bool:
    """Whether regions are read by the model's own dataloader: a class of its folder, or one that is not replaced."""
    return has_own_loader(model) if isinstance(model, Entry) else not is_loaded(model)


def _check_result(out: str | Path, inputs: list[str | Path], options: PredictOptions) -> Path:
    """What can be known of the result before the work; where it is written."""
    out = check_predictions_out(out, inputs, options.format)
    if str(out) == "-" and options.resume:
        raise UsageError("--resume goes on with a file, not with standard output", "", "Fix: add -o OUT")
    check_predictions_format(str(out), options)
    return out


def predict_regions(
    model: LoadedModel,
    regions: Regions,
    fasta: str | Path,
    *,
    report: Callable[[str], None] | None = None,
    progress: Callable[[int, int], Progress] | None = None,
    **options: Any,
) -> Predictions:
    """Predict for regions and return everything in memory, in input order.

    Args:
        report: called with each note for the user; without one, notes are Python's warnings.
        progress: as in ``predict``.

    Returns:
        All windows; ``.values`` maps output name -> float32 array.
    """
    chosen = options_from(options)
    check_in_memory(chosen)
    regions, fasta = chosen.inputs(regions, fasta)
    with RegionFile(regions) as region_file:
        job = prepare(model, region_file, fasta, chosen)
        return _predictions(job, chosen, Notes(report or warn, job.notes), progress)


def run_in_memory(
    job: Job,
    compute: Compute,
    read: Callable[[int, int], BlockSource] | None = None,
    notes: Notes | None = None,
    progress: Callable[[int, int], Progress] | None = None,
    counts: dict[str, Any] | None = None,
) -> PredictionBatch:
    """All windows of a job, computed, as one batch; ``read`` as in ``FileRun``.

    Args:
        notes: is told what was met in the windows.
        progress: as in ``predict``.
        counts: is filled with what reading met.

    Raises:
        InputError: there is none.
    """
    batches: list[PredictionBatch] = []
    blocks = (read or job.reader)(compute.step, 0)
    bar = (progress or notebook_progress)(job.count_windows(), 0)
    try:
        compute_blocks(blocks, compute, lambda batch, *_: batches.append(batch), bar.advance)
    finally:
        bar.clear()
    if counts is not None:
        counts |= blocks.counts.as_dict()
    if notes is not None:
        notes.add(*counted_notes(blocks.counts.as_dict(), job))
    return _concatenate([batch for batch in batches if len(batch)])


def _run_to_stream(job: Job, compute: Prediction, stdout: TextIO, notes: Notes, progress: Any) -> PredictResult:
    writer = StreamWriter(writer_context(job, Path("-")), stdout, job.options.format or "tsv")
    check_places(job, writer, Path("-"))
    reader, total, not_finite = job.reader(compute.step), job.count_windows(), NotFinite()
    bar = (progress or notebook_progress)(total, 0)

    def write(batch: PredictionBatch, *_: Any) -> None:
        not_finite.add(batch)
        writer.write(batch)

    try:
        writer.open()
        compute_blocks(reader, compute, write, bar.advance)
        writer.finish()
    finally:
        bar.clear()
    return _result(job, [], writer, reader.counts.as_dict() | not_finite.as_dict(), notes, bar.seconds)


def _run_to_file(job: Job, compute: Prediction, out: Path, notes: Notes, progress: Any) -> PredictResult:
    with sole_writer(out):
        run = FileRun(job, compute, open_file_writer(job, out), notes, progress, count_not_finite=True)
        paths = run.go()
    notes.add(*left_behind(out, paths, run.writer.other_finals(job.model.outputs)))
    return _result(job, paths, run.writer, run.counts, notes, run.seconds)


def _result(
    job: Job, paths: list[Path], writer: Writer, counts: dict[str, Any], notes: Notes, seconds: float
) -> PredictResult:
    counts = job.counted(counts)
    notes.add(*counted_notes(counts, job), *not_finite_notes(counts, not writer.holds_not_finite))
    return PredictResult(paths, job.n_regions, counts["windows"], counts, notes.texts, seconds)


def _plan_counts(job: Job, compute: Prediction) -> dict[str, Any]:
    return job.counted({}) | {
        "window_bp": job.plan.length,
        "device": str(compute.runner.device),
        "batch_size": compute.runner.batch_size,
        "outputs": {spec.name: len(spec.tracks) for spec in compute.outputs},
    }


def _record(job: Job, compute: Prediction, out: Path, result: PredictResult) -> list[str]:
    """Write OUT.run.json; return a note when that failed, as the result itself is whole."""
    options = asdict(job.options)
    record = job.record() | {
        "options": options | {"tracks": list(options["tracks"])},
        "device": str(compute.runner.device),
        "batch_size": compute.runner.batch_size,
        "strand_used": job.use_strand,
        "outputs": [asdict(spec) for spec in compute.outputs],
        "counts": result.counts,
        "notes": result.notes,
        "files": [str(path) for path in result.paths],
        "seconds": round(result.seconds, 3),
    }
    return record_beside(out, record)


def writer_context(job: Job, out: Path) -> WriterContext:
    swap = {}
    for spec in job.choice.outputs:
        if (order := job.model.strand_pairs.get(spec.name)) is not None:
            swap[spec.name] = _restrict(order, job.choice.channels[spec.name])
    options = job.options
    return WriterContext(
        out,
        job.choice.outputs,
        job.chrom_sizes(),
        options.overlap,
        swap,
        options.window == "tile",
        options.aggregate or AGGREGATES[0],
    )


def _restrict(order: np.ndarray, channels: np.ndarray | None) -> np.ndarray:
    """The permutation among the chosen channels; a track whose partner was left out stays itself."""
    if channels is None:
        return order
    place = {int(channel): i for i, channel in enumerate(channels)}
    return np.array([place.get(int(order[channel]), place[int(channel)]) for channel in channels], dtype=np.int64)


def open_file_writer(job: Job, out: Path) -> Writer:
    """The writer of the job's format for ``out``, which may be written and can hold these outputs.

    Raises:
        UsageError: it may not be written, or its format cannot hold them.
    """
    context = writer_context(job, out)
    hub = job.options.track_hub is not None
    writer = open_hub(context, hub_facts(job)) if hub else open_writer(context, job.options.format)
    writer.check_finals(inputs_of(job.model, job.regions.path, job.genome.path, job.options.settings))
    check_places(job, writer, out)
    return writer


def check_places(job: Job, writer: Writer, out: Path) -> None:
    """What is written by coordinate needs bins that have some and, for reversed windows, both tracks of a pair.

    Raises:
        UsageError: bins have no coordinates, no base is predicted by all outputs of a BED, or half a pair was chosen.
    """
    if not writer.needs_places:
        return
    if not job.model.places_bins and any(spec.kind == "profile" for spec in job.choice.outputs):
        raise no_places(out, job.model.name)
    if writer.aggregates and common_part(job.choice.outputs, job.model.length)[1] <= 0:
        raise UsageError(
            f"{out}: a row of a BED is about bases that all outputs predict, and these have none in common",
            "; ".join(map(str, job.choice.outputs)),
            f"Fix: one output at a time: --tracks '{job.choice.outputs[0].name}/*'; or -o predictions.tsv",
        )
    if not (job.use_strand and job.summary.minus_strand):
        return
    tracks = {spec.name: spec.tracks for spec in job.model.outputs}
    minus = counted(job.summary.minus_strand, "region on '-' needs", "regions on '-' need")
    for name, order in job.model.strand_pairs.items():
        channels = job.choice.channels.get(name)
        if channels is not None and (lacking := sorted(set(order[channels].tolist()) - set(channels.tolist()))):
            raise UsageError(
                f"{out}: --tracks leaves out {tracks[name][lacking[0]]!r}, the other strand of a chosen track",
                f"{minus} it for the genome's strands",
                "Fix: choose both tracks of a pair, or --strand ignore",
            )


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


# ---------------- what is computed of windows: the model's own predictions


# Bases a step holds: 4 MB of float32 one-hot, enough to make numpy's per-call cost vanish.
STEP_BASES = 256 * 1024


class Prediction:
    """The model's own predictions of the chosen tracks.

    Raises:
        SystemStateError: the device is absent. UsageError: the options do not fit the model, see ``Runner``.
    """

    def __init__(self, model: LoadedModel, choice: TrackChoice, options: PredictOptions) -> None:
        from zoo.models.loaded import Runner  # torch: not before the regions are checked

        self.choice, self.options, self.outputs = choice, options, choice.outputs
        self.runner = Runner(model, options.device, options.precision, options.rc_average, options.batch_size)
        self.step = windows_a_step(self.runner.batch_size, model.length)

    def forward(self, one_hot: np.ndarray, first: int) -> dict[str, np.ndarray]:
        """Values of the chosen tracks, in batches of the runner's size."""
        size = self.runner.batch_size
        parts = [self.runner.forward(one_hot[low : low + size]) for low in range(0, len(one_hot), size)]
        if len(parts) == 1:
            return self.choice.apply(parts[0])
        return self.choice.apply({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})

    def signature(self) -> dict[str, Any]:
        """Options that change numbers."""
        found = {
            "rc_average": self.options.rc_average,
            "precision": self.options.precision,
            "batch_size": self.runner.batch_size,
            "tracks": [[spec.name, list(spec.tracks)] for spec in self.outputs],
        }
        if self.options.rc_average and self.runner.model.softmaxes:
            found["averaged_as_logits"] = sorted(self.runner.model.softmaxes)
        return found


def windows_a_step(batch_size: int, length: int) -> int:
    """Whole batches of windows of ``length`` bp, about a quarter of a megabase."""
    return batch_size * max(1, STEP_BASES // (batch_size * length))
