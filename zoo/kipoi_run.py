"""``zoo predict`` for a model whose dataloader is its own: batches come from it, not from our windows.

The loader lays windows, reads genomes and orders rows as it likes; what it says of them
(``metadata``) becomes the region columns.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from zoo.errors import InputError, ModelError, UsageError
from zoo.kipoi_rows import first_rows, join_rows, output_specs, rows_of
from zoo.models.array_model import ArrayModel
from zoo.models.foreign_loader import ForeignLoader, example_values, load_foreign_loader, loader_values
from zoo.models.kipoi_native import PICKLES
from zoo.models.load import Entry, framework_of
from zoo.predict_job import check_predictions_out, inputs_of
from zoo.predict_options import PredictOptions, PredictResult, options_from
from zoo.progress import Progress
from zoo.results import sole_writer
from zoo.run_record import write_run_record
from zoo.tracks import TrackChoice, choose_tracks
from zoo.writers import StreamWriter, check_format, open_writer
from zoo.writers.base import OutputSpec, PredictionBatch, Writer, WriterContext

__all__ = ["ForeignRun", "predict_example", "predict_regions_with_own_loader", "predict_with_own_loader"]

BATCH_SIZE = 32  # kipoi's
# The dataloader decides these: an option that asks for something else is refused, not ignored.
NOT_OURS = ("window", "stride", "edges", "strand", "rc_average", "precision", "overlap", "translate_chroms", "resume")
GENOMIC = (".bw", ".bigwig", ".bedgraph", ".bedgraph.gz", ".bg", ".bg.gz")
# HDF5 stores chromosome names in fields of fixed width; which names will come is not known before.
WIDEST_NAME = "-" * 255


@dataclass
class ForeignRun:
    """A model with its own dataloader, ready to be iterated.

    Attributes:
        model: the model, which takes what the dataloader makes.
        loader: the dataloader's class and arguments.
    """

    model: ArrayModel
    loader: ForeignLoader

    @classmethod
    def load(cls, entry: Entry | ArrayModel, device: str = "auto") -> ForeignRun:
        """Load model and dataloader; only the dataloader where the model is loaded already.

        Raises:
            TrustError: Python would run and is not trusted. ModelError, SystemStateError: see there.
        """
        if isinstance(entry, ArrayModel):
            return cls(entry, load_foreign_loader(entry.entry.description, entry.entry.trusted))
        if entry.description.defined_as in PICKLES:  # the user trusts a pickle by its checksum, not a file of Python
            framework_of(entry.description)[1].files_used(entry.description, entry.trusted)
        loader = load_foreign_loader(entry.description, entry.trusted)
        return cls(ArrayModel.load(entry, device), loader)

    @property
    def entry(self) -> Entry:
        """What was asked for."""
        return self.model.entry

    def predict(self, inputs: Any) -> dict[str, np.ndarray]:
        """Outputs by place (``a/0``; the target's name for a lone array) for one batch of the dataloader's inputs."""
        return self.model.predict_named(inputs)


def predict_with_own_loader(
    entry: Entry | ArrayModel,
    regions: str,
    genome: str | None,
    out: str,
    options: PredictOptions,
    report: Callable[[str], None] | None,
    progress: Callable[[int, int], Progress] | None,
) -> PredictResult:
    """Run model and dataloader of a Kipoi folder; the arguments are those of ``zoo.predict``."""
    out = str(_check_options(entry, options, regions, genome, out))
    stdout = sys.stdout
    # What a model's Python prints is no part of the result, which may go to standard output.
    with contextlib.redirect_stdout(sys.stderr):
        run = ForeignRun.load(entry, options.device)
        values = loader_values(run.loader, regions, genome, options.settings)
        size = BATCH_SIZE if options.batch_size == "auto" else int(options.batch_size)
        total, batches = run.loader.batches(values, size)
        result = PredictResult(notes=[f"regions are read by the model's own dataloader {run.loader.defined_as}"])
        if report:
            report(result.notes[0])
        if options.dry_run:
            _plan(run, batches, result, total, size)
            return result
        bar = progress(total or 0, 0) if progress else Progress(total or 0)
        started = time.monotonic()
        try:
            with sole_writer(out):
                specs = _write_all(run, batches, out, options, result, bar, stdout)
        finally:
            bar.clear()
    result.seconds = time.monotonic() - started
    result.regions = result.windows
    if result.paths:
        _record(run, Path(out), result, options, values, specs)
    return result


def predict_example(entry: Entry, device: str = "cpu") -> tuple[tuple[OutputSpec, ...], PredictionBatch]:
    """Predict the example that a model's own dataloader comes with.

    Returns:
        The outputs, and all rows.

    Raises:
        ModelError: it has no example.
    """
    with contextlib.redirect_stdout(sys.stderr):
        run = ForeignRun.load(entry, device)
        found = _in_memory(run, example_values(run.loader, entry.description), BATCH_SIZE, (), None)
    if found is None:
        raise ModelError(f"{entry.name}: its example has no sample", "", "Fix: tell its authors")
    return found


def predict_regions_with_own_loader(
    model: ArrayModel, regions: str | Path | None, genome: str | Path | None, given: Mapping[str, Any]
) -> PredictionBatch:
    """``ArrayModel.predict_regions``: everything in memory."""
    options = options_from(given)
    _check_options(model, options, str(regions), None if genome is None else str(genome), "-")
    with contextlib.redirect_stdout(sys.stderr):
        run = ForeignRun.load(model)
        texts = (None if one is None else str(one) for one in (regions, genome))
        values = loader_values(run.loader, *texts, options.settings)
        size = BATCH_SIZE if options.batch_size == "auto" else int(options.batch_size)
        found = _in_memory(run, values, size, options.tracks, options.limit)
    if found is None:
        raise InputError(f"the dataloader {run.loader.defined_as} gave no sample", "", "Fix: check its files")
    return found[1]


def _in_memory(
    run: ForeignRun, values: Mapping[str, Any], size: int, tracks: Sequence[str], limit: int | None
) -> tuple[tuple[OutputSpec, ...], PredictionBatch] | None:
    """All rows of the dataloader, or the first ``limit``; None where it gives none."""
    _, batches = run.loader.batches(values, size)
    parts: list[PredictionBatch] = []
    choice: TrackChoice | None = None
    done = 0
    for batch in batches:
        named = run.predict(batch["inputs"])
        choice = choice or choose_tracks(output_specs(named, run.entry), tracks)
        parts.append(rows_of(batch.get("metadata"), named, done, choice))
        done += len(parts[-1])
        if limit is not None and done >= limit:
            break
    if choice is None:
        return None
    rows = join_rows(parts)
    return choice.outputs, rows if limit is None else first_rows(rows, limit)


def _write_all(
    run: ForeignRun,
    batches: Iterator[Any],
    out: str,
    options: PredictOptions,
    result: PredictResult,
    bar: Progress,
    stdout: TextIO,
) -> tuple[OutputSpec, ...]:
    writer: Writer | None = None
    choice: TrackChoice | None = None
    try:
        for batch in batches:
            named = run.predict(batch["inputs"])
            if choice is None:
                choice = choose_tracks(output_specs(named, run.entry), options.tracks)
                writer = _open(out, choice, options, stdout)
            rows = rows_of(batch.get("metadata"), named, result.windows, choice)
            if options.limit is not None and result.windows + len(rows) > options.limit:
                rows = first_rows(rows, options.limit - result.windows)
            writer.write(rows)
            result.windows += len(rows)
            bar.advance(len(rows))
            if result.windows == options.limit:
                break
        if writer is None:
            raise InputError(f"the dataloader {run.loader.defined_as} gave no sample", "", "Fix: check its files")
        result.paths = writer.finish()
    except BaseException:
        if writer is not None:
            writer.discard()
        raise
    return choice.outputs


def _open(out: str, choice: TrackChoice, options: PredictOptions, stdout: TextIO) -> Writer:
    context = WriterContext(Path(out), choice.outputs, {WIDEST_NAME: 0}, options.overlap, {})
    if out == "-":
        writer: Writer = StreamWriter(context, stdout, options.format or "tsv")
    else:
        writer = open_writer(context, options.format)
    writer.open()
    return writer


def _check_options(
    entry: Entry | ArrayModel, options: PredictOptions, regions: str, genome: str | None, out: str
) -> Path:
    """Refuse what this kind of run cannot do; returns the path to write."""
    usual = PredictOptions()
    if other := [name for name in NOT_OURS if getattr(options, name) != getattr(usual, name)]:
        flag = "--" + other[0].replace("_", "-")
        if other == ["resume"]:
            raise UsageError(
                "--resume: this model's own dataloader cannot begin in the middle",
                "",
                "Fix: leave --resume out; the run begins at the first sample",
            )
        raise UsageError(
            f"{flag}: this model's own dataloader lays windows and reads the genome",
            "",
            f"Fix: leave {flag} out; --set gives arguments of the dataloader",
        )
    if regions == "-":
        raise UsageError("this model's own dataloader reads a file, not standard input", "", "Fix: give a file")
    if Path(out).name.lower().endswith(GENOMIC):
        raise UsageError(
            f"{out}: where this model's outputs lie is not known", "", "Fix: write .tsv, .h5, .zarr or .parquet"
        )
    folder = entry.path if isinstance(entry, Entry) else entry.entry.path
    path = check_predictions_out(out, inputs_of(folder, regions, genome, options.settings), options.format)
    check_format(out, options.format)
    return path


def _plan(run: ForeignRun, batches: Iterator[Any], result: PredictResult, total: int | None, size: int) -> None:
    """A dry run predicts the first batch: only then the outputs are known."""
    first = next(batches, None)
    specs = output_specs(run.predict(first["inputs"]), run.entry) if first else ()
    result.regions = result.windows = total or 0
    result.counts = {
        "window_bp": 0,
        "device": str(run.model.device),
        "batch_size": size,
        "outputs": {spec.name: len(spec.tracks) for spec in specs},
    }


def _record(
    run: ForeignRun,
    out: Path,
    result: PredictResult,
    options: PredictOptions,
    values: Mapping[str, Any],
    specs: tuple[OutputSpec, ...],
) -> None:
    write_run_record(
        out,
        {
            "model": {"name": run.entry.name, "sha256": run.model.hashes},
            "dataloader": run.loader.defined_as,
            "arguments": dict(values),
            "options": asdict(options) | {"tracks": list(options.tracks)},
            "notes": result.notes,
            "outputs": [asdict(spec) for spec in specs],
            "counts": {"samples": result.windows},
            "files": [str(path) for path in result.paths],
            "seconds": round(result.seconds, 3),
        },
    )
