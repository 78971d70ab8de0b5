"""The card of the model that was explained, if it is on this machine and is that model's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zoo.cards.schema import Evaluation
from zoo.errors import ZooError

__all__ = ["Metric", "ModelCard", "find_card", "metrics_of"]


@dataclass(frozen=True)
class ModelCard:
    """Summary, measured metrics and text (front matter and prose) of a card; scalars: its outputs without bins."""

    version: str
    summary: str
    evaluation: tuple[Evaluation, ...]
    text: str
    scalars: tuple[str, ...] = ()


@dataclass(frozen=True)
class Metric:
    """One metric with every baseline that the card has beside it, as (name, value)."""

    evaluation: Evaluation
    baselines: tuple[tuple[str, float], ...]


def find_card(run: dict[str, Any]) -> ModelCard | None:
    """The card of the model of a run record; None where it has none here, or where it is of another version.

    Nothing is fetched, and no Python of the model is run.
    """
    from zoo.models.entry import open_entry
    from zoo.store.hub import is_hub_name

    model = run.get("model")
    name = model.get("name") if isinstance(model, dict) else None
    if not name or is_hub_name(name):
        return None
    try:
        entry = open_entry(name)
        if entry.card is None or entry.card.version != model.get("version"):
            return None
        path = entry.path / "README.md"
        known = {item.path: item.sha256 for item in entry.card.files}
        explained = model.get("sha256") or {}
        if any(known.get(file, digest) not in (digest, None) for file, digest in explained.items()):
            return None
        card = entry.card
        scalars = tuple(output.name for output in card.outputs if output.kind == "scalar")
        return ModelCard(card.version, card.summary, tuple(card.evaluation), path.read_text(encoding="utf-8"), scalars)
    except (ZooError, OSError):
        return None


def metrics_of(card: ModelCard) -> list[Metric]:
    """Metrics of the card, one each, in its order: the card repeats a metric for each baseline."""
    found: dict[tuple[Any, ...], list[Evaluation]] = {}
    for item in card.evaluation:
        found.setdefault((item.metric, item.output, item.split, item.value, item.n), []).append(item)
    return [
        Metric(items[0], tuple((item.baseline.name, item.baseline.value) for item in items if item.baseline))
        for items in found.values()
    ]
