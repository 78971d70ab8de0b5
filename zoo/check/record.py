"""``zoo check --record``: write the checksums of an entry's own files into its card, as they are now."""

from __future__ import annotations

from pathlib import Path

import yaml

from zoo.cards.card import README, front_matter_of
from zoo.cards.yaml_edit import edited
from zoo.check.draft import read_draft
from zoo.check.valid.recorded import own_files
from zoo.entries.example import file_record
from zoo.errors import ModelError
from zoo.results import replacing

__all__ = ["record_files"]


def record_files(folder: Path) -> list[str]:
    """Correct sha256 and bytes of ``files``, add what should be there, leave out what is gone.

    A file that is published elsewhere (``mirrors``, ``made_from``) keeps its record: the bytes there count. Comments
    elsewhere in the card, and its prose, stay as they are.

    Returns:
        Paths of the files whose record changed.

    Raises:
        ModelError: no card, one that does not parse, or a group, whose card is a template.
    """
    if (folder / "model-template.yaml").is_file():
        raise ModelError(f"{folder}: is a group", "its card is a template", "Fix: write the checksums into models.tsv")
    path = folder / README
    if not path.is_file():
        raise ModelError(f"{folder}: has no card", "", f"Fix: write {README}, as `zoo new` drafts it")
    front, rest = front_matter_of(path)
    try:
        data = yaml.safe_load(front)
    except yaml.YAMLError as error:
        fix = f"Fix: `zoo check {folder.name}` names the line"
        raise ModelError(f"{path}: YAML does not parse", str(error).splitlines()[0], fix) from None
    if not isinstance(data, dict) or not _records(data.get("files")):
        raise ModelError(f"{path}: `files` is no list of path, sha256 and bytes", "", "Fix: write `files: []`")
    old = data.get("files") or []
    kept = [now for one in old if (now := _now(folder, one)) is not None]
    known = {one["path"] for one in kept}
    kept += [file_record(folder, name) for name in own_files(read_draft(folder)) if name not in known]
    if kept != old:
        text, _ = edited(front, data | {"files": kept})
        with replacing(path) as partial:
            partial.write_text(f"---\n{text}---\n{rest}", encoding="utf-8")
    before, after = ({one["path"]: one for one in records} for records in (old, kept))
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def _records(files: object) -> bool:
    return files is None or (
        isinstance(files, list) and all(isinstance(one, dict) and isinstance(one.get("path"), str) for one in files)
    )


def _now(folder: Path, one: dict[str, object]) -> dict[str, object] | None:
    """The record of a file as it lies there; None where it is gone."""
    name = str(one["path"])
    if "mirrors" in one or "made_from" in one:
        return one
    inside = (folder / name).resolve().is_relative_to(folder.resolve())
    if not inside:  # a rule of the check speaks of it
        return one
    return one | file_record(folder, name) if (folder / name).is_file() else None
