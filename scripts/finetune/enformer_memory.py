"""Peak memory of Enformer at full width with random weights, and what fits where.

    python -m scripts.finetune.enformer_memory              # all, one process each, a table in Markdown
    python -m scripts.finetune.enformer_memory --only lora

Peak memory is ``ru_maxrss`` of a process that does one thing once: a forward pass at 196,608 bp; or at 24,576 bp a step
of AdamW on the head, on low-rank updates of queries and values, or on all weights. A last line tries enformer-pytorch's
own ``use_tf_gamma`` at 24,576 bp.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

#: What is measured -> (bp, GB that it may take).
LIMITS = {"forward": (196_608, 4.5), "head": (24_576, 2.0), "lora": (24_576, 2.5), "full": (24_576, 5.0)}
SHORT = 24_576
TRACKS = 10


def measure(what: str, threads: int = 2) -> dict[str, Any]:
    """Do one thing in this process.

    Returns:
        ``peak_gb`` (10^9 bytes) of the process so far, ``seconds`` of the step, ``trainable`` share of the weights,
        ``shape`` of what came out.
    """
    import torch

    torch.set_num_threads(threads)
    from finetune.models.enformer import random_enformer

    length = LIMITS[what][0]
    base = random_enformer(length)
    letters = torch.randint(4, (1, length), generator=torch.Generator().manual_seed(1))
    x = torch.nn.functional.one_hot(letters, 4).transpose(1, 2).float()
    begin = time.perf_counter()
    if what == "forward":
        with torch.inference_mode():
            shape, share = tuple(base.trunk(x).shape), 0.0
    else:
        shape, share = _step(base, what, x)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"peak_gb": peak / 1e9, "seconds": seconds, "trainable": share, "shape": shape}


def _step(base: Any, what: str, x: Any) -> tuple[tuple[int, ...], float]:
    """One step of AdamW on the Poisson loss against a target of ones."""
    import torch

    from finetune.data.batches import Batch
    from finetune.models.freeze import freeze, set_training
    from finetune.models.heads import Adapted, Head
    from finetune.models.lora import add_lora, trainable_share

    if what == "head":
        freeze(base.trunk)
    elif what == "lora":
        add_lora(base.trunk, rank=8, names=("to_q", "to_v"))
    model = Adapted(base.trunk, {"main": Head(base.channels, TRACKS)})
    set_training(model)
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    # foreach would hold a second copy of all weights and moments during a step
    optimizer = torch.optim.AdamW(weights, lr=1e-4, foreach=False)
    target, rows = torch.ones(1, TRACKS, base.positions), torch.zeros(1, dtype=torch.int64)
    batch = Batch("main", x, False, target, torch.ones(1, TRACKS), None, None, None, rows, None)
    logits = model(batch)
    torch.nn.functional.poisson_nll_loss(logits, target).backward()
    optimizer.step()
    return tuple(logits.shape), trainable_share(model)


def tf_gamma_at(length: int) -> str:
    """What enformer-pytorch does with ``use_tf_gamma`` at a length, in words."""
    import torch
    from enformer_pytorch import Enformer

    model = Enformer.from_hparams(dim=384, depth=1, heads=8, target_length=-1, use_tf_gamma=True).eval()
    try:
        with torch.inference_mode():
            model(torch.zeros(1, length, 4))
    except AssertionError as error:
        return f"fails: {error}"
    return "runs"


def table(rows: dict[str, dict[str, Any]], gamma: str) -> str:
    """The figures in Markdown."""
    lines = [
        "| Enformer, full width | bp | peak GB | at most | seconds | weights that train |",
        "|---|---|---|---|---|---|",
    ]
    for what, row in rows.items():
        length, most = LIMITS[what]
        name = "forward" if what == "forward" else f"{what} step"
        lines.append(
            f"| {name} | {length:,} | {row['peak_gb']:.1f} | {most} | {row['seconds']:.0f} | {row['trainable']:.2%} |"
        )
    return "\n".join([*lines, "", f"`use_tf_gamma` of enformer-pytorch at {SHORT:,} bp {gamma}."])


def run_apart(what: str) -> dict[str, Any]:
    """``measure`` in a process of its own."""
    command = [sys.executable, "-m", "scripts.finetune.enformer_memory", "--one", what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{what}: {done.stderr.strip().splitlines()[-1:] or done.returncode}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main(argv: list[str] | None = None, write: Callable[[str], Any] = sys.stdout.write) -> int:
    """Measure, print the table, and say by the exit status whether all stayed below their limits."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=list(LIMITS), action="append")
    parser.add_argument("--one", choices=list(LIMITS), help=argparse.SUPPRESS)
    chosen = parser.parse_args(argv)
    if chosen.one:
        write(json.dumps(measure(chosen.one)) + "\n")
        return 0
    rows = {what: run_apart(what) for what in chosen.only or LIMITS}
    write(table(rows, tf_gamma_at(SHORT)) + "\n")
    return int(any(row["peak_gb"] > LIMITS[what][1] for what, row in rows.items()))


if __name__ == "__main__":
    raise SystemExit(main())
