"""What a track hub must know of a run: which genome UCSC's browser shows it on, and how that names chromosomes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from zoo.errors import UsageError
from zoo.genome.assembly import Assembly, compare_lengths, guess_assembly, known_assemblies, load_assembly
from zoo.results.check_out import check_out
from zoo.run.job import Job, PredictOptions
from zoo.words import counted
from zoo.writers.hub_text import DRAWN, EMAIL, HUB, HubFacts, email_of

__all__ = ["check_hub", "hub_facts", "hub_notes"]

#: A name of UCSC's (galGal6, hs1), or an accession of its GenArk.
UCSC = re.compile(r"[a-z]{2,3}[A-Z]?[a-z]{0,3}\d{1,3}|GC[AF]_\d{9}\.\d+")


def check_hub(options: PredictOptions, out: str | Path | None, inputs: Iterable[str | Path]) -> Path:
    """Where the hub is written, checked before the work.

    Raises:
        UsageError: there is another OUT too, the options are those of another format, or the folder must not be
            written.
    """
    if out is not None:
        raise UsageError(
            f"--track-hub {options.track_hub}: a run writes one result, and -o {out} is another",
            "",
            "Fix: leave out -o, or run the command twice",
        )
    for name, what in (("format", "a track hub holds bigWigs"), ("aggregate", "a track hub holds every bin")):
        if (value := getattr(options, name)) is not None:
            raise UsageError(f"--{name} {value}: {what}", "", f"Fix: leave out --{name}")
    folder = Path(options.track_hub)
    if folder.name in ("", ".."):
        folder = Path(os.path.abspath(folder))
    folder = check_out(folder, inputs=inputs, what="a track hub", store=HUB, option="--track-hub")
    here, place = Path.cwd(), folder.resolve()
    if place == here or place in here.parents:
        raise UsageError(
            f"{options.track_hub}: is the folder that this command runs in, and would be replaced",
            "",
            "Fix: cd to the folder above, and name it with --track-hub",
        )
    return folder


def hub_facts(job: Job) -> HubFacts:
    """What the hub of this run says.

    Raises:
        UsageError: on which genome it belongs is not known, or the FASTA is not the one that was named.
    """
    genome = _genome(job)
    assembly = load_assembly(genome)
    chroms = {} if assembly is None else _ucsc_names(assembly, job.chrom_sizes())
    first = next(job.regions.chunks(job.start + 1, job.start))
    chrom = str(first.chrom[0])
    card = job.model.card
    return HubFacts(
        card.name if card else Path(job.model.name).name,
        card.version if card else None,
        genome,
        chroms,
        _strands(job),
        f"{chroms.get(chrom, chrom)}:{int(first.start[0]) + 1}-{int(first.end[0])}",
    )


def _genome(job: Job) -> str:
    options, sizes, card = job.options, job.genome.sizes, job.model.card
    named = options.hub_genome
    if named is not None:
        assembly = load_assembly(named)
        if assembly is None and not UCSC.fullmatch(named):
            raise UsageError(
                f"--hub-genome {named}: is no name of a genome at UCSC",
                f"known here: {', '.join(known_assemblies())}",
                "Fix: --hub-genome sacCer3, say: the name that the address of UCSC's page has after db=",
            )
        if assembly is not None and not options.any_genome:
            _check_lengths(assembly, job)
        return assembly.name if assembly else named
    if (guessed := guess_assembly(sizes)) is not None:
        return guessed
    trained = card.genome.assembly if card and card.genome else None
    known = trained is not None and (load_assembly(trained) is not None or UCSC.fullmatch(trained))
    if known and not options.any_genome:
        assembly = load_assembly(trained)
        if assembly is None or any(assembly.candidates(chrom) for chrom in job.summary.chrom_counts):
            return assembly.name if assembly else trained
    why = f"the model was trained on {trained}" if trained else f"{job.model.name} has no card that names one"
    raise UsageError(
        f"--track-hub {options.track_hub}: of which genome {job.genome.path.name} is, is not known",
        f"{why}; the chromosomes of the FASTA are those of no assembly that is known here",
        "Fix: name it as UCSC does: --hub-genome sacCer3, say",
    )


def _check_lengths(assembly: Assembly, job: Job) -> None:
    check = compare_lengths(assembly, job.genome.sizes)
    if check.differing:
        contig, expected, found = check.differing[0]
        raise UsageError(
            f"--hub-genome {assembly.name}: {contig} has {found:,} bp in {job.genome.path.name}, {expected:,} there",
            f"{counted(len(check.differing), 'chromosome differs', 'chromosomes differ')}: "
            "predictions would be shown at other bases",
            "Fix: name the assembly of the FASTA; or --any-genome, which looks at no length",
        )


def _ucsc_names(assembly: Assembly, sizes: dict[str, int]) -> dict[str, str]:
    """Name -> UCSC's, where a chromosome is of the assembly; the length chooses where a name may mean two."""
    found = {}
    for name, size in sizes.items():
        meant = assembly.candidates(name)
        fitting = [chrom for chrom in meant if chrom.length == size] or list(meant)
        if fitting:
            found[name] = fitting[0].ucsc
    return found


def _strands(job: Job) -> dict[tuple[str, str], tuple[str, str]]:
    """What the card says of pairs of tracks."""
    found = {}
    for output in job.model.card.outputs if job.model.card else ():
        for plus, minus in output.strand if not isinstance(output.strand, str) else ():
            found |= {(output.name, plus): ("+", minus), (output.name, minus): ("-", plus)}
    return found


def hub_notes(job: Job, facts: HubFacts) -> list[str]:
    """What was assumed, and what is left to do before a hub is published."""
    notes = []
    renamed = [name for name in job.summary.chrom_counts if facts.chroms.get(name, name) != name]
    if renamed:
        shown = f"{renamed[0]} is {facts.chroms[renamed[0]]}"
        notes.append(f"the hub has UCSC's names of chromosomes: {shown}")
    assembly = load_assembly(facts.genome)
    if assembly is None:
        notes.append(f"whether the FASTA is {facts.genome} was not checked: no lengths of it are known here")
    elif unknown := [name for name in job.summary.chrom_counts if name not in facts.chroms]:
        notes.append(
            f"{counted(len(unknown), 'chromosome')} of the regions "
            f"{'is' if len(unknown) == 1 else 'are'} in no table of {facts.genome}, and shown only where UCSC has the "
            f"same name: {unknown[0]}"
        )
    n = sum(len(spec.tracks) for spec in job.choice.outputs)
    if n > DRAWN:
        notes.append(
            f"of {n:,} tracks the first {DRAWN} are drawn when the hub is opened, and stand in the IGV session"
        )
    if email_of(Path(job.options.track_hub)) == EMAIL:
        notes.append(f"hub.txt names {EMAIL}: put your address there before you publish the hub")
    return notes
