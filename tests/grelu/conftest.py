"""Tiny gReLU models and checkpoints, made by gReLU itself."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("grelu")

LENGTH = 64
TASKS = {"name": ["CTCF", "DNase", "H3K27ac"], "cell": ["K562", "K562", "GM12878"]}
CONV = {
    "model_type": "ConvModel",
    "n_tasks": 3,
    "stem_channels": 8,
    "stem_kernel_size": 5,
    "n_conv": 3,
    "channel_init": 8,
    "kernel_size": 3,
    "pool_func": "max",
    "pool_size": 2,
    "final_pool_func": None,
    "crop_len": 2,
    "norm": True,
    "dropout": 0.5,
}
REGRESSION = {"task": "regression", "loss": "poisson"}
# What gReLU's datasets leave in a checkpoint (grelu.lightning, _get_dataset_attrs), a few of them.
DATA = {
    "tasks": TASKS,
    "train": {
        "seq_len": 64,
        "bin_size": 4,
        "genome": "hg38",
        "n_seqs": 40,
        "rc": True,
        "end": "both",
        "label_len": 64,
        "intervals": {"chrom": ["chr1", "chr2", "chr2"], "start": [0, 5, 9], "end": [64, 69, 73]},
    },
    "val": {
        "seq_len": 64,
        "bin_size": 4,
        "genome": "hg38",
        "n_seqs": 8,
        "intervals": {"chrom": ["chr8"], "start": [3], "end": [67]},
    },
    "test": {
        "seq_len": 64,
        "bin_size": 4,
        "genome": "hg38",
        "n_seqs": 12,
        "intervals": {"chrom": ["chr9", "chr9"], "start": [3, 5], "end": [67, 69]},
    },
}
PERFORMANCE = {
    "val": {"val_mse": np.array([0.5, 0.5, 0.8], dtype=np.float32)},
    "test": {
        "test_mse": np.array([0.5, 1.0, 1.5], dtype=np.float32),
        "test_pearson": np.array([0.75, 0.5, 0.25], dtype=np.float32),
    },
}


@pytest.fixture(scope="session")
def lightning_model():
    """gReLU's class: importing it takes some seconds, so once."""
    from grelu.lightning import LightningModel

    return LightningModel


@pytest.fixture(scope="session")
def make_checkpoint(lightning_model):
    """``make_checkpoint(path, model_params, train_params, data_params, performance)`` -> gReLU's model in eval mode."""
    import pytorch_lightning

    def make(path, model_params=None, train_params=None, data_params=None, performance=None):
        torch.manual_seed(0)
        params = dict(CONV) if model_params is None else dict(model_params)
        model = lightning_model(params, dict(REGRESSION if train_params is None else train_params))
        randomize(model)
        model.data_params = dict(DATA if data_params is None else data_params)
        model.performance = dict(PERFORMANCE if performance is None else performance)
        trainer = pytorch_lightning.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, max_epochs=1)
        trainer.strategy.connect(model)
        trainer.save_checkpoint(path)
        return model.eval()

    return make


def randomize(model):
    """Give norms statistics and weights of their own, so that a forgotten one is seen."""
    for norm in (m for m in model.modules() if isinstance(m, torch.nn.BatchNorm1d | torch.nn.LayerNorm)):
        if isinstance(norm, torch.nn.BatchNorm1d):
            norm.running_mean.uniform_(-0.1, 0.1)
            norm.running_var.uniform_(0.5, 1.5)
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.uniform_(norm.bias, -0.2, 0.2)


@pytest.fixture(scope="session")
def windows():
    """``windows(n, length)``: one-hot (n, 4, length) float32 of seeded random sequence."""

    def make(n=5, length=LENGTH, seed=0):
        codes = torch.randint(4, (n, length), generator=torch.Generator().manual_seed(seed))
        return torch.nn.functional.one_hot(codes, 4).transpose(1, 2).float()

    return make


@pytest.fixture(scope="session")
def genome(tmp_path_factory):
    """A FASTA of two contigs with some N and soft-masked bases, and a BED6 of regions on both strands."""
    folder = tmp_path_factory.mktemp("genome")
    rng = random.Random(1)
    contigs = {"chr1": "".join(rng.choices("ACGTACGTACGTacgtN", k=3000)), "chr9": "".join(rng.choices("ACGT", k=900))}
    fasta, bed = folder / "genome.fa", folder / "regions.bed"
    fasta.write_text("".join(f">{name}\n{letters}\n" for name, letters in contigs.items()))
    rows = [("chr1", 100, 160), ("chr1", 1000, 1001), ("chr9", 300, 420), ("chr1", 2000, 2064), ("chr9", 500, 533)]
    bed.write_text("".join(f"{c}\t{s}\t{e}\tr{i}\t0\t{'+-'[i % 2]}\n" for i, (c, s, e) in enumerate(rows)))
    return fasta, bed


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An offline Hugging Face cache: ``hub(repo, files, commit)`` seeds a repo and returns its snapshot folder."""
    home = tmp_path / "hf"
    (home / "hub").mkdir(parents=True)
    monkeypatch.setenv("HF_HOME", str(home))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def seed(repo: str, files: dict[str, bytes | Path], commit: str = "c" * 40, ref: str = "main") -> Path:
        folder = home / "hub" / ("models--" + repo.replace("/", "--"))
        (folder / "refs").mkdir(parents=True, exist_ok=True)
        (folder / "refs" / ref).write_text(commit)
        for name, content in files.items():
            path = folder / "snapshots" / commit / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else Path(content).read_bytes())
        return folder / "snapshots" / commit

    return seed
