"""Toy models whose answers are known by hand, as entry folders that unmodified Kipoi loads too.

    toy = make_toy_entry(tmp_path / "toy", "profile")
    zoo.predict(toy.folder, toy.regions, toy.genome, out, trust=True)
    toy.answer("ACGTN...")         # the same in plain Python: {output: [value, or a list of bins, a track]}

Three kinds:

    gc        scalar. ``gc``: share of G and C in the window.
    profile   ``g_per_bin``: number of G in each bin of 4 bp, 8 bp cropped from both ends of 40.
    stranded  ``counts``: two tracks over 4 bins of 4 bp (4 bp cropped from both ends of 24),
              ``plus`` counts A and ``minus`` counts T; and the scalar ``total``: A and T in the window.
              The reverse complement swaps plus and minus and flips the bins, and leaves total.

An unknown base counts a quarter of each base, as in Kipoi's one-hot. All answers are sums of
quarters over powers of two, so that float32 holds them exactly.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
import yaml

__all__ = ["KINDS", "Toy", "complement", "make_toy_entry", "one_hot", "random_sequence", "window", "write_fasta"]

Answer = dict[str, list]

MODULE = '''\
import torch
from torch import nn


class Toy(nn.Module):
    """Counts bases. `scale` is there so that the entry has weights; it is 1."""

    def __init__(self, crop=0, bin_size=1, scales=1):
        super().__init__()
        self.crop, self.bin_size = crop, bin_size
        self.scale = nn.Parameter(torch.zeros(scales))

    def bins(self, channel):
        inside = channel[:, self.crop : channel.shape[1] - self.crop]
        return inside.reshape(len(inside), -1, self.bin_size).sum(-1)


class GcContent(Toy):
    def forward(self, x):
        return x[:, 1:3].mean((1, 2)).mul(2).unsqueeze(1) * self.scale


class GPerBin(Toy):
    def forward(self, x):
        return self.bins(x[:, 2]).unsqueeze(1) * self.scale


class StrandedCounts(Toy):
    def forward(self, x):
        counts = torch.stack([self.bins(x[:, 0]), self.bins(x[:, 3])], 1)
        total = (x[:, 0] + x[:, 3]).sum(1, keepdim=True)
        return {"counts": counts * self.scale, "total": total * self.scale}
'''


@dataclass(frozen=True)
class _Kind:
    class_name: str
    length: int
    outputs: list[dict[str, Any]]
    answer: Callable[[str], Answer]
    kwargs: dict[str, int] = field(default_factory=dict)


def _count(sequence: str, bases: str) -> float:
    """How many of ``bases``; an unknown base counts a quarter of each."""
    return sum(1.0 if s in bases else 0.0 if s in "ACGT" else 0.25 * len(bases) for s in sequence.upper())


def _bins(sequence: str, base: str, crop: int, size: int) -> list[float]:
    inside = sequence[crop : len(sequence) - crop]
    return [_count(inside[i : i + size], base) for i in range(0, len(inside), size)]


KINDS = {
    "gc": _Kind(
        "GcContent",
        16,
        [{"name": "gc", "kind": "scalar", "tracks": ["gc"], "units": "share of bases"}],
        lambda s: {"gc": [_count(s, "GC") / len(s)]},
    ),
    "profile": _Kind(
        "GPerBin",
        40,
        [{"name": "g_per_bin", "kind": "profile", "tracks": ["G"], "bin_size": 4, "offset": 8, "units": "bases"}],
        lambda s: {"g_per_bin": [_bins(s, "G", 8, 4)]},
        {"crop": 8, "bin_size": 4},
    ),
    "stranded": _Kind(
        "StrandedCounts",
        24,
        [
            {
                "name": "counts",
                "kind": "profile",
                "tracks": ["plus", "minus"],
                "bin_size": 4,
                "offset": 4,
                "units": "bases",
                "strand": [["plus", "minus"]],
            },
            {"name": "total", "kind": "scalar", "tracks": ["at"], "units": "bases"},
        ],
        lambda s: {"counts": [_bins(s, "A", 4, 4), _bins(s, "T", 4, 4)], "total": [_count(s, "AT")]},
        {"crop": 4, "bin_size": 4},
    ),
}

# alphabet_axis: kipoi 0.8.6 takes a bare 0 for the number of an open file; false equals 0.
LOADER_ARGS: dict[str, Any] = {
    "num_chr_fasta": False,
    "label_dtype": "str",
    "use_strand": False,
    "alphabet_axis": False,
    "dummy_axis": None,
    "alphabet": "ACGT",
    "ignore_targets": True,
    "dtype": "np.float32",
}


@dataclass(frozen=True)
class Toy:
    """A toy entry on disk.

    Attributes:
        folder: the entry folder; ``str(folder)`` is the model's name for `zoo`.
        kind: a key of ``KINDS``.
        length: bp of the model's window.
        answer: sequence of that length -> output name -> a value (scalar) or list of bins (profile) a track.
        genome, regions: FASTA and BED6 of the example.
        sequences: the example's contigs, name -> letters.
    """

    folder: Path
    kind: str
    length: int
    answer: Callable[[str], Answer]
    genome: Path
    regions: Path
    sequences: dict[str, str]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """The outputs as the card gives them."""
        return KINDS[self.kind].outputs

    def centred(self, chrom: str, start: int, end: int, strand: str = "+") -> Answer:
        """The answer for the window centred on a region, N outside the contig."""
        first = (start + end) // 2 - self.length // 2
        sequence = window(self.sequences[chrom], first, self.length)
        return self.answer(complement(sequence) if strand == "-" else sequence)


def make_toy_entry(
    folder: Path,
    kind: str = "gc",
    *,
    loader: str = "file",
    loader_args: dict[str, Any] | None = None,
    card: bool | dict[str, Any] = True,
    module_prefix: str = "",
) -> Toy:
    """Write an entry folder and return its description.

    Args:
        folder: made; its name becomes the card's name and names the Python file.
        kind: ``gc``, ``profile`` or ``stranded``.
        loader: ``file`` writes dataloader.yaml, ``inline`` puts the dataloader into model.yaml.
        loader_args: further arguments of SeqIntervalDl, e.g. ``{"use_strand": True}``.
        card: False leaves README.md out; a dict changes top-level keys of its front matter
            (None as value removes the key).
        module_prefix: Python put before the module's code.
    """
    spec = KINDS[kind]
    folder.mkdir(parents=True)
    (folder / "example").mkdir()
    source = f"toy_{folder.name.replace('-', '_')}.py"
    (folder / source).write_text(module_prefix + MODULE)
    torch.save({"scale": torch.ones(1)}, folder / "weights.pth")
    toy = Toy(folder, kind, spec.length, spec.answer, folder / "example/genome.fa", folder / "example/regions.bed", {})
    _write_example(toy)
    args = LOADER_ARGS | {"auto_resize_len": spec.length} | (loader_args or {})
    _write_yaml(folder / "model.yaml", _model_yaml(spec, source, _inline(args) if loader == "inline" else "."))
    if loader == "file":
        _write_yaml(folder / "dataloader.yaml", _dataloader_yaml(spec, args))
    if card is not False:
        _write_card(folder, spec, [source, "weights.pth"], card if isinstance(card, dict) else {})
    return toy


def _model_yaml(spec: _Kind, source: str, dataloader: Any) -> dict[str, Any]:
    targets = [{"name": out["name"], "shape": _shape(spec, out), "doc": out["name"]} for out in spec.outputs]
    return {
        "defined_as": "kipoi.model.PyTorchModel",
        "args": {
            "module_file": source,
            "module_class": spec.class_name,
            "module_kwargs": spec.kwargs,
            "weights": "weights.pth",
        },
        "default_dataloader": dataloader,
        "info": {"authors": [{"name": "toy maker"}], "doc": "counts bases", "license": "MIT", "version": "1.0.0"},
        "dependencies": {"conda": ["pytorch"], "pip": ["kipoiseq"]},
        "schema": {
            "inputs": {
                "name": "seq",
                "shape": f"(4, {spec.length})",
                "doc": "one-hot",
                "special_type": "DNASeq",
                "associated_metadata": "ranges",
            },
            "targets": targets[0] if len(targets) == 1 else {target["name"]: target for target in targets},
        },
        "test": {"expect": "example/expected.h5"},
    }


def _shape(spec: _Kind, output: dict[str, Any]) -> str:
    if output["kind"] == "scalar":
        return f"({len(output['tracks'])},)"
    return f"({len(output['tracks'])}, {(spec.length - 2 * output['offset']) // output['bin_size']})"


def _inline(args: dict[str, Any]) -> dict[str, Any]:
    files = {"intervals_file": "example/regions.bed", "fasta_file": "example/genome.fa"}
    given = {name: value for name, value in args.items() if value is not None}
    return {"defined_as": "kipoiseq.dataloaders.SeqIntervalDl", "default_args": files | given}


def _dataloader_yaml(spec: _Kind, args: dict[str, Any]) -> dict[str, Any]:
    files = {
        "intervals_file": {"doc": "BED", "example": "example/regions.bed"},
        "fasta_file": {"doc": "FASTA", "example": "example/genome.fa"},
    }
    optional = {
        name: {"doc": name, "optional": True} | ({} if value is None else {"default": value})
        for name, value in args.items()
    }
    return {
        "defined_as": "kipoiseq.dataloaders.SeqIntervalDl",
        "args": files | optional,
        "info": {"authors": [{"name": "toy maker"}], "doc": "windows of the toy"},
        "output_schema": {
            "inputs": {
                "name": "seq",
                "shape": f"(4, {spec.length})",
                "doc": "one-hot",
                "special_type": "DNASeq",
                "associated_metadata": "ranges",
            },
            "metadata": {"ranges": {"type": "GenomicRanges", "doc": "windows"}},
        },
    }


def _write_card(folder: Path, spec: _Kind, files: Sequence[str], changes: dict[str, Any]) -> None:
    front: dict[str, Any] = {
        "schema_version": 1,
        "name": folder.name,
        "version": "1.0.0",
        "summary": "Counts bases.",
        "input": {"length": spec.length},
        "outputs": spec.outputs,
        "training": {"data": [{"name": "none", "licence": "MIT"}]},
        "files": [
            {
                "path": name,
                "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
                "bytes": (folder / name).stat().st_size,
            }
            for name in files
        ],
    } | changes
    front = {key: value for key, value in front.items() if value is not None}
    text = yaml.safe_dump(front, sort_keys=False)
    (folder / "README.md").write_text(f"---\n{text}---\n\n## What it predicts\n\nCounts of bases.\n")


def _write_example(toy: Toy) -> None:
    """Two contigs with N and soft-masked bases; BED6 rows on both strands, windows inside the contigs."""
    rng = random.Random(0)
    toy.sequences["chrA"] = random_sequence(rng, 400)
    toy.sequences["chrB"] = random_sequence(rng, 130)
    write_fasta(toy.genome, toy.sequences, width=50)
    rows = [("chrA", 60, 100), ("chrB", 40, 73), ("chrA", 301, 302), ("chrA", 200, 290), ("chrB", 50, 81)]
    lines = [f"{c}\t{s}\t{e}\tregion_{i}\t{i}\t{'+-'[i % 2]}\n" for i, (c, s, e) in enumerate(rows)]
    toy.regions.write_text("".join(lines))
    answers = [toy.centred(*row) for row in rows]
    with h5py.File(toy.folder / "example/expected.h5", "w") as handle:
        windows = [window(toy.sequences[c], (s + e) // 2 - toy.length // 2, toy.length) for c, s, e in rows]
        handle["inputs"] = np.array([one_hot(sequence) for sequence in windows], dtype=np.float32)
        for out in toy.outputs:
            path = "preds" if len(toy.outputs) == 1 else f"preds/{out['name']}"
            handle[path] = np.array([answer[out["name"]] for answer in answers], dtype=np.float32)


def _write_yaml(path: Path, data: Any) -> None:
    path.write_text(yaml.safe_dump(data, sort_keys=False))


def random_sequence(rng: random.Random, length: int, letters: str = "ACGTACGTACGTacgtN") -> str:
    """Letters of a contig, some soft-masked, some unknown."""
    return "".join(rng.choices(letters, k=length))


def write_fasta(path: Path, sequences: dict[str, str], width: int = 60, end: str = "\n") -> Path:
    """Write contigs wrapped at ``width``; ``end`` ends each line."""
    lines = []
    for name, sequence in sequences.items():
        lines.append(f">{name} a description")
        lines += [sequence[i : i + width] for i in range(0, len(sequence), width)]
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def window(sequence: str, start: int, length: int) -> str:
    """Bases of [start, start + length), N outside the sequence."""
    return "".join(sequence[i] if 0 <= i < len(sequence) else "N" for i in range(start, start + length))


def one_hot(sequence: str, unknown: float = 0.25) -> list[list[float]]:
    """4 x L, channels A, C, G, T; ``unknown`` in all four at every other letter."""
    return [[float(s == base) if s in "ACGT" else unknown for s in sequence.upper()] for base in "ACGT"]


def complement(sequence: str) -> str:
    """The reverse complement."""
    return sequence[::-1].translate(str.maketrans("ACGTacgt", "TGCAtgca"))
