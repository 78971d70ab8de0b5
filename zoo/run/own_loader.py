"""``zoo predict`` for a model whose dataloader is its own: batches come from it, not from our windows.

The loader lays windows, reads genomes and orders rows as it likes; what it says of them
(``metadata``) becomes the region columns.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from zoo.errors import InputError, ModelError, UsageError
from zoo.genome.library import genome_file
from zoo.genome.region_table import Regions, is_table
from zoo.genome.unknown import UnknownBases, unknown_notes
from zoo.models.array_model import ArrayModel
from zoo.models.entry import Entry, deprecation_note
from zoo.models.foreign_loader import ForeignLoader, example_values, load_foreign_loader, loader_values
from zoo.models.kipoi_native import PICKLES
from zoo.models.kipoi_outputs import outputs_that_came
from zoo.models.load import framework_of
from zoo.outputs import (
    OutputSpec,
    PredictionBatch,
    TrackChoice,
    choose_tracks,
    numbered_notes,
    tracks_first,
    unplaced_notes,
)
from zoo.paths import given_path
from zoo.progress import Notes, Progress, notebook_progress, warn
from zoo.results.record import write_run_record
from zoo.results.whole import sole_writer
from zoo.run.job import (
    PredictOptions,
    PredictResult,
    check_predictions_format,
    check_predictions_out,
    inputs_of,
    no_places,
    options_from,
)
from zoo.run.not_finite import NotFinite, not_finite_notes
from zoo.run.own_regions import check_own_regions
from zoo.run.predictions import Predictions
from zoo.words import counted
from zoo.writers import StreamWriter, open_writer
from zoo.writers.base import Writer, WriterContext

__all__ = [
    "ForeignRun",
    "path_of",
    "predict_example",
    "predict_regions_with_own_loader",
    "predict_with_own_loader",
    "returned_by_own_loader",
]

BATCH_SIZE = 32  # kipoi's
# The dataloader decides these: an option that asks for something else is refused, not ignored.
NOT_OURS = (
    "window",
    "stride",
    "edges",
    "strand",
    "rc_average",
    "precision",
    "overlap",
    "aggregate",
    "translate_chroms",
    "resume",
)
GENOMIC = (".bw", ".bigwig", ".bedgraph", ".bedgraph.gz", ".bg", ".bg.gz")
COLUMNS = tuple(one.name for one in dataclasses.fields(PredictionBatch) if one.name != "values")


@dataclass
class ForeignRun:
    """A model with its own dataloader, ready to be iterated.

    Attributes:
        model: the model, which takes what the dataloader makes.
        loader: the dataloader's class and arguments.
        outputs: those of the last batch. assumed: what nothing says of them, in sentences.
        shapes: of the model's own arrays, without the batch axis, by place.
    """

    model: ArrayModel
    loader: ForeignLoader
    outputs: tuple[OutputSpec, ...] = ()
    assumed: tuple[str, ...] = ()
    shapes: dict[str, tuple[int, ...]] | None = None

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
        """Outputs by place (``a/0``; the target's name for a lone array) for one batch of the dataloader's inputs.

        Values are (N, tracks) or (N, tracks, bins), as ``outputs`` describes them.
        """
        named = self.model.predict_named(inputs)
        shapes = {place: value.shape[1:] for place, value in named.items()}
        if shapes != self.shapes:
            self.shapes = shapes
            self.outputs, self.assumed = outputs_that_came(self.entry.description, shapes)
        return {spec.name: tracks_first(named[spec.name], spec.axis) for spec in self.outputs}


@dataclass
class LettersSeen:
    """Unknown bases of the inputs that a dataloader made, as far as they are one-hot."""

    met: UnknownBases = field(default_factory=UnknownBases)
    samples: int = 0
    bases: int = 0

    def add(self, inputs: Any, rows: PredictionBatch) -> None:
        """Count the inputs of these rows, which come first among them."""

        def place(i: int) -> str:
            known = rows.start[i] >= 0
            return f"{rows.chrom[i]}:{rows.start[i]}-{rows.end[i]}" if known else f"sample {self.samples + i + 1}"

        self.bases += self.met.add_one_hot(inputs, len(rows), place)
        self.samples += len(rows)

    def notes(self) -> list[str]:
        """What the user should know of them."""
        return unknown_notes(self.met, self.samples, self.bases, "sample")


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
        size = options.sequences_a_pass or BATCH_SIZE
        said = [note for note in [deprecation_note(run.entry.card)] if note]
        said += [f"regions are read by the model's own dataloader {run.loader.defined_as}"]
        notes = Notes(report, said + check_own_regions(run.loader, values))
        result = PredictResult(notes=notes.texts)
        total, batches = run.loader.batches(values, size)
        if options.dry_run:
            _plan(run, batches, result, total, size, notes)
            return result
        bar = (progress or notebook_progress)(total or 0, 0)
        started, letters = time.monotonic(), LettersSeen()
        try:
            with sole_writer(out):
                specs = _write_all(run, batches, out, options, result, bar, stdout, letters, notes)
        finally:
            bar.clear()
    notes.add(*letters.notes())
    result.counts |= asdict(letters.met)
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
        found = _in_memory(run, example_values(run.loader, entry.description), BATCH_SIZE, (), None, LettersSeen())
    if found is None:
        raise ModelError(f"{entry.name}: its example has no sample", "", "Fix: tell its authors")
    return found


def predict_regions_with_own_loader(
    model: ArrayModel, regions: Regions | None, genome: str | Path | None, given: Mapping[str, Any]
) -> Predictions:
    """``ArrayModel.predict_regions``: everything in memory."""
    given = dict(given)
    report, progress = given.pop("report", None), given.pop("progress", None)
    read = path_of(model, regions), fasta_of(genome)
    return returned_by_own_loader(model, *read, options_from(given), report, progress)


def returned_by_own_loader(
    model: Entry | ArrayModel,
    regions: str | None,
    genome: str | None,
    options: PredictOptions,
    report: Callable[[str], None] | None,
    progress: Callable[[int, int], Progress] | None,
) -> Predictions:
    """Run model and dataloader and return everything in memory; the arguments are those of ``zoo.predict``."""
    refuse_hub(model, options)
    _check_options(model, options, regions, genome, "-")
    notes, letters, started = Notes(report or warn), LettersSeen(), time.monotonic()
    with contextlib.redirect_stdout(sys.stderr):
        run = ForeignRun.load(model, options.device)
        values = loader_values(run.loader, regions, genome, options.settings)
        notes.add(*check_own_regions(run.loader, values))
        size = options.sequences_a_pass or BATCH_SIZE
        found = _in_memory(run, values, size, options.tracks, options.limit, letters, progress or notebook_progress)
    if found is None:
        raise InputError(f"the dataloader {run.loader.defined_as} gave no sample", "", "Fix: check its files")
    specs, rows = found
    not_finite = NotFinite()
    not_finite.add(rows)
    counts = {"samples": len(rows)} | asdict(letters.met) | not_finite.as_dict()
    notes.add(*run.assumed, *unplaced_notes(specs), *numbered_notes(run.outputs, options.tracks))
    notes.add(*letters.notes(), *not_finite_notes(counts, left_out=False))
    seconds = time.monotonic() - started
    facts = {"counts": counts, "notes": notes.texts, "seconds": seconds}
    return Predictions.of(rows, specs, run.entry.name, run.entry.card, **facts)


def path_of(model: Entry | ArrayModel, regions: Regions | None) -> str | None:
    """The path of the regions, as the model's own dataloader takes it.

    Raises:
        UsageError: they are a table.
    """
    if regions is not None and is_table(regions):
        raise UsageError(
            f"{model.name} reads regions by its own dataloader, which takes a file",
            "",
            "Fix: write the regions to a BED and give its path",
        )
    return None if regions is None else str(given_path(regions))


def fasta_of(genome: str | Path | None) -> str | None:
    """The path of the genome for the dataloader; the name of an assembly stands for the genome that is found by it."""
    return None if genome is None else str(genome_file(genome))


def _in_memory(
    run: ForeignRun,
    values: Mapping[str, Any],
    size: int,
    tracks: Sequence[str],
    limit: int | None,
    letters: LettersSeen,
    progress: Callable[[int, int], Progress] = Progress,
) -> tuple[tuple[OutputSpec, ...], PredictionBatch] | None:
    """All rows of the dataloader, or the first ``limit``; None where it gives none."""
    total, batches = run.loader.batches(values, size)
    bar = progress(total or 0, 0)
    try:
        return _joined(run, batches, tracks, limit, letters, bar)
    finally:
        bar.clear()


def _joined(
    run: ForeignRun,
    batches: Iterator[Any],
    tracks: Sequence[str],
    limit: int | None,
    letters: LettersSeen,
    bar: Progress,
) -> tuple[tuple[OutputSpec, ...], PredictionBatch] | None:
    parts: list[PredictionBatch] = []
    choice: TrackChoice | None = None
    done = 0
    for batch in batches:
        named = run.predict(batch["inputs"])
        choice = choice or choose_tracks(run.outputs, tracks)
        parts.append(rows_of(batch.get("metadata"), named, done, choice))
        letters.add(batch["inputs"], parts[-1])
        done += len(parts[-1])
        bar.advance(len(parts[-1]))
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
    letters: LettersSeen,
    notes: Notes,
) -> tuple[OutputSpec, ...]:
    writer: Writer | None = None
    choice: TrackChoice | None = None
    not_finite = NotFinite()
    try:
        for batch in batches:
            named = run.predict(batch["inputs"])
            if choice is None:
                choice = choose_tracks(run.outputs, options.tracks)
                notes.add(*run.assumed, *unplaced_notes(choice.outputs), *numbered_notes(run.outputs, options.tracks))
                writer = _open(run.entry.name, out, choice, options, stdout)
            rows = rows_of(batch.get("metadata"), named, result.windows, choice)
            if options.limit is not None and result.windows + len(rows) > options.limit:
                rows = first_rows(rows, options.limit - result.windows)
            not_finite.add(rows)
            writer.write(rows)
            letters.add(batch["inputs"], rows)
            result.windows += len(rows)
            bar.advance(len(rows))
            if result.windows == options.limit:
                break
        if writer is None:
            raise InputError(f"the dataloader {run.loader.defined_as} gave no sample", "", "Fix: check its files")
        result.paths = writer.finish()
        result.counts |= not_finite.as_dict()
        notes.add(*not_finite_notes(result.counts, not writer.holds_not_finite))
    except BaseException:
        if writer is not None:
            writer.discard()
        raise
    return choice.outputs


def _open(name: str, out: str, choice: TrackChoice, options: PredictOptions, stdout: TextIO) -> Writer:
    context = WriterContext(Path(out), choice.outputs, None, options.overlap, {})
    if out == "-":
        writer: Writer = StreamWriter(context, stdout, options.format or "tsv")
    else:
        writer = open_writer(context, options.format)
    if writer.needs_places:
        raise no_places(out, name)
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
    check_predictions_format(out, options)
    return path


def refuse_hub(model: Entry | ArrayModel, options: PredictOptions) -> None:
    """Refuse a track hub, whose values need places on a genome.

    Raises:
        UsageError: one is asked for.
    """
    if options.track_hub is not None:
        raise UsageError(
            f"--track-hub {options.track_hub}: where the outputs of {model.name} lie is not known",
            "its own dataloader lays windows",
            "Fix: write .tsv, .h5, .zarr or .parquet with -o",
        )


def _plan(
    run: ForeignRun, batches: Iterator[Any], result: PredictResult, total: int | None, size: int, notes: Notes
) -> None:
    """A dry run predicts the first batch: only then the outputs are known."""
    if first := next(batches, None):
        run.predict(first["inputs"])
    notes.add(*run.assumed, *unplaced_notes(run.outputs))
    result.regions = result.windows = total or 0
    result.counts = {
        "window_bp": 0,
        "device": str(run.model.device),
        "batch_size": size,
        "outputs": {spec.name: len(spec.tracks) for spec in run.outputs},
    }


def _record(
    run: ForeignRun,
    out: Path,
    result: PredictResult,
    options: PredictOptions,
    values: Mapping[str, Any],
    specs: tuple[OutputSpec, ...],
) -> None:
    version = run.entry.card.version if run.entry.card else None
    write_run_record(
        out,
        {
            "model": {"name": run.entry.name, "version": version, "sha256": run.model.hashes},
            "dataloader": run.loader.defined_as,
            "arguments": dict(values),
            "options": asdict(options) | {"tracks": list(options.tracks)},
            "notes": result.notes,
            "outputs": [asdict(spec) for spec in specs],
            "counts": {"samples": result.windows} | result.counts,
            "files": [str(path) for path in result.paths],
            "seconds": round(result.seconds, 3),
        },
    )


# What a dataloader says of its samples, as the rows that writers take.


def rows_of(metadata: Any, named: Mapping[str, np.ndarray], first: int, choice: TrackChoice) -> PredictionBatch:
    """A batch of the loader as rows: coordinates from its ranges, the name from its ids or other metadata."""
    n = len(next(iter(named.values())))
    if uneven := [place for place, value in named.items() if len(value) != n]:
        wrong = f"output {uneven[0]!r} has {counted(len(named[uneven[0]]), 'row')}, others {n}"
        raise ModelError(wrong, "", "Fix: tell the model's authors")
    ranges = _ranges(metadata) or {}
    start = _integers(ranges.get("start"), n)
    end = _integers(ranges.get("end"), n)
    strand = np.array([one if one in ("+", "-") else "." for one in _words(ranges.get("strand"), n)], dtype="<U1")
    values = {
        spec.name: named[spec.name].reshape(n, -1)
        if spec.kind == "scalar"
        else named[spec.name].reshape(n, named[spec.name].shape[1], -1)
        for spec in chosen_outputs(named, choice)
    }
    return PredictionBatch(
        region=np.arange(first, first + n),
        chrom=_words(ranges.get("chr"), n),
        start=start,
        end=end,
        name=_names(metadata, ranges, n),
        score=np.array(["."] * n, dtype=object),
        strand=strand,
        window_start=start,
        window_end=end,
        reverse=np.zeros(n, dtype=bool),
        values=choice.apply(values),
    )


def chosen_outputs(named: Mapping[str, np.ndarray], choice: TrackChoice) -> tuple[OutputSpec, ...]:
    """The chosen outputs; the model must give each of them in every batch.

    Raises:
        ModelError: one is absent.
    """
    if gone := [spec.name for spec in choice.outputs if spec.name not in named]:
        raise ModelError(f"output {gone[0]!r} is absent from a later batch", "", "Fix: tell the model's authors")
    return choice.outputs


def _ranges(metadata: Any) -> Mapping[str, Any] | None:
    """The first genomic ranges in the metadata: a mapping with chr, start and end."""
    if not isinstance(metadata, Mapping):
        return None
    if {"chr", "start", "end"} <= set(metadata):
        return metadata
    return next((found for value in metadata.values() if (found := _ranges(value))), None)


def _names(metadata: Any, ranges: Mapping[str, Any], n: int) -> np.ndarray:
    """Text metadata beside the ranges (gene, transcript, variant), joined by ``|``; else the ids of the ranges."""
    others = []
    if isinstance(metadata, Mapping) and metadata is not ranges:
        for key, value in metadata.items():
            array = np.asarray(value) if not isinstance(value, Mapping) else np.empty(0)
            if array.shape == (n,) and array.dtype.kind in "UOS" and "strand" not in str(key).lower():
                others.append(_words(value, n))
    if not others:
        return _words(ranges.get("id"), n)
    return np.array(["|".join(parts) for parts in zip(*others, strict=True)], dtype=object)


def _words(value: Any, n: int) -> np.ndarray:
    if value is None:
        return np.array(["."] * n, dtype=object)
    given = [value] * n if isinstance(value, str | bytes) or np.ndim(value) == 0 else list(value)
    texts = [one.decode(errors="replace") if isinstance(one, bytes) else str(one) for one in given]
    if len(texts) != n:
        wrong = f"the dataloader's metadata has {counted(len(texts), 'row')} for {n} predictions"
        raise ModelError(wrong, "", "Fix: tell the model's authors")
    return np.array([text or "." for text in texts], dtype=object)


def _integers(value: Any, n: int) -> np.ndarray:
    """Positions; -1 where the loader gives none, as BEDTools marks an absent interval."""
    return np.broadcast_to(np.asarray(-1 if value is None else value, np.int64), (n,)).copy()


def first_rows(rows: PredictionBatch, n: int) -> PredictionBatch:
    """The first ``n`` rows."""
    columns = {name: getattr(rows, name)[:n] for name in COLUMNS}
    return PredictionBatch(**columns, values={name: value[:n] for name, value in rows.values.items()})


def join_rows(parts: Sequence[PredictionBatch]) -> PredictionBatch:
    """Batches one after the other."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    values = {name: np.concatenate([part.values[name] for part in parts]) for name in parts[0].values}
    return PredictionBatch(**columns, values=values)
