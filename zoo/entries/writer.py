"""Write an entry folder: Kipoi YAML, card, weights and an example with its expected predictions."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
import yaml

from zoo.errors import InputError
from zoo.genome.encode import one_hot, reverse_complement
from zoo.genome.fasta import open_genome
from zoo.genome.intervals import RegionFile
from zoo.models.sequence_loader import SequenceLoader

__all__ = [
    "EntryFiles",
    "EntryText",
    "Example",
    "cut_example",
    "finish_folder",
    "new_folder",
    "random_example",
    "write_entry",
]


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
    _dump(folder / "model.yaml", _model_yaml(entry, defined_as, args, dependencies))
    _dump(folder / "dataloader.yaml", _dataloader_yaml(entry))
    _write_card(entry, folder, [])
    _write_expected(folder)
    examples = [f"example/{name}" for name in ("genome.fa", "regions.bed", "expected.h5")]
    _write_card(entry, folder, [_file_entry(folder, name) for name in (*weights, *entry.extra, *examples)])
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
    front = {"schema_version": 1, "name": folder.name} | entry.card
    front |= {"input": {"length": entry.length}, "files": files}
    text = yaml.safe_dump(front, sort_keys=False, width=110, allow_unicode=True)
    (folder / "README.md").write_text(f"---\n{text}---\n\n{entry.prose.strip()}\n")


def _write_expected(folder: Path) -> None:
    """Predictions by ``zoo.predict``, and beside them the model's inputs, which ``kipoi test`` asks for."""
    import zoo

    example = folder / "example"
    fasta, bed, expected = example / "genome.fa", example / "regions.bed", example / "expected.h5"
    model = zoo.load_model(folder, trust=True)
    zoo.predict(model, bed, fasta, expected, any_genome=True, device="cpu")
    _add_inputs(expected, fasta, model.loader)
    (example / "expected.h5.run.json").unlink()
    (example / "genome.fa.fai").unlink(missing_ok=True)


def _add_inputs(expected: Path, fasta: Path, loader: SequenceLoader) -> None:
    with h5py.File(expected, "r+") as handle:
        chroms = handle["metadata/ranges/chr"].asstr()[()]
        starts = handle["metadata/windows/start"][()].astype(np.int64)
        reverse = handle["metadata/windows/reverse"][()].astype(bool)
        genome = open_genome(fasta)
        letters = genome.gather(genome.numbers(chroms), starts, loader.length)
        genome.close()
        letters[reverse] = reverse_complement(letters[reverse])
        inputs = loader.arrange(torch.from_numpy(one_hot(letters, loader.n_value))).contiguous()
        handle.create_dataset("inputs", data=inputs.numpy(), compression="gzip", shuffle=True)


def _file_entry(folder: Path, name: str) -> dict[str, Any]:
    data = (folder / name).read_bytes()
    return {"path": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


# ---------------- the example: windows cut from a genome, or seeded random sequence


WINDOWS = 6
MAX_BASES = 200_000  # so that the example of a long model stays small
LINE = 80


@dataclass(frozen=True)
class Example:
    """Text of a FASTA with one contig a window, of a BED6, and where they came from."""

    fasta: str
    bed: str
    origin: str


def random_example(length: int) -> Example:
    """Random sequence of equal base frequencies, the same at every call."""
    rng = random.Random(0)
    letters = ["".join(rng.choices("ACGT", k=length)) for _ in range(_count(length))]
    rows = [(f"chrRandom{i}", 0, length, f"window_{i}", "+-"[i % 2]) for i in range(len(letters))]
    return _example(rows, letters, "random sequence (seeded, equal base frequencies), not of a genome")


def cut_example(genome: Path, regions: Path, length: int) -> Example:
    """The windows of the first regions that lie inside their chromosomes.

    A window becomes a contig of its own, named ``chrom_start_end`` after its place in the genome, and
    with ``chr`` before it: Kipoi's dataloader puts it there where it is missing.

    Raises:
        InputError: a row is malformed, or no window lies inside a chromosome of the FASTA.
    """
    fasta = open_genome(genome)
    try:
        with RegionFile(regions) as file:
            file.scan(fasta.sizes)
            rows, letters = [], []
            for chunk in file.chunks():
                for i in range(len(chunk)):
                    chrom, start, end = str(chunk.chrom[i]), int(chunk.start[i]), int(chunk.end[i])
                    first = (start + end) // 2 - length // 2
                    if chrom not in fasta.sizes or first < 0 or first + length > fasta.sizes[chrom]:
                        continue
                    low, high = max(0, start - first), min(length, end - first)
                    if (low + high) // 2 != length // 2:  # a region that is longer than the window
                        low, high = 0, length
                    codes = fasta.gather(fasta.numbers(np.array([chrom], dtype=object)), np.array([first]), length)
                    letters.append(codes[0].tobytes().decode("ascii"))
                    name = f"region_{i}" if chunk.name[i] == "." else str(chunk.name[i])
                    contig = f"chr{chrom.removeprefix('chr')}_{first}_{first + length}"
                    rows.append((contig, low, high, name, _strand(str(chunk.strand[i]))))
                    if len(rows) == _count(length):
                        return _example(rows, letters, _origin(genome, regions))
    finally:
        fasta.close()
    if not rows:
        raise InputError(
            f"{regions}: no region leaves room for a window of {length:,} bp in {genome}",
            "",
            "Fix: give regions further from the ends of chromosomes, of the genome's names",
        )
    return _example(rows, letters, _origin(genome, regions))


def _count(length: int) -> int:
    return max(1, min(WINDOWS, MAX_BASES // length))


def _strand(strand: str) -> str:
    return strand if strand in "+-" else "."


def _origin(genome: Path, regions: Path) -> str:
    return f"windows of {Path(genome).name} on the first regions of {Path(regions).name}"


def _example(rows: list[tuple[str, int, int, str, str]], letters: list[str], origin: str) -> Example:
    fasta = []
    placed = {}
    for (contig, *_), sequence in zip(rows, letters, strict=True):
        if placed.setdefault(contig, sequence) is sequence:
            lines = [sequence[i : i + LINE] for i in range(0, len(sequence), LINE)]
            fasta.append(f">{contig}\n" + "\n".join(lines) + "\n")
    bed = [f"{contig}\t{start}\t{end}\t{name}\t0\t{strand}\n" for contig, start, end, name, strand in rows]
    return Example("".join(fasta), "".join(bed), origin)
