"""Novel cells with a planted truth: does ATAC beside DNA tell what the average cannot?

    python -m scripts.finetune.planted_truth [--seeds 0 1 2]

A base is trained from scratch on the training cells' tracks, its embeddings cached, and the adapter trained on them;
then held-out cells are predicted on held-out chromosomes. The table goes to standard output.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from finetune.models.atac import CellAdapter, cell_summary, difference, offset_logits, offset_prediction, track_features
from scripts.finetune.cell_training import train
from scripts.finetune.planted_cells import BIN, Truth, plant

CHANNELS = 32
SUMMARY = 8


class Trunk(nn.Module):
    """One-hot (n, 4, L) to (n, 32, L / 64): motifs, of either strand, at their best place in a bin, neighbours."""

    def __init__(self) -> None:
        super().__init__()
        self.motifs = nn.Conv1d(4, 64, 15, padding=7)
        self.mix = nn.Conv1d(64, CHANNELS, 5, padding=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Embeddings."""
        ahead, back = self.motifs(x), self.motifs(x.flip(1, 2)).flip(2)
        found = functional.max_pool1d(torch.maximum(ahead, back).relu(), BIN)
        return functional.gelu(self.mix(found), approximate="tanh")


def one_hot(codes: np.ndarray) -> torch.Tensor:
    """(n, L) letters to (n, 4, L) float32, unknown 0."""
    return torch.from_numpy(np.eye(5, dtype=np.float32)[codes][..., :4].transpose(0, 2, 1).copy())


def train_base(truth: Truth, seed: int, epochs: int) -> Trunk:
    """The base: both tracks of all training cells from DNA, on training chromosomes."""
    torch.manual_seed(seed)
    trunk = Trunk()
    tracks = np.concatenate([truth.atac[truth.train], truth.assay[truth.train]]).transpose(1, 0, 2)
    tracks = torch.from_numpy(tracks / tracks.mean((0, 2), keepdims=True))
    model = nn.Sequential(trunk, nn.Conv1d(CHANNELS, tracks.shape[1], 1))
    rows, held = (np.flatnonzero(truth.split == side) for side in ("train", "validation"))

    def loss(net: nn.Module, some: np.ndarray) -> torch.Tensor:
        logits, target = net(one_hot(truth.codes[some])), tracks[some]
        return (logits.exp() - target * logits).mean()

    def batches(epoch: int) -> Iterator[np.ndarray]:
        order = np.random.default_rng((seed, epoch)).permutation(rows)
        yield from (order[i : i + 16] for i in range(0, len(order), 16))

    history = train(model, batches, loss, lambda: loss(model, held).item(), epochs, 5e-3, -(-len(rows) // 16))
    sys.stderr.write(f"base {history}\n")
    return trunk.eval()
