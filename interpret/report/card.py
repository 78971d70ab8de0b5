"""The card of the model that was explained, if it is on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from interpret.report.record import rows_of
from zoo.cards.card import split_readme
from zoo.cards.schema import Card, Evaluation, Output
from zoo.errors import ZooError

__all__ = ["Block", "Metric", "ModelCard", "blocks_of", "find_card", "metrics_of"]

#: What the page shows apart from the table of the card's facts, and what says nothing to a reader of motifs.
APART = {"schema_version", "name", "version", "summary", "evaluation", "files", "finetune"}


@dataclass(frozen=True)
class ModelCard:
    """What a card says.

    Attributes:
        summary: a sentence. evaluation: measured metrics.
        facts: (title, text) of its front matter, without those two. prose: what follows it.
        tags: those of ``model.yaml``. outputs: named outputs.
        logit_units: units of what enters the last activation, where the card says them.
    """

    version: str
    summary: str
    evaluation: tuple[Evaluation, ...]
    facts: tuple[tuple[str, str], ...]
    prose: str
    tags: tuple[str, ...] = ()
    outputs: tuple[Output, ...] = ()
    logit_units: str | None = None

    def output(self, name: Any) -> Output | None:
        """The output of that name."""
        return next((output for output in self.outputs if output.name == name), None)


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
        entry = open_entry(name, withdrawn=True)
        if entry.card is None or entry.card.version != model.get("version"):
            return None
        known = {item.path: item.sha256 for item in entry.card.files}
        explained = model.get("sha256") or {}
        if any(known.get(file, digest) not in (digest, None) for file, digest in explained.items()):
            return None
        tags = (entry.description.info.get("tags") if entry.description else None) or ()
        return _card(entry.card, split_readme(entry.folder / "README.md")[1], tuple(map(str, tags)))
    except (ZooError, OSError):
        return None


def _card(card: Card, prose: str, tags: tuple[str, ...]) -> ModelCard:
    facts = rows_of(card.model_dump(mode="json", exclude_none=True, exclude=APART))
    explained = card.interpretation
    ours = explained and (len(card.outputs) == 1 or explained.output in {output.name for output in card.outputs})
    return ModelCard(
        card.version,
        card.summary,
        tuple(card.evaluation),
        tuple(facts),
        prose.strip(),
        tags,
        tuple(card.outputs),
        explained.units if ours else None,
    )


def metrics_of(card: ModelCard) -> list[Metric]:
    """Metrics of the card, one each, in its order: the card repeats a metric for each baseline."""
    found: dict[tuple[Any, ...], list[Evaluation]] = {}
    for item in card.evaluation:
        found.setdefault((item.metric, item.output, item.split, item.value, item.n), []).append(item)
    return [
        Metric(items[0], tuple((item.baseline.name, item.baseline.value) for item in items if item.baseline))
        for items in found.values()
    ]


# ---------------- its prose as headings, paragraphs, items and code: the little of Markdown that cards use, as text


@dataclass(frozen=True)
class Block:
    """kind: ``heading``, ``paragraph``, ``item`` or ``code``. parts: (text, whether it is code) of a line."""

    kind: str
    parts: tuple[tuple[str, bool], ...]


def blocks_of(text: str) -> list[Block]:
    """Blocks in their order."""
    return list(_blocks(text))


def _blocks(text: str) -> Iterator[Block]:
    for index, piece in enumerate(re.split(r"^```[^\n]*$", text, flags=re.M)):
        if index % 2:
            yield Block("code", ((piece.strip("\n"), True),))
            continue
        for block in re.split(r"\n\s*\n", piece.strip("\n")):
            yield from _lines(block)


def _lines(block: str) -> Iterator[Block]:
    kept: list[str] = []
    kind = "paragraph"
    for line in block.split("\n"):
        heading, item = re.match(r"#{1,6}\s+(.*)", line), re.match(r"\s*[-*]\s+(.*)", line)
        if heading or item:
            yield from _block(kind, kept)
            kind, kept = ("heading" if heading else "item"), [(heading or item)[1]]  # type: ignore[index]
            if heading:
                yield from _block(kind, kept)
                kind, kept = "paragraph", []
        else:
            kept.append(line.strip())
    yield from _block(kind, kept)


def _block(kind: str, lines: list[str]) -> Iterator[Block]:
    text = " ".join(lines).strip()
    if text:
        parts = re.split(r"`([^`]+)`", text)
        yield Block(
            kind,
            tuple((part if index % 2 else _plain(part), index % 2 == 1) for index, part in enumerate(parts) if part),
        )


def _plain(text: str) -> str:
    """Without the stars of ``*S. cerevisiae*`` and ``**not**``, a link as ``words (address)``."""
    text = re.sub(r"\[([^\]]+)\]\((https?://[^)\s]+)\)", r"\1 (\2)", text)
    return re.sub(r"(\*{1,2})(?=\S)([^*]+)(?<=\S)\1", r"\2", text)
