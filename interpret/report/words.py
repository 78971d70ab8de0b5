"""What the explained output is called in a sentence, and its units in words: from the card and the run's record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo.entries.draft import MARK
from zoo.words import counted

if TYPE_CHECKING:
    from interpret.report.card import ModelCard

__all__ = ["called", "units"]

#: Kipoi's tags that say what a model predicts.
TAGS = {
    "DNA accessibility": "accessibility",
    "DNA binding": "binding",
    "RNA binding": "RNA binding",
    "RNA splicing": "splicing",
    "RNA expression": "expression",
    "Gene expression": "expression",
    "Histone modification": "histone modification",
    "DNA methylation": "DNA methylation",
}
REDUCED = {"sum": "summed over", "max": "the largest of", "profile": "weighted by their own profile, of"}


def called(run: Mapping[str, Any], card: ModelCard | None) -> str:
    """``predicted accessibility`` where the card's tags say one thing, else the output by its name."""
    meant = {TAGS[tag] for tag in card.tags if tag in TAGS} if card else set()
    if len(meant) == 1:
        return f"predicted {meant.pop()}"
    output, tracks = run.get("output"), run.get("tracks")
    if isinstance(tracks, list | tuple) and len(tracks) == 1 and str(tracks[0]) != str(output) and _said(tracks[0]):
        return f"the predicted {tracks[0]}"
    return f"the predicted {output}" if output and not str(output).startswith("pred") else "the model's prediction"


def _said(text: Any) -> str:
    """A text of the card; empty where the draft of an entry still asks for it."""
    return "" if MARK in str(text or "") else str(text or "")


def units(run: Mapping[str, Any], card: ModelCard | None, bins: int | None = None) -> str:
    """``log Tn5 cuts per bin, summed over 32 bins``; the empty text where neither card nor record says a unit.

    Args:
        run: record of the contributions. bins: of the output, where they are known.
    """
    unit = _unit(run, card)
    if not unit:
        return ""
    output = card.output(run.get("output")) if card else None
    parts, tracks, chosen = [unit], run.get("tracks"), run.get("bins")
    if output is None or output.kind == "profile":
        count = chosen[1] - chosen[0] if chosen else bins
        over = REDUCED.get(str(run.get("reduction")))
        if over and (count or 2) > 1:
            parts.append(f"{over} {counted(count, 'bin')}" if count else f"{over} bins")
    if isinstance(tracks, list | tuple) and len(tracks) > 1:
        parts.append(f"added over {counted(len(tracks), 'track')}")
    return ", ".join(parts)


def _unit(run: Mapping[str, Any], card: ModelCard | None) -> str:
    output = card.output(run.get("output")) if card else None
    own = _said(output.units if output else None)
    notes = run.get("notes") or []
    said = " ".join([notes] if isinstance(notes, str) else map(str, notes))
    if run.get("explained") == "predictions" or "predictions are explained as they are" in said:
        return own
    if run.get("explained") != "logits":
        return ""
    if card and _said(card.logit_units):
        return str(card.logit_units)
    before = re.search(r"before the model's last (\w+)", said)
    if before is None:
        return f"logits of {own}" if own else "logits"
    kind = before[1].lower()
    if kind == "exp":
        return f"log {own}" if own else "logarithm of the prediction"
    if kind in ("sigmoid", "logsigmoid"):
        return "log odds"
    return f"{own} before the {before[1]}" if own else f"value before the {before[1]}"
