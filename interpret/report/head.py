"""The head of the page: what drives the model, how much that explains, what to do next; and, below, how it was made.

``head_of`` gathers what ``assets/head.html`` shows, ``made_of`` what ``assets/made.html`` does; motifs that a user
looks for are found by name or by bases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from interpret.motifs.databases import names_in
from interpret.motifs.explained import Explained
from interpret.motifs.grades import grade_pattern
from interpret.motifs.motifs_file import MotifsFile
from interpret.motifs.pattern import Pattern
from interpret.report.card import Metric, ModelCard, metrics_of
from interpret.report.drawing import histogram
from interpret.report.next_steps import NextStep, made_anew, next_steps
from interpret.report.numbers import LEAST_SEQLETS, Row, order_of
from interpret.report.record import commands_of, file_name, option_rows, provenance, without_paths
from interpret.report.sentence import percent, sentence
from interpret.report.table import Figure, core_logo
from interpret.report.words import called, units
from zoo.words import counted, near_names

__all__ = [
    "EDGES",
    "Completeness",
    "Head",
    "LookedFor",
    "Made",
    "Meter",
    "Strongest",
    "completeness_of",
    "head_of",
    "lacks_of",
    "look_for",
    "made_of",
    "meters_of",
    "missed",
    "model_name",
    "unit_of",
]

EDGES = (0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, np.inf)
EDGE_TEXTS = ("1e-6", "1e-5", "1e-4", "1e-3", "1e-2")
WAYS = {"sum": "summed over bins", "max": "the largest bin", "profile": "bins weighted by their own profile"}
LEAST_BASES = 6
STRONGEST = 5  # patterns of the strip
COMPLEMENT = str.maketrans("ACGT", "TGCA")


@dataclass(frozen=True)
class LookedFor:
    """A motif looked for.

    Attributes:
        word: name of a known motif, or bases.
        pattern: where it was found; None if nowhere. inside: whether in a subpattern of it.
        q: of the match; None for bases, which are found in the consensus or not.
        weak: whether it matches, but the pattern has not earned its name.
        unknown_to: title of the database, where that has no such name: a typo more often than a motif that did not
            come out. near: names like it that the database has.
    """

    word: str
    pattern: Pattern | None = None
    inside: bool = False
    q: float | None = None
    weak: bool = False
    unknown_to: str = ""
    near: tuple[str, ...] = ()

    @property
    def lacking(self) -> str:
        """What is said of a name that the database has not; empty of all else."""
        said = f"{self.unknown_to} has no motif of that name" if self.unknown_to else ""
        return f"{said}; near names: {', '.join(self.near)}" if self.near else said


@dataclass(frozen=True)
class Completeness:
    """Relative errors: what they are of, their median and largest, and a picture of all."""

    of: str
    median: float
    largest: float
    picture: Markup


@dataclass(frozen=True)
class Strongest:
    """A pattern of the strip. logo: of its contributions, as in the table."""

    pattern: Pattern
    numbers: Row
    logo: Figure


@dataclass(frozen=True)
class Meter:
    """One number of how much is explained.

    Attributes:
        share: 0 to 1, as it is drawn. text: the same in words. what: of what.
        beside: what chance or something simpler reaches, 0 to 1, drawn as a tick; None where there is none.
        than: what that is, a sentence; empty where there is nothing to say.
    """

    share: float
    text: str
    what: str
    beside: float | None = None
    than: str = ""


@dataclass(frozen=True)
class Head:
    """What the first screen says, as plain text; see ``assets/head.html``.

    Attributes:
        model: the model's name. sentence: what drives it.
        units: of contributions and effects; empty where nobody says.
        strongest: three to five patterns by effect times frequency.
        meters: how much is explained. left_out: what that does not speak of.
        lacks: what an older file does not hold. anew: the command that makes it again, with that.
        looked_for: in the order in which they were asked. missed: those that were not found, in words.
        steps: what to do next.
    """

    model: str
    sentence: str
    units: str
    strongest: list[Strongest]
    meters: list[Meter]
    left_out: list[str]
    lacks: list[str]
    anew: str | None
    looked_for: list[LookedFor]
    missed: str
    steps: list[NextStep]


@dataclass(frozen=True)
class Made:
    """How it was made; see ``assets/made.html``.

    Attributes:
        version: of the model as recorded, or None.
        output, method, references, genome, regions: what was explained, and how, a sentence each.
        completeness: None where the method has none to check.
        metrics, notes, commands: in the order in which they are shown.
        provenance: (title, text) of seed, versions and hashes. options: the same of all else in the record.
    """

    version: str | None
    output: str
    method: str
    references: str
    genome: str
    regions: str
    completeness: Completeness | None
    metrics: list[Metric]
    notes: list[str]
    commands: list[str]
    provenance: list[tuple[str, str]]
    options: list[tuple[str, str]]


def head_of(motifs: MotifsFile, rows: Sequence[Row], card: ModelCard | None, words: Sequence[str] = ()) -> Head:
    """Head of the page; ``words`` are looked for."""
    run = motifs.run["contributions"]
    strongest, found = order_of(rows)[:STRONGEST], look_for(motifs, words)
    return Head(
        model=model_name(run),
        sentence=sentence(motifs, rows, called(run, card)),
        units=unit_of(motifs, card),
        strongest=[Strongest(motifs.patterns[i], rows[i], core_logo(motifs.patterns[i], rows[i])) for i in strongest],
        meters=meters_of(motifs.explained),
        left_out=list(motifs.explained.left_out) if motifs.explained else [],
        lacks=lacks_of(motifs),
        anew=made_anew(motifs),
        looked_for=found,
        missed=missed(found),
        steps=next_steps(motifs, rows, card),
    )


def unit_of(motifs: MotifsFile, card: ModelCard | None) -> str:
    """Units of contributions and effects in words."""
    bins = None if motifs.views.track is None else motifs.views.track.shape[1]
    return units(motifs.run["contributions"], card, bins)


def meters_of(explained: Explained | None) -> list[Meter]:
    """How much the motifs explain, each number beside what chance or something simpler reaches; no share of none."""
    if explained is None:
        return []
    found = []
    for side, word in ((explained.positive, "positive"), (explained.negative, "negative")):
        if side.share is not None and side.by_pattern is not None and len(side.by_pattern):
            covered = explained.covered
            than = f"they cover {percent(covered)} of the bases looked at, which is what chance would hold"
            if found:
                than = ""  # said once
            what = f"of {word} contribution lies in instances of the patterns"
            found.append(Meter(side.share, percent(side.share), what, covered, than if covered is not None else ""))
    counts = [side for side in (explained.positive, explained.negative) if side.seqlets_found]
    if counts:
        inside, all_of_them = sum(side.seqlets for side in counts), sum(side.seqlets_found or 0 for side in counts)
        what = f"of seqlets are in a pattern: {inside:,} of {all_of_them:,}"
        found.append(Meter(inside / all_of_them, percent(inside / all_of_them), what))
    if explained.variance is not None:
        found.append(_variance_meter(explained))
    return found


def _variance_meter(explained: Explained) -> Meter:
    variance = explained.variance
    assert variance is not None
    of = "of the prediction's variance over regions is explained by counts of instances, in regions held out of the fit"
    interval = f"95% interval {percent(variance.low)} to {percent(variance.high)}"
    than = (
        f"{interval}; base composition alone {percent(variance.composition)}, both {percent(variance.both)}; the "
        "patterns themselves were found in all regions, the held-out ones too"
    )
    share, beside = (float(np.clip(value, 0, 1)) for value in (variance.instances, variance.composition))
    return Meter(share, percent(variance.instances), of, beside, than)


def lacks_of(motifs: MotifsFile) -> list[str]:
    """What the page cannot say of this file, and what would."""
    lacks = []
    if motifs.explained is None:
        lacks.append("how much the motifs explain")
    elif motifs.patterns and motifs.explained.variance is None and motifs.explained.no_variance:
        lacks.append(f"the share of the prediction's variance ({without_paths(motifs.explained.no_variance)})")
    if motifs.patterns and motifs.effects is None:
        lacks.append("what each pattern does when it is inserted (effects), in whose place mean contributions stand")
    if motifs.hits is None:
        lacks.append("instances beyond the seqlets (hits)")
    if motifs.patterns and motifs.enrichment is None:
        lacks.append("enrichment against shuffled sequences")
    return lacks


def made_of(motifs: MotifsFile, card: ModelCard | None, now: Sequence[str] = ()) -> Made:
    """How it was made; ``now`` is the command that is running."""
    run = motifs.run["contributions"]
    model, notes = run.get("model"), run.get("notes") or []
    version = model.get("version") if isinstance(model, dict) else run.get("model_version")
    return Made(
        version=str(version) if version else None,
        output=_output(run, unit_of(motifs, card)),
        method=_method(run),
        references=_references(run),
        genome=_genome(run),
        regions=_regions(motifs, run),
        completeness=_completeness(motifs),
        metrics=metrics_of(card) if card else [],
        notes=_notes([notes] if isinstance(notes, str) else notes, _completeness(motifs) is not None),
        commands=commands_of(motifs.run, now),
        provenance=provenance(motifs.run),
        options=option_rows(motifs.run),
    )


def _notes(notes: Sequence[Any], completeness: bool) -> list[str]:
    """Notes of the run, less what the page says of completeness by itself."""
    said = [without_paths(note) for note in notes]
    return [note for note in said if not (completeness and note.startswith("completeness error: median"))]


def model_name(run: dict[str, Any]) -> str:
    """What the model was called; the last part where that was a path."""
    model = run.get("model")
    name = model.get("name") if isinstance(model, dict) else model
    return file_name(name) if name else "a model"


def _output(run: dict[str, Any], unit: str) -> str:
    """The output, its tracks and bins; how bins were reduced stands in the unit, where one is known."""
    parts = [str(run.get("output") or "not recorded")]
    tracks, bins = run.get("tracks"), run.get("bins")
    if tracks and tracks != "all" and tracks != [run.get("output")]:
        parts.append("tracks " + (", ".join(map(str, tracks)) if isinstance(tracks, list) else str(tracks)))
    if bins:
        parts.append(f"bins {bins[0]} to {bins[1] - 1}")
    if unit:
        parts.append(unit)
    elif run.get("reduction"):
        parts.append(WAYS.get(run["reduction"], str(run["reduction"])))
    what = run.get("explained")
    known = {"logits": "logits explained (what enters the last activation)"}
    parts.append(known.get(what, f"{what or 'unknown whether logits or predictions'} explained"))
    return "; ".join(parts)


def _method(run: dict[str, Any]) -> str:
    options = run.get("options") or {}
    strands = ", both strands averaged" if isinstance(options, dict) and options.get("rc_average") else ""
    return str(run.get("method") or "not recorded") + strands


def _references(run: dict[str, Any]) -> str:
    references = run.get("references")
    if references in (None, "none"):
        return "none: the method has none"
    if not isinstance(references, dict) or "kind" not in references:
        return f"{file_name(references)}, seed {run.get('seed')}"
    kind, n = file_name(references["kind"]), references.get("n")
    if kind == "dinucleotide":
        return f"{counted(n, 'dinucleotide shuffle')} of each sequence, seed {run.get('seed')}"
    return {"uniform": "0.25 at every base", "zeros": "zeros"}.get(kind, f"{kind} ({n} a sequence)")


def _genome(run: dict[str, Any]) -> str:
    genome = run.get("genome")
    if not isinstance(genome, dict):
        return str(genome or "not recorded")
    parts = [file_name(genome.get("path", "not recorded"))]
    if run.get("assembly"):
        parts.append(f"assembly {run['assembly']}")
    if genome.get("total_bp"):
        parts.append(f"{genome['total_bp']:,} bp")
    return ", ".join(parts)


def _regions(motifs: MotifsFile, run: dict[str, Any]) -> str:
    regions = run.get("regions")
    name = f" of {file_name(regions['path'])}" if isinstance(regions, dict) and regions.get("path") else ""
    return (
        f"{counted(len(motifs.regions), 'sequence')} of {motifs.length:,} bp{name}; motifs sought in the central "
        f"{motifs.window:,} bp"
    )


def completeness_of(motifs: MotifsFile) -> tuple[np.ndarray, str]:
    """Errors that are known, and what they are of: pairs of sequence and reference where the file has them."""
    pairs = motifs.pair_error
    error, of = (motifs.completeness_error, "a sequence") if pairs is None else (pairs, "a pair with a reference")
    return error[np.isfinite(error)], of


def _completeness(motifs: MotifsFile) -> Completeness | None:
    known, of = completeness_of(motifs)
    if not len(known):
        return None
    counts = np.histogram(known, bins=EDGES)[0]
    label = "errors below 1e-6, 1e-5, 1e-4, 1e-3, 1e-2 and above: " + ", ".join(map(str, counts))
    return Completeness(of, float(np.median(known)), float(known.max()), histogram(counts, EDGE_TEXTS, label))


def look_for(motifs: MotifsFile, words: Sequence[str]) -> list[LookedFor]:
    """Each word's best place: where the name is earned, a pattern before a subpattern of 20 seqlets, the smallest q.

    Six or more of the letters ACGT are bases, looked for in the cores' consensus on either strand; so are those
    behind the sign in ``poly-A=AAAAAAAA``, under the name before it.
    """
    return [_look_for(motifs, word) for word in words]


def _look_for(motifs: MotifsFile, word: str) -> LookedFor:
    name, _, bases = word.rpartition("=")
    if name or (len(bases) >= LEAST_BASES and not set(bases.upper()) - set("ACGT")):
        return _bases(motifs, name or bases, bases.upper())
    return _name(motifs, word)


def missed(found: Sequence[LookedFor]) -> str:
    """What was not found, and apart from it what could not be: ``not found: RAP1; not in JASPAR2026 CORE fungi: CTCF``.

    Why a name could not be found is said of that name alone.
    """
    absent = [item for item in found if item.pattern is None]
    titles = dict.fromkeys(item.unknown_to for item in absent if item.unknown_to)
    clauses = [
        f"not in {title}: {', '.join(_with_near(item) for item in absent if item.unknown_to == title)}"
        for title in titles
    ]
    words = [item.word for item in absent if not item.unknown_to]
    if words or not clauses:
        clauses.insert(0, f"not found: {', '.join(words) or 'none'}")
    return "; ".join(clauses)


def _with_near(item: LookedFor) -> str:
    return f"{item.word} (near names: {', '.join(item.near)})" if item.near else item.word


def _not_found(title: str, word: str) -> LookedFor:
    """A name that was not found, and whether the database has it; of a MEME file that cannot be told."""
    names = names_in(title)
    if not names or word.upper() in {name.upper() for name in names}:
        return LookedFor(word)
    return LookedFor(word, unknown_to=title, near=tuple(near_names(word, names)))


def _bases(motifs: MotifsFile, word: str, bases: str) -> LookedFor:
    turned = bases.translate(COMPLEMENT)[::-1]
    for pattern in motifs.patterns:
        if bases in pattern.consensus.upper() or turned in pattern.consensus.upper():
            return LookedFor(word, pattern)
    return LookedFor(word)


def _name(motifs: MotifsFile, word: str) -> LookedFor:
    found = []
    for pattern in motifs.patterns:
        for part in (pattern, *(child for child in pattern.subpatterns if len(child.seqlets) >= LEAST_SEQLETS)):
            best = next(
                (m for m in motifs.matches[part.name] if m.significant and m.motif.name.upper() == word.upper()), None
            )
            if best is not None:
                grade = grade_pattern(motifs, part)
                weak = not (grade.known and grade.match and grade.match.motif.name.upper() == word.upper())
                found.append((weak, part is not pattern, best.q, pattern))
    if not found:
        return _not_found(str(motifs.run.get("database")), word)
    weak, inside, q, pattern = min(found, key=lambda item: item[:3])
    return LookedFor(word, pattern, inside, q, weak)
