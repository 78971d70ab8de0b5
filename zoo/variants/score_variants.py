"""``score_variants``: a model, variants and a genome in; a file of scores out, or rows in memory.

The order of work: read and check every row against the genome, load the model (``job``), choose what scores
(``scoring``), then read, predict, score and write at once (``run``, ``stream``), as ``zoo.run.predict`` of regions.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError
from zoo.models.entry import Entry
from zoo.progress import Notes, Progress, warn
from zoo.results.check_out import check_out
from zoo.results.whole import sole_writer
from zoo.run.job import inputs_of, opened
from zoo.variants.alleles.status import STATUSES
from zoo.variants.options import VariantOptions, variant_options
from zoo.variants.ranks.background import background_of
from zoo.variants.ranks.ranks import KIND, no_ranks
from zoo.variants.reading.reading import VariantFile, open_variants
from zoo.variants.run.haplotypes import TEXTS, haplotype_columns, sample_of
from zoo.variants.run.job import VariantJob, default_prefix, opened_genome, prepare, scored_outputs
from zoo.variants.run.returned import VariantResult, VariantScores
from zoo.variants.run.run import VariantRun
from zoo.variants.run.saturate import SaturatedLoci
from zoo.variants.run.sharing import check_sharing
from zoo.variants.run.store import Store
from zoo.variants.writers import FORMATS, check_format, open_writer
from zoo.variants.writers.ranked import with_ranks
from zoo.variants.writers.stream import StreamWriter
from zoo.variants.writers.table import VariantContext, own_columns

if TYPE_CHECKING:
    from zoo.models.array_model import ArrayModel
    from zoo.models.loaded import LoadedModel

__all__ = ["score_variants"]

#: Formats that have fields of INFO.
OF_INFO = (".vcf", ".vcf.gz", ".bcf")

MakeProgress = Callable[[int, int], Progress]


def score_variants(
    model: str | Path | Entry | LoadedModel | ArrayModel,
    variants: Any,
    genome: str | Path | None = None,
    out: str | Path | None = None,
    *,
    report: Callable[[str], None] | None = None,
    progress: MakeProgress | None = None,
    **options: Any,
) -> VariantResult | VariantScores:
    """Score variants by what they do to a model's predictions, and write the scores or return them.

    Args:
        model: as in ``zoo.predict``; one that reads a window of sequence.
        variants: VCF, BCF or a TSV with ``chrom, pos, ref, alt`` (``pos`` from 1), plain or gzip; ``-`` is standard
            input; ``"chr7:1000:A>G"``, or a list of such.
        genome: as in ``zoo.predict``.
        out: result; its suffix gives the format: ``.vcf .vcf.gz .bcf .tsv .tsv.gz .parquet .h5``; ``-`` is TSV on
            standard output. None: nothing is written, all rows are kept in memory and returned.
        report: called with each note for the user. Without one, and without ``out``, notes are Python's warnings.
        progress: ``(total, done) -> Progress``; default a bar in a notebook, nothing elsewhere.
        **options: see ``VariantOptions``.

    Returns:
        What was written and counted; without ``out`` the ``VariantScores`` (``.to_pandas()``).

    Raises:
        ZooError: see ``zoo.errors`` for the kinds; nothing is left under the final name.
    """
    chosen = variant_options(options)
    check_sharing(chosen)
    _check_haplotypes(chosen)
    if variants is not None and chosen.saturate is not None:
        raise UsageError(
            f"--saturate {chosen.saturate}: is given in place of VARIANTS, which are given too",
            "",
            "Fix: leave out one of them",
        )
    if variants is None and chosen.saturate is None:
        raise UsageError(
            "VARIANTS is missing: a VCF, BCF or TSV, - for standard input, or a variant",
            "",
            "Fix: `zoo variants yeast-atac calls.vcf -g sacCer3.fa`, or 'chrI:100000:A>G' in place of the file",
        )
    given = opened(model, trust=chosen.trust)
    if chosen.store is not None:
        Store(chosen.store)
    neutral = background_of(chosen.background).path if chosen.background is not None else None
    if out is not None:
        inputs = [*inputs_of(model, variants, genome, chosen.settings), *_files_of(chosen, variants), neutral]
        out = _result_path(out, inputs, chosen)
    stdout = sys.stdout
    # What a model's Python prints is no part of the result, which may go to standard output.
    with _opened(variants, given, genome, chosen) as file, contextlib.redirect_stdout(sys.stderr):
        if chosen.haplotypes is not None:
            sample_of(file, chosen.haplotypes)
        job = prepare(given, file, genome, chosen)
        notes = Notes(report or (warn if out is None else None), job.notes)
        notes.keep(*job.recorded)
        notes.add(*_unused(chosen, out))
        context = _context(job, Path("-") if out is None else out)
        run = VariantRun(job, context, notes, progress)
        with contextlib.closing(run):
            if chosen.dry_run:
                return run.planned()
            if out is None:
                return run.returned()
            if str(out) == "-":
                return run.to_stream(lambda of: StreamWriter(of, stdout, chosen.format or "tsv"))
            with sole_writer(out):
                return run.to_file(lambda of: open_writer(of, chosen.format))


def _files_of(options: VariantOptions, variants: Any) -> list[str | Path]:
    """Further files that are read, as far as they are known by name; what is a table, or text, is none."""
    given: list[Any] = [options.genes, options.saturate, options.regions]
    if options.regions is not None:
        given += [f"{variants}{suffix}" for suffix in (".tbi", ".csi")]
    return [path for path in given if isinstance(path, str | Path)]


def _opened(
    variants: Any, model: Entry | LoadedModel | ArrayModel, genome: str | Path | None, options: VariantOptions
) -> VariantFile:
    """The variants; or every substitution of loci."""
    if options.saturate is None:
        return open_variants(variants, options.regions)
    _, fasta, translate = opened_genome(model, genome, options)
    with contextlib.closing(fasta):
        return SaturatedLoci(options.saturate, fasta, translate=translate)


def _check_haplotypes(options: VariantOptions) -> None:
    for name in ("background", "store"):
        if options.haplotypes is not None and getattr(options, name) is not None:
            raise UsageError(
                f"--haplotypes with --{name}",
                "the one scores several variants at once, the other each alone",
                f"Fix: one run with --haplotypes and one with --{name}",
            )


def _result_path(out: str | Path, inputs: list[Any], options: VariantOptions) -> Path:
    """What can be known of the result before the work; where it is written."""
    out = check_out(
        out, inputs=inputs, suffixes=() if options.format else tuple(FORMATS), what="scores of variants", stdout=True
    )
    if str(out) == "-" and options.resume:
        raise UsageError("--resume goes on with a file, not with standard output", "", "Fix: add -o OUT")
    written = check_format(out, options.format)
    if options.haplotypes is not None and written not in (".tsv", ".tsv.gz", ".parquet"):
        raise UsageError(
            f"--haplotypes gives a row a variant and copy, for which {written} has no place",
            "",
            "Fix: -o OUT.tsv, .tsv.gz or .parquet",
        )
    if written == ".h5":
        for name in ("store", "background"):
            if getattr(options, name) is not None:
                raise UsageError(
                    f"--{name} keeps scores; an .h5 also has the predictions of both alleles",
                    "",
                    f"Fix: leave out --{name}, or write .tsv.gz or .parquet",
                )
    return out


def _unused(options: VariantOptions, out: Path | None) -> list[str]:
    """Options that were given, and change nothing here."""
    notes = []
    written = check_format(out, options.format) if out is not None else "table in memory"
    if options.prefix is not None and written not in OF_INFO:
        notes.append(
            f"--prefix {options.prefix}: is for fields of INFO, of which a {written} has none: columns keep their names"
        )
    if options.seed != VariantOptions.seed and (options.background is None or background_of(options.background).path):
        notes.append(f"--seed {options.seed}: is of the flanks that --background N shuffles, and none are shuffled")
    return notes


def _context(job: VariantJob, out: Path) -> VariantContext:
    """What a writer is told.

    Raises:
        UsageError: the format cannot hold these scores.
    """
    card = job.model.card
    about = {"model": f"{job.model.name} {card.version}" if card else job.model.name}
    about["seqzoo"] = importlib.metadata.version("seqzoo")
    names = [column.name for column in job.scores.columns]
    ranks = no_ranks(job.scores.columns) if job.options.background is not None else ()
    if ranks:
        names += [KIND, *(column.name for column in ranks)]
    context = VariantContext(
        out,
        scored_outputs(job.plan, job.choice),
        job.genome.sizes,
        "error",
        {},
        columns=job.scores.columns if job.options.haplotypes is None else haplotype_columns(job.scores.columns),
        texts=() if job.options.haplotypes is None else TEXTS,
        own=own_columns(job.file.header, names) if job.file.kind == "tsv" else (),
        genes=job.genes is not None,
        length=job.model.length,
        header=job.file.header.lines if job.file.kind != "tsv" else (),
        prefix=default_prefix(job.model.name) if job.options.prefix is None else job.options.prefix,
        about=about,
        statuses=STATUSES,
        splicing=job.options.splicing,
    )
    if check_format(out, job.options.format) in OF_INFO:
        from zoo.variants.writers.vcf import check_fields

        check_fields(with_ranks(context, ranks) if ranks else context, job.summary.info_names)
    return context
