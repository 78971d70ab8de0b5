"""Toy Kipoi folders with dataloaders and model classes of their own; answers are known by hand.

The FASTA has one contig ``chrA`` of 200 letters; regions are given 10 bp each.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
import yaml
from toys import random_sequence, write_fasta

SEQUENCE = random_sequence(random.Random(5), 200, "ACGTN")
REGIONS = [(0, 10), (20, 30), (55, 65), (100, 110), (190, 200), (7, 17), (31, 41)]

LOADERS = '''\
import numpy as np
from kipoi.data import BatchDataset, BatchIterator, Dataset, SampleIterator
from kipoi.metadata import GenomicRanges

from helper import read_fasta


def samples(intervals_file, fasta_file, shift):
    genome = read_fasta(fasta_file)
    for i, line in enumerate(open(intervals_file)):
        chrom, start, end = line.split()[:3]
        start, end = int(start), int(end)
        text = genome[chrom][start:end]
        yield {
            "inputs": {"g": np.array([text.count("G") + shift], dtype=np.float32),
                       "length": np.array([end - start], dtype=np.float32)},
            "metadata": {"ranges": GenomicRanges(chrom, start, end, "row%d" % i, "-" if i % 2 else "+"),
                         "gene_id": "gene%d" % i},
        }


class Rows(Dataset):
    def __init__(self, intervals_file, fasta_file, shift=0):
        self.rows = list(samples(intervals_file, fasta_file, shift))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.rows[i]


class Iterated(SampleIterator):
    def __init__(self, intervals_file, fasta_file, shift=0):
        self.rows = samples(intervals_file, fasta_file, shift)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.rows)


class Batches(BatchIterator):
    """Batches of three, whatever is asked for."""

    def __init__(self, intervals_file, fasta_file, shift=0):
        self.rows = list(samples(intervals_file, fasta_file, shift))
        self.at = 0

    def __iter__(self):
        return self

    def __next__(self):
        from kipoi_utils.data_utils import numpy_collate

        part = self.rows[self.at : self.at + 3]
        self.at += 3
        if not part:
            raise StopIteration
        return numpy_collate(part)


class ThreeAtATime(BatchDataset):
    """Its length is the number of batches."""

    def __init__(self, intervals_file, fasta_file, shift=0):
        self.rows = list(samples(intervals_file, fasta_file, shift))

    def __len__(self):
        return -(-len(self.rows) // 3)

    def __getitem__(self, i):
        from kipoi_utils.data_utils import numpy_collate

        if i >= len(self):
            raise IndexError(i)
        return numpy_collate(self.rows[3 * i : 3 * i + 3])


def generated_batches(intervals_file, fasta_file, shift=0):
    """Batches of growing size: 1, 2, 3, ..."""
    from kipoi_utils.data_utils import numpy_collate

    rows = list(samples(intervals_file, fasta_file, shift))
    size = 1
    while rows:
        yield numpy_collate(rows[:size])
        rows, size = rows[size:], size + 1


def everything(intervals_file, fasta_file, shift=0):
    from kipoi_utils.data_utils import numpy_collate

    return numpy_collate(list(samples(intervals_file, fasta_file, shift)))


def generated(intervals_file, fasta_file, shift=0):
    yield from samples(intervals_file, fasta_file, shift)
'''

HELPER = """\
def read_fasta(path):
    genome = {}
    for line in open(path):
        if line[0] == ">":
            name = line[1:].split()[0]
            genome[name] = ""
        else:
            genome[name] += line.strip()
    return genome
"""

MODELS = '''\
import numpy as np
from kipoi.model import BaseModel


class Counts(BaseModel):
    """A list: G of the window; then a dict with twelve tracks i * G, and the length."""

    def __init__(self, factor_file, add=0):
        self.factor = float(open(factor_file).read())
        self.add = add

    def predict_on_batch(self, x):
        g = x["g"][:, 0] * self.factor + self.add
        return [g, {"tracks": np.stack([g * i for i in range(12)], 1), "length": x["length"]}]


class OneHot(BaseModel):
    """What it is given: dtype, and for each channel its sum."""

    def predict_on_batch(self, x):
        assert x.dtype == np.float64, x.dtype
        return x.sum(1)


class Sums(BaseModel):
    def predict_on_batch(self, x):
        return x.sum(1)


class Several(BaseModel):
    """A list: the sums; then a dict with a profile of 3 positions, channel by channel."""

    def predict_on_batch(self, x):
        return [x.sum(1), {"first": x[:, :3].transpose(0, 2, 1)}]


class Letters(BaseModel):
    def predict_on_batch(self, x):
        assert x.ndim == 1 and all(isinstance(str(text), str) for text in x)
        return np.array([[str(text).count(base) for base in "ACGTNg"] for text in x])
'''

TORCH = '''\
import torch


class Sum(torch.nn.Module):
    """Keyword inputs, as Kipoi calls a module with a dict."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.zeros(1))

    def forward(self, g, length):
        return {"ratio": g / length * self.scale, "g": g}
'''

TARGETS = {
    "Counts": [
        {"name": "g", "shape": "(1,)", "doc": "G"},
        {"tracks": {"shape": "(12,)", "doc": "i * G"}, "length": {"shape": "(1,)", "doc": "bp"}},
    ],
    "Sum": {"ratio": {"shape": "(1,)", "doc": "share of G"}, "g": {"shape": "(1,)", "doc": "G"}},
}
INPUTS = {"g": {"shape": "(1,)", "doc": "G"}, "length": {"shape": "(1,)", "doc": "bp"}}


def g_count(start: int, end: int) -> int:
    """G in a part of the contig, without kipoi."""
    return SEQUENCE[start:end].count("G")


def write_data(folder: Path) -> tuple[Path, Path]:
    """FASTA and BED6 of the toys."""
    fasta = write_fasta(folder / "toy.fa", {"chrA": SEQUENCE}, width=70)
    bed = folder / "toy.bed"
    bed.write_text("".join(f"chrA\t{start}\t{end}\tr{i}\t0\t{'+-'[i % 2]}\n" for i, (start, end) in enumerate(REGIONS)))
    return fasta, bed


def write_folder(folder: Path, model: dict[str, Any], loader: dict[str, Any] | None = None) -> Path:
    """A Kipoi folder from the texts above."""
    folder.mkdir(parents=True)
    for name, text in (("loaders", LOADERS), ("helper", HELPER), ("models", MODELS), ("torch_model", TORCH)):
        (folder / f"{name}.py").write_text(text)
    (folder / "factor.txt").write_text("1")
    torch.save({"scale": torch.ones(1)}, folder / "weights.pth")
    (folder / "model.yaml").write_text(yaml.safe_dump(model, sort_keys=False))
    if loader:
        (folder / "dataloader.yaml").write_text(yaml.safe_dump(loader, sort_keys=False))
    return folder


def model_yaml(kind: str = "Counts", **changes: Any) -> dict[str, Any]:
    """A model.yaml: ``Counts`` (custom class, list and dict out) or ``Sum`` (PyTorch, dict in and out)."""
    custom = {"defined_as": "models.Counts", "args": {"factor_file": "factor.txt"}}
    pytorch = {
        "defined_as": "kipoi.model.PyTorchModel",
        "args": {"module_file": "torch_model.py", "module_class": "Sum", "weights": "weights.pth"},
    }
    found = {
        **(custom if kind == "Counts" else pytorch),
        "default_dataloader": ".",
        "info": {"authors": [{"name": "toy maker"}], "doc": "counts"},
        "schema": {"inputs": INPUTS, "targets": TARGETS[kind]},
    } | changes
    return {key: value for key, value in found.items() if value is not None}


def loader_yaml(defined_as: str = "loaders.Rows", kind: str = "Dataset", **changes: Any) -> dict[str, Any]:
    """A dataloader.yaml for one of the loaders above."""
    return {
        "type": kind,
        "defined_as": defined_as,
        "args": {
            "intervals_file": {"doc": "BED", "example": "toy.bed"},
            "fasta_file": {"doc": "FASTA", "example": "toy.fa"},
            "shift": {"doc": "added to the count", "optional": True},
        },
        "info": {"authors": [{"name": "toy maker"}], "doc": "rows"},
        "output_schema": {
            "inputs": INPUTS,
            "metadata": {
                "ranges": {"type": "GenomicRanges", "doc": "where"},
                "gene_id": {"type": "str", "doc": "gene"},
            },
        },
    } | changes
