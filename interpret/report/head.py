"""The head of the page: what was explained, how, with what, how complete it is, how good the model is.

``head_of`` gathers what ``assets/head.html`` shows; motifs that a user looks for are found by name or by bases.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
from markupsafe import Markup

from interpret.motifs.motifs_file import MotifsFile
from interpret.motifs.pattern import Pattern
from interpret.report.drawing import histogram
from interpret.report.numbers import LEAST_SEQLETS, Row
from zoo.cards.schema import Evaluation
from zoo.errors import ZooError

__all__ = [
    "EDGES",
    "Completeness",
    "Head",
    "LookedFor",
    "Metric",
    "ModelCard",
    "commands_of",
    "completeness_of",
    "find_card",
    "head_of",
    "look_for",
    "metrics_of",
    "model_name",
    "provenance",
]

EDGES = (0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, np.inf)
EDGE_TEXTS = ("1e-6", "1e-5", "1e-4", "1e-3", "1e-2")
WAYS = {"sum": "summed over bins", "max": "the largest bin", "profile": "bins weighted by their own profile"}
LEAST_BASES = 6
COMPLEMENT = str.maketrans("ACGT", "TGCA")


@dataclass(frozen=True)
class LookedFor:
    """A motif looked for.

    Attributes:
        word: name of a known motif, or bases.
        pattern: where it was found; None if nowhere. inside: whether in a subpattern of it.
        q: of the match; None for bases, which are found in the consensus or not.
    """

    word: str
    pattern: Pattern | None = None
    inside: bool = False
    q: float | None = None


@dataclass(frozen=True)
class Completeness:
    """Relative errors: what they are of, their median and largest, and a picture of all."""

    of: str
    median: float
    largest: float
    picture: Markup


@dataclass(frozen=True)
class Head:
    """What the head says, as plain text; see ``assets/head.html``.

    Attributes:
        model: the model's name. version: as recorded, or None.
        patterns, raising, named: number of patterns, of those that raise the prediction, of those with a known motif.
        output, method, references, genome, regions: what was explained, and how, a sentence each.
        completeness: None where the method has none to check.
        looked_for, metrics, notes, commands: in the order in which they are shown.
        provenance: (title, text) of seed, versions and hashes. record: the whole record as JSON.
    """

    model: str
    version: str | None
    patterns: int
    raising: int
    named: int
    output: str
    method: str
    references: str
    genome: str
    regions: str
    completeness: Completeness | None
    looked_for: list[LookedFor]
    metrics: list[Metric]
    notes: list[str]
    commands: list[str]
    provenance: list[tuple[str, str]]
    record: str


def head_of(
    motifs: MotifsFile, rows: Sequence[Row], card: ModelCard | None, words: Sequence[str], now: Sequence[str]
) -> Head:
    """Head of the page; ``words`` are looked for, ``now`` is the command that is running."""
    run = motifs.run["contributions"]
    model, notes = run.get("model"), run.get("notes") or []
    version = model.get("version") if isinstance(model, dict) else run.get("model_version")
    return Head(
        model=model_name(run),
        version=str(version) if version else None,
        patterns=len(rows),
        raising=sum(pattern.positive for pattern in motifs.patterns),
        named=sum(row.named is not None for row in rows),
        output=_output(run, card),
        method=_method(run),
        references=_references(run),
        genome=_genome(run),
        regions=_regions(motifs, run),
        completeness=_completeness(motifs),
        looked_for=look_for(motifs, words),
        metrics=metrics_of(card) if card else [],
        notes=[notes] if isinstance(notes, str) else [str(note) for note in notes],
        commands=commands_of(motifs.run, now),
        provenance=provenance(motifs.run),
        record=json.dumps(motifs.run, indent=1),
    )


def model_name(run: dict[str, Any]) -> str:
    """What the model was called; the last part where that was a path."""
    model = run.get("model")
    name = model.get("name") if isinstance(model, dict) else model
    return _file_name(name) if name else "a model"


def _output(run: dict[str, Any], card: ModelCard | None) -> str:
    parts = [str(run.get("output") or "not recorded")]
    tracks, bins = run.get("tracks"), run.get("bins")
    if tracks and tracks != "all":
        parts.append("tracks " + (", ".join(map(str, tracks)) if isinstance(tracks, list) else str(tracks)))
    if bins:
        parts.append(f"bins {bins[0]} to {bins[1] - 1}")
    if run.get("reduction") and not (card and run.get("output") in card.scalars):
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
        return f"{references}, seed {run.get('seed')}"
    kind, n = references["kind"], references.get("n")
    if kind == "dinucleotide":
        return f"{n} dinucleotide shuffle{'s' * (n != 1)} of each sequence, seed {run.get('seed')}"
    return {"uniform": "0.25 at every base", "zeros": "zeros"}.get(kind, f"{kind} ({n} a sequence)")


def _genome(run: dict[str, Any]) -> str:
    genome = run.get("genome")
    if not isinstance(genome, dict):
        return str(genome or "not recorded")
    parts = [_file_name(genome.get("path", "not recorded"))]
    if run.get("assembly"):
        parts.append(f"assembly {run['assembly']}")
    if genome.get("total_bp"):
        parts.append(f"{genome['total_bp']:,} bp")
    return ", ".join(parts)


def _regions(motifs: MotifsFile, run: dict[str, Any]) -> str:
    regions = run.get("regions")
    name = f" of {_file_name(regions['path'])}" if isinstance(regions, dict) and regions.get("path") else ""
    return (
        f"{len(motifs.regions):,} sequences of {motifs.length:,} bp{name}; motifs sought in the central "
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
    """Each word's best place: the smallest q, at most 0.05, of a pattern or of a subpattern with 20 seqlets.

    Six or more of the letters ACGT are bases, looked for in the cores' consensus on either strand; so are those
    behind the sign in ``poly-A=AAAAAAAA``, under the name before it.
    """
    return [_look_for(motifs, word) for word in words]


def _look_for(motifs: MotifsFile, word: str) -> LookedFor:
    name, _, bases = word.rpartition("=")
    if name or (len(bases) >= LEAST_BASES and not set(bases.upper()) - set("ACGT")):
        return _bases(motifs, name or bases, bases.upper())
    return _name(motifs, word)


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
            found += [
                (match.q, part is not pattern, pattern)
                for match in motifs.matches[part.name]
                if match.significant and match.motif.name.upper() == word.upper()
            ]
    if not found:
        return LookedFor(word)
    q, inside, pattern = min(found, key=lambda item: item[:2])
    return LookedFor(word, pattern, inside, q)


def commands_of(run: dict[str, Any], now: Sequence[str] = ()) -> list[str]:
    """The commands that make the same again, as typed: of contributions and motifs, and ``now`` if that is zoo's."""
    commands = [run["contributions"].get("command"), run.get("command")]
    if now and _file_name(now[0]) == "zoo":
        commands.append(list(now))
    lines = [shlex.join([_file_name(c[0]), *map(str, c[1:])]) for c in commands if isinstance(c, list) and c]
    return list(dict.fromkeys(lines))


def provenance(run: dict[str, Any]) -> list[tuple[str, str]]:
    """Title and text of seed, versions and hashes."""
    made = run["contributions"]
    rows = [("Seed", str(made.get("seed")))]
    versions = {**(made.get("versions") or {}), **(run.get("versions") or {})}
    rows += [(f"Version of {name}", str(version)) for name, version in versions.items()]
    model = made.get("model")
    hashes = dict(model.get("sha256") or {}) if isinstance(model, dict) else {}
    regions = made.get("regions")
    if isinstance(regions, dict) and regions.get("sha256"):
        hashes[_file_name(regions.get("path"))] = regions["sha256"]
    return rows + [(f"SHA-256 of {name}", str(digest)) for name, digest in hashes.items()]


def _file_name(path: Any) -> str:
    """The last part of a path; a name without a slash is itself."""
    return PurePath(str(path)).name or str(path)


