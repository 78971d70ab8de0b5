"""Everything that is fixed before the first variant is scored: checks, cheapest first; then the model."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError
from zoo.files import sha256_of
from zoo.genome.checks import check_assembly, training_note
from zoo.genome.fasta import Genome, open_genome
from zoo.models.entry import Entry, deprecation_note, has_own_loader, renames_chromosomes
from zoo.models.load import load_entry
from zoo.outputs import OutputSpec, TrackChoice, choose_tracks, numbered_notes, unplaced_notes
from zoo.results.record import genome_fingerprint
from zoo.run.job import averaging_notes, default_genome, entry_of, is_loaded
from zoo.variants.alleles.allele import Allele, Record
from zoo.variants.alleles.reference import check_variants, reference_notes
from zoo.variants.alleles.resolve import alleles_of
from zoo.variants.options import VariantOptions
from zoo.variants.reading.reading import VariantFile
from zoo.variants.run.saturate import SaturatedLoci
from zoo.variants.run.sharing import Placing, each_its_own, neighbours
from zoo.variants.scores.scores import Scores, check_score_names, scores_of_run
from zoo.variants.windows.align import Bins, common_bins
from zoo.variants.windows.windows import PairPlan

if TYPE_CHECKING:
    from zoo.models.array_model import ArrayModel
    from zoo.models.loaded import LoadedModel
    from zoo.variants.alleles.reference import VariantSummary
    from zoo.variants.scores.genes import Genes

__all__ = ["VariantJob", "default_prefix", "opened_genome", "prepare", "scored_outputs"]

#: Options that say how a run is done, not what comes out.
NOT_SIGNED = ("device", "resume", "dry_run", "trust", "store", "format")


@dataclass(frozen=True)
class VariantJob:
    """Variants, genome and model that fit together.

    Attributes:
        model: what scores.
        file: of the variants, all checked.
        summary: of them.
        choice: the outputs and tracks that are scored.
        plan: how the two windows of a variant are made.
        scores: what numbers are made of them.
        genes: those in which variants are scored; None without.
        notes: sentences for the user. recorded: for the run record alone.
    """

    model: LoadedModel
    file: VariantFile
    genome: Genome
    summary: VariantSummary
    options: VariantOptions
    choice: TrackChoice
    plan: PairPlan
    scores: Scores
    genes: Genes | None
    notes: list[str]
    recorded: list[str] = field(default_factory=list)

    @property
    def shares(self) -> bool:
        """Whether several variants are read in one window."""
        return self.options.saturate is not None or self.options.share_window is not None

    @property
    def placing(self) -> Placing:
        """Where windows stand."""
        if isinstance(self.file, SaturatedLoci):
            return self.file.place
        within = self.options.share_window
        return each_its_own if within is None else neighbours(within)

    @property
    def n_records(self) -> int:
        """Rows that are run."""
        return self.summary.records

    def records(self, start: int = 0) -> Iterator[Record]:
        """The rows from number ``start`` on."""
        return self.file.records(start, self.options.limit)

    def alleles(self, record: Record) -> tuple[Allele, ...]:
        """The ALTs of a row, in order."""
        options = self.options
        return alleles_of(
            record,
            self.genome,
            self.summary.aliases,
            mismatch=options.ref_mismatch,
            normalise=options.normalise,
            max_length=options.max_length,
        )

    def record(self) -> dict[str, Any]:
        """Model, variants and genome, for a run record."""
        return {
            "model": {"name": self.model.name, **self.model.info, "sha256": self.model.hashes},
            "variants": {"path": str(self.file.label), "sha256": self._variants_sha256},
            "genome": genome_fingerprint(self.genome.sizes, self.genome.path),
        }

    def signature(self, out: Path, batch_size: int) -> dict[str, Any]:
        """What must be equal for an interrupted run to go on."""
        options = dataclasses.asdict(self.options)
        signed = {name: _plain(value) for name, value in options.items() if name not in NOT_SIGNED}
        if not isinstance(signed["saturate"], str | None):
            signed["saturate"] = "<table>"  # its rows are in the sum of the variants
        return signed | {
            "model": self.model.hashes,
            "variants": self._variants_sha256,
            # As they were read: a BED of the same name may be another one by now.
            "regions": self.file.regions and hashlib.sha256(repr(self.file.regions).encode()).hexdigest(),
            "genome": genome_fingerprint(self.genome.sizes, self.genome.path),
            "genes": sha256_of(Path(self.options.genes)) if self.options.genes is not None else None,
            "output": str(out.resolve()),
            "format": self.options.format,
            "batch_size": batch_size,
            "columns": [column.name for column in self.scores.columns],
        }

    @cached_property
    def _variants_sha256(self) -> str:
        return sha256_of(self.file.path)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value


def prepare(
    model: Entry | LoadedModel | ArrayModel,
    file: VariantFile,
    genome: str | Path | None,
    options: VariantOptions,
) -> VariantJob:
    """Check variants, genome and model against each other, cheapest first, then load the model.

    Raises:
        ZooError: see ``zoo.score_variants``. Where the result may be written is not checked here.
    """
    check_score_names(options.score)
    entry, fasta, translate = opened_genome(model, genome, options)
    notes = [note for note in [deprecation_note(entry.card)] if note]
    if not options.any_genome and (note := check_assembly(entry.card, fasta)):
        notes.append(note)
    _check_genes_given(entry, options)
    summary = check_variants(
        file,
        fasta,
        translate=translate,
        mismatch=options.ref_mismatch,
        any_genome=options.any_genome,
        limit=options.limit,
        prefix=default_prefix(entry.name) if options.prefix is None else options.prefix,
    )
    notes += [*summary.notes, *reference_notes(summary, options.ref_mismatch)]
    recorded = [note] if (note := training_note(entry.card, summary.chrom_counts, "variant")) else []
    genes = _genes(options, fasta)
    notes += genes.notes if genes is not None else []
    loaded = model if is_loaded(model) else load_entry(entry)
    choice = choose_tracks(loaded.outputs, options.tracks)
    notes += [*loaded.notes, *unplaced_notes(choice.outputs), *numbered_notes(loaded.outputs, options.tracks)]
    if loaded.loader.use_strand and genes is None:
        notes.append(
            f"the dataloader of {loaded.name} reads strands (use_strand), and a variant has none: + was read "
            "(--genes FILE has the strand of each gene)"
        )
    plan = PairPlan(
        loaded,
        choice,
        anchor=options.anchor,
        refill=options.refill,
        edges=options.edges,
        shifts=options.shifts,
    )
    notes += averaging_notes(loaded, choice, options.rc_average, options.shifts)
    notes += _shared_windows(file, choice, loaded.length, options)
    scores = scores_of_run(
        loaded,
        choice.outputs,
        options.score,
        span=options.span,
        genes=genes is not None,
        splicing=options.splicing,
        distance=options.distance,
        mask=options.mask,
        placed=options.saturate is None,
    )
    notes += scores.notes
    return VariantJob(loaded, file, fasta, summary, options, choice, plan, scores, genes, notes, recorded)


def opened_genome(
    model: Entry | LoadedModel | ArrayModel, genome: str | Path | None, options: VariantOptions
) -> tuple[Entry, Genome, bool]:
    """The model's entry, the genome that was given or that is its card's, and whether chromosome names are joined.

    Raises:
        UsageError: the model is no function of one sequence, or of one that stands elsewhere; there is no genome.
    """
    refuse_own_loader(model)
    entry = entry_of(model, options)
    _refuse_placed(entry)
    fasta = open_genome(genome if genome is not None else default_genome(entry.card, entry.name, "-g {}.fa"))
    return entry, fasta, options.translate_chroms or renames_chromosomes(entry)


def _shared_windows(file: VariantFile, choice: TrackChoice, length: int, options: VariantOptions) -> list[str]:
    """Fit windows that several variants share to the model; notes.

    Raises:
        UsageError: they are shared over more than a window holds.
    """
    if isinstance(file, SaturatedLoci):
        return file.lay(choice.outputs, length, options.shifts)
    if options.share_window is None:
        return []
    most = length // 2
    if options.share_window > most:
        raise UsageError(
            f"--share-window {options.share_window}: is more than half of the {length:,} bp that the model sees",
            "variants would stand at the ends of windows, where little is seen of what lies beside them",
            f"Fix: --share-window {min(most, 100)}, say",
        )
    return [
        f"variants within {options.share_window:,} bp share a window, up to {options.share_window // 2:,} bp off its "
        "centre: their scores depend on which variants are in the file"
    ]


def _genes(options: VariantOptions, genome: Genome) -> Genes | None:
    if options.genes is None:
        return None
    from zoo.variants.scores.genes import Genes

    return Genes.load(options.genes, genome, translate=options.translate_chroms)


def refuse_own_loader(model: Entry | LoadedModel | ArrayModel) -> None:
    """Refuse what is no function of one sequence.

    Raises:
        UsageError: the model reads regions by a dataloader of its own.
    """
    own = has_own_loader(model) if isinstance(model, Entry) else not is_loaded(model)
    if own:
        raise UsageError(
            f"{model.name}: reads its input by a dataloader of its own, which takes regions and no sequence",
            "a change of a base cannot be put into what it reads",
            "Fix: choose a model that reads one window of sequence (`zoo list`), or change the FASTA and `zoo predict`",
        )


def _refuse_placed(entry: Entry) -> None:
    """Refuse what reads windows that stand on something other than a variant.

    Raises:
        UsageError: the card says where windows of the model stand.
    """
    placed = entry.card.input.placed_on if entry.card is not None else None
    if placed is not None:
        length = entry.card.input.length
        raise UsageError(
            f"{entry.name}: its windows must be placed on {placed}, says its card",
            "windows around variants would give numbers for another question",
            f"Fix: cut the {length:,} bp there yourself, on the gene's strand, and put each allele into them; in "
            f'Python: reference, changed = zoo.load_model("{entry.name}").predict([reference, changed])',
        )


def _check_genes_given(entry: Entry, options: VariantOptions) -> None:
    """Whether a model that reads the strand of a gene is told the genes."""
    card = entry.card
    sense = card is not None and any(output.strand == "sense" for output in card.outputs)
    if sense and options.genes is None:
        raise UsageError(
            f"{entry.name} reads the strand of a gene, says its card (strand: sense)",
            "no genes were given",
            "Fix: --genes FILE, a GTF or BED12 of the same assembly",
        )


def scored_outputs(plan: PairPlan, choice: TrackChoice) -> tuple[OutputSpec, ...]:
    """The chosen outputs with the bins that aligned predictions have: fewer where windows are moved."""
    found = []
    for spec in choice.outputs:
        if spec.kind == "profile":
            whole = Bins(0, spec.bin_size, spec.n_bins)
            kept = common_bins(whole, plan.shifts) if spec.placed else whole
            spec = dataclasses.replace(spec, n_bins=kept.n, offset=spec.offset + kept.first)
        found.append(spec)
    return tuple(found)


def default_prefix(name: str) -> str:
    """What INFO fields of a model begin with: its name, as far as a VCF takes it."""
    text = re.sub(r"\W+", "_", Path(name).stem if "/" in name or name.endswith(".ckpt") else name, flags=re.ASCII)
    text = text.strip("_") or "zoo"
    return f"m_{text}" if text[0].isdigit() else text
