"""Which model was made from which: ``training.base_model`` of the cards, up and down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zoo.gallery.collect import Item

__all__ = ["Node", "ancestry"]


@dataclass(frozen=True)
class Node:
    """A model of the graph; ``href`` is empty where it has no page in this gallery."""

    name: str
    href: str = ""
    current: bool = False


def ancestry(item: Item, items: Sequence[Item], places: Mapping[str, str]) -> tuple[list[Node], list[Node]]:
    """The chain of base models that ends with an item, oldest first, and the models made from it.

    Both are empty where nothing is stated in either direction.
    """
    known = {one.name: one for one in items if not one.is_group}
    chain, name = [Node(item.name, current=True)], item.name
    seen = {name}
    while (base := _base(known.get(name))) is not None:
        bare = base.partition("@")[0]
        chain.insert(0, Node(base, places.get(bare, "")))
        if bare in seen:  # cards that name each other: told once
            break
        seen.add(bare)
        name = bare
    made = [Node(one.name, places[one.name]) for one in known.values() if _bare(one) == item.name]
    return (chain, made) if len(chain) > 1 or made else ([], [])


def _base(item: Item | None) -> str | None:
    return item.card.training.base_model if item is not None and item.card is not None else None


def _bare(item: Item) -> str | None:
    base = _base(item)
    return None if base is None else base.partition("@")[0]
