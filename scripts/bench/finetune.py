"""Measure training of ``finetune/`` against a bare loop, itself without its savings, and gReLU: ratios in one run.

    python -m scripts.bench.finetune                # everything, some minutes on two cores
    python -m scripts.bench.finetune --only loop head --repeats 5

Each measurement is a process of its own, in turn (A B A B ...), which prints the CPU time of the training itself (all
threads; imports and inputs are made before the clock starts) and its peak resident memory. Medians are compared. The
inputs are random sequence; the networks are the bundled one and Enformer's layers at a quarter of the width.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scripts.bench.rows import Row, limited, save

if TYPE_CHECKING:
    import torch

    from finetune.data.batches import Batch

ROOT = Path(__file__).resolve().parents[2]
ENTRY = ROOT / "model_cards" / "yeast-atac"
LENGTH, BINS, BATCH = 1280, 32, 32
ENFORMER = {"dim": 384, "depth": 4, "heads": 4, "length": 24_576}
LR = 3e-3


@dataclass(frozen=True)
class Usage:
    """What one measurement gave."""

    cpu: float
    peak_mb: float
    value: float


def measure(name: str, n: int) -> Usage:
    """Run one of ``PROGRAMS`` in a process of its own."""
    command = [sys.executable, "-m", "scripts.bench.finetune", "--measure", name, "--windows", str(n)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"failed: {name}\n{done.stdout[-1500:]}{done.stderr[-3000:]}")
    return Usage(**json.loads(done.stdout.splitlines()[-1]))


def compare(a: str, b: str, n: int, repeats: int) -> tuple[list[Usage], list[Usage]]:
    """Run A and B in turn."""
    pairs = [(measure(a, n), measure(b, n)) for _ in range(repeats)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def cpu(usages: list[Usage]) -> float:
    return statistics.median(usage.cpu for usage in usages)


def peak(usages: list[Usage]) -> float:
    return statistics.median(usage.peak_mb for usage in usages)


# ---------------------------------------------------------------- inputs and networks


def windows(n: int, seed: int = 0, length: int = LENGTH) -> tuple[np.ndarray, np.ndarray]:
    """One-hot (n, 4, L) and counts (n, 1, bins) that follow from G + C around a bin."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 4, (n, length))
    one_hot = (codes[:, None] == np.arange(4)[:, None]).astype(np.float32)
    margin = (length - 32 * BINS) // 2
    gc = one_hot[:, 1:3, margin : length - margin].sum(1).reshape(n, BINS, -1).mean(-1)
    return one_hot, random.poisson(np.exp(6 * (gc - 0.4)))[:, None].astype(np.float32)


def batch(inputs: Any, target: Any, first: int) -> Batch:
    """One of the windows' batches; embeddings of any precision."""
    import torch

    from finetune.data.batches import Batch

    rows = slice(first, first + BATCH)
    x, y = torch.from_numpy(np.asarray(inputs[rows], dtype=np.float32)), torch.from_numpy(target[rows])
    embedded = x.shape[1] != 4
    return Batch("main", x, embedded, y, torch.ones(len(x), 1), None, None, None, torch.arange(len(x)), None)


def batches(inputs: Any, target: Any) -> Iterator[Batch]:
    for first in range(0, len(target), BATCH):
        yield batch(inputs, target, first)


def network(frozen: bool) -> torch.nn.Module:
    """The bundled network, called with a batch; the trunk frozen and in eval mode, or all of it trained."""
    import torch

    from scripts.yeast_atac.example import load_network

    class Adapted(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk = load_network(ENTRY)
            self.head, self.trunk.head = self.trunk.head, torch.nn.Identity()
            if frozen:
                self.trunk.requires_grad_(False)
                torch.manual_seed(0)
                self.head.reset_parameters()

        def forward(self, batch: Batch) -> torch.Tensor:
            return self.head(batch.inputs if batch.embedded else self.trunk.logits(batch.inputs))

    return Adapted()


def fit(model: torch.nn.Module, inputs: Any, target: Any, epochs: int, judged: tuple[Any, Any]) -> float:
    """Train by ``finetune.training.train``; the validation loss of the last epoch."""
    from finetune.config import TrainConfig
    from finetune.training.losses import loss_of
    from finetune.training.train import train

    config = TrainConfig(
        optimizer="adam", lr=LR, epochs=epochs, clip=0, warmup=0, schedule="constant", accelerator="cpu", batch=BATCH
    )
    with tempfile.TemporaryDirectory() as folder:
        result = train(
            model,
            lambda epoch: batches(inputs, target),
            lambda: batches(*judged),
            config,
            {"main": loss_of("poisson")},
            Path(folder),
            -(-len(target) // BATCH),
        )
    return result.history[-1]["val_loss"]


def embeddings(model: Any, inputs: np.ndarray) -> np.ndarray:
    """float16 (n, channels, bins) of the trunk."""
    import torch

    model.eval()
    with torch.inference_mode():
        parts = [model.trunk.logits(torch.from_numpy(inputs[i : i + 128])) for i in range(0, len(inputs), 128)]
    return np.concatenate([part.numpy() for part in parts]).astype(np.float16)


# ---------------------------------------------------------------- programs


def _clocked(work: Callable[[], float]) -> Usage:
    """CPU time of the work, and the peak of the process above what it had before."""
    start = time.process_time()
    value = work()
    used = time.process_time() - start
    return Usage(used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, float(value))


def loop_ours(n: int) -> Usage:
    import pytorch_lightning  # noqa: F401

    inputs, target = windows(n)
    model, few = network(frozen=False), windows(BATCH, 1)
    fit(network(frozen=False), *few, 1, few)  # what is imported and set up once is no part of a loop
    return _clocked(lambda: fit(model, inputs, target, 2, few))


def loop_bare(n: int) -> Usage:
    """The same steps in ten lines, without validation, checkpoints or hashes."""
    import pytorch_lightning  # noqa: F401
    import torch

    inputs, target = windows(n)
    model = network(frozen=False)
    loss_of = torch.nn.PoissonNLLLoss(log_input=True)

    def work() -> float:
        model.train()
        optimizer = torch.optim.Adam(model.parameters(), lr=LR)
        for _ in range(2):
            for one in batches(inputs, target):
                optimizer.zero_grad()
                loss = loss_of(model(one), one.target)
                loss.backward()
                optimizer.step()
        return loss.item()

    return _clocked(work)


def head_cached(n: int) -> Usage:
    import pytorch_lightning  # noqa: F401

    inputs, target = windows(n)
    model, (x, y) = network(frozen=True), windows(BATCH, 1)
    cached, few = embeddings(model, inputs), embeddings(model, x)
    return _clocked(lambda: fit(model, cached, target, 1, (few, y)))


def head_recomputed(n: int) -> Usage:
    import pytorch_lightning  # noqa: F401

    inputs, target = windows(n)
    model, few = network(frozen=True), windows(BATCH, 1)
    return _clocked(lambda: fit(model, inputs, target, 1, few))


def _step(adapt: Callable[[torch.nn.Module], None]) -> Usage:
    """Two steps of Adam on Enformer's layers; the clock is on the second."""
    import torch
    from enformer_pytorch import Enformer

    torch.manual_seed(0)
    trunk = Enformer.from_hparams(
        dim=ENFORMER["dim"], depth=ENFORMER["depth"], heads=ENFORMER["heads"], target_length=-1,
        use_tf_gamma=False, output_heads={"none": 1},
    )  # fmt: skip
    adapt(trunk)
    head = torch.nn.Linear(2 * ENFORMER["dim"], 1)
    one_hot, _ = windows(1, length=ENFORMER["length"])
    x = torch.from_numpy(one_hot).transpose(1, 2).contiguous()
    parameters = [p for p in [*trunk.parameters(), *head.parameters()] if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=1e-5)

    def step() -> float:
        optimizer.zero_grad()
        loss = head(trunk(x, return_only_embeddings=True)).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    step()
    return _clocked(step)


def step_full(n: int) -> Usage:
    return _step(lambda trunk: None)


def step_lora(n: int) -> Usage:
    from finetune.models.freeze import set_training
    from finetune.models.lora import add_lora

    def adapt(trunk: torch.nn.Module) -> None:
        add_lora(trunk, rank=8)
        set_training(trunk)

    return _step(adapt)


EPOCHS = 5


def tune_ours(n: int) -> Usage:
    """Head on cached embeddings, which are made on the clock."""
    import pytorch_lightning  # noqa: F401

    inputs, target = windows(n)
    x, y = windows(256, 1)
    model = network(frozen=True)

    def work() -> float:
        return fit(model, embeddings(model, inputs), target, EPOCHS, (embeddings(model, x), y))

    return _clocked(work)


def tune_grelu(n: int) -> Usage:
    """``tune_on_dataset`` with a frozen embedding; judged as ours, by the loss without its constant."""
    import torch
    from grelu.data.dataset import LabeledSeqDataset
    from grelu.lightning import LightningModel

    inputs, target = windows(n)
    x, y = windows(256, 1)
    model = LightningModel.load_from_checkpoint(ENTRY / "grelu.ckpt", map_location="cpu", weights_only=False)
    folder = tempfile.TemporaryDirectory()
    model.train_params |= {
        "task": "regression", "loss": "poisson", "lr": LR, "optimizer": "adam", "batch_size": BATCH,
        "num_workers": 0, "devices": "cpu", "logger": None, "max_epochs": EPOCHS, "save_dir": folder.name, "clip": 0,
    }  # fmt: skip
    sides = [
        LabeledSeqDataset(np.argmax(a, axis=1).astype(np.int8), labels, tasks=["t"], seq_len=LENGTH, label_len=BINS)
        for a, labels in ((inputs, target), (x, y))
    ]

    def work() -> float:
        torch.manual_seed(0)
        model.tune_on_dataset(*sides, freeze_embedding=True)
        return 0.0

    used = _clocked(work)
    model.eval()
    with torch.inference_mode():
        logits = model(torch.from_numpy(x), logits=True)
        margin = (logits.shape[-1] - BINS) // 2
        logits = logits[..., margin : logits.shape[-1] - margin]
        value = torch.nn.PoissonNLLLoss(log_input=True)(logits, torch.from_numpy(y)).item()
    return Usage(used.cpu, used.peak_mb, value)


PROGRAMS: dict[str, Callable[[int], Usage]] = {
    "loop_ours": loop_ours,
    "loop_bare": loop_bare,
    "head_cached": head_cached,
    "head_recomputed": head_recomputed,
    "step_lora": step_lora,
    "step_full": step_full,
    "tune_ours": tune_ours,
    "tune_grelu": tune_grelu,
}


# ---------------------------------------------------------------- rows


def bench_loop(n: int, repeats: int) -> list[Row]:
    ours, bare = compare("loop_ours", "loop_bare", n, repeats)
    measured = f"{cpu(ours):.2f} / {cpu(bare):.2f} CPU-s"
    return [
        limited(f"our loop / bare torch, bundled network, 2 x {n} windows", measured, cpu(ours) / cpu(bare), "<= 1.1")
    ]


def bench_head(n: int, repeats: int) -> list[Row]:
    cached, recomputed = compare("head_cached", "head_recomputed", n, repeats)
    measured = f"{cpu(cached):.2f} / {cpu(recomputed):.2f} CPU-s"
    return [
        limited(f"head epoch of {n} windows, cached / recomputed", measured, cpu(cached) / cpu(recomputed), "<= 0.1")
    ]


def bench_lora(n: int, repeats: int) -> list[Row]:
    lora, full = compare("step_lora", "step_full", n, repeats)
    what = f"LoRA / full step, Enformer {ENFORMER['dim']} wide, {ENFORMER['length']:,} bp"
    return [
        limited(f"{what}: time", f"{cpu(lora):.2f} / {cpu(full):.2f} CPU-s", cpu(lora) / cpu(full), "< 1"),
        limited(f"{what}: memory", f"{peak(lora):.0f} / {peak(full):.0f} MB", peak(lora) / peak(full), "< 1"),
    ]


def bench_grelu(n: int, repeats: int) -> list[Row]:
    theirs, ours = compare("tune_grelu", "tune_ours", n, repeats)
    reached = [statistics.median(usage.value for usage in usages) for usages in (ours, theirs)]
    case = f"gReLU tune_on_dataset / ours, head of {n} windows, {EPOCHS} epochs"
    measured = f"{cpu(theirs):.1f} / {cpu(ours):.1f} CPU-s"
    values = f"{reached[0]:.4f} - {reached[1]:.4f}"
    return [
        limited(case, measured, cpu(theirs) / cpu(ours), "> 1"),
        limited("the same: validation loss, ours - gReLU's", values, reached[0] - reached[1], "<= 0.01"),
    ]


CASES: dict[str, Callable[[int, int], list[Row]]] = {
    "loop": bench_loop,
    "head": bench_head,
    "lora": bench_lora,
    "grelu": bench_grelu,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), help="cases to run")
    parser.add_argument("--windows", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the table as JSON too")
    parser.add_argument("--measure", choices=PROGRAMS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        usage = PROGRAMS[arguments.measure](arguments.windows)
        print("\n" + json.dumps(usage.__dict__))
        return 0
    rows: list[Row] = []
    for name in arguments.only:
        for row in CASES[name](arguments.windows, arguments.repeats):
            rows.append(row)
            print(row.line(72, 26), flush=True)
    if arguments.json:
        save(rows, arguments.json)
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
