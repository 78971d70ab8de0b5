"""Measure ``--saturate`` against two forward passes a variant: ratios in one run on this machine.

    python -m scripts.bench.saturate                          # a quarter of an hour on one core, most of it SpliceAI
    python -m scripts.bench.saturate --cases bpnet --loci 5
    python -m scripts.bench.saturate --cases spliceai --loci 1 --sample 2    # some minutes

Ours is the whole call of ``zoo.score_variants`` on 20 loci of 300 bp, to a TSV, with all that it captures, tries,
checks and scores, in a process of its own that has imported before what captures graphs. The other side is a bare loop
of two forward passes a variant over ready tensors, in batches of the size that ours takes; of its 36,000 passes a
sample is timed, and the time of all is reckoned from the median batch. CPU time (user + system), one thread. Nets are
those of ``nets.py`` with random weights, sequences are random. The largest difference between what a sample of variants
is given by windows and by passes is printed, too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from scripts.bench.predict import ROOT
from scripts.bench.rows import Row, limited, save
from zoo.words import counted

ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
LOCUS = 300
#: Net -> times faster than two passes a variant.
LIMITS = {"bpnet": 30, "basset": 15, "spliceai": 4}
NAMES = {"bpnet": "BPNet-like, 2,114 bp", "basset": "Basset-like, 600 bp", "spliceai": "SpliceAI-10k-like, 15,000 bp"}
WARM = 1  # batches that run before any is timed
SAMPLE = 12  # batches of the other side, unless it is said


def model_of(name: str):
    """A net as a loaded model."""
    from scripts.bench import nets
    from zoo.model import Model
    from zoo.models.sequence_loader import SequenceLoader
    from zoo.outputs import OutputSpec

    net, length = {"bpnet": nets.bpnet_like, "basset": nets.basset_like, "spliceai": nets.spliceai_like}[name]()
    outputs = {
        "bpnet": (
            OutputSpec("profile", "profile", ("plus", "minus"), 1000, 1, 557, "logit"),
            OutputSpec("counts", "scalar", ("total",), units="log reads"),
        ),
        "basset": (OutputSpec("access", "scalar", tuple(f"cell{i}" for i in range(164)), units="logit"),),
        "spliceai": (OutputSpec("splice", "profile", ("neither", "acceptor", "donor"), 5000, 1, 5000, "probability"),),
    }[name]
    return Model(name=name, module=nets.tracks_of(net), loader=SequenceLoader(length), outputs=outputs)


def make_loci(folder: Path, length: int, loci: int) -> tuple[Path, Path]:
    """A genome of one random chromosome, and loci on it."""
    draw = np.random.default_rng(1)
    size = (loci + 2) * (length + LOCUS)
    fasta, bed = folder / "random.fa", folder / "loci.bed"
    text = draw.choice(np.frombuffer(b"ACGT", np.uint8), size).tobytes().decode()
    fasta.write_text(">chr1\n" + "\n".join(text[i : i + 100] for i in range(0, size, 100)) + "\n")
    starts = [(i + 1) * (length + LOCUS) for i in range(loci)]
    bed.write_text("".join(f"chr1\t{start}\t{start + LOCUS}\n" for start in starts))
    return fasta, bed


def ours(name: str, loci: int, folder: Path) -> dict[str, object]:
    """CPU-seconds of the call, and how it went."""
    from interpret.mutagenesis.engine import Engine
    from zoo.models.loaded import Runner
    from zoo.outputs import choose_tracks
    from zoo.variants.score_variants import score_variants

    small = model_of("basset")
    Engine(Runner(small, "cpu"), choose_tracks(small.outputs, ()), fast=True)  # imports of some seconds
    model = model_of(name)
    fasta, bed = make_loci(folder, model.length, loci)
    out = folder / "saturated.tsv"
    begin = time.process_time()
    score_variants(model, None, fasta, out, saturate=bed, device="cpu")
    seconds = time.process_time() - begin
    record = json.loads((folder / "saturated.tsv.run.json").read_text())["counts"]
    if record["scored"] != loci * LOCUS * 3:
        raise SystemExit(f"{record['scored']} of {loci * LOCUS * 3} variants were scored")
    return {"seconds": seconds, **record["engine"]}


def passes(name: str, batches: int) -> dict[str, object]:
    """CPU-seconds of a forward pass, in batches of the size that ours takes."""
    import torch

    from zoo.models.loaded import auto_batch_size

    model = model_of(name)
    size = auto_batch_size(model.length, torch.device("cpu"))
    ready = torch.eye(4)[torch.randint(4, (size, model.length))].transpose(1, 2).contiguous()
    times = []
    with torch.inference_mode():
        for _ in range(batches + WARM):
            begin = time.process_time()
            model.module(ready)
            times.append((time.process_time() - begin) / size)
    return {"seconds": statistics.median(times[WARM:]), "batch": size}


def called(*arguments: str) -> dict[str, object]:
    """A process of this file, on one thread."""
    command = [sys.executable, "-m", "scripts.bench.saturate", "--call", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | ONE_THREAD, check=False)
    if done.returncode:
        raise SystemExit(f"failed: {' '.join(arguments)}\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def bench(name: str, loci: int, sample: int, folder: Path) -> list[Row]:
    """The rows of a net."""
    found, each = called("ours", name, str(loci), str(folder)), called("passes", name, str(sample))
    variants = loci * LOCUS * 3
    other = 2 * variants * each["seconds"]
    measured = f"{counted(loci, 'locus', 'loci')}: ours {found['seconds']:.3g} s, passes {other:.3g} s"
    measured += f" (of {counted(sample, 'batch', 'batches')})"
    return [
        limited(
            f"saturation, {NAMES[name]}: two passes / ours", measured, other / found["seconds"], f">= {LIMITS[name]}"
        ),
        limited(
            f"saturation, {NAMES[name]}: largest difference, of scale",
            f"{found['checked']} checked, {found['recomputed']} recomputed",
            found["largest_difference"],
            "<= 1e-5",
        ),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=LIMITS, default=list(LIMITS), metavar="NAME")
    parser.add_argument("--loci", type=int, default=20)
    parser.add_argument("--sample", type=int, default=SAMPLE, help="batches of passes that are timed")
    parser.add_argument("--json", type=Path, help="write the table as JSON too, for build_readme.py")
    parser.add_argument("--call", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.call:
        what, name, *more = arguments.call
        made = ours(name, int(more[0]), Path(more[1])) if what == "ours" else passes(name, int(more[0]))
        print(json.dumps(made))
        return 0
    rows: list[Row] = []
    for name in arguments.cases:
        with tempfile.TemporaryDirectory(prefix="zoo-bench-") as folder:
            for row in bench(name, arguments.loci, arguments.sample, Path(folder)):
                rows.append(row)
                print(row.line(66, 70), flush=True)
    if arguments.json:
        save(rows, arguments.json)
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
