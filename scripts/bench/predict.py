"""Measure ``zoo predict`` against a bare loop, Kipoi and gReLU: ratios in one run on this machine.

    python -m scripts.bench.predict                 # everything, some 15 minutes on two cores
    python -m scripts.bench.predict --only toy loader --repeats 5

Each case runs whole processes in turn (A B A B ...) and compares medians of their CPU time
(user + system, children included) or peak resident memory. The genome is random sequence with
sacCer3's chromosome names and lengths, made once in the work folder; the peers come from the
same environment.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scripts.bench.rows import Row, limited, save
from zoo.genome.assembly import load_assembly

if TYPE_CHECKING:
    from zoo.outputs import OutputSpec, PredictionBatch

ROOT = Path(__file__).resolve().parents[2]
ENTRY = ROOT / "model_cards" / "yeast-atac"
BIN = Path(sys.executable).parent
WIDTH = 1000
MARGIN = 1000  # Kipoi cannot batch a window that passes the end of a chromosome


@dataclass(frozen=True)
class Usage:
    """What one process used."""

    cpu: float
    wall: float
    peak_mb: float


#: Starts a process from one that holds next to nothing: its peak memory begins with that of who starts it.
STARTER = """
import json, os, sys, time
start = time.monotonic()
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ), 0)
wall = time.monotonic() - start
with open(sys.argv[1], "w") as out:
    json.dump([status, usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024], out)
"""


def run(command: list[str], folder: Path) -> Usage:
    """Run a process and read the kernel's account of it and its children."""
    log, account = folder / "last.log", (folder / "last.json").resolve()
    starter = [sys.executable, "-I", "-S", "-c", STARTER, str(account), *command]
    with log.open("wb") as out:
        subprocess.run(starter, cwd=folder, stdout=out, stderr=subprocess.STDOUT, check=True)
    status, *usage = json.loads(account.read_text())
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"failed: {' '.join(command)}\n{log.read_text(errors='replace')[-3000:]}")
    return Usage(*usage)


def compare(a: list[str], b: list[str], folder: Path, repeats: int) -> tuple[list[Usage], list[Usage]]:
    """Run A and B in turn."""
    pairs = [(run(a, folder), run(b, folder)) for _ in range(repeats)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def cpu(usages: list[Usage]) -> float:
    return statistics.median(usage.cpu for usage in usages)


def make_genome(folder: Path) -> Path:
    """Random sequence with sacCer3's names and lengths, 60 bases a line."""
    path = folder / "genome.fa"
    if path.is_file():
        return path
    rng = np.random.default_rng(0)
    with path.open("wb") as out:
        for chromosome in load_assembly("sacCer3").chromosomes:
            letters = np.frombuffer(b"ACGT", dtype=np.uint8)[rng.integers(0, 4, chromosome.length)]
            out.write(f">{chromosome.ucsc}\n".encode())
            for low in range(0, len(letters), 60):
                out.write(letters[low : low + 60].tobytes() + b"\n")
    subprocess.run([sys.executable, "-c", f"import pysam; pysam.faidx({str(path)!r})"], check=True)
    sizes = "".join(f"{c.ucsc}\t{c.length}\n" for c in load_assembly("sacCer3").chromosomes)
    path.with_name("genome.fa.sizes").write_text(sizes)  # gReLU asks for it
    return path


def make_regions(folder: Path, n: int) -> Path:
    """``n`` random regions of 1 kb, unsorted, in three columns (Kipoi's loader takes no more)."""
    path = folder / f"regions_{n}.bed"
    if path.is_file():
        return path
    rng = np.random.default_rng(1)
    chroms = [c for c in load_assembly("sacCer3").chromosomes if not c.is_mito]
    share = np.array([c.length for c in chroms], dtype=float)
    picked = rng.choice(len(chroms), n, p=share / share.sum())
    with path.open("w") as out:
        for i in picked:
            start = int(rng.integers(MARGIN, chroms[i].length - WIDTH - MARGIN))
            out.write(f"{chroms[i].ucsc}\t{start}\t{start + WIDTH}\n")
    return path


TOY_MODULE = '''
import torch


class Toy(torch.nn.Module):
    """G + C of the window, by a product that costs next to nothing."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([0.0, 1.0, 1.0, 0.0]))

    def forward(self, x):
        return x.sum(2) @ self.weight[:, None]
'''


def make_toy(folder: Path) -> Path:
    """A Kipoi folder whose forward pass is negligible."""
    import torch

    entry = folder / "toy"
    entry.mkdir(exist_ok=True)
    (entry / "toy_module.py").write_text(TOY_MODULE)
    torch.save({"weight": torch.tensor([0.0, 1.0, 1.0, 0.0])}, entry / "weights.pth")
    (entry / "model.yaml").write_text(
        textwrap.dedent(f"""\
        defined_as: kipoi.model.PyTorchModel
        args: {{module_file: toy_module.py, module_class: Toy, weights: weights.pth}}
        info: {{doc: G + C of the window, authors: [{{name: seqzoo}}]}}
        default_dataloader:
          defined_as: kipoiseq.dataloaders.SeqIntervalDl
          default_args: {{auto_resize_len: {WIDTH}, alphabet_axis: 0, dtype: np.float32}}
        schema:
          inputs: {{name: seq, shape: "(4, {WIDTH})"}}
          targets: {{name: gc, shape: "(1,)"}}
        """)
    )
    return entry


BARE_LOOP = """
import os
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as zoo predict sets it
import importlib.util, sys, torch
spec = importlib.util.spec_from_file_location("module_file", sys.argv[1])
module_file = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module_file)
module = getattr(module_file, sys.argv[2])(**eval(sys.argv[3])).eval()
module.load_state_dict(torch.load(sys.argv[4], weights_only=True))
length, n, batch = map(int, sys.argv[5:8])
ready = torch.nn.functional.one_hot(torch.randint(0, 4, (batch, length)), 4).transpose(1, 2).float().contiguous()
with torch.inference_mode():
    for low in range(0, n, batch):
        module(ready[: min(batch, n - low)])
"""


def bare_loop(entry: Path, n: int) -> list[str]:
    """The same module over ready tensors, in the batches that ``zoo predict`` would take."""
    import torch

    from zoo.cards.kipoi import read_model
    from zoo.models.loaded import auto_batch_size
    from zoo.models.sequence_loader import loader_from_kipoi

    model = read_model(entry)
    length = loader_from_kipoi(model.loader, model).length
    batch = auto_batch_size(length, torch.device("cpu"))
    return [
        sys.executable,
        "-c",
        BARE_LOOP,
        str(entry / model.args["module_file"]),
        model.args["module_class"],
        repr(model.args.get("module_kwargs") or {}),
        str(entry / model.args["weights"]),
        str(length),
        str(n),
        str(batch),
    ]


def zoo_predict(entry: Path, regions: Path, genome: Path, out: str, *more: str) -> list[str]:
    return [str(BIN / "zoo"), "predict", str(entry), str(regions), "-g", str(genome), "-o", out, "-q", "--trust", *more]


def bench_start(folder: Path, _n: int, repeats: int) -> list[Row]:
    genome, one = make_genome(folder), make_regions(folder, 1)
    ours, base = compare(
        zoo_predict(ENTRY, one, genome, "one.tsv"), [sys.executable, "-c", "import torch"], folder, max(repeats, 5)
    )
    ratio = cpu(ours) / cpu(base)
    return [
        limited(
            "start-up: zoo predict of one region / import torch",
            f"{cpu(ours):.2f} / {cpu(base):.2f} CPU-s",
            ratio,
            "<= 1.3",
        )
    ]


def bench_bare(folder: Path, n: int, repeats: int) -> list[Row]:
    genome, regions = make_genome(folder), make_regions(folder, n)
    ours, base = compare(zoo_predict(ENTRY, regions, genome, "bare.tsv"), bare_loop(ENTRY, n), folder, repeats)
    ratio = cpu(ours) / cpu(base)
    return [
        limited(
            f"bundled model, {n:,} x 1 kb to TSV / bare loop over ready tensors",
            f"{cpu(ours):.2f} / {cpu(base):.2f} CPU-s",
            ratio,
            "<= 1.15",
        )
    ]


def bench_toy(folder: Path, n: int, repeats: int) -> list[Row]:
    genome, regions, toy = make_genome(folder), make_regions(folder, n), make_toy(folder)
    few = make_regions(folder, 64)
    ours, base = compare(zoo_predict(toy, regions, genome, "toy.tsv"), bare_loop(toy, n), folder, max(repeats, 5))
    start, base_start = compare(zoo_predict(toy, few, genome, "few.tsv"), bare_loop(toy, 64), folder, max(repeats, 5))
    ratio = cpu(ours) / cpu(base)
    each = ((cpu(ours) - cpu(start)) - (cpu(base) - cpu(base_start))) / n * 1e6
    return [
        limited(
            f"toy net, {n:,} x 1 kb to TSV / bare loop", f"{cpu(ours):.2f} / {cpu(base):.2f} CPU-s", ratio, "<= 1.3"
        ),
        limited("toy net: own overhead a region (us)", f"{each:.1f} us", each, "<= 25 us"),
    ]


KIPOI_PREDICT = "import kipoi.__main__, sys; sys.argv[0] = 'kipoi'; kipoi.__main__.main()"


def bench_kipoi(folder: Path, n: int, repeats: int) -> list[Row]:
    genome, regions = make_genome(folder), make_regions(folder, n)
    arguments = json.dumps({"intervals_file": str(regions), "fasta_file": str(genome)})
    theirs = [
        sys.executable,
        "-c",
        KIPOI_PREDICT,
        "predict",
        str(ENTRY),
        "--source",
        "dir",
        "--batch_size",
        "64",
        "--dataloader_args",
        arguments,
        "-o",
        str(folder / "kipoi.tsv"),
    ]
    ours, peer = compare(zoo_predict(ENTRY, regions, genome, "ours.tsv"), theirs, folder, max(repeats - 1, 1))
    ratio = cpu(peer) / cpu(ours)
    return [
        limited(
            f"kipoi predict / zoo predict, {n:,} x 1 kb, same entry",
            f"{cpu(peer):.1f} / {cpu(ours):.1f} CPU-s",
            ratio,
            "> 1",
        )
    ]


GRELU_PREDICT = """
import sys
import pandas as pd
from grelu.data.dataset import SeqDataset
from grelu.lightning import LightningModel
model = LightningModel.load_from_checkpoint(sys.argv[1])
regions = pd.read_table(sys.argv[2], names=["chrom", "start", "end"])
data = SeqDataset(regions, seq_len=model.data_params["train"]["seq_len"], genome=sys.argv[3])
preds = model.predict_on_dataset(data, devices="cpu", num_workers=1, batch_size=64)
pd.DataFrame(preds.reshape(len(preds), -1)).to_csv(sys.argv[4], sep="\\t", index=False)
"""


def bench_grelu(folder: Path, n: int, repeats: int) -> list[Row]:
    genome, regions = make_genome(folder), make_regions(folder, n)
    theirs = [sys.executable, "-c", GRELU_PREDICT, str(ENTRY / "grelu.ckpt"), str(regions), str(genome), "grelu.tsv"]
    ours, peer = compare(zoo_predict(ENTRY, regions, genome, "ours.tsv"), theirs, folder, max(repeats - 1, 1))
    ratio = cpu(peer) / cpu(ours)
    return [
        limited(
            f"gReLU predict_on_dataset / zoo predict, {n:,} x 1 kb",
            f"{cpu(peer):.1f} / {cpu(ours):.1f} CPU-s",
            ratio,
            "> 1",
        )
    ]


LOADER_OURS = """
import sys, time
from zoo.genome.fasta import open_genome
from zoo.genome.intervals import RegionFile
from zoo.genome.windows import WindowPlan
from zoo.run.predict import windows_a_step
from zoo.run.pipeline import BlockReader
genome, regions = open_genome(sys.argv[1]), RegionFile(sys.argv[2])
start = time.process_time()
reader = BlockReader(regions, genome, WindowPlan(1000), use_strand=False, n_value=0.25, step=windows_a_step(64, 1000))
count = sum(len(block.one_hot) for block in reader)
print((time.process_time() - start) / count * 1e6)
"""
LOADER_KIPOISEQ = """
import sys, time
from kipoiseq.dataloaders import SeqIntervalDl
start = time.process_time()
loader = SeqIntervalDl(sys.argv[2], sys.argv[1], auto_resize_len=1000, alphabet_axis=0, dtype="np.float32",
                       ignore_targets=True)
count = sum(len(batch["inputs"]) for batch in loader.batch_iter(batch_size=64))
print((time.process_time() - start) / count * 1e6)
"""


def bench_loader(folder: Path, n: int, repeats: int) -> list[Row]:
    genome, regions = make_genome(folder), make_regions(folder, n)
    times: dict[str, list[float]] = {LOADER_OURS: [], LOADER_KIPOISEQ: []}
    for _ in range(repeats):
        for code, found in times.items():
            done = subprocess.run(
                [sys.executable, "-c", code, str(genome), str(regions)], capture_output=True, text=True, check=True
            )
            found.append(float(done.stdout.split()[-1]))
    ours, theirs = (statistics.median(found) for found in times.values())
    return [
        limited(
            "loader: kipoiseq SeqIntervalDl / ours, one-hot included",
            f"{theirs:.0f} / {ours:.1f} us an interval",
            theirs / ours,
            ">= 10",
        )
    ]


def bench_memory(folder: Path, n: int, repeats: int) -> list[Row]:
    genome, toy = make_genome(folder), make_toy(folder)
    rows = []
    for suffix in ("tsv", "h5", "bw"):
        entry = toy if suffix != "bw" else ENTRY
        many = 10 * n if suffix != "bw" else n  # the toy has no bins; the bundled model's forward is the time
        few = make_regions(folder, n // 10)
        a, b = compare(
            zoo_predict(entry, make_regions(folder, many), genome, f"many.{suffix}"),
            zoo_predict(entry, few, genome, f"few.{suffix}"),
            folder,
            1,
        )
        ratio = a[0].peak_mb / b[0].peak_mb
        rows.append(
            limited(
                f"peak memory, {many:,} / {n // 10:,} regions to .{suffix}",
                f"{a[0].peak_mb:.0f} / {b[0].peak_mb:.0f} MB",
                ratio,
                "<= 1.2",
            )
        )
    return rows


#: CPU-microseconds a window of 32 bins that a format may take.
WRITER_LIMITS = {".h5": 10, ".tsv": 25, ".bw": 75, ".zarr": 50, ".parquet": 50}


def bench_writers(folder: Path, n: int, repeats: int) -> list[Row]:
    """A profile of 32 bins a window, all over a genome of 22 chromosomes, written in this process."""
    from zoo.outputs import OutputSpec
    from zoo.writers import WriterContext, open_writer

    output = OutputSpec("p", "profile", ("t",), n_bins=32, bin_size=32)
    sizes = {f"chr{i}": 100_000_000 for i in range(1, 23)}
    batches = [random_profiles(seed, 500, output, sizes) for seed in range(max(n // 500, 1))]
    rows = []
    for suffix, limit in WRITER_LIMITS.items():
        took = []
        for _ in range(max(repeats, 3)):
            out = folder / f"written{suffix}"
            context = WriterContext(out=out, outputs=(output,), chrom_sizes=sizes, overlap="mean", stranded_swap={})
            start = time.process_time()
            writer = open_writer(context)
            writer.open()
            for batch in batches:
                writer.write(batch)
            writer.finish()
            took.append(time.process_time() - start)
        each = min(took) / (500 * len(batches)) * 1e6
        rows.append(limited(f"a window of 32 bins to {suffix} (us)", f"{each:.1f} us", each, f"<= {limit} us"))
    return rows


CONTIGS = 100_000


def bench_contigs(folder: Path, _n: int, repeats: int) -> list[Row]:
    """A window on each contig of an assembly in pieces, whole processes: no format may take long for the names."""
    genome, regions, toy = folder / "contigs.fa", folder / "contigs.bed", make_toy(folder)
    letters = np.frombuffer(b"ACGT", np.uint8)[np.random.default_rng(0).integers(0, 4, (CONTIGS, 1_100))]
    with genome.open("wb") as file:
        file.writelines(b">contig_%06d\n%s\n" % (i, line.tobytes()) for i, line in enumerate(letters))
    regions.write_text("".join(f"contig_{i:06d}\t450\t550\n" for i in range(CONTIGS)), encoding="utf-8")
    rows = []
    for suffix in ("bw", "bedgraph"):
        ours, base = compare(
            zoo_predict(toy, regions, genome, f"contigs.{suffix}"),
            zoo_predict(toy, regions, genome, "contigs.tsv"),
            folder,
            repeats,
        )
        case = f"{CONTIGS:,} contigs, a window on each to .{suffix} / to .tsv"
        rows.append(limited(case, f"{cpu(ours):.2f} / {cpu(base):.2f} CPU-s", cpu(ours) / cpu(base), "<= 2"))
    return rows


def random_profiles(seed: int, n: int, output: OutputSpec, sizes: dict[str, int]) -> PredictionBatch:
    """``n`` windows anywhere, with values over many orders of magnitude, zeros among them."""
    from zoo.outputs import PredictionBatch

    random = np.random.default_rng(seed)
    chrom = random.choice(list(sizes), n).astype(object)
    start = random.integers(0, min(sizes.values()) - 1024, n)
    shape = (n, len(output.tracks), output.n_bins)
    values = random.normal(size=shape) * 10.0 ** random.integers(-6, 6, shape)
    return PredictionBatch(
        region=np.arange(seed * n, (seed + 1) * n),
        chrom=chrom,
        start=start,
        end=start + 1024,
        name=np.array([f"peak{i}" for i in range(n)], dtype=object),
        score=np.full(n, "0", dtype=object),
        strand=np.full(n, ".", dtype=object),
        window_start=start,
        window_end=start + 1024,
        reverse=np.zeros(n, dtype=bool),
        values={output.name: np.where(random.random(shape) < 0.1, 0, values).astype(np.float32)},
    )


CASES: dict[str, Callable[[Path, int, int], list[Row]]] = {
    "start": bench_start,
    "bare": bench_bare,
    "toy": bench_toy,
    "loader": bench_loader,
    "writers": bench_writers,
    "contigs": bench_contigs,
    "kipoi": bench_kipoi,
    "grelu": bench_grelu,
    "memory": bench_memory,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), help="cases to run")
    parser.add_argument("--regions", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder for genome and results; default a temporary one")
    parser.add_argument("--json", type=Path, help="write the table as JSON too")
    arguments = parser.parse_args()
    rows: list[Row] = []
    # As an installed package has it; an environment with PYTHONDONTWRITEBYTECODE would compile at every start.
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(ROOT / "zoo")], check=True)
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as temporary:
        folder = arguments.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in arguments.only:
            for row in CASES[name](folder, arguments.regions, arguments.repeats):
                rows.append(row)
                print(row.line(72, 26), flush=True)
    if arguments.json:
        save(rows, arguments.json)
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
