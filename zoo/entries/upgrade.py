"""``upgrade``: rewrite cards of older versions in the newest one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from zoo.cards.card import EXPORTED, README, card_of, front_matter_of, is_card
from zoo.cards.upgrade import KEY, fault_of, newest, upgraded, version_of
from zoo.cards.yaml_edit import edited
from zoo.errors import ModelError
from zoo.results.whole import replacing
from zoo.store.registry import entries_folder, folder_of

__all__ = ["UpgradedCard", "upgrade"]

VERSIONS = "versions/*"  # older versions of an entry, below it


@dataclass(frozen=True)
class UpgradedCard:
    """What was done to one card.

    Attributes:
        path: of the card. old, new: its version before and now; equal where nothing had to be done.
        kept: whether its comments could be kept.
    """

    path: Path
    old: int
    new: int
    kept: bool


def upgrade(entries: str | Path | Iterable[str | Path] = (), *, dry_run: bool = False) -> list[UpgradedCard]:
    """Rewrite the cards of entries in the newest version, with those of their older versions.

    Comments of the front matter and the prose stay as they are; a card that is of the newest version is not touched.

    Args:
        entries: names, or folders of entries or groups; none means all bundled ones.
        dry_run: only say what would be done.

    Returns:
        One record a card.

    Raises:
        ModelError: no such entry; a card that does not parse, or is of a newer version than this program knows; a
            template of a group that is no YAML by itself. Then nothing was written.
    """
    given = [entries] if isinstance(entries, str | Path) else list(entries)
    folders = [folder_of(one) for one in given] or _bundled()
    planned = [_planned(path) for folder in folders for path in _cards(folder)]
    for record, text in planned:
        if text is not None and not dry_run:
            with replacing(record.path) as partial:
                partial.write_text(text, encoding="utf-8")
    return [record for record, _ in planned]


def _bundled() -> list[Path]:
    return sorted(path.parent for path in entries_folder().glob(f"*/{README}"))


def _cards(folder: Path) -> list[Path]:
    """The card of a folder, and those of its older versions."""
    if not (folder / README).is_file():
        card_of(folder, required=True)  # the error for a folder without one
    return [folder / README, *sorted(folder.glob(f"{VERSIONS}/{README}"))]


def _planned(path: Path) -> tuple[UpgradedCard, str | None]:
    """What becomes of a card, and its new text; None where it stays."""
    front, rest = front_matter_of(path)
    try:
        data = yaml.safe_load(front)
    except yaml.YAMLError:
        return UpgradedCard(path, *(2 * [_version_of_template(path)]), True), None
    if not isinstance(data, dict) or not is_card(data):
        raise ModelError(f"{path}: is no card", "its front matter lacks what cards have", "Fix: see docs/cards.md")
    below = isinstance(data.get(EXPORTED), dict)
    card = data[EXPORTED] if below else data
    if fault := fault_of(card):
        raise ModelError(f"{path}: {fault[0]}", "nothing was written", f"Fix: {fault[1]}")
    old = version_of(card)
    if old == newest():
        return UpgradedCard(path, old, old, True), None
    new = upgraded(card)
    made, kept = edited(front, data | {EXPORTED: new} if below else new)
    return UpgradedCard(path, old, newest(), kept), f"---\n{made}---\n{rest}"


def _version_of_template(path: Path) -> int:
    """The version of a group's card that is YAML only once it is filled in.

    Raises:
        ModelError: it is an older one, which must be changed by hand; or it is broken.
    """
    from zoo.cards.kipoi_groups import read_group

    member = next(iter(read_group(path.parent).rows))
    front, _ = front_matter_of(path, member)
    card = yaml.safe_load(front)
    card_of(path.parent / member, required=True)  # says what is wrong, with its line
    old = version_of(card)
    if old != newest():
        new = upgraded(card)
        changed = sorted(key for key in card.keys() | new.keys() if card.get(key) != new.get(key))
        raise ModelError(
            f"{path}: the card is a template that is YAML only once it is filled in",
            f"for {member}, version {newest()} changes {', '.join(changed)}",
            f"Fix: change these by hand, with `{KEY}: {newest()}`",
        )
    return old
