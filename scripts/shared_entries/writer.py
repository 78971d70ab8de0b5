"""The writer of entry folders, shared with ``zoo add``; and one for Keras files, which are taken as they are."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.add import entry_writer
from zoo.add.entry_writer import EntryFiles, write_entry

__all__ = ["EntryFiles", "KerasEntry", "write_entry", "write_keras_entry"]


@dataclass(frozen=True)
class KerasEntry:
    """A folder with ``kipoi.model.KerasModel``, input (length, 4).

    Attributes:
        name: path of the folder below the output folder; its last part is the card's name.
        files: ``weights`` and, where the architecture is beside it, ``arch``: file name -> content, in this order.
        length, targets, info, card, prose, fasta, bed, use_strand: as in ``EntryFiles``.
        extra: further files of the entry, name -> content.
    """

    name: str
    files: dict[str, bytes]
    length: int
    targets: Any
    info: dict[str, Any]
    card: dict[str, Any]
    prose: str
    fasta: str
    bed: str
    use_strand: bool = False
    alphabet_axis: int = 1
    extra: dict[str, bytes] = field(default_factory=dict)

    @property
    def input_shape(self) -> str:
        return f"({self.length}, 4)"


def write_keras_entry(entry: KerasEntry, out: Path) -> Path:
    """Write ``out/<name>``, replacing an older one, with expected predictions by ``zoo.predict``."""
    folder = out / entry.name
    if folder.exists():
        shutil.rmtree(folder)
    (folder / "example").mkdir(parents=True)
    for name, content in (entry.files | entry.extra).items():
        (folder / name).write_bytes(content)
    (folder / "example" / "genome.fa").write_text(entry.fasta)
    (folder / "example" / "regions.bed").write_text(entry.bed)
    entry_writer._dump(folder / "model.yaml", _model_yaml(entry))
    entry_writer._dump(folder / "dataloader.yaml", entry_writer._dataloader_yaml(entry))
    _write_card(entry, folder, ())
    entry_writer._write_expected(folder)
    examples = [f"example/{name}" for name in ("genome.fa", "regions.bed", "expected.h5")]
    _write_card(entry, folder, [*entry.files, *entry.extra, *examples])
    return folder


def _model_yaml(entry: KerasEntry) -> dict[str, Any]:
    return {
        "defined_as": "kipoi.model.KerasModel",
        "args": dict(zip(("weights", "arch"), entry.files, strict=False)),
        "default_dataloader": ".",
        "info": entry.info,
        "dependencies": {"conda": ["python>=3.11"], "pip": ["tensorflow", "kipoiseq", "pybedtools"]},
        "schema": {
            "inputs": {"name": "seq", "shape": entry.input_shape, "special_type": "DNASeq",
                       "doc": "one-hot encoded DNA, channels A C G T", "associated_metadata": "ranges"},
            "targets": entry.targets,
        },
        "test": {"expect": "example/expected.h5", "precision_decimal": 4},
    }


def _write_card(entry: KerasEntry, folder: Path, files: Sequence[str]) -> None:
    front = {"schema_version": 1, "name": folder.name} | entry.card
    front |= {"input": {"length": entry.length}, "files": [entry_writer._file_entry(folder, name) for name in files]}
    text = entry_writer.yaml.safe_dump(front, sort_keys=False, width=110, allow_unicode=True)
    (folder / "README.md").write_text(f"---\n{text}---\n\n{entry.prose.strip()}\n")
