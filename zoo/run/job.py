"""Everything that is fixed before the first batch: options; checks, cheapest first; then the model and the windows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from zoo.errors import UsageError
from zoo.files import sha256_of
from zoo.genome.assembly import load_assembly
from zoo.genome.checks import check_assembly, check_regions, training_note
from zoo.genome.fasta import Genome, open_genome
from zoo.genome.intervals import RegionFile, RegionSummary
from zoo.genome.library import find_genome, looked_in
from zoo.genome.strand import check_strands, strand_notes
from zoo.genome.unknown import UnknownBases, unknown_notes
from zoo.genome.windows import WindowCounts, WindowPlan
from zoo.models.entry import Entry, deprecation_note, open_entry, renames_chromosomes, with_length_of, with_settings
from zoo.models.load import load_entry
from zoo.notebook import card_html
from zoo.outputs import TrackChoice, choose_tracks, common_part, numbered_notes, track_patterns, unplaced_notes
from zoo.paths import refuse_urls
from zoo.progress import human_bytes, pace
from zoo.results.check_out import check_out
from zoo.results.record import genome_fingerprint
from zoo.run.pipeline import BlockReader
from zoo.words import counted
from zoo.writers import FORMATS, aggregates, check_format, store_of
from zoo.writers.bed import AGGREGATES

if TYPE_CHECKING:
    from zoo.cards.schema import Card
    from zoo.models.array_model import ArrayModel
    from zoo.models.loaded import LoadedModel

__all__ = [
    "Job",
    "PredictOptions",
    "PredictResult",
    "averaging_notes",
    "check_batch_size",
    "check_predictions_format",
    "check_predictions_out",
    "counted_notes",
    "default_genome",
    "entry_of",
    "inputs_of",
    "is_loaded",
    "no_places",
    "opened",
    "options_from",
    "prepare",
]


@dataclass(frozen=True)
class PredictOptions:
    """The options of ``zoo predict``; each is the flag of the same name.

    Attributes:
        window: ``center``, ``summit`` (column 10 of a narrowPeak) or ``tile``.
        stride: bp between tiles; default the length that the model predicts.
        edges: ``pad``, ``skip`` or ``error`` for windows that leave their chromosome.
        strand: ``auto`` (what the model's dataloader says), ``use`` or ``ignore``.
        rc_average: average both strands.
        device, batch_size, precision: how to run.
        tracks: names, globs or numbers; empty means all.
        limit: only the first regions.
        overlap: ``mean``, ``max`` or ``error`` where windows overlap in bigWig and bedGraph.
        aggregate: ``mean``, ``sum`` or ``max``: how a BED makes one value of the bins in a region; default the mean.
        resume: go on with an interrupted run.
        dry_run: check everything, write nothing.
        translate_chroms: join chromosome names of different styles.
        any_genome: accept a FASTA whose chromosome lengths are not the card's assembly.
        trust: run Python of a model folder that is not bundled.
        format: output format when the suffix does not tell.
        track_hub: a folder for a track hub, in place of OUT.
        hub_genome: its genome by UCSC's name, where neither FASTA nor card tells.
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
    aggregate: str | None = None
    resume: bool = False
    dry_run: bool = False
    translate_chroms: bool = False
    any_genome: bool = False
    trust: bool = False
    format: str | None = None
    track_hub: str | Path | None = None
    hub_genome: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sequences_a_pass(self) -> int | None:
        """``batch_size`` as a number; None where it is ``auto``."""
        return None if self.batch_size == "auto" else int(self.batch_size)

    def inputs(self, regions: Any, genome: Any) -> tuple[Any, Any]:
        """Regions and genome, or the files that ``--set`` gives the dataloader in their place."""
        return self.settings.get("intervals_file", regions), self.settings.get("fasta_file", genome)

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise UsageError(
                    f"{name} {getattr(self, name)!r} is not known",
                    "",
                    f"Fix: one of {', '.join(filter(None, allowed))}",
                )
        check_batch_size(self.batch_size)
        refuse_urls(self.settings, "--set")
        if self.stride is not None and self.window != "tile":
            raise UsageError("--stride is for tiled windows", "", "Fix: add --window tile or leave out --stride")
        if self.hub_genome is not None and self.track_hub is None:
            raise UsageError(
                "--hub-genome is for a track hub", "", "Fix: add --track-hub DIR or leave out --hub-genome"
            )
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"limit {self.limit} leaves no region", "", "Fix: --limit 100, say")


def check_batch_size(given: int | str) -> None:
    """Whether ``--batch-size`` is ``auto`` or a positive number.

    Raises:
        UsageError: it is neither.
    """
    if given != "auto" and (not str(given).isdecimal() or int(given) < 1):
        raise UsageError(f"--batch-size {given}: is no positive number", "", "Fix: auto, or e.g. 64")


_CHOICES = {
    "window": ("center", "summit", "tile"),
    "edges": ("pad", "skip", "error"),
    "strand": ("auto", "use", "ignore"),
    "overlap": ("mean", "max", "error"),
    "precision": ("float32", "bfloat16", "float16"),
    "aggregate": (None, *AGGREGATES),
}


SHOWN = 5  # files and notes of a card


@dataclass(repr=False)
class PredictResult:
    """What a run did; a notebook shows it as a card.

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

    def _title(self) -> str:
        return f"{counted(self.windows, 'window')} of {counted(self.regions, 'region')}"

    def _pace(self) -> str:
        return f"in {self.seconds:.1f} s ({pace(self.windows, self.seconds)})"

    def __repr__(self) -> str:
        """How much, how fast, and where it lies."""
        if not self.paths:
            return f"<PredictResult: {self._title()}; no file>"
        return f"<PredictResult: {self._title()} {self._pace()} -> {', '.join(map(str, self.paths))}>"

    def _repr_html_(self) -> str:
        rows = [(path, _size(path)) for path in self.paths[:SHOWN]]
        if (more := len(self.paths) - SHOWN) > 0:
            rows.append((f"and {counted(more, 'more file')}", ""))
        notes = [("note", one) for one in self.notes[:SHOWN]]
        subtitle = self._pace() if self.paths else "no file was written"
        return card_html(self._title(), subtitle, notes, ("file", "size") if rows else (), rows)


def _size(path: Path) -> str:
    """Of a file or a folder of them; nothing where it was moved meanwhile."""
    if not path.exists():
        return ""
    files = [one for one in path.rglob("*") if one.is_file()] if path.is_dir() else [path]
    return human_bytes(sum(one.stat().st_size for one in files))


def options_from(given: dict[str, Any]) -> PredictOptions:
    """Options by name; one track may stand for a list of one.

    Raises:
        UsageError: there is no option of a name.
    """
    known = {f.name for f in dataclasses.fields(PredictOptions)}
    if unknown := sorted(given.keys() - known):
        raise UsageError(f"unknown option {unknown[0]!r}", "", f"Fix: one of {', '.join(sorted(known))}")
    given = given | {"tracks": track_patterns(given.get("tracks", ()))}
    return PredictOptions(**given)


@dataclass(frozen=True)
class Job:
    """Regions, genome and model that fit together, and the windows laid over them: what a run reads.

    What is computed of the windows (``compute``) and where it goes (a writer) are given to the run beside it.

    Attributes:
        model: what the windows are for.
        summary: of the regions, all checked.
        aliases: name of a chromosome in the regions file -> contig, where they differ.
        plan: how windows are laid.
        choice: the outputs, of the chosen tracks, that windows cover regions with.
        use_strand: whether regions on ``-`` are reverse-complemented.
        notes: sentences for the user.
        start: number of the first region; those before it are another run's.
        recorded: sentences that a prediction itself does not need, for the run record alone.
    """

    model: LoadedModel
    regions: RegionFile
    genome: Genome
    summary: RegionSummary
    aliases: dict[str, str]
    options: PredictOptions
    plan: WindowPlan
    choice: TrackChoice
    use_strand: bool
    notes: list[str]
    start: int = 0
    recorded: list[str] = field(default_factory=list)

    def reader(self, step: int, skip_until: int = 0) -> BlockReader:
        """The windows, ``step`` at a time, behind the cursor ``skip_until``."""
        return BlockReader(
            self.regions,
            self.genome,
            self.plan,
            use_strand=self.use_strand,
            n_value=self.model.loader.n_value,
            step=step,
            aliases=self.aliases,
            limit=self.options.limit,
            start=self.start,
            skip_until=skip_until,
        )

    @property
    def n_regions(self) -> int:
        """Regions that are run."""
        return max(0, self.summary.regions - self.start)

    def count_windows(self) -> int:
        """Windows that will be laid."""
        if self.plan.mode != "tile":
            return self.n_regions
        return sum(self.plan.count(chunk) for chunk in self.regions.chunks(self.options.limit, self.start))

    def count_uncovered(self) -> dict[str, int]:
        """What the reader will count of bases that no window predicts."""
        counts = WindowCounts()
        for chunk in self.regions.chunks(self.options.limit, self.start):
            counts.add_uncovered(self.plan.uncovered(chunk))
        return {name: getattr(counts, name) for name in ("uncovered_regions", "uncovered_bp")}

    def chrom_sizes(self) -> dict[str, int]:
        """Chromosome lengths in FASTA order under the names that the regions file uses; it may use two for one."""
        written: dict[str, list[str]] = {contig: [] for contig in self.genome.sizes}
        for name in self.summary.chrom_counts:
            written[self.aliases.get(name, name)].append(name)
        return {name: size for contig, size in self.genome.sizes.items() for name in (written[contig] or [contig])}

    def counted(self, counts: dict[str, Any]) -> dict[str, Any]:
        """What a reader counted, behind what is known of the regions file."""
        return {"regions": self.n_regions, "skipped_lines": self.summary.skipped_lines} | counts

    def record(self) -> dict[str, Any]:
        """Model, regions and genome, for a run record."""
        return {
            "model": {"name": self.model.name, **self.model.info, "sha256": self.model.hashes},
            "regions": {"path": str(self.regions.label), "sha256": self._regions_sha256},
            "genome": genome_fingerprint(self.genome.sizes, self.genome.path),
        }

    def signature(self, out: Path) -> dict[str, Any]:
        """What must be equal for an interrupted run to go on, beside what is computed."""
        options = self.options
        return {
            "model": self.model.hashes,
            "regions": self._regions_sha256,
            "genome": genome_fingerprint(self.genome.sizes, self.genome.path),
            "output": str(out.resolve()),
            "window": options.window,
            "stride": options.stride,
            "edges": options.edges,
            "strand": self.use_strand,
            "limit": options.limit,
            "start": self.start,
            "overlap": options.overlap,
            "aggregate": options.aggregate,
            "format": options.format,
            "translate_chroms": options.translate_chroms,
        }

    @cached_property
    def _regions_sha256(self) -> str:
        return sha256_of(self.regions.path)


def opened(
    model: str | Path | Entry | LoadedModel | ArrayModel, *, trust: bool = False
) -> Entry | LoadedModel | ArrayModel:
    """A model as it was given; a name or path is found and read, once.

    Args:
        trust: allow Python of the folder also where the entry was opened without.
    """
    if isinstance(model, str | Path):
        return open_entry(model, trust=trust)
    if isinstance(model, Entry) and trust:
        return dataclasses.replace(model, trusted=True)
    return model


def is_loaded(model: Entry | LoadedModel | ArrayModel) -> bool:
    """Whether it is a function of sequence that is loaded already."""
    if isinstance(model, Entry):
        return False  # most are: torch, a second's import, waits until their regions are checked
    from zoo.models.loaded import LoadedModel

    return isinstance(model, LoadedModel)


def prepare(
    model: Entry | LoadedModel | ArrayModel,
    regions: RegionFile,
    genome: str | Path | None,
    options: PredictOptions,
    *,
    start: int = 0,
) -> Job:
    """Check regions, genome and model against each other, cheapest first, then load the model and lay windows.

    Args:
        model: of ``opened``. A module under training is one too: ``LoadedModel(name, module, loader, outputs)``.
        start: number of the first region; with ``limit``, which the others end at, a part of the file.

    Raises:
        ZooError: see ``zoo.predict``. Where the result may be written is not checked here.
    """
    entry = entry_of(model, options)
    fasta = open_genome(genome if genome is not None else default_genome(entry.card, entry.name, "-g {}.fa"))
    notes = [note for note in [deprecation_note(entry.card)] if note]
    if not options.any_genome and (note := check_assembly(entry.card, fasta)):
        notes.append(note)
    translate = options.translate_chroms or renames_chromosomes(entry)
    summit = options.window == "summit"
    summary, aliases = check_regions(regions, fasta, translate=translate, limit=options.limit, summits=summit)
    notes += summary.notes
    if options.strand == "use":
        check_strands(summary, regions.label, "--strand use reads them", "--strand ignore")
    # Who predicts compares with nothing yet; who does so later finds it in the record.
    recorded = [note] if (note := training_note(entry.card, summary.chrom_counts)) else []
    if entry.card is not None and (placed := entry.card.input.placed_on):
        recorded.append(f"windows of {entry.name} must be placed on {placed}: regions were taken as they are given")
    if summary.skipped_lines:
        lines = counted(summary.skipped_lines, "header, track, comment or blank line")
        notes.append(f"{lines} of {regions.label} {'was' if summary.skipped_lines == 1 else 'were'} skipped")
    loaded = model if is_loaded(model) else load_entry(with_length_of(regions, entry, options.limit))
    choice = choose_tracks(loaded.outputs, options.tracks)
    notes += [*loaded.notes, *unplaced_notes(choice.outputs), *numbered_notes(loaded.outputs, options.tracks)]
    notes += averaging_notes(loaded, choice, options.rc_average)
    use_strand = {"auto": loaded.loader.use_strand, "use": True, "ignore": False}[options.strand]
    if use_strand:
        check_strands(summary, regions.label, f"the dataloader of {loaded.name} reads them", "--strand ignore")
    notes += strand_notes(summary, regions.label, use_strand)
    notes += _summit_notes(summary, regions.label, options.window)
    plan = _plan(loaded, choice, options, use_strand)
    if options.window == "tile" and not loaded.places_bins and any(spec.kind == "profile" for spec in choice.outputs):
        notes.append(
            f"{loaded.name} has no card that says where its bins lie: tiles are laid as if it predicted all of its "
            f"{plan.length:,} bp window"
        )
    return Job(loaded, regions, fasta, summary, aliases, options, plan, choice, use_strand, notes, start, recorded)


def averaging_notes(
    model: LoadedModel, choice: TrackChoice, rc_average: bool, shifts: Sequence[int] = (0,)
) -> list[str]:
    """What to say of averages of both strands, and of moved windows.

    Raises:
        UsageError: the other strand's prediction is not of the same thing.
    """
    from zoo.models.loaded import check_mirrors  # torch, which the loaded model has imported
    from zoo.models.softmax import softmax_notes

    if rc_average:
        check_mirrors(model)
    flags = [flag for flag, given in (("--rc-average", rc_average), ("--shifts", tuple(shifts) != (0,))) if given]
    if not flags:
        return []
    return softmax_notes(model.softmaxes, choice.outputs, " and ".join(flags), model.unseen_softmaxes)


def _summit_notes(summary: RegionSummary, label: str, window: str) -> list[str]:
    if summary.without_summit:
        one, several = (
            "region has no summit (-1): its window is centred on its middle",
            "regions have no summit (-1): windows are centred on their middle",
        )
        return [counted(summary.without_summit, one, several)]
    if summary.has_summits and window == "center":
        return [f"{label} has summits (column 10), and windows are centred on the regions' middle (or --window summit)"]
    return []


class _OfEntry(Protocol):
    """The options that change an entry."""

    @property
    def settings(self) -> Mapping[str, Any]: ...

    @property
    def trust(self) -> bool: ...


def entry_of(model: Entry | LoadedModel | ArrayModel, options: _OfEntry) -> Entry:
    """The entry behind a model of ``opened``, with the settings of its dataloader.

    Raises:
        UsageError: settings for a model that is loaded already, or that its dataloader does not know.
    """
    if not is_loaded(model):
        return with_settings(model if isinstance(model, Entry) else model.entry, options.settings)
    if changed := options.settings.keys() - {"intervals_file", "fasta_file"}:
        raise UsageError(
            f"--set {min(changed)}: {model.name} is loaded already, with the arguments of its own dataloader",
            "",
            "Fix: give its name or folder in place of the loaded model",
        )
    return Entry(model.name, model.folder or Path(), options.trust, None, model.card)


def default_genome(card: Card | None, name: str, where: str) -> Path:
    """The FASTA for the assembly that a card names: of ``$ZOO_GENOMES``, or one that `zoo genome add` kept.

    Args:
        name: of the model, and where: a genome is given, for the error.

    Raises:
        UsageError: there is none.
    """
    assembly = card.genome.assembly if card and card.genome else None
    if assembly and (path := find_genome(assembly)):
        return path
    given = f"add {where.format(assembly or 'genome')}"
    known = load_assembly(assembly) if assembly else None
    raise UsageError(
        "no genome was given",
        f"{name} was trained on {assembly}, which is not in {looked_in()}" if assembly else f"{name} names no assembly",
        f"Fix: `zoo genome add {known.name}` (once), or {given}" if known else f"Fix: {given}",
    )


def check_predictions_out(out: str | Path, inputs: Iterable[Any], format: str | None) -> Path:
    """``check_out`` for a file of predictions; ``-`` is standard output."""
    return check_out(
        out,
        inputs=inputs,
        suffixes=() if format else tuple(FORMATS),
        what="predictions",
        store=store_of(str(out), format),
        stdout=True,
    )


def check_predictions_format(out: str, options: PredictOptions) -> None:
    """``check_format``, and whether the options mean something in it.

    Raises:
        UsageError: ``--aggregate`` for a format that holds every bin.
    """
    check_format(out, options.format)
    if options.aggregate is not None and not aggregates(out, options.format):
        raise UsageError(
            f"--aggregate {options.aggregate}: only a BED has one value a region; {out} would hold every bin",
            "",
            "Fix: -o predictions.bed (--format bed on standard output), or leave out --aggregate",
        )


def no_places(out: str | Path, name: str) -> UsageError:
    """The error where a format needs coordinates of bins that nobody knows."""
    return UsageError(
        f"{out}: {name} has no card that says where its bins lie",
        "",
        "Fix: write .tsv, .h5, .zarr or .parquet; or add a card with bin_size and offset",
    )


def inputs_of(model: Any, regions: Any, genome: Any, settings: Mapping[str, Any]) -> list[str | Path]:
    """The files and folders that a run reads, as far as they are known by name."""
    if isinstance(model, Entry):
        folder: str | Path | None = model.path
    else:
        folder = model if isinstance(model, str | Path) else model.folder
    read = [folder, regions, genome]
    read += [f"{genome}{suffix}" for suffix in (".fai", ".gzi") if genome is not None]
    read += [value for value in settings.values() if isinstance(value, str)]
    return [path for path in read if isinstance(path, str | Path) and str(path) != "-"]


def _plan(model: LoadedModel, choice: TrackChoice, options: PredictOptions, use_strand: bool) -> WindowPlan:
    offset, span = 0, model.length
    if model.places_bins:
        offset, span = common_part(choice.outputs, model.length)
        if span <= 0 and options.window == "tile":
            raise UsageError(
                "--window tile: the outputs predict different parts of a window, which have no base in common",
                "; ".join(map(str, choice.outputs)),
                f"Fix: one output at a time: --tracks '{choice.outputs[0].name}/*'",
            )
    return WindowPlan(
        model.length,
        options.window,
        offset,
        max(span, 0),
        options.stride,
        options.edges,
        model.loader.centring,
        use_strand,
    )


def counted_notes(counts: dict[str, Any], job: Job) -> list[str]:
    """What the user should know of the windows that were read, in sentences."""
    notes = []
    passes = "window passes the end of its chromosome and was", "windows pass the end of their chromosome and were"
    if counts.get("padded"):
        notes.append(f"{counted(counts['padded'], *passes)} padded with N (--edges)")
    if counts.get("skipped"):
        first = counts["first_skipped"][0]
        notes.append(f"{counted(counts['skipped'], *passes)} skipped (--edges skip), first: {first}")
    if n := counts.get("cut_regions"):
        seen = "centre" if job.plan.mode == "center" else "summit"
        notes.append(
            f"{counted(n, 'region is', 'regions are')} longer than the model's {job.plan.length:,} bp window: "
            f"only {'its' if n == 1 else 'their'} {seen} was seen (--window tile covers {'it' if n == 1 else 'them'})"
        )
    if counts.get("uncovered_bp") and (job.plan.mode == "tile" or job.plan.span < job.plan.length):
        notes.append(_uncovered_note(counts, job.plan))
    if "unknown_bases" in counts:
        met = UnknownBases(**{f.name: counts[f.name] for f in dataclasses.fields(UnknownBases)})
        notes += unknown_notes(met, counts["windows"], counts["windows"] * job.plan.length)
    return notes


def _uncovered_note(counts: dict[str, Any], plan: WindowPlan) -> str:
    bases = f"{counts['uncovered_bp']:,} bp of {counted(counts['uncovered_regions'], 'region')}"
    if plan.mode == "tile":
        return (
            f"{bases} lie between tiles and are not predicted: of a window the model predicts {plan.span:,} bp "
            f"(--stride {plan.span} leaves no gap)"
        )
    return (
        f"{bases} lie outside the {plan.span:,} bp that the model predicts of its {plan.length:,} bp window "
        "(--window tile covers them)"
    )
