"""The files of an entry under check, read as far as they can be: what is broken is told, and the rest is looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cards.card import checked_card
from zoo.cards.kipoi_groups import read_group
from zoo.cards.yaml_lines import YamlDocument, component_file, load_yaml
from zoo.check.findings import Finding, from_error
from zoo.errors import ModelError, ZooError
from zoo.store.registry import entries_folder

if TYPE_CHECKING:
    from zoo.cards.kipoi import ModelDescription
    from zoo.cards.schema import Card

__all__ = ["Draft", "read_draft"]

SKIPPED = ("__pycache__", ".git", "versions")  # older versions were checked when they were new
TEXT = (".md", ".yaml", ".yml", ".py", ".tsv", ".txt", ".bed", ".csv")


@dataclass
class Draft:
    """An entry as it lies on disk.

    Attributes:
        name: of the folder.
        folder: that of the entry, or of the group.
        members: names of the models of a group; empty for an entry of its own.
        card_document, model, loader: YAML with line numbers; None where there is none or it does not parse.
        card: None where it is not valid.
        description: ``model.yaml`` as it is understood, or None.
        problems: what could not be read.
    """

    name: str
    folder: Path
    members: list[str] = field(default_factory=list)
    card_document: YamlDocument | None = None
    card: Card | None = None
    model: YamlDocument | None = None
    loader: YamlDocument | None = None
    description: ModelDescription | None = None
    problems: list[Finding] = field(default_factory=list)

    def finding(
        self,
        rule: str,
        what: str,
        fix: str = "",
        at: tuple[YamlDocument | None, tuple[str | int, ...]] | Path | None = None,
        line: int | None = None,
        severity: str = "error",
        code: int = ModelError.exit_code,
    ) -> Finding:
        """A finding of level valid; ``at`` is a document with a place in it, or a file with ``line``."""
        path = at if isinstance(at, Path) else None
        if isinstance(at, tuple):
            document, location = at
            path = self.folder / "README.md" if document is None else document.path
            line = None if document is None else document.line(location)
        return Finding(self.name, "valid", rule, severity, what, fix, path and str(path), line, code)

    def at(self, *location: str | int) -> tuple[YamlDocument | None, tuple[str | int, ...]]:
        """A place in the card."""
        return self.card_document, location

    @cached_property
    def files(self) -> list[Path]:
        """All files, by name, without Python's caches; links to folders are listed, not followed."""
        return sorted(self._walked())

    def _walked(self) -> Iterator[Path]:
        for place, folders, names in os.walk(self.folder):
            folders[:] = [one for one in folders if one not in SKIPPED]
            for name in [*names, *(one for one in folders if (Path(place) / one).is_symlink())]:
                yield Path(place) / name

    def text(self, path: Path) -> str:
        """A text file; what is not UTF-8 is replaced, and told by a rule of its own."""
        return path.read_text(encoding="utf-8", errors="replace")

    @property
    def typed(self) -> str:
        """What stands for it on a command line."""
        bundled = self.folder.parent.resolve() == entries_folder().resolve()
        return self.name if bundled else os.path.relpath(self.folder)

    @property
    def texts(self) -> list[Path]:
        """Its files of text, links left out."""
        return [path for path in self.files if path.suffix in TEXT and path.is_file() and not path.is_symlink()]

    @property
    def has_own_weights(self) -> bool:
        """Whether the weights lie in the folder: then nobody else published what a card must say of them."""
        weights = self.weights
        return weights is not None and (self.folder / weights).is_file()

    @property
    def weights(self) -> str | None:
        """The weights file that model.yaml names, where it names a file."""
        args: Any = self.model.data.get("args") if self.model and isinstance(self.model.data, dict) else None
        value = args.get("weights", args.get("checkpoint")) if isinstance(args, dict) else None
        return value if isinstance(value, str) else None


def read_draft(folder: Path) -> Draft:
    """Read an entry or a group; nothing of it is imported or run."""
    draft = Draft(folder.name, folder)
    template = component_file(folder, "model") is None and component_file(folder, "model-template") is not None
    if template:
        try:
            draft.members = [*read_group(folder).rows]
        except ZooError as error:
            draft.problems.append(from_error(draft.name, "valid", "schema", error))
            return draft
    member = draft.members[0] if draft.members else None
    draft.card_document, draft.card, problems = checked_card(folder, member)
    if template:
        draft.model = _rendered(draft, member)
    else:
        draft.model = _parsed(draft, "model")
    draft.loader = _parsed(draft, "dataloader", needed=False)
    draft.problems += [from_error(draft.name, "valid", "schema", error) for error in problems]
    if draft.model is not None:
        _describe(draft, folder / member if member else folder)
    return draft


def _parsed(draft: Draft, kind: str, needed: bool = True) -> YamlDocument | None:
    path = component_file(draft.folder, kind)
    if path is None and not needed:
        return None
    try:
        document = load_yaml(path or draft.folder / f"{kind}.yaml")
        if not isinstance(document.data, dict):
            raise document.error((), f"{kind}.yaml is no mapping", "write `key: value` lines")
    except ZooError as error:
        draft.problems.append(from_error(draft.name, "valid", "schema", error))
        return None
    return document


def _rendered(draft: Draft, member: str | None) -> YamlDocument | None:
    """The template of a group with the row of its first model."""
    path = component_file(draft.folder, "model-template")
    try:
        text = read_group(draft.folder).rendered(member or "", path, draft.text(path))
        return load_yaml(path, text)
    except ZooError as error:
        draft.problems.append(from_error(draft.name, "valid", "schema", error))
        return None


def _describe(draft: Draft, component: Path) -> None:
    from zoo.cards.kipoi import read_model

    try:
        draft.description = read_model(component)
    except ZooError as error:
        found = from_error(draft.name, "valid", "schema", error)
        if not any((one.path, one.line, one.what) == (found.path, found.line, found.what) for one in draft.problems):
            draft.problems.append(found)
