"""The writer of entry folders, shared with ``zoo add``; and one for Keras files, which are taken as they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo.entries.writer import EntryFiles, EntryText, finish_folder, new_folder, write_entry

__all__ = ["EntryFiles", "KerasEntry", "write_entry", "write_keras_entry"]


@dataclass(frozen=True, kw_only=True)
class KerasEntry(EntryText):
    """A folder with ``kipoi.model.KerasModel``, input (length, 4).

    Attributes:
        files: ``weights`` and, where the architecture is beside it, ``arch``: file name -> content, in this order.
    """

    files: dict[str, bytes]
    alphabet_axis: int = 1


def write_keras_entry(entry: KerasEntry, out: Path) -> Path:
    """Write ``out/<name>``, replacing an older one, with expected predictions by ``zoo.predict``."""
    folder = new_folder(entry, out)
    for name, content in entry.files.items():
        (folder / name).write_bytes(content)
    args = dict(zip(("weights", "arch"), entry.files, strict=False))
    dependencies = {"conda": ["python>=3.11"], "pip": ["tensorflow", "kipoiseq", "pybedtools"]}
    return finish_folder(
        entry, folder, list(entry.files), defined_as="kipoi.model.KerasModel", args=args, dependencies=dependencies
    )
