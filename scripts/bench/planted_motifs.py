"""Sequences with motifs of known place and effect, a small net trained on them, and its entry folder.

``motifs.py`` and the tests of motifs use it. An instance is drawn from its motif's matrix, again until its log
odds reach ``LEAST_ODDS`` of the consensus's, and put on either strand into a dinucleotide shuffle of real sequence; it
raises or lowers the sequence's label by the motif's effect. Motifs in the shuffles by chance are left there, and count
against whoever finds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import nn

__all__ = ["Motif", "PlantedSet", "jaspar_motifs", "plant", "shuffled_windows", "train", "write_entry"]

LEAST_ODDS = 0.75
NOISE = 0.3
PSEUDOCOUNT = 0.01
MODULE = '''\
from torch import nn


class PlantedNet(nn.Module):
    """Two convolutions, and the mean over the sequence: (N, 4, L) -> (N, 1)."""

    def __init__(self, channels=48, width=19, pool=4):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(4, channels, width, padding="same"), nn.ReLU(), nn.MaxPool1d(pool),
            nn.Conv1d(channels, channels, 5, padding="same"), nn.ReLU(),
        )
        self.head = nn.Linear(channels, 1)

    def forward(self, x):
        return self.head(self.layers(x).sum(-1) / 16)
'''


@dataclass(frozen=True)
class Motif:
    """A motif to plant: JASPAR's identifier, name and family, frequencies (W, 4), and what an instance adds."""

    id: str
    name: str
    family: str
    probability: np.ndarray
    effect: float


@dataclass(frozen=True)
class PlantedSet:
    """Sequences (N, L) of 0-3, labels (N,), and instances (n,) each: motif's index, sequence, start, end, reverse."""

    sequences: np.ndarray
    labels: np.ndarray
    motif: np.ndarray
    sequence: np.ndarray
    start: np.ndarray
    end: np.ndarray
    reverse: np.ndarray

    @property
    def one_hot(self) -> np.ndarray:
        """(N, 4, L) float32."""
        return np.eye(4, dtype=np.float32)[self.sequences].transpose(0, 2, 1)


def jaspar_motifs(effects: dict[str, float], release: str = "JASPAR2026") -> list[Motif]:
    """Motifs by JASPAR's identifiers with the effects they shall have."""
    from pyjaspar import jaspardb

    database, motifs = jaspardb(release=release), []
    for id, effect in effects.items():
        found = database.fetch_motif_by_id(id)
        counts = np.array([found.counts[base] for base in "ACGT"], dtype=float).T
        probability = counts / counts.sum(axis=1, keepdims=True)
        motifs.append(Motif(id, found.name, ", ".join(found.tf_family or []), probability, effect))
    return motifs


def shuffled_windows(genome: list[str], n: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """(n, length) of 0-3: dinucleotide shuffles of windows at random places without N."""
    from tangermeme.ersatz import dinucleotide_shuffle

    code = np.full(256, 4, np.uint8)
    code[[ord(base) for base in "ACGT"]] = range(4)
    coded = [code[np.frombuffer(text.upper().encode(), np.uint8)] for text in genome]
    coded = [sequence for sequence in coded if len(sequence) >= length]
    share = np.array([len(sequence) for sequence in coded], float)
    windows = np.empty((n, length), np.uint8)
    for window in windows:
        while True:
            sequence = coded[rng.choice(len(coded), p=share / share.sum())]
            start = int(rng.integers(len(sequence) - length + 1))
            window[:] = sequence[start : start + length]
            if window.max() < 4:
                break
    one_hot = torch.from_numpy(np.eye(4, dtype=np.int8)[windows].transpose(0, 2, 1).copy())
    drawn = dinucleotide_shuffle(one_hot, n=1, random_state=int(rng.integers(1 << 30)))
    return drawn.numpy()[:, 0].argmax(axis=1).astype(np.uint8)


def plant(background: np.ndarray, motifs: list[Motif], rng: np.random.Generator, mean: float = 3.0) -> PlantedSet:
    """Plant a Poisson number of instances, ``mean`` a sequence, none of which touches another."""
    sequences, rows, labels = background.copy(), [], rng.normal(0, NOISE, len(background))
    for i, sequence in enumerate(sequences):
        taken = np.zeros(len(sequence), bool)
        for _ in range(rng.poisson(mean)):
            number = int(rng.integers(len(motifs)))
            bases, reverse = _instance(motifs[number].probability, rng), bool(rng.integers(2))
            start = int(rng.integers(len(sequence) - len(bases) + 1))
            end = start + len(bases)
            if taken[max(start - 10, 0) : end + 10].any():
                continue
            taken[start:end] = True
            sequence[start:end] = 3 - bases[::-1] if reverse else bases
            labels[i] += motifs[number].effect
            rows.append((number, i, start, end, reverse))
    columns = np.array(rows, dtype=np.int64).reshape(-1, 5).T
    return PlantedSet(sequences, labels.astype(np.float32), *columns[:4], columns[4].astype(bool))


def _instance(probability: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    odds = np.log2((probability + PSEUDOCOUNT) / (1 + 4 * PSEUDOCOUNT) * 4)
    best = odds.max(axis=1).sum()
    steps = probability.cumsum(axis=1)
    while True:
        bases = np.minimum((rng.random((len(probability), 1)) > steps).sum(axis=1), 3)
        if odds[np.arange(len(bases)), bases].sum() >= LEAST_ODDS * best:
            return bases.astype(np.uint8)


def train(data: PlantedSet, epochs: int, seed: int, batch: int = 64) -> nn.Module:
    """Fit the net to the labels by mean squared error, both strands at random."""
    torch.manual_seed(seed)
    scope: dict = {}
    exec(MODULE, scope)  # the text that the entry's file holds, so that they cannot differ
    net = scope["PlantedNet"]()
    x, y = torch.from_numpy(np.ascontiguousarray(data.one_hot)), torch.from_numpy(data.labels)[:, None]
    steps = epochs * (len(x) // batch)
    optimizer = torch.optim.AdamW(net.parameters(), 4e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(x))[: len(x) // batch * batch].split(batch):
            part = x[rows].flip(1, 2) if torch.rand(()) < 0.5 else x[rows]
            loss = nn.functional.mse_loss(net(part), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def write_entry(folder: Path, net: nn.Module, data: PlantedSet) -> tuple[Path, Path]:
    """Write the net as an entry, and the sequences as ``genome.fa`` and ``regions.bed``, which are returned."""
    folder.mkdir(parents=True, exist_ok=True)
    length = data.sequences.shape[1]
    (folder / "planted_net.py").write_text(MODULE)
    torch.save(net.state_dict(), folder / "weights.pth")
    schema = {
        "name": "seq",
        "shape": f"(4, {length})",
        "doc": "one-hot",
        "special_type": "DNASeq",
        "associated_metadata": "ranges",
    }
    (folder / "model.yaml").write_text(
        yaml.safe_dump(
            {
                "defined_as": "kipoi.model.PyTorchModel",
                "args": {"module_file": "planted_net.py", "module_class": "PlantedNet", "weights": "weights.pth"},
                "default_dataloader": ".",
                "info": {
                    "authors": [{"name": "scripts/bench/motifs.py"}],
                    "doc": "planted motifs",
                    "license": "MIT",
                    "version": "1",
                },
                "schema": {"inputs": schema, "targets": {"name": "label", "shape": "(1,)", "doc": "sum of effects"}},
            }
        )
    )
    (folder / "dataloader.yaml").write_text(
        yaml.safe_dump(
            {
                "defined_as": "kipoiseq.dataloaders.SeqIntervalDl",
                "args": {
                    "intervals_file": {"doc": "BED"},
                    "fasta_file": {"doc": "FASTA"},
                    "auto_resize_len": {"doc": "bp", "default": length, "optional": True},
                    "alphabet_axis": {"doc": "axis of the bases", "default": False, "optional": True},
                    "dummy_axis": {"doc": "none", "optional": True},
                },
                "info": {"authors": [{"name": "scripts/bench/motifs.py"}], "doc": "windows"},
                "output_schema": {
                    "inputs": schema,
                    "metadata": {"ranges": {"type": "GenomicRanges", "doc": "windows"}},
                },
            }
        )
    )
    genome, regions = folder / "genome.fa", folder / "regions.bed"
    letters = np.frombuffer(b"ACGT", np.uint8)[data.sequences]
    genome.write_text("".join(f">s{i}\n{row.tobytes().decode()}\n" for i, row in enumerate(letters)))
    regions.write_text("".join(f"s{i}\t0\t{length}\ts{i}\n" for i in range(len(letters))))
    return genome, regions
