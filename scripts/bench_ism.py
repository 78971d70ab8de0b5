"""CPU-seconds a sequence of in-silico mutagenesis: full forward passes, tangermeme's fast way, ours; one process.

    OMP_NUM_THREADS=1 python scripts/bench_ism.py basset beluga bpnet

Full passes are measured on a sample of batches, of 32 or 128 edits, whichever is faster. Ours includes its check of
1% of the edits; tangermeme's its own. What capturing the module costs once is given apart for ours, and is part of
tangermeme's first sequence.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import bench_nets

from interpret.methods.ism import Mutagenesis

NETS = {
    "basset": (bench_nets.basset_like, 8),
    "beluga": (bench_nets.beluga_like, 1),
    "bpnet": (bench_nets.bpnet_like, 2),
    "bpnet-profile": (lambda: bench_nets.bpnet_like(head="profile"), 2),
}


class _Column(torch.nn.Module):
    """(N,) as (N, 1), which tangermeme takes."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.module(x)[:, None]


def full_passes(module: torch.nn.Module, x: torch.Tensor, batches: int, size: int) -> float:
    """CPU-seconds of 3L + 1 forward passes, from a sample of batches of edits."""
    edited = x[:1].repeat(size, 1, 1)
    edited[torch.arange(size), :, torch.arange(size)] = torch.eye(4)[torch.arange(size) % 4]
    with torch.no_grad():
        module(edited)
        start = time.process_time()
        for _ in range(batches):
            module(edited)
    return (time.process_time() - start) / (batches * size) * (3 * x.shape[2] + 1)


def by_tangermeme(module: torch.nn.Module, x: torch.Tensor) -> tuple[float, np.ndarray]:
    """CPU-seconds a sequence, and (N, 4, L)."""
    import tangermeme.saturation_mutagenesis as theirs

    theirs._FAST_MIN_SECONDS = 0.0  # the fast way for short jobs too
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error", theirs.TangermemeWarning)  # it would say that it took full passes
        found = theirs.saturation_mutagenesis(_Column(module).eval(), x, raw_outputs=True, device="cpu").y_hat
    return (time.process_time() - start) / len(x), found.reshape(x.shape).numpy()


def measure(name: str, rounds: int) -> None:
    make, count = NETS[name]
    module, length = make()
    torch.manual_seed(1)
    x = torch.eye(4)[torch.randint(0, 4, (count, length))].transpose(1, 2).contiguous()
    start = time.process_time()
    opened = Mutagenesis(module, length)
    opening = time.process_time() - start
    full, theirs, ours, windows = [], [], [], []
    for _ in range(rounds):
        full.append(min(full_passes(module, x, 256 // size, size) for size in (32, 128)))
        start = time.process_time()
        scores = opened.mutate_all(x.numpy())
        ours.append((time.process_time() - start) / count)
        start = time.process_time()
        opened.graph.predict(x[:1])
        windows.append(time.process_time() - start)
        seconds, other = by_tangermeme(module, x)
        theirs.append(seconds)
    scale = max(np.abs(other).max(), np.ptp(other))
    f, t, o = min(full), min(theirs), min(ours)
    report = opened.report
    print(
        f"{name}: full {f:.2f} s, tangermeme fast {t:.2f} s, ours {o:.3f} s"
        f" (one sequence without the check {min(windows):.3f} s; opening {opening:.1f} s once):"
        f" {f / o:.1f}x full, {t / o:.2f}x tangermeme; {report.path}, {report.recomputed} recomputed,"
        f" {report.largest_difference:.1e} from full passes on {report.checked} edits,"
        f" {np.abs(scores - other).max() / scale:.1e} from tangermeme",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", default=["basset", "beluga", "bpnet"], metavar="NET", help=", ".join(NETS))
    parser.add_argument("--rounds", type=int, default=2, help="the best of so many; default 2")
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s)")
    for name in arguments.nets:
        measure(name, arguments.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
