"""What a reader of the page does next: commands that exist and are right for the files of this run.

Files are called by their names, as they lie beside the page; what the record does not hold has no command.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interpret.contribs.central import UNSIGNED
from interpret.motifs.motifs_file import MotifsFile
from interpret.report.card import ModelCard
from interpret.report.numbers import Row, order_of
from interpret.report.record import argument, file_name
from zoo.store.hub import is_hub_name
from zoo.words import counted

__all__ = ["NextStep", "made_anew", "next_steps"]

FEW = 1000  # regions; with fewer, TF-MoDISco leaves rare motifs unfound
#: Of the options that a report of other regions repeats.
DEFAULTS = {"method": "deepliftshap", "reduce": "sum", "references": "20", "explain": "logits"}


@dataclass(frozen=True)
class NextStep:
    """What to do, why, and the command; None where there is none."""

    title: str
    why: str
    command: str | None


def next_steps(motifs: MotifsFile, rows: Sequence[Row], card: ModelCard | None) -> list[NextStep]:
    """In the order in which a reader wants them: more regions first where little was found, or could be."""
    run = motifs.run["contributions"]
    named = any(row.earned for row in rows)
    looks, regions = list(_looks(motifs, rows, run)), list(_regions(motifs, run, named))
    return [*(regions + looks if _wants_more(motifs, named) else looks + regions), *_other_runs(motifs, card)]


def _wants_more(motifs: MotifsFile, named: bool) -> bool:
    """Whether little was found, or could be."""
    return len(motifs.regions) < FEW or not named


def made_anew(motifs: MotifsFile) -> str | None:
    """The command that makes the file of motifs again, where that adds what it lacks; None without a source."""
    of_patterns = (motifs.effects, motifs.hits, motifs.enrichment) if motifs.patterns else ()
    if None not in (motifs.explained, *of_patterns):
        return None
    contribs, own = file_name(motifs.run.get("contribs") or ""), motifs.path.name
    if not contribs or not own.endswith(".h5"):
        return None
    database = _database(str(motifs.run.get("database") or ""))
    words = ["--database", database] if database else []
    words += ["--central", str(motifs.window)] if motifs.window < motifs.length else []
    return _line("motifs", contribs, *words, "-o", own)


def _regions(motifs: MotifsFile, run: Mapping[str, Any], named: bool) -> Iterator[NextStep]:
    """More regions, or others; more are advised also where the record lacks what a command takes."""
    given, regions, more = _asked(run), len(motifs.regions), _wants_more(motifs, named)
    if not given and not more:
        return
    limit = _reading(run).get("limit")
    limited = isinstance(limit, int) and regions >= limit  # there may have been fewer
    why = f"this run took the first {regions:,}" if limited else counted(regions, "was explained", "were explained")
    if regions < FEW:
        why += f", and fewer than {FEW:,} leave rare motifs unfound"
    command = None
    if given:
        model, bed, *genome = given
        why = why if limited else f"of a BED with others; {why}"
        words = (model, bed if limited else "more.bed", *genome, *_options(motifs, run), "-o", "more.html")
        command = _line("report", *words)
    yield NextStep("Take more regions" if more else "Take other regions", why, command)


def _looks(motifs: MotifsFile, rows: Sequence[Row], run: Mapping[str, Any]) -> Iterator[NextStep]:
    """A closer look at what this run has."""
    own, contribs = motifs.path.name, file_name(motifs.run.get("contribs") or "")
    if len(motifs.regions) and own.endswith(".h5"):
        yield NextStep(
            "See a region of your own",
            "by its name in the BED, or by chrom:start-end",
            _line("report", own, "--region", _a_region(motifs), *_contribs(contribs), "-o", "region.html"),
        )
    if motifs.hits is not None and len(motifs.hits):
        beds = f"{own.removesuffix('.h5')}.hits.bed"
        yield NextStep(
            "Open the instances in a genome browser",
            f"{beds} beside this file holds them; the contributions become a bigWig by",
            _line("attribute", contribs, "-o", f"{contribs.removesuffix('.h5')}.bw") if contribs else None,
        )
    if rows and (given := _asked(run)):
        strongest = order_of(rows)[0]
        bases = re.sub("[acgt]", "N", motifs.patterns[strongest].consensus)
        if set(bases) - {"N"}:
            yield NextStep(
                f"Test what {_called(motifs, rows, strongest)} does by itself",
                "inserted into each region",
                _line("attribute", *given, *_inserting(run, bases), "-o", "effects.tsv"),
            )


def _other_runs(motifs: MotifsFile, card: ModelCard | None) -> Iterator[NextStep]:
    assay = next(iter(card.tags), None) if card else None
    own = motifs.path.name
    yield NextStep(
        "Compare with another model or condition",
        "its motifs side by side with these on one page",
        f"{_line('search', '--tag', assay)}" if assay else _line("list"),
    )
    if own.endswith(".h5"):
        yield NextStep("", "then, of both files of motifs", _line("report", own, "other.motifs.h5", "-o", "both.html"))


def _asked(run: Mapping[str, Any]) -> list[str]:
    """Model, regions and ``-g`` genome as they can be typed; empty where the record lacks one of them.

    A genome that was found by its name has no file beside the page, and is called by it.
    """
    model, regions, genome = run.get("model"), run.get("regions"), run.get("genome")
    name = model.get("name") if isinstance(model, Mapping) else None
    bed = regions.get("path") if isinstance(regions, Mapping) else None
    fasta = genome.get("path") if isinstance(genome, Mapping) else None
    if not (name and bed and fasta) or bed == "-":
        return []
    return [_model(str(name)), file_name(bed), "-g", genome.get("name") or file_name(fasta)]


def _model(name: str) -> str:
    """A name of the zoo or of the hub as it is; of a folder or file, its last part."""
    return name if is_hub_name(name) or not re.match(r"[./~]|[A-Za-z]:[\\/]", name) else f"./{file_name(name)}"


def _reading(run: Mapping[str, Any]) -> Mapping[str, Any]:
    options = run.get("options")
    reading = options.get("reading") if isinstance(options, Mapping) else None
    return reading if isinstance(reading, Mapping) else {}


def _target(run: Mapping[str, Any]) -> list[str]:
    """Options that choose the number that was explained."""
    options = run.get("options") if isinstance(run.get("options"), Mapping) else {}
    words = ["--output", str(run["output"])] if options.get("output") else []
    for track in options.get("tracks") or ():
        words += ["--tracks", str(track)]
    if run.get("bins") and options.get("bins"):
        words += ["--bins", str(options["bins"])]
    if options.get("reduce", DEFAULTS["reduce"]) != DEFAULTS["reduce"]:
        words += ["--reduce", str(options["reduce"])]
    return words


def _inserting(run: Mapping[str, Any], bases: str) -> list[str]:
    return ["--method", "marginalize", "--motif", bases, *_target(run), *_as_read(run)]


def _as_read(run: Mapping[str, Any]) -> list[str]:
    """Options without which these regions of this genome would be refused, or read otherwise."""
    reading = _reading(run)
    words = [f"--{name.replace('_', '-')}" for name in ("any_genome", "translate_chroms") if reading.get(name)]
    for name, default in (("strand", "auto"), ("window", "center"), ("edges", "pad")):
        if reading.get(name) not in (None, default):
            words += [f"--{name}", str(reading[name])]
    settings = reading.get("settings")
    for key, value in settings.items() if isinstance(settings, Mapping) else ():
        words += ["--set", f"{key}={value}"]
    return words


def _options(motifs: MotifsFile, run: Mapping[str, Any]) -> list[str]:
    """Options that make another report comparable with this one."""
    options = run.get("options") if isinstance(run.get("options"), Mapping) else {}
    words = [*_target(run), *_as_read(run)]
    words += [f"--{name.replace('_', '-')}" for name in ("rc_average", "allow_incomplete") if options.get(name)]
    if options.get("fallback"):
        words += ["--fallback", str(options["fallback"])]
    if options.get("method") not in (None, DEFAULTS["method"], *UNSIGNED):
        words += ["--method", str(options["method"])]
    if run.get("references") and str(options.get("references")) not in ("None", DEFAULTS["references"]):
        words += ["--references", file_name(options["references"])]
    if options.get("explain", DEFAULTS["explain"]) != DEFAULTS["explain"]:
        words += ["--explain", str(options["explain"])]
    if motifs.window < motifs.length:
        words += ["--central", str(motifs.window)]
    if database := _database(str(motifs.run.get("database") or "")):
        words += ["--database", database]
    return words


def _database(title: str) -> str:
    """``jaspar:fungi`` of ``JASPAR2026 CORE fungi``; a file by its name."""
    if found := re.fullmatch(r"JASPAR\d* CORE (\w+)", title):
        return f"jaspar:{found[1]}"
    return "" if title.startswith("JASPAR") else file_name(title)


def _a_region(motifs: MotifsFile) -> str:
    """A region that the page does not draw yet, if there is one; by its place where names repeat."""
    drawn = set(motifs.views.sequence.tolist())
    row = next((i for i in range(len(motifs.regions)) if i not in drawn), 0)
    regions, name = motifs.regions, str(motifs.regions.name[row])
    if name not in ("", ".") and (regions.name == name).sum() == 1 and not name.startswith("-"):
        return name
    return f"{regions.chrom[row]}:{regions.start[row]}-{regions.end[row]}"


def _contribs(contribs: str) -> list[str]:
    return ["--contribs", contribs] if contribs else []


def _called(motifs: MotifsFile, rows: Sequence[Row], index: int) -> str:
    name = rows[index].name
    return name.match.motif.name if name.known and name.match else motifs.patterns[index].short_name.replace("-", "−")


def _line(command: str, *words: str | None) -> str:
    return f"zoo {command} {shlex.join(argument(word) for word in words if word)}".rstrip()
