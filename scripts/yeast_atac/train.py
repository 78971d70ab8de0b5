"""Train the yeast-atac entry: chromatin accessibility of S. cerevisiae from sequence.

    python -m scripts.yeast_atac.train --data DIR --out model_cards/yeast-atac

Writes `weights.pth` (a plain state_dict for `yeast_atac_model.py`) and `grelu.ckpt` (loads in
gReLU with default arguments) and prints the hash of the weights, which depends on nothing but
the data, the arguments, the number of threads and the kind of CPU.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import time
import warnings
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from grelu.lightning import LightningModel
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from scripts.yeast_atac import data as yeast
from scripts.yeast_atac.example import build_network

#: The 128 bp at either side give the outer bins context: without them their correlation is
#: 0.03 to 0.06 lower than that of the middle (measured on the validation chromosome).
INPUT_LENGTH = 1280
OUTPUT_LENGTH = 1024
BATCH_SIZE = 32
PEAK_LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.02
#: Counts above this in a training bin (0.3% of bins) are set to it, so that a few extreme bins
#: do not drive the loss. Evaluation uses the counts as they are.
MAX_TRAINING_COUNT = 32
#: Weights are averaged over about 1 / (1 - decay) steps; the average is what is kept.
AVERAGE_DECAY = 0.995

MODEL_PARAMS = {
    "model_type": "ConvModel",
    "n_tasks": 1,
    "stem_channels": 48,
    "stem_kernel_size": 19,
    "n_conv": 6,
    "channel_init": 24,
    "channel_mult": 1.3,
    "kernel_size": 9,
    "dilation_init": 1,
    "dilation_mult": 2,
    "act_func": "relu",
    "norm": True,
    "pool_func": "max",
    "pool_size": 2,
    "residual": True,
    "dropout": 0.1,
    "crop_len": (INPUT_LENGTH - OUTPUT_LENGTH) // 2 // yeast.BIN_SIZE,
    "final_pool_func": None,
}
TRAIN_PARAMS = {"task": "regression", "loss": "poisson", "lr": PEAK_LEARNING_RATE}


class YeastLightning(LightningModel):
    """gReLU's LightningModel with AdamW on a one-cycle schedule instead of plain Adam."""

    def configure_optimizers(self) -> dict:
        optimizer = torch.optim.AdamW(self.parameters(), lr=PEAK_LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=PEAK_LEARNING_RATE,
            total_steps=int(self.trainer.estimated_stepping_batches),
            pct_start=0.2,
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


class AugmentedWindows(IterableDataset):
    """Batches of shifted and reverse-complemented training windows.

    Each epoch lays the tiling of every chromosome at a new random offset, shuffles the
    windows and turns half of them over, all from one generator of its own: nothing else that
    draws random numbers can change the order of the training data.
    """

    def __init__(self, chroms: list[yeast.Chromosome], seed: int, limit: int | None) -> None:
        super().__init__()
        self.chroms = chroms
        self.limit = limit
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        """Batches in an epoch, the same in every epoch."""
        windows = sum(len(yeast.tile_starts(chrom, INPUT_LENGTH, OUTPUT_LENGTH)) for chrom in self.chroms)
        # A shifted tiling may hold one window less on each chromosome and at each mask.
        windows -= len(self.chroms) + len(yeast.MASKED)
        return min(windows, self.limit or windows) // BATCH_SIZE

    def _draw_epoch(self) -> tuple[np.ndarray, np.ndarray]:
        """Codes (n, L) and cuts (n, bins) of one epoch, in random order."""
        parts = []
        for chrom in self.chroms:
            offset = int(torch.randint(OUTPUT_LENGTH, (), generator=self.generator))
            starts = np.arange(offset, chrom.length - INPUT_LENGTH + 1, OUTPUT_LENGTH)
            starts = starts[~yeast.touches_mask(chrom, starts, INPUT_LENGTH)]
            parts.append(yeast.window_arrays(chrom, starts, INPUT_LENGTH, OUTPUT_LENGTH))
        codes, cuts = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        order = torch.randperm(len(codes), generator=self.generator).numpy()
        return codes[order], cuts[order]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield one-hot (B, 4, L) and cuts (B, 1, bins)."""
        codes, cuts = self._draw_epoch()
        for first in range(0, len(self) * BATCH_SIZE, BATCH_SIZE):
            batch = slice(first, first + BATCH_SIZE)
            x = torch.from_numpy(yeast.one_hot(codes[batch]))
            y = torch.from_numpy(cuts[batch])[:, None].clamp(max=MAX_TRAINING_COUNT)
            turned = torch.rand(len(x), generator=self.generator) < 0.5
            # A C G T reversed is T G C A: flipping the channel axis complements.
            x[turned] = x[turned].flip(1, 2)
            y[turned] = y[turned].flip(2)
            yield x, y


class AverageWeights(pl.Callback):
    """Exponential moving average of weights and batch-norm statistics."""

    def __init__(self, model: LightningModel) -> None:
        self.average = deepcopy(model.model)

    @torch.no_grad()
    def on_train_batch_end(self, trainer, module, *_) -> None:
        """Move the average towards the weights after each step."""
        for kept, new in zip(self.average.state_dict().values(), module.model.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - AVERAGE_DECAY)
            else:
                kept.copy_(new)


class ReportValidation(pl.Callback):
    """Print the averaged model's validation figures after each epoch."""

    def __init__(self, averaging: AverageWeights, chroms: list[yeast.Chromosome]) -> None:
        self.averaging = averaging
        self.chroms = chroms
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer, module) -> None:
        """Predict the validation chromosomes and correlate."""
        fine, coarse = validation_pearson(self.averaging.average, self.chroms)
        seconds = time.monotonic() - self.started
        print(
            f"epoch {trainer.current_epoch + 1}: validation Pearson of log1p cuts "
            f"{fine:.4f} (32 bp) {coarse:.4f} (512 bp), {seconds:.0f} s",
            flush=True,
        )


@torch.no_grad()
def validation_pearson(network: torch.nn.Module, chroms: list[yeast.Chromosome]) -> tuple[float, float]:
    """Pearson of log1p predicted and observed cuts in 32-bp bins and in 512-bp sums."""
    network = network.eval()
    predicted, observed = [], []
    for chrom in chroms:
        starts = yeast.tile_starts(chrom, INPUT_LENGTH, OUTPUT_LENGTH)
        codes, cuts = yeast.window_arrays(chrom, starts, INPUT_LENGTH, OUTPUT_LENGTH)
        for rows in np.array_split(codes, max(1, len(codes) // 128)):
            logits = network(torch.from_numpy(yeast.one_hot(rows)))
            predicted.append(logits.exp()[:, 0].numpy())
        observed.append(cuts)
    fine = np.concatenate(predicted), np.concatenate(observed)
    coarse = [bins.reshape(-1, 16).sum(axis=1) for bins in fine]
    return yeast.log_pearson(*fine), yeast.log_pearson(*coarse)


def train(
    data: Path, fragments: str, seed: int, epochs: int, limit: int | None, threads: int, dropout: float
) -> LightningModel:
    """Train and return the model with averaged weights, in eval mode."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    model = YeastLightning(MODEL_PARAMS | {"dropout": dropout}, dict(TRAIN_PARAMS))
    training = AugmentedWindows(yeast.load_chromosomes(data, yeast.TRAIN_CHROMS, fragments), seed, limit)
    averaging = AverageWeights(model)
    validation = yeast.load_chromosomes(data, yeast.VALIDATION_CHROMS, fragments)
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        gradient_clip_val=1.0,
        callbacks=[averaging, ReportValidation(averaging, validation)],
    )
    trainer.fit(model, DataLoader(training, batch_size=None))
    model.model.load_state_dict(averaging.average.state_dict())
    return model.eval()


def plain_state(model: LightningModel) -> dict[str, Tensor]:
    """gReLU's state_dict under the names of the entry's plain module."""
    plain = {}
    for name, value in model.model.state_dict().items():
        name = name.replace("embedding.conv_tower.blocks.0.", "stem.")
        if name.startswith("embedding.conv_tower.blocks."):
            number, _, rest = name.removeprefix("embedding.conv_tower.blocks.").partition(".")
            name = f"blocks.{int(number) - 1}.{rest}"
        name = name.replace(".channel_transform.layer.", ".shortcut.")
        name = name.replace("head.channel_transform.conv.layer.", "head.")
        plain[name.replace(".norm.layer.", ".norm.")] = value.clone()
    return plain


def weights_hash(state: dict[str, Tensor]) -> str:
    """sha256 over the bytes of the tensors, sorted by name."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].contiguous().numpy().tobytes())
    return digest.hexdigest()


def grelu_checkpoint(model: LightningModel, fragments: str, seed: int) -> dict:
    """What `LightningModel.load_from_checkpoint` needs with default arguments, no more."""
    return {
        "state_dict": {f"model.{k}": v.clone() for k, v in model.model.state_dict().items()},
        "hyper_parameters": {
            "model_params": dict(model.model_params),
            "train_params": {**model.train_params, "seed": seed},
        },
        "data_params": {
            "tasks": {"name": ["atac_cuts"]},
            "train": {
                "seq_len": INPUT_LENGTH,
                "label_len": OUTPUT_LENGTH,
                "bin_size": yeast.BIN_SIZE,
                "genome": "sacCer3",
                "fragments": fragments,
                "chroms": list(yeast.TRAIN_CHROMS),
            },
        },
        "performance": {},
        "pytorch-lightning_version": pl.__version__,
    }


def save_entry(model: LightningModel, out: Path, fragments: str, seed: int) -> str:
    """Write both weight files, check that they agree exactly, and return the hash."""
    state = plain_state(model)
    plain = build_network(out)
    plain.load_state_dict(state)
    probe = torch.from_numpy(yeast.one_hot(np.random.default_rng(0).integers(0, 5, (8, INPUT_LENGTH))))
    with torch.no_grad():
        if not torch.equal(plain(probe), model(probe)):
            raise RuntimeError("the plain module and the gReLU model disagree")
    torch.save(state, out / "weights.pth")
    torch.save(grelu_checkpoint(model, fragments, seed), out / "grelu.ckpt")
    return weights_hash(state)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with fragments and FASTA")
    parser.add_argument("--out", type=Path, required=True, help="entry folder to write into")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", "--max-epochs", type=int, default=15)
    parser.add_argument("--fragments", choices=("nfr", "all"), default="nfr")
    parser.add_argument("--limit", type=int, help="training windows per epoch (for a quick run)")
    parser.add_argument("--dropout", type=float, default=MODEL_PARAMS["dropout"])
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    started = time.monotonic()
    model = train(args.data, args.fragments, args.seed, args.epochs, args.limit, args.threads, args.dropout)
    digest = save_entry(model, args.out, args.fragments, args.seed)
    print(f"parameters {model.count_params()}, {time.monotonic() - started:.0f} s")
    print(f"weights {digest}")


if __name__ == "__main__":
    main()
