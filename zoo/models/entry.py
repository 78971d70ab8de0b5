"""A model before its code is imported: found, read, and with its dataloader's arguments set for one run (``--set``)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from zoo.cards.card import card_of
from zoo.cards.kipoi import ModelDescription, read_model
from zoo.cards.kipoi_groups import find_group
from zoo.cards.yaml_lines import component_file
from zoo.errors import ModelError, UsageError
from zoo.models.file_model import describe_file, no_model_in
from zoo.models.sequence_loader import ARGUMENTS, given_length, is_replaced
from zoo.paths import refuse_pointers
from zoo.store.hub import fetch_model, is_hub_name
from zoo.store.registry import entries, entries_folder, find_entry, given_folder, names_a_path, no_such_path
from zoo.store.sources import sources
from zoo.words import near_names

if TYPE_CHECKING:
    from zoo.cards.schema import Card
    from zoo.genome.intervals import RegionFile

__all__ = [
    "Entry",
    "deprecation_note",
    "has_own_loader",
    "open_entry",
    "parse_settings",
    "renames_chromosomes",
    "unknown_setting",
    "with_length_of",
    "with_settings",
    "withdrawn_error",
]


@dataclass(frozen=True)
class Entry:
    """A model before its code is imported: enough to check regions and genome against.

    Attributes:
        name: what the user asked for.
        path: entry folder, or checkpoint file.
        trusted: whether Python of the folder may run.
        description: ``model.yaml``, or None for a checkpoint.
        card: the card, or None where there is none.
        hashes: file -> sha256 of what was verified already, by resolved path.
    """

    name: str
    path: Path
    trusted: bool
    description: ModelDescription | None
    card: Card | None
    hashes: Mapping[Path, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder that holds its files; for a model of a group, whose ``path`` is not on disk, the group's."""
        if self.description is not None:
            return self.description.folder
        return self.path if self.path.is_dir() else self.path.parent


def open_entry(name: str | Path, *, trust: bool = False, withdrawn: bool = False) -> Entry:
    """Find and read an entry's YAML without importing torch or its Python.

    Args:
        name: registry name, ``name@version``, path or ``hf://`` name.
        trust: whether Python of a folder that is not bundled may run.
        withdrawn: open also one that was withdrawn: to read about it, not to run it.

    Raises:
        ModelError: no such model, its YAML or card is broken, or it was withdrawn, with the reason.
    """
    entry = _opened(name, trust)
    if not withdrawn and entry.card is not None and entry.card.withdrawn is not None:
        raise withdrawn_error(entry)
    return entry


def withdrawn_error(entry: Entry) -> ModelError:
    """The error for an entry that must not be used any more."""
    about = entry.card.deprecated
    instead = f"use {about.by}, or " if about and about.by else ""
    return ModelError(
        f"{entry.name}: version {entry.card.version} was withdrawn: {entry.card.withdrawn}",
        "nothing was run or fetched",
        f"Fix: {instead}see `zoo info {entry.name}` for what is known of it and its other versions",
    )


def deprecation_note(card: Card | None) -> str | None:
    """What a user should know who runs an entry that another replaces; None where none does."""
    if card is None or card.deprecated is None:
        return None
    about = card.deprecated
    since = f" since {about.since}" if about.since else ""
    instead = f"; use {about.by}" if about.by else ""
    return f"{card.name} {card.version} is deprecated{since}: {about.reason}{instead}"


def _opened(name: str | Path, trust: bool) -> Entry:
    if is_hub_name(name):
        found = fetch_model(str(name))
        return replace(_opened(found.path, trust), name=found.pinned, hashes=found.hashes)
    if (folder := given_folder(name)) is not None:
        return _open_folder(str(name), folder, trust or _is_bundled(folder))
    path = Path(name)
    if path.is_file() and str(name) not in {one["name"] for one in entries()}:
        return _open_file(str(name), path, trust)
    if names_a_path(str(name)) or find_group(path, "model"):
        return _open_member(str(name), path, trust)
    folder, record = find_entry(str(name))
    source = sources().get(record.get("source"))
    return _open_folder(str(name), folder, trust or source is None or source.trusted)


def _open_folder(name: str, folder: Path, trusted: bool) -> Entry:
    if folder.is_dir() and component_file(folder, "model") is None and component_file(folder, "model-template") is None:
        raise no_model_in(folder)
    folder = folder.absolute()  # its Python runs in it
    return Entry(name, folder, trusted, read_model(folder), card_of(folder, required=_is_bundled(folder)))


def _open_member(name: str, path: Path, trust: bool) -> Entry:
    """A model of a group by its path: the group's folder, then the name in models.tsv; there is no such folder."""
    if find_group(path, "model") is None:
        raise no_such_path(name)
    return _open_folder(name, path, trust or _is_bundled(path))


def _open_file(name: str, path: Path, trust: bool) -> Entry:
    """A gReLU checkpoint, which says by itself what it is, or the file of a Keras model."""
    refuse_pointers((path,))
    description = None if path.suffix == ".ckpt" else describe_file(path)
    return Entry(name, path, trust, description, None)


def _is_bundled(folder: Path) -> bool:
    return entries_folder().resolve() in folder.resolve().parents


def parse_settings(items: Iterable[str]) -> dict[str, Any]:
    """``name=value`` with the value as YAML reads it: 3 is a number, true a truth value, [1, 2] a list.

    Raises:
        UsageError: no ``=``, or a value that is not YAML.
    """
    found = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--set {item}: is not NAME=VALUE", "", "Fix: e.g. --set auto_resize_len=1000")
        try:
            found[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UsageError(f"--set {item}: the value is not YAML", "", "Fix: put text in quotes") from None
    return found


def has_own_loader(entry: Entry) -> bool:
    """Whether the model's dataloader must run itself, because ours does not take its place."""
    return entry.description is not None and not is_replaced(entry.description.loader)


def with_settings(entry: Entry, settings: Mapping[str, Any]) -> Entry:
    """The entry with arguments of its dataloader replaced.

    Raises:
        UsageError: the dataloader has no such argument (near names are given), or the model has none.
    """
    if not settings:
        return entry
    if entry.description is None:
        raise UsageError(f"--set {next(iter(settings))}: {entry.name} has no dataloader", "", "Fix: leave out --set")
    loader = entry.description.loader
    known = ARGUMENTS.get(loader.defined_as)
    if known is not None and (unknown := [name for name in settings if name not in known]):
        raise unknown_setting(unknown[0], known)
    changed = dataclasses.replace(loader, args=loader.args | dict(settings))
    return dataclasses.replace(entry, description=dataclasses.replace(entry.description, loader=changed))


def with_length_of(regions: RegionFile, entry: Entry, limit: int | None) -> Entry:
    """Where neither dataloader nor schema gives a length, kipoiseq takes regions as they are: all of one length.

    Raises:
        UsageError: the regions differ in length.
    """
    description = entry.description
    if description is None or not is_replaced(description.loader):
        return entry
    if given_length(description.loader.args, description) is not None:
        return entry
    lengths = {int(one) for chunk in regions.chunks(limit) for one in chunk.end - chunk.start}
    if len(lengths) != 1:
        raise UsageError(
            f"{entry.name} takes regions of any length, but all of the same: auto_resize_len is not set",
            f"{regions.label}: {len(lengths)} lengths, {min(lengths, default=0):,} to {max(lengths, default=0):,} bp",
            "Fix: --set auto_resize_len=1000, for instance",
        )
    return with_settings(entry, {"auto_resize_len": lengths.pop()})


def renames_chromosomes(entry: Entry) -> bool:
    """``num_chr_fasta: true``: regions are on chr1, the FASTA has 1; kipoiseq renames."""
    description = entry.description
    return description is not None and bool(description.loader.args.get("num_chr_fasta") or False)


def unknown_setting(name: str, known: tuple[str, ...]) -> UsageError:
    """The error for a ``--set`` that the dataloader does not take."""
    near = near_names(name, known)
    return UsageError(
        f"--set {name}: the dataloader has no such argument",
        f"near names: {', '.join(near)}" if near else f"it takes {', '.join(known)}",
        f"Fix: one of {', '.join(known)}",
    )
