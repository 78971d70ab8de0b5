"""The head of the page: what was explained, how, with what, and how complete it is."""

from __future__ import annotations

import json
import shlex
from html import escape
from typing import Any

import numpy as np

from interpret.motifs.motifs_file import MotifsFile
from interpret.report.numbers import Row

__all__ = ["head"]


def head(motifs: MotifsFile, rows: list[Row]) -> str:
    """HTML: title, one sentence of result, the facts, details folded."""
    run = motifs.run["contributions"]
    facts = [
        ("Model", _model(run)), ("Output", _output(run)), ("Method", _method(run)), ("Genome", _genome(run)),
        ("Sequences", f"{len(motifs.regions):,} of {motifs.length:,} bp, motifs in the central {motifs.window:,} bp"),
        ("Completeness", _completeness(motifs.completeness_error)),
        ("Known motifs", f"{escape(motifs.run['database'])}, {motifs.run['database_motifs']:,} motifs"),
    ]
    cells = "".join(f"<div><dt>{title}</dt><dd>{text}</dd></div>" for title, text in facts)
    return (
        f"<header><h1>Motifs of {escape(_name(run))}</h1><p class=lead>{_sentence(motifs, rows)}</p><dl>{cells}</dl>"
        f"{_notes(run)}{_command(run)}<details><summary>Options, versions, hashes</summary><pre>"
        f"{escape(json.dumps(motifs.run, indent=1))}</pre></details></header>"
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


def _name(run: dict[str, Any]) -> str:
    model = run.get("model")
    if isinstance(model, dict):
        return str(model.get("name") or "a model")
    return str(model or "a model")


def _model(run: dict[str, Any]) -> str:
    model = run.get("model")
    version = model.get("version") if isinstance(model, dict) else run.get("model_version")
    return escape(" ".join(str(part) for part in (_name(run), version) if part))


def _output(run: dict[str, Any]) -> str:
    parts = [str(run.get("output") or "not recorded")]
    tracks = run.get("tracks")
    if tracks and tracks != "all":
        parts.append("tracks " + (", ".join(map(str, tracks)) if isinstance(tracks, list) else str(tracks)))
    if run.get("reduction"):
        parts.append(f"{run['reduction']} over bins")
    parts.append(f"{run.get('explained', 'unknown whether logits or predictions')} explained")
    return escape(", ".join(parts))


def _method(run: dict[str, Any]) -> str:
    references = run.get("references")
    text = str(run.get("method") or "not recorded")
    if references not in (None, "none"):
        text += f", {_references(references)}, seed {run.get('seed')}"
    return escape(text)


def _references(references: Any) -> str:
    if isinstance(references, dict) and "kind" in references:
        shuffles = f"{references['n']} {references['kind']} shuffles a window" if references.get("n") else None
        return shuffles or f"references {references['kind']}"
    return f"references {references}"


def _genome(run: dict[str, Any]) -> str:
    genome = run.get("genome")
    if isinstance(genome, dict):
        size = f", {genome['total_bp']:,} bp" if genome.get("total_bp") else ""
        return escape(str(genome.get("path", "not recorded")).rsplit("/", 1)[-1] + size)
    return escape(str(genome or "not recorded"))


def _completeness(error: np.ndarray) -> str:
    known = error[np.isfinite(error)]
    if not len(known):
        return "this method has no completeness to check"
    edges = [0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, np.inf]
    counts = np.histogram(known, bins=edges)[0]
    top = max(int(counts.max()), 1)
    bars = "".join(f'<rect x="{i * 11}" y="{20 - 20 * n / top:.1f}" width="9" height="{20 * n / top:.1f}"/>'
                   for i, n in enumerate(counts))
    label = "errors below 1e-6, 1e-5, 1e-4, 1e-3, 1e-2 and above: " + ", ".join(map(str, counts))
    return (
        f'median error {np.median(known):.1e}, largest {known.max():.1e} <svg class="spark hist" role="img" '
        f'aria-label="{label}" viewBox="0 0 66 21"><title>{label}</title>{bars}</svg>'
    )


def _command(run: dict[str, Any]) -> str:
    command = run.get("command")
    if not isinstance(command, list) or not command:
        return ""
    words = [str(command[0]).rsplit("/", 1)[-1], *map(str, command[1:])]
    return f"<p><small>Contributions made by</small> <code>{escape(shlex.join(words))}</code></p>"


def _notes(run: dict[str, Any]) -> str:
    notes = run.get("notes") or []
    notes = [notes] if isinstance(notes, str) else notes
    return "".join(f'<p class="note">{escape(str(note))}</p>' for note in notes)
