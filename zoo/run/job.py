"""Everything that is fixed before the first batch: options; checks, cheapest first; then the model and the windows."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import UsageError
from zoo.genome.checks import check_assembly, check_regions, training_note
from zoo.genome.fasta import Genome, open_genome
from zoo.genome.intervals import RegionFile, RegionSummary
from zoo.genome.windows import WindowPlan
from zoo.models.entry import Entry, open_entry, renames_chromosomes, with_length_of, with_settings
from zoo.models.load import load_entry
from zoo.outputs import TrackChoice, choose_tracks
from zoo.run.pipeline import BlockReader
from zoo.writers import check_format, open_writer
from zoo.writers.base import Writer, WriterContext

if TYPE_CHECKING:
    from zoo.models.loaded import LoadedModel

__all__ = [
    "PredictJob",
    "PredictOptions",
    "PredictResult",
    "open_file_writer",
    "options_from",
    "prepare",
    "writer_context",
]


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
        settings: arguments of the model's dataloader (``--set NAME=VALUE``).
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
    settings: Mapping[str, Any] = field(default_factory=dict)

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


def options_from(given: dict[str, Any]) -> PredictOptions:
    known = {f.name for f in dataclasses.fields(PredictOptions)}
    if unknown := sorted(given.keys() - known):
        raise UsageError(f"unknown option {unknown[0]!r}", "", f"Fix: one of {', '.join(sorted(known))}")
    if isinstance(given.get("tracks"), str):
        given = given | {"tracks": [given["tracks"]]}
    return PredictOptions(**given)


@dataclass
class PredictJob:
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
            self.regions,
            self.genome,
            self.plan,
            use_strand=self.use_strand,
            n_value=self.model.loader.n_value,
            batch_size=self.runner.batch_size,
            aliases=self.aliases,
            limit=self.options.limit,
            skip_until=skip_until,
        )

    def count_windows(self) -> int:
        if self.plan.mode == "center":
            return self.summary.regions
        return sum(self.plan.count(chunk) for chunk in self.regions.chunks(self.options.limit))


def prepare(
    model: str | Path | LoadedModel, regions: RegionFile, genome: str | Path | None, options: PredictOptions, out: str
) -> PredictJob:
    """Check everything that can be checked, cheapest first, then load the model."""
    if out != "-":
        check_out(Path(out), regions.path, genome)
    elif options.resume:
        raise UsageError("--resume goes on with a file, not with standard output", "", "Fix: add -o OUT")
    check_format(out, options.format)
    entry = _entry_of(model, options)
    fasta = open_genome(genome if genome is not None else _default_genome(entry))
    notes = []
    if not options.any_genome and (note := check_assembly(entry.card, fasta)):
        notes.append(note)
    translate = options.translate_chroms or renames_chromosomes(entry)
    summary, aliases = check_regions(regions, fasta, translate=translate, limit=options.limit)
    if note := training_note(entry.card, summary.chrom_counts):
        notes.append(note)
    if summary.skipped_lines:
        notes.append(
            f"{summary.skipped_lines:,} header, track, comment or blank line(s) of {regions.label} were skipped"
        )

    from zoo.models.runner import Runner

    entry = with_length_of(regions, entry, options.limit)
    loaded = load_entry(entry) if isinstance(model, str | Path) else model
    choice = choose_tracks(loaded.outputs, options.tracks)
    use_strand = {"auto": loaded.loader.use_strand, "use": True, "ignore": False}[options.strand]
    if summary.minus_strand:
        notes.append(
            f"{summary.minus_strand:,} regions on '-': "
            + ("predicted from the reverse complement" if use_strand else "strand ignored (--strand use honours it)")
        )
    return PredictJob(
        entry=entry,
        model=loaded,
        regions=regions,
        genome=fasta,
        summary=summary,
        aliases=aliases,
        options=options,
        plan=_plan(loaded, choice, options),
        choice=choice,
        runner=Runner(loaded, options.device, options.precision, options.rc_average, options.batch_size),
        use_strand=use_strand,
        notes=notes,
    )


def _entry_of(model: str | Path | LoadedModel, options: PredictOptions) -> Entry:
    if isinstance(model, str | Path):
        return with_settings(open_entry(model, trust=options.trust), options.settings)
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


def check_out(out: Path, regions: Path, genome: str | Path | None) -> None:
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
            f"{out}: is a pipe or device; a result is a file that gets its name when it is whole",
            "",
            "Fix: leave out -o and redirect standard output (zoo predict ... > OUT)",
        )
    for source in (regions, *([Path(genome)] if genome is not None else [])):
        if out.exists() and source.exists() and out.samefile(source):
            raise UsageError(
                f"{out}: is an input of this command and would be replaced", "", "Fix: give another name with -o"
            )
    try:
        probe = folder / f".zoo-probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(
            f"{out}: cannot be written: {error.strerror}", "", "Fix: choose another folder with -o"
        ) from None


def _plan(model: LoadedModel, choice: TrackChoice, options: PredictOptions) -> WindowPlan:
    offset, span = 0, model.length
    profiles = [spec for spec in choice.outputs if spec.kind == "profile"]
    if profiles and model.places_bins:
        # Tiles must cover the region with every profile output: the part that all predict.
        offset = max(spec.offset for spec in profiles)
        span = min(spec.offset + spec.n_bins * spec.bin_size for spec in profiles) - offset
    return WindowPlan(model.length, options.window, offset, span, options.stride, options.edges, model.loader.centring)


def writer_context(job: PredictJob, out: Path) -> WriterContext:
    sizes = _sizes_by_written_name(job)
    swap = {}
    for spec in job.choice.outputs:
        if (order := job.model.strand_pairs.get(spec.name)) is not None:
            swap[spec.name] = _restrict(order, job.choice.channels[spec.name])
    return WriterContext(out, job.choice.outputs, sizes, job.options.overlap, swap, job.options.window == "tile")


def _sizes_by_written_name(job: PredictJob) -> dict[str, int]:
    """Chromosome lengths in FASTA order under the names that the regions file uses; it may use two for one contig."""
    written: dict[str, list[str]] = {contig: [] for contig in job.genome.sizes}
    for name in job.summary.chrom_counts:
        written[job.aliases.get(name, name)].append(name)
    return {name: size for contig, size in job.genome.sizes.items() for name in (written[contig] or [contig])}


def _restrict(order: np.ndarray, channels: np.ndarray | None) -> np.ndarray:
    """The permutation among the chosen channels; a track whose partner was left out stays itself."""
    if channels is None:
        return order
    place = {int(channel): i for i, channel in enumerate(channels)}
    return np.array([place.get(int(order[channel]), place[int(channel)]) for channel in channels], dtype=np.int64)


def open_file_writer(job: PredictJob, out: Path) -> Writer:
    from zoo.writers.genomic import GenomicWriter

    writer = open_writer(writer_context(job, out), job.options.format)
    if isinstance(writer, GenomicWriter):
        _check_places(job, out)
    return writer


def _check_places(job: PredictJob, out: Path) -> None:
    """A genome track needs bins with coordinates and, for reversed windows, both tracks of each stranded pair."""
    if not job.model.places_bins:
        raise UsageError(
            f"{out}: {job.model.name} has no card that says where its bins lie",
            "",
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
