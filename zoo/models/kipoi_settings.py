"""``--set NAME=VALUE``: arguments of a model's dataloader, given for one run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from zoo.errors import UsageError
from zoo.models.load import Entry
from zoo.models.sequence_loader import ARGUMENTS, given_length, is_replaced
from zoo.store.registry import near_names

if TYPE_CHECKING:
    from zoo.genome.intervals import RegionFile

__all__ = [
    "has_own_loader",
    "parse_settings",
    "renames_chromosomes",
    "unknown_setting",
    "with_length_of",
    "with_settings",
]


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
