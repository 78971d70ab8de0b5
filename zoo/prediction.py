"""``predict``: a model, regions and a genome in; a file of predictions out.

The order of work: read the model's YAML, check every region against the genome, load the
model, lay windows, then read, compute and write at once. The module is not called
``predict.py`` because ``zoo.predict`` is the function.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from zoo.errors import InputError, SystemStateError, UsageError, ZooError
from zoo.genome.checks import check_assembly, check_regions, training_note
from zoo.genome.fasta import Genome, open_genome
from zoo.genome.intervals import RegionFile, RegionSummary
from zoo.genome.windows import WindowCounts, WindowPlan
from zoo.journal import Journal, JournalState
from zoo.models.load import Entry, load_entry, open_entry
from zoo.pipeline import BlockReader, predict_blocks
from zoo.progress import Progress
from zoo.run_record import genome_fingerprint, write_run_record
from zoo.store.checksums import sha256_of
from zoo.tracks import TrackChoice, choose_tracks
from zoo.writers import StreamWriter, check_format, open_writer
from zoo.writers.base import PredictionBatch, Writer, WriterContext

if TYPE_CHECKING:
    from zoo.models.loaded import LoadedModel

__all__ = ["PredictOptions", "PredictResult", "predict", "predict_regions"]

CHECKPOINT_SECONDS = 10.0


@dataclass(frozen=True)
class PredictOptions:
    """The options of ``zoo predict``; each is the flag of the same name.

    Attributes:
        window: ``center`` or ``tile``.
        stride: bp between tiles; default the length that the model predicts.
        edges: ``pad``, ``skip`` or ``error`` for windows that leave their chromosome.
        strand: ``auto`` (what the model's dataloader says), ``use`` or ``ignore``.
        rc_average: average both strands.
        device, batch_size, precision: how to run.
        tracks: names, globs or numbers; empty means all.
        limit: only the first regions.
        overlap: ``mean``, ``max`` or ``error`` where windows overlap in bigWig and bedGraph.
        resume: go on with an interrupted run.
        dry_run: check everything, write nothing.
        translate_chroms: join chromosome names of different styles.
        any_genome: accept a FASTA whose chromosome lengths are not the card's assembly.
        trust: run Python of a model folder that is not bundled.
        format: output format when the suffix does not tell.
    """

    window: str = "center"
    stride: int | None = None
    edges: str = "pad"
    strand: str = "auto"
    rc_average: bool = False
    device: str = "auto"
    batch_size: int | str = "auto"
    precision: str = "float32"
    tracks: Sequence[str] = ()
    limit: int | None = None
    overlap: str = "mean"
    resume: bool = False
    dry_run: bool = False
    translate_chroms: bool = False
    any_genome: bool = False
    trust: bool = False
    format: str | None = None

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise UsageError(
                    f"{name} {getattr(self, name)!r} is not known", "", f"Fix: one of {', '.join(allowed)}"
                )
        if self.batch_size != "auto" and (not str(self.batch_size).isdecimal() or int(self.batch_size) < 1):
            raise UsageError(f"--batch-size {self.batch_size}: is no positive number", "", "Fix: auto, or e.g. 64")
        if self.stride is not None and self.window != "tile":
            raise UsageError("--stride is for tiled windows", "", "Fix: add --window tile or leave out --stride")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"limit {self.limit} leaves no region", "", "Fix: --limit 100, say")


_CHOICES = {
    "window": ("center", "tile"),
    "edges": ("pad", "skip", "error"),
    "strand": ("auto", "use", "ignore"),
    "overlap": ("mean", "max", "error"),
    "precision": ("float32", "bfloat16", "float16"),
}


@dataclass
class PredictResult:
    """What a run did.

    Attributes:
        paths: the files written, in order (empty for standard output or a dry run).
        regions, windows: how many were predicted.
        counts: padded and skipped windows, reversed windows, IUPAC bases ...
        notes: sentences that the user should read.
        seconds: wall-clock time of reading, computing and writing.
    """

    paths: list[Path] = field(default_factory=list)
    regions: int = 0
    windows: int = 0
    counts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class _Job:
    """Everything that is fixed before the first batch."""

    entry: Entry
    model: LoadedModel
    regions: RegionFile
    genome: Genome
    summary: RegionSummary
    aliases: dict[str, str]
    options: PredictOptions
    plan: WindowPlan
    choice: TrackChoice
    runner: Any
    use_strand: bool
    notes: list[str]

    def reader(self, skip_until: int = 0) -> BlockReader:
        return BlockReader(
            self.regions, self.genome, self.plan, use_strand=self.use_strand, n_value=self.model.loader.n_value,
            batch_size=self.runner.batch_size, aliases=self.aliases, limit=self.options.limit, skip_until=skip_until,
        )

    def count_windows(self) -> int:
        if self.plan.mode == "center":
            return self.summary.regions
        return sum(self.plan.count(chunk) for chunk in self.regions.chunks(self.options.limit))


def predict(
    model: str | Path | LoadedModel,
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
    chosen = _options(options)
    stdout = sys.stdout
    # What a model's Python prints is no part of the result, which may go to standard output.
    with RegionFile(regions) as region_file, contextlib.redirect_stdout(sys.stderr):
        job = _prepare(model, region_file, genome, chosen, str(out))
        result = PredictResult(notes=job.notes)
        total = job.count_windows()
        if chosen.dry_run:
            for note in job.notes:
                _say(report, note)
            result.regions, result.windows = job.summary.regions, total
            result.counts = _plan_counts(job)
            return result
        if str(out) == "-":
            _run_to_stream(job, stdout, result, total, progress, report)
        else:
            _run_to_file(job, Path(out), result, total, progress, report)
        notes = _counted_notes(result.counts, job)
        if result.paths:
            notes += _record(job, Path(out), result, notes)
        for note in notes:
            result.notes.append(note)
            _say(report, note)
    return result


def predict_regions(model: LoadedModel, regions: str | Path, fasta: str | Path, **options: Any) -> PredictionBatch:
    """Predict for regions and return everything in memory, in input order.

    Returns:
        One ``PredictionBatch`` of all windows; ``.values`` maps output name -> float32 array.
    """
    chosen = _options(options)
    with RegionFile(regions) as region_file:
        job = _prepare(model, region_file, fasta, chosen, "-")
        batches: list[PredictionBatch] = []
        predict_blocks(iter(job.reader()), job.runner, job.choice, lambda b, *_: batches.append(b), lambda _: None)
    return _concatenate([batch for batch in batches if len(batch)])


def _options(given: dict[str, Any]) -> PredictOptions:
    known = {f.name for f in dataclasses.fields(PredictOptions)}
    if unknown := sorted(given.keys() - known):
        raise UsageError(f"unknown option {unknown[0]!r}", "", f"Fix: one of {', '.join(sorted(known))}")
    if isinstance(given.get("tracks"), str):
        given = given | {"tracks": [given["tracks"]]}
    return PredictOptions(**given)


def _prepare(
    model: str | Path | LoadedModel, regions: RegionFile, genome: str | Path | None, options: PredictOptions, out: str
) -> _Job:
    """Check everything that can be checked, cheapest first, then load the model."""
    check_format(out, options.format)
    if out != "-":
        _check_out(Path(out), regions.path, genome)
    elif options.resume:
        raise UsageError("--resume goes on with a file, not with standard output", "", "Fix: add -o OUT")
    entry = _entry_of(model, options)
    fasta = open_genome(genome if genome is not None else _default_genome(entry))
    notes = []
    if not options.any_genome and (note := check_assembly(entry.card, fasta)):
        notes.append(note)
    summary, aliases = check_regions(regions, fasta, translate=options.translate_chroms, limit=options.limit)
    if note := training_note(entry.card, summary.chrom_counts):
        notes.append(note)
    if summary.skipped_lines:
        notes.append(f"{summary.skipped_lines:,} header, track, comment or blank line(s) of {regions.label} were skipped")

    from zoo.models.runner import Runner

    loaded = load_entry(entry) if isinstance(model, str | Path) else model
    choice = choose_tracks(loaded.outputs, options.tracks)
    use_strand = {"auto": loaded.loader.use_strand, "use": True, "ignore": False}[options.strand]
    if summary.minus_strand:
        notes.append(
            f"{summary.minus_strand:,} regions on '-': "
            + ("predicted from the reverse complement" if use_strand else "strand ignored (--strand use honours it)")
        )
    return _Job(
        entry=entry, model=loaded, regions=regions, genome=fasta, summary=summary, aliases=aliases, options=options,
        plan=_plan(loaded, choice, options), choice=choice,
        runner=Runner(loaded, options.device, options.precision, options.rc_average, options.batch_size),
        use_strand=use_strand, notes=notes,
    )


def _entry_of(model: str | Path | LoadedModel, options: PredictOptions) -> Entry:
    if isinstance(model, str | Path):
        return open_entry(model, trust=options.trust)
    return Entry(model.name, model.folder or Path(), options.trust, None, model.card)


def _default_genome(entry: Entry) -> Path:
    assembly = entry.card.genome.assembly if entry.card and entry.card.genome else None
    folder = os.environ.get("ZOO_GENOMES")
    if assembly and folder:
        for suffix in (".fa", ".fasta", ".fa.gz", ".fasta.gz"):
            if (path := Path(folder) / f"{assembly}{suffix}").is_file():
                return path
    raise UsageError(
        "no genome was given",
        f"{entry.name} was trained on {assembly}" if assembly else "",
        f"Fix: add -g {assembly or 'genome'}.fa (or set ZOO_GENOMES to a folder that holds it)",
    )


def _check_out(out: Path, regions: Path, genome: str | Path | None) -> None:
    """An output that cannot be written is found before the work, not after it."""
    folder = out.parent
    if not folder.is_dir():
        raise UsageError(f"{out}: the folder {folder} does not exist", "", f"Fix: mkdir -p {folder}")
    if out.is_dir() and not out.name.lower().endswith(".zarr"):
        raise UsageError(f"{out}: is a folder", "", "Fix: give a file name, e.g. -o predictions.tsv")
    if out.is_dir() and not (out / "zarr.json").is_file() and any(out.iterdir()):
        raise UsageError(f"{out}: is a folder that is not a Zarr 3 store", "", "Fix: give another name with -o")
    if out.exists() and not (out.is_file() or out.is_dir()):
        raise UsageError(
            f"{out}: is a pipe or device; a result is a file that gets its name when it is whole", "",
            "Fix: leave out -o and redirect standard output (zoo predict ... > OUT)",
        )
    for source in (regions, *([Path(genome)] if genome is not None else [])):
        if out.exists() and source.exists() and out.samefile(source):
            raise UsageError(f"{out}: is an input of this command and would be replaced", "", "Fix: give another name with -o")
    try:
        probe = folder / f".zoo-probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}", "", "Fix: choose another folder with -o") from None


def _plan(model: LoadedModel, choice: TrackChoice, options: PredictOptions) -> WindowPlan:
    offset, span = 0, model.length
    profiles = [spec for spec in choice.outputs if spec.kind == "profile"]
    if profiles and model.places_bins:
        # Tiles must cover the region with every profile output: the part that all predict.
        offset = max(spec.offset for spec in profiles)
        span = min(spec.offset + spec.n_bins * spec.bin_size for spec in profiles) - offset
    return WindowPlan(model.length, options.window, offset, span, options.stride, options.edges)


def _context(job: _Job, out: Path) -> WriterContext:
    sizes = _sizes_by_written_name(job)
    swap = {}
    for spec in job.choice.outputs:
        if (order := job.model.strand_pairs.get(spec.name)) is not None:
            swap[spec.name] = _restrict(order, job.choice.channels[spec.name])
    return WriterContext(out, job.choice.outputs, sizes, job.options.overlap, swap, job.options.window == "tile")


def _sizes_by_written_name(job: _Job) -> dict[str, int]:
    """Chromosome lengths in FASTA order under the names that the regions file uses; it may use two for one contig."""
    written: dict[str, list[str]] = {contig: [] for contig in job.genome.sizes}
    for name in job.summary.chrom_counts:
        written[job.aliases.get(name, name)].append(name)
    return {
        name: size for contig, size in job.genome.sizes.items() for name in (written[contig] or [contig])
    }


def _restrict(order: np.ndarray, channels: np.ndarray | None) -> np.ndarray:
    """The permutation among the chosen channels; a track whose partner was left out stays itself."""
    if channels is None:
        return order
    place = {int(channel): i for i, channel in enumerate(channels)}
    return np.array([place.get(int(order[channel]), place[int(channel)]) for channel in channels], dtype=np.int64)


def _open_file_writer(job: _Job, out: Path) -> Writer:
    from zoo.writers.genomic import GenomicWriter

    writer = open_writer(_context(job, out), job.options.format)
    if isinstance(writer, GenomicWriter):
        _check_places(job, out)
    return writer


def _check_places(job: _Job, out: Path) -> None:
    """A genome track needs bins with coordinates and, for reversed windows, both tracks of each stranded pair."""
    if not job.model.places_bins:
        raise UsageError(
            f"{out}: {job.model.name} has no card that says where its bins lie", "",
            "Fix: write .tsv, .h5, .zarr or .parquet; or add a card with bin_size and offset",
        )
    if not (job.use_strand and job.summary.minus_strand):
        return
    tracks = {spec.name: spec.tracks for spec in job.model.outputs}
    for name, order in job.model.strand_pairs.items():
        channels = job.choice.channels.get(name)
        if channels is not None and (lacking := sorted(set(order[channels].tolist()) - set(channels.tolist()))):
            raise UsageError(
                f"{out}: --tracks leaves out {tracks[name][lacking[0]]!r}, the other strand of a chosen track",
                f"{job.summary.minus_strand:,} regions on '-' need it for the genome's strands",
                "Fix: choose both tracks of a pair, or --strand ignore",
            )


def _run_to_stream(
    job: _Job, stdout: TextIO, result: PredictResult, total: int, progress: Any, report: Callable[[str], None] | None
) -> None:
    writer = StreamWriter(_context(job, Path("-")), stdout, job.options.format or "tsv")
    for note in job.notes:
        _say(report, note)
    reader = job.reader()
    bar = progress(total, 0) if progress else Progress(total)
    try:
        writer.open()
        predict_blocks(iter(reader), job.runner, job.choice, lambda batch, _: writer.write(batch), bar.advance)
        writer.finish()
    finally:
        bar.clear()
    _summarise(result, job, reader, bar)


def _run_to_file(
    job: _Job, out: Path, result: PredictResult, total: int, progress: Any, report: Callable[[str], None] | None
) -> None:
    writer, journal = _open_file_writer(job, out), Journal(out)
    signature = _signature(job, out)
    state = journal.load(signature) if job.options.resume else None
    for note in job.notes:
        _say(report, note)
    if state is not None:
        _say(report, f"resuming after {state.rows:,} predictions")
    elif job.options.resume:
        _say(report, "nothing to resume; starting from the first region")
    run = _FileRun(job, writer, journal, signature, state)
    bar = progress(total, state.rows if state else 0) if progress else Progress(total)
    try:
        result.paths = run.go(bar)
    finally:
        bar.clear()
    _summarise(result, job, run.reader, bar)


class _FileRun:
    """Writes a file with a journal, so that what is done survives an interruption."""

    def __init__(
        self, job: _Job, writer: Writer, journal: Journal, signature: dict[str, Any], state: JournalState | None
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
        self.journal.save(
            JournalState(self.signature, self.cursor, self.rows, self.counts, self.writer.checkpoint())
        )
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
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        limited = error.errno == errno.EFBIG
        what = "a file may not become so large here (ulimit -f)" if limited else f"the disk is full ({error.strerror})"
        return SystemStateError(
            f"{out}: {what}", "no file bears the final name",
            ("Fix: raise the limit" if limited else "Fix: free space") + (", then repeat the command with --resume" if resumable else " or write elsewhere with -o"),
        )
    return UsageError(
        f"{out}: cannot be written: {error.strerror or error}", "no file bears the final name",
        "Fix: check the folder, or write elsewhere with -o",
    )


def _signature(job: _Job, out: Path) -> dict[str, Any]:
    options = job.options
    return {
        "model": job.model.hashes, "regions": sha256_of(job.regions.path),
        "genome": genome_fingerprint(job.genome.sizes, job.genome.path), "output": str(out.resolve()),
        "window": options.window, "stride": options.stride, "edges": options.edges, "strand": job.use_strand,
        "rc_average": options.rc_average, "precision": options.precision, "batch_size": job.runner.batch_size,
        "tracks": [[spec.name, list(spec.tracks)] for spec in job.choice.outputs], "limit": options.limit,
        "overlap": options.overlap, "format": options.format, "translate_chroms": options.translate_chroms,
    }


def _restore_counts(reader: BlockReader, counts: dict[str, Any]) -> None:
    windows = {f.name: counts[f.name] for f in dataclasses.fields(WindowCounts)}
    reader.counts.windows = WindowCounts(**windows)
    reader.counts.iupac_bases = counts["iupac_bases"]
    reader.counts.reversed_windows = counts["reversed_windows"]


def _summarise(result: PredictResult, job: _Job, reader: BlockReader, bar: Progress) -> None:
    result.counts = {"regions": job.summary.regions, "skipped_lines": job.summary.skipped_lines} | reader.counts.as_dict()
    result.regions, result.windows = job.summary.regions, result.counts["windows"]
    result.seconds = bar.seconds


def _plan_counts(job: _Job) -> dict[str, Any]:
    return {
        "regions": job.summary.regions, "skipped_lines": job.summary.skipped_lines, "window_bp": job.plan.length,
        "device": str(job.runner.device), "batch_size": job.runner.batch_size,
        "outputs": {spec.name: len(spec.tracks) for spec in job.choice.outputs},
    }


def _counted_notes(counts: dict[str, Any], job: _Job) -> list[str]:
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


def _record(job: _Job, out: Path, result: PredictResult, notes: list[str]) -> list[str]:
    """Write OUT.run.json; return a note when that failed, as the result itself is whole."""
    options = asdict(job.options)
    record = {
        "model": {"name": job.model.name, **job.model.info, "sha256": job.model.hashes},
        "regions": {"path": str(job.regions.label), "sha256": sha256_of(job.regions.path)},
        "genome": genome_fingerprint(job.genome.sizes, job.genome.path),
        "options": options | {"tracks": list(options["tracks"])},
        "device": str(job.runner.device), "batch_size": job.runner.batch_size, "strand_used": job.use_strand,
        "outputs": [asdict(spec) for spec in job.choice.outputs], "counts": result.counts, "notes": result.notes + notes,
        "files": [str(path) for path in result.paths], "seconds": round(result.seconds, 3),
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
        for f in dataclasses.fields(PredictionBatch) if f.name != "values"
    }
    values = {name: np.concatenate([batch.values[name] for batch in batches]) for name in batches[0].values}
    return PredictionBatch(**columns, values=values)
