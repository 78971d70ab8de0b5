"""The head of the page: what was explained, how, with what, how complete it is, how good the model is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from interpret.motifs.motifs_file import MotifsFile
from interpret.report.bars import histogram
from interpret.report.card import ModelCard, metrics_of
from interpret.report.looked_for import look_for, looked_for_html
from interpret.report.numbers import Row
from interpret.report.provenance import file_name, made_by, provenance

__all__ = ["EDGES", "completeness_of", "head", "model_name"]

EDGES = (0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, np.inf)
EDGE_TEXTS = ["1e-6", "1e-5", "1e-4", "1e-3", "1e-2"]
WAYS = {"sum": "summed over bins", "max": "the largest bin", "profile": "bins weighted by their own profile"}


def head(motifs: MotifsFile, rows: list[Row], card: ModelCard | None, words: Sequence[str] = ()) -> str:
    """HTML: title, one sentence of result, what was looked for, the facts, metrics of the model, details folded."""
    run = motifs.run["contributions"]
    facts = [
        ("Model", _model(run, card)),
        ("Output explained", _output(run, card)),
        ("Method", _method(run)),
        ("References", _references(run)),
        ("Genome", _genome(run)),
        ("Regions", _regions(motifs, run)),
        ("Known motifs", f"{escape(motifs.run['database'])}, {motifs.run['database_motifs']:,} motifs"),
        ("Completeness", _completeness(motifs)),
    ]
    cells = "".join(f"<div><dt>{title}</dt><dd>{text}</dd></div>" for title, text in facts if text)
    return (
        f"<header><h1>Motifs of {escape(model_name(run))}</h1><p class=lead>{_sentence(motifs, rows)}</p>"
        f"{looked_for_html(look_for(motifs, words))}"
        f"<dl>{cells}</dl>{_metrics(card)}{_notes(run)}{made_by(motifs.run, sys.argv)}{provenance(motifs.run)}</header>"
    )


def _sentence(motifs: MotifsFile, rows: list[Row]) -> str:
    if not rows:
        return (
            f"TF-MoDISco found no pattern in {len(motifs.regions):,} sequences. Fewer than about a hundred seqlets "
            "stand out from the background there: more regions, or a model that has learned motifs, may show some."
        )
    raising = sum(pattern.positive for pattern in motifs.patterns)
    named = sum(row.named is not None for row in rows)
    return (
        f"{len(rows)} pattern{'s' * (len(rows) != 1)} in {len(motifs.regions):,} sequences: {raising} of bases that "
        f"raise the prediction, {len(rows) - raising} of bases that lower it; {named} like a known motif (q ≤ 0.05)."
    )


def model_name(run: dict[str, Any]) -> str:
    """What the model was called; the last part where that was a path."""
    model = run.get("model")
    name = model.get("name") if isinstance(model, dict) else model
    return file_name(name) if name else "a model"


def _model(run: dict[str, Any], card: ModelCard | None) -> str:
    model = run.get("model")
    version = model.get("version") if isinstance(model, dict) else run.get("model_version")
    name = escape(" ".join(str(part) for part in (model_name(run), version) if part))
    if card is None:
        return name
    return f'<a href="#card">{name}</a><br><small>{escape(card.summary)}</small>'


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
    parts.append(
        {"logits": "logits explained (what enters the last activation)"}.get(
            what, f"{what or 'unknown whether logits or predictions'} explained"
        )
    )
    return escape("; ".join(parts))


def _method(run: dict[str, Any]) -> str:
    options = run.get("options") or {}
    strands = ", both strands averaged" if isinstance(options, dict) and options.get("rc_average") else ""
    return escape(str(run.get("method") or "not recorded")) + strands


def _references(run: dict[str, Any]) -> str:
    references = run.get("references")
    if references in (None, "none"):
        return "none: the method has none"
    if not isinstance(references, dict) or "kind" not in references:
        return escape(f"{references}, seed {run.get('seed')}")
    kind, n = references["kind"], references.get("n")
    if kind == "dinucleotide":
        return f"{n} dinucleotide shuffle{'s' * (n != 1)} of each sequence, seed {run.get('seed')}"
    return escape({"uniform": "0.25 at every base", "zeros": "zeros"}.get(kind, f"{kind} ({n} a sequence)"))


def _genome(run: dict[str, Any]) -> str:
    genome = run.get("genome")
    if not isinstance(genome, dict):
        return escape(str(genome or "not recorded"))
    parts = [file_name(genome.get("path", "not recorded"))]
    if run.get("assembly"):
        parts.append(f"assembly {run['assembly']}")
    if genome.get("total_bp"):
        parts.append(f"{genome['total_bp']:,} bp")
    return escape(", ".join(parts))


def _regions(motifs: MotifsFile, run: dict[str, Any]) -> str:
    regions = run.get("regions")
    name = f" of {escape(file_name(regions['path']))}" if isinstance(regions, dict) and regions.get("path") else ""
    return (
        f"{len(motifs.regions):,} sequences of {motifs.length:,} bp{name}; motifs sought in the central "
        f"{motifs.window:,} bp"
    )


def completeness_of(motifs: MotifsFile) -> tuple[np.ndarray, str]:
    """Errors that are known, and what they are of: pairs of sequence and reference where the file has them."""
    pairs = motifs.pair_error
    error, of = (motifs.completeness_error, "a sequence") if pairs is None else (pairs, "a pair with a reference")
    return error[np.isfinite(error)], of


def _completeness(motifs: MotifsFile) -> str:
    known, of = completeness_of(motifs)
    if not len(known):
        return "this method has no completeness to check"
    counts = np.histogram(known, bins=EDGES)[0]
    label = "errors below 1e-6, 1e-5, 1e-4, 1e-3, 1e-2 and above: " + ", ".join(map(str, counts))
    return (
        f"relative error of {of}: median {np.median(known):.1e}, largest {known.max():.1e}<br>"
        f"{histogram(counts, EDGE_TEXTS, label)}"
    )


def _metrics(card: ModelCard | None) -> str:
    if card is None or not card.evaluation:
        return ""
    rows = []
    for metric in metrics_of(card):
        item = metric.evaluation
        interval = f"{item.ci[0]:.3g} to {item.ci[1]:.3g}" if item.ci else ""
        beside = "<br>".join(f"{value:.3g} {escape(name)}" for name, value in metric.baselines)
        rows.append(
            f"<tr><td>{escape(item.metric)}</td><td class=num>{item.value:.3g}</td><td>{interval}</td>"
            f"<td class=num>{'' if item.n is None else f'{item.n:,}'}</td><td>{escape(item.split)}</td>"
            f"<td>{beside}</td></tr>"
        )
    return (
        '<div class="scroll"><table class="small" id="metrics"><thead><tr><th>How good the model is</th>'
        "<th class=num>Value</th><th>95% interval</th><th class=num>n</th><th>Split</th><th>Baselines</th></tr></thead>"
        f'<tbody>{"".join(rows)}</tbody></table></div><p><small>From the <a href="#card">card</a>.</small></p>'
    )


def _notes(run: dict[str, Any]) -> str:
    notes = run.get("notes") or []
    notes = [notes] if isinstance(notes, str) else notes
    items = "".join(f"<li>{escape(str(note))}</li>" for note in notes)
    return f'<ul class="notes">{items}</ul>' if items else ""
