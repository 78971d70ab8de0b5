"""Measure ``zoo variants`` against a bare loop and gReLU: ratios in one run on this machine.

    python -m scripts.bench.variants                      # everything, some 30 minutes on one core
    python -m scripts.bench.variants --only bpnet three --variants 500 --repeats 1

Each case runs whole processes in turn, on one thread, and compares medians of their CPU time (user + system) or peak
resident memory, as ``scripts.bench.predict`` does, whose random genome is used. The bare loop loads the same module and
passes ready tensors through it, in batches of the size that ours takes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from scripts.bench.predict import ENTRY, MARGIN, ROOT, compare, cpu, make_genome, make_toy
from scripts.bench.rows import Row, limited, save

BPNET = "bpnet-k562-ctcf"
CHROMS = ("chrI", "chrII", "chrIII", "chrIV")


def make_variants(folder: Path, genome: Path, n: int, alts: int = 1, compressed: bool = False) -> Path:
    """A sorted VCF of ``n`` substitutions at random places, with so many ALTs each."""
    import pysam

    path = folder / f"variants_{n}_{alts}.vcf"
    if not path.is_file():
        rng, rows = np.random.default_rng(n + alts), []
        with pysam.FastaFile(str(genome)) as fasta:
            for chrom in CHROMS:
                size = fasta.get_reference_length(chrom)
                share = n // len(CHROMS) + (n % len(CHROMS) if chrom == CHROMS[0] else 0)
                places = rng.choice(np.arange(MARGIN, size - MARGIN), share, replace=False)
                letters = fasta.fetch(chrom).upper()
                for at in np.sort(places):
                    others = [base for base in "ACGT" if base != letters[at]][:alts]
                    rows.append(f"{chrom}\t{at + 1}\t.\t{letters[at]}\t{','.join(others)}\t.\t.\t.\n")
            contigs = [f"##contig=<ID={name},length={fasta.get_reference_length(name)}>\n" for name in fasta.references]
        columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        path.write_text("".join(["##fileformat=VCFv4.2\n", *contigs, columns, *rows]))
    if compressed:
        pysam.tabix_index(str(path), preset="vcf", force=True, keep_original=True)
        return path.with_name(f"{path.name}.gz")
    return path


def zoo_variants(model: str | Path, variants: Path, genome: Path, out: str, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "zoo", "variants", str(model), str(variants), "-g", str(genome), "-o", out),
        *("-q", "--trust", "--any-genome", "--device", "cpu", *more),
    ]


BARE_LOOP = """
import sys, torch, zoo
model, passes, batch = zoo.load_model(sys.argv[1], trust=True), int(sys.argv[2]), int(sys.argv[3])
ready = torch.eye(4)[torch.randint(4, (batch, model.length))].transpose(1, 2).contiguous()
module = model.module.eval()
with torch.inference_mode():
    for _ in range(passes // batch):
        module(model.loader.arrange(ready))
"""


def bare_loop(model: str | Path, passes: int, batch: int) -> list[str]:
    return [sys.executable, "-c", BARE_LOOP, str(model), str(passes), str(batch)]


def batch_of(model: str | Path) -> int:
    """The size of batch that ours finds for a model, in a process as the others are."""
    text = (
        "import sys, zoo; from zoo.models.loaded import Runner; from zoo.variants.run.steady import steady_batch_size; "
        "print(steady_batch_size(Runner(zoo.load_model(sys.argv[1], trust=True), 'cpu')))"
    )
    done = subprocess.run([sys.executable, "-c", text, str(model)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def seconds(ours: list, base: list) -> str:
    return f"{cpu(ours):.1f} / {cpu(base):.1f} CPU-s"


def bench_bpnet(folder: Path, n: int, repeats: int) -> list[Row]:
    genome = make_genome(folder)
    plain, packed = make_variants(folder, genome, n), make_variants(folder, genome, n, compressed=True)
    batch, rows = batch_of(BPNET), []
    for variants, suffix, limit in ((plain, "tsv", 1.15), (packed, "vcf.gz", 1.25)):
        ours = zoo_variants(BPNET, variants, genome, f"bpnet.{suffix}")
        a, b = compare(ours, bare_loop(BPNET, 2 * n, batch), folder, repeats)
        case = f"{n:,} substitutions, {BPNET}, to {suffix} / bare loop of two passes"
        rows.append(limited(case, seconds(a, b), cpu(a) / cpu(b), f"<= {limit}"))
    return rows


def bench_three(folder: Path, n: int, repeats: int) -> list[Row]:
    genome = make_genome(folder)
    ours = zoo_variants(BPNET, make_variants(folder, genome, n, alts=3), genome, "three.tsv")
    a, b = compare(ours, bare_loop(BPNET, 6 * n, batch_of(BPNET)), folder, repeats)
    return [limited(f"three ALTs at {n:,} places / six passes", seconds(a, b), cpu(a) / cpu(b), "<= 0.72")]


GRELU = """
import sys
import pandas as pd
from grelu.lightning import LightningModel
from grelu.variant import predict_variant_effects
model = LightningModel.load_from_checkpoint(sys.argv[1])
rows = [line.split("\\t") for line in open(sys.argv[2]) if line[0] != "#"]
table = pd.DataFrame([(r[0], int(r[1]), r[3], r[4]) for r in rows], columns=["chrom", "pos", "ref", "alt"])
found = predict_variant_effects(table, model, devices="cpu", num_workers=1, batch_size=64, genome=sys.argv[3],
                                compare_func="log2FC", return_ad=False, check_reference=False)
pd.DataFrame(found.reshape(len(found), -1)).to_csv(sys.argv[4], sep="\\t", index=False)
"""


def bench_grelu(folder: Path, n: int, repeats: int) -> list[Row]:
    genome, checkpoint = make_genome(folder), ENTRY / "grelu.ckpt"
    variants = make_variants(folder, genome, n)
    ours = zoo_variants(checkpoint, variants, genome, "ours.tsv", "--anchor", "left")
    theirs = [sys.executable, "-c", GRELU, str(checkpoint), str(variants), str(genome), "grelu.tsv"]
    a, b = compare(ours, theirs, folder, repeats)
    case = f"gReLU predict_variant_effects / zoo variants, {n:,} substitutions"
    return [limited(case, seconds(b, a), cpu(b) / cpu(a), ">= 1.3")]


def bench_memory(folder: Path, n: int, repeats: int) -> list[Row]:
    genome, toy, many = make_genome(folder), make_toy(folder), 100 * n
    rows = []
    for suffix in ("tsv", "vcf.gz"):
        a, b = compare(
            zoo_variants(toy, make_variants(folder, genome, many), genome, f"many.{suffix}", "--score", "diff"),
            zoo_variants(toy, make_variants(folder, genome, n), genome, f"few.{suffix}", "--score", "diff"),
            folder,
            1,
        )
        case = f"peak memory, {many:,} / {n:,} variants to {suffix}, toy net"
        ratio = a[0].peak_mb / b[0].peak_mb
        rows.append(limited(case, f"{a[0].peak_mb:.0f} / {b[0].peak_mb:.0f} MB", ratio, "<= 1.2"))
    return rows


CASES: dict[str, Callable[[Path, int, int], list[Row]]] = {
    "bpnet": bench_bpnet,
    "three": bench_three,
    "grelu": bench_grelu,
    "memory": bench_memory,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), help="cases to run")
    parser.add_argument("--variants", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder for genome and results; default a temporary one")
    parser.add_argument("--json", type=Path, help="write the table as JSON too")
    arguments = parser.parse_args()
    os.environ |= {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(ROOT / "zoo")], check=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as temporary:
        folder = (arguments.work or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for name in arguments.only:
            for row in CASES[name](folder, arguments.variants, arguments.repeats):
                rows.append(row)
                print(row.line(76, 26), flush=True)
    if arguments.json:
        save(rows, arguments.json)
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
