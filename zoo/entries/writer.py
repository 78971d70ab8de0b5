"""Write an entry folder: Kipoi YAML, card, weights and an example with its expected predictions."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml

from zoo.cards.upgrade import KEY, newest
from zoo.entries.example import EXAMPLE, file_record, write_expected

__all__ = ["EntryFiles", "EntryText", "finish_folder", "new_folder", "write_entry"]


@dataclass(frozen=True, kw_only=True)
class EntryText:
    """What an entry is made of, whatever holds its weights.

    Attributes:
        name: path of the folder below the output folder; its last part is the card's name.
        length: bp of the input.
        targets: ``schema.targets`` of model.yaml.
        info: ``info`` of model.yaml.
        card: the card's front matter without schema_version, name, input and files.
        prose: the card's text.
        fasta, bed: text of the example.
        use_strand: whether windows on ``-`` are reverse-complemented.
        alphabet_axis: 0 for an input of ``(4, length)``, 1 for ``(length, 4)``.
        extra: further files of the entry, name -> content; the card records their checksums.
        keep: predictions of an output that the example keeps at most, None for all of them. Of a profile with more
            a selection of bins is kept, and Kipoi, which compares all, is told of none.
        card_text: makes README.md of front matter, prose and folder; None for plain YAML.
    """

    name: str
    length: int
    targets: Any
    info: dict[str, Any]
    card: dict[str, Any]
    prose: str
    fasta: str
    bed: str
    use_strand: bool = False
    alphabet_axis: int = 0
    extra: dict[str, bytes] = field(default_factory=dict)
    keep: int | None = None
    card_text: Callable[[dict[str, Any], str, Path], str] | None = None

    @property
    def input_shape(self) -> str:
        """The input's shape as Kipoi writes it."""
        return f"({self.length}, 4)" if self.alphabet_axis else f"(4, {self.length})"


@dataclass(frozen=True, kw_only=True)
class EntryFiles(EntryText):
    """An entry of ``kipoi.model.PyTorchModel``.

    Attributes:
        module_source: Python file with the module class; copied under a name of the entry's own.
        module_class, module_kwargs: how the module is built.
        state: its state_dict.
        pip: packages that the module needs, besides torch and kipoiseq.
    """

    module_source: Path
    module_class: str
    module_kwargs: dict[str, Any]
    state: dict[str, torch.Tensor]
    pip: tuple[str, ...] = ()


def write_entry(entry: EntryFiles, out: Path) -> Path:
    """Write ``out/<name>``, replacing an older one, with expected predictions by ``zoo.predict``."""
    folder = new_folder(entry, out)
    module_file = re.sub(r"\W", "_", folder.name) + "_model.py"  # Kipoi imports it by its bare name
    shutil.copyfile(entry.module_source, folder / module_file)
    torch.save(entry.state, folder / "weights.pth")
    args = {
        "module_file": module_file,
        "module_class": entry.module_class,
        "module_kwargs": entry.module_kwargs,
        "weights": "weights.pth",
    }
    dependencies = {"conda": ["python>=3.11", "pytorch"], "pip": [*entry.pip, "kipoiseq", "pybedtools"]}
    return finish_folder(
        entry,
        folder,
        [module_file, "weights.pth"],
        defined_as="kipoi.model.PyTorchModel",
        args=args,
        dependencies=dependencies,
    )


def new_folder(entry: EntryText, out: Path) -> Path:
    """``out/<name>``, replacing an older one, with the example's regions and genome and the extra files."""
    folder = out / entry.name
    if folder.exists():
        shutil.rmtree(folder)
    (folder / "example").mkdir(parents=True)
    for name, content in entry.extra.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "example" / "genome.fa").write_text(entry.fasta)
    (folder / "example" / "regions.bed").write_text(entry.bed)
    return folder


def finish_folder(
    entry: EntryText,
    folder: Path,
    weights: list[str],
    *,
    defined_as: str,
    args: dict[str, Any],
    dependencies: dict[str, Any],
) -> Path:
    """Write YAML and card, predict the example, and record the checksums of all files.

    Args:
        weights: the files that ``args`` name.
        defined_as, args, dependencies: of model.yaml.
    """
    model = _model_yaml(entry, defined_as, args, dependencies)
    _dump(folder / "model.yaml", model)
    _dump(folder / "dataloader.yaml", _dataloader_yaml(entry))
    _write_card(entry, folder, [])
    if not write_expected(folder, keep=entry.keep):
        _dump(folder / "model.yaml", {key: value for key, value in model.items() if key != "test"})
    _write_card(entry, folder, [file_record(folder, name) for name in (*weights, *entry.extra, *EXAMPLE)])
    return folder


def _dump(path: Path, data: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(data, sort_keys=False, width=110, allow_unicode=True))


def _model_yaml(
    entry: EntryText, defined_as: str, args: dict[str, Any], dependencies: dict[str, Any]
) -> dict[str, Any]:
    return {
        "defined_as": defined_as,
        "args": args,
        "default_dataloader": ".",
        "info": entry.info,
        "dependencies": dependencies,
        "schema": {
            "inputs": {
                "name": "seq",
                "shape": entry.input_shape,
                "special_type": "DNASeq",
                "doc": "one-hot encoded DNA, channels A C G T",
                "associated_metadata": "ranges",
            },
            "targets": entry.targets,
        },
        "test": {"expect": "example/expected.h5", "precision_decimal": 4},
    }


def _dataloader_yaml(entry: EntryText) -> dict[str, Any]:
    optional = {
        "num_chr_fasta": False,
        "label_dtype": "str",
        "auto_resize_len": entry.length,
        "use_strand": entry.use_strand,
        # Kipoi 0.8.6 takes a bare 0 or 1 for the number of an open file; false equals 0, true 1.
        "alphabet_axis": bool(entry.alphabet_axis),
        "alphabet": "ACGT",
        "ignore_targets": True,
        "dtype": "np.float32",
    }
    args: dict[str, Any] = {
        "intervals_file": {"doc": "BED file of regions; windows are centred on them", "example": "example/regions.bed"},
        "fasta_file": {"doc": "FASTA of the genome", "example": "example/genome.fa"},
    }
    args |= {name: {"doc": name, "default": value, "optional": True} for name, value in optional.items()}
    args["dummy_axis"] = {"doc": "no further axis is added", "optional": True}  # Kipoi asks for every argument
    return {
        "defined_as": "kipoiseq.dataloaders.SeqIntervalDl",
        "args": args,
        "info": {"authors": entry.info["authors"], "doc": f"Windows of {entry.length} bp centred on regions"},
        "dependencies": {"pip": ["kipoiseq", "pybedtools"]},
        "output_schema": {
            "inputs": {
                "name": "seq",
                "shape": entry.input_shape,
                "doc": "one-hot encoded DNA",
                "special_type": "DNASeq",
                "associated_metadata": "ranges",
            },
            "metadata": {"ranges": {"type": "GenomicRanges", "doc": "the window"}},
        },
    }


def _write_card(entry: EntryText, folder: Path, files: list[dict[str, Any]]) -> None:
    front = {KEY: newest(), "name": folder.name} | entry.card
    front |= {"input": {"length": entry.length}, "files": files}
    if entry.card_text is not None:
        (folder / "README.md").write_text(entry.card_text(front, entry.prose, folder), encoding="utf-8")
        return
    text = yaml.safe_dump(front, sort_keys=False, width=110, allow_unicode=True)
    (folder / "README.md").write_text(f"---\n{text}---\n\n{entry.prose.strip()}\n")
