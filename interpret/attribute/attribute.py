"""``attribute``: a model, regions and a genome in; ``contribs.h5`` or another file of contributions out.

The order of work is that of ``zoo.run.predict``: check everything, load the model, choose what is explained,
then read, explain and write block by block (``explainer`` stands where the model's runner does). What is spooled
survives an interruption; the result is made from it at the end (``contribs/writer.py``, ``contribs/formats.py``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from interpret.attribute.explainer import Explainer
from interpret.attribute.marginal_effects import Marginalizer, measure, read_motif
from interpret.attribute.options import (
    COMPARING,
    MARGINALIZE,
    TABLES,
    AttributeOptions,
    AttributeResult,
    inputs_of_options,
    split_options,
)
from interpret.contribs.file import FileSource, open_contribs
from interpret.contribs.formats import Format, choose_format
from interpret.contribs.writer import ContribsWriter, writer_context_for
from interpret.explanation import MEDIAN_LIMIT, check_complete, completeness_note, projection_note
from interpret.methods.integrated_gradients import FIX
from zoo.errors import InputError, UsageError
from zoo.genome.intervals import RegionFile
from zoo.genome.library import genome_name
from zoo.genome.region_table import Regions
from zoo.models.loaded import pick_device
from zoo.paths import refuse_empty
from zoo.progress import Notes, Progress
from zoo.results.check_out import check_out
from zoo.results.record import left_behind, write_run_record
from zoo.results.whole import replacing_all, sole_writer
from zoo.run.file_run import FileRun
from zoo.run.job import Job, counted_notes, inputs_of, opened, prepare

if TYPE_CHECKING:
    from zoo.models.array_model import ArrayModel
    from zoo.models.entry import Entry
    from zoo.models.loaded import LoadedModel

__all__ = ["AttributeOptions", "AttributeResult", "attribute", "convert", "record_of"]

EFFECTS = "marginalize gives an effect a window, no contributions of bases; its table"


def attribute(
    model: str | Path | Entry | LoadedModel | ArrayModel,
    regions: Regions,
    genome: str | Path | None = None,
    out: str | Path = "contribs.h5",
    *,
    report: Callable[[str], None] | None = None,
    progress: Callable[[int, int], Progress] | None = None,
    planned: Callable[[int, int], None] | None = None,
    **options: Any,
) -> AttributeResult:
    """Attribute a model's output to the bases of regions and write a file of contributions.

    Args:
        model, regions, genome: as in ``zoo.predict``.
        out: the file; its suffix gives the format (``formats.choose_format``), or ``format`` does.
        report: called with each note for the user.
        progress: ``(total, done) -> Progress``.
        planned: called with the number of windows and the bp of each once all is checked, before any is explained.
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
        notes.keep(*job.recorded)
        kind = Marginalizer if format is None else Explainer
        compute = kind(job.model, chosen, pick_device(reading.device), reading.sequences_a_pass)
        notes.add(*compute.notes)
        if planned is not None:
            planned(job.count_windows(), job.plan.length)
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
        told = completeness_note(errors), projection_note(writer.projection_error)
        notes.add(*counted_notes(run.counts, job), *filter(None, told))
        notes.add(*_left_behind(out, format))
        return record_of(job, explainer, len(errors), notes.texts, run.seconds) | {"counts": run.counts}

    context = writer_context_for(out, job.model.length, job.chrom_sizes(), overlap)
    writer = ContribsWriter(context, format, check, record)
    run = FileRun(job, explainer, writer, notes, progress)
    paths = run.go()
    return AttributeResult(out, run.rows, notes.texts, run.seconds, paths, job.counted(run.counts))


def _left_behind(out: Path, format: Format) -> list[str]:
    """Files of an earlier run in another format; its record too, where this one's is inside the result."""
    record = [out.with_name(f"{out.name}.run.json")] if format.record_inside else []
    return left_behind(out, format.finals(out), record)


# ---------------------------------------------------------------- the run record


def record_of(job: Job, explainer: Explainer, windows: int, notes: list[str], seconds: float) -> dict[str, Any]:
    """Everything that a reader of the file may ask."""
    options, references, target = explainer.options, explainer.references, explainer.target
    named = {"kind": references.kind, "n": references.n, "seed": references.seed}
    details = explainer.method.details
    common, card = job.record(), job.model.card
    return {
        "command": sys.argv,
        "model": {"version": card.version if card else None} | common["model"],
        "method": explainer.method.name,
        "references": named if explainer.method.name in COMPARING else None,
        "seed": references.seed,
        "output": target.output.name,
        "tracks": list(target.tracks),
        "bins": target.bins,
        "reduction": target.reduction,
        "explained": explainer.explained,
        "genome": common["genome"] | ({"name": name} if (name := genome_name(job.genome.path)) else {}),
        "assembly": card.genome.assembly if card and card.genome else None,
        "regions": common["regions"],
        "versions": _versions(),
        "options": dataclasses.asdict(options) | {"reading": dataclasses.asdict(job.options)},
        "completeness_threshold": MEDIAN_LIMIT,
        "notes": notes,
        "windows": windows,
        "seconds": round(seconds, 3),
        "one_hot_n_value": job.model.loader.n_value,
    } | ({"method_details": details()} if details else {})


def _versions() -> dict[str, str]:
    found = {}
    for name in ("seqzoo", "torch", "numpy", "captum", "tangermeme"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


# ---------------------------------------------------------------- a finished contribs.h5 in another format


def convert(contribs: str | Path, out: str | Path, format: str | None = None, overlap: str = "mean") -> AttributeResult:
    """Write contributions in another format.

    Args:
        contribs: a file of ``zoo attribute``, in its own format.
        out, format: see ``formats.choose_format``.
        overlap: ``mean``, ``max`` or ``error`` where windows overlap in a bigWig.

    Raises:
        ZooError: nothing bears the final name.
    """
    refuse_empty(contribs, UsageError)
    contribs, begin = Path(contribs), time.monotonic()
    if contribs.suffix.lower() not in (".h5", ".hdf5"):
        raise UsageError(
            f"{contribs}: no regions were given for this model",
            "a contribs.h5 alone is written in another format",
            "Fix: zoo attribute MODEL BED -g FASTA -o contribs.h5",
        )
    chosen = choose_format(Path(out), format)
    out = check_out(out, inputs=[contribs], suffixes=chosen.suffixes, beside=chosen.finals, what="contributions")
    if chosen.record_inside:
        raise UsageError(
            f"{contribs}: is in this format already", "", "Fix: -o contribs.bw, contribs.npz, or --format chrombpnet-h5"
        )
    with open_contribs(contribs) as found, sole_writer(out):
        source, finals = FileSource(found), chosen.finals(out)
        if not source.rows:
            raise InputError(f"{contribs}: holds no window", "", "Fix: make it again: zoo attribute")
        run = found.run | {"converted_from": str(contribs.resolve())}
        notes = left_behind(out, finals)
        with replacing_all(finals) as parts:
            chosen.write(source, parts, run, overlap)
        write_run_record(out, run | {"files": [str(path) for path in finals]})
    return AttributeResult(out, source.rows, notes, time.monotonic() - begin, finals[::-1])
